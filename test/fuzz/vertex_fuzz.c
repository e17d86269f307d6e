/*-------------------------------------------------------------------------
 *
 * vertex_fuzz.c
 *		Whatever Vertex AI and Google's login answer: to Gemini and to Imagen
 *		models, and to who has a token already or not.
 *
 * The first byte chooses among these; the rest is as answers.h says.
 *
 *-------------------------------------------------------------------------
 */
#include "answers.h"

#include "../../src/courier/tokens.h"

#define SCOPE	"https://www.googleapis.com/auth/cloud-platform"
#define TOKEN	"ya29.c.test0123456789"

static const char api_key[] = "AQ.test0123456789abcdefghijklmnop";

/* A service account's key. */
static const char *
account(void)
{
	static char *text;

	if (text == NULL)
	{
		json_t	   *json = json_pack("{s:s, s:s, s:s, s:s, s:s}",
									 "type", "service_account",
									 "project_id", "p1",
									 "private_key_id", "k1",
									 "private_key", play_private_key(),
									 "client_email",
									 "a@p1.iam.gserviceaccount.com");

		text = json_dumps(json, 0);
		json_decref(json);
	}
	return text;
}

/* As after a login, so that the first answer is to the generation itself. */
static void
keep_token(const Play *play)
{
	Arena	   *arena = play->x.arena;
	uint8_t		key[TOKENS_KEY_SIZE];

	insist(tokens_key(play->x.secret, SCOPE, key));
	tokens_keep(key, secret_create(arena, (const uint8_t *) TOKEN,
								   strlen(TOKEN)), PLAY_NOW, 3599);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *key;
	const char *secret;
	Play		play;
	bool		has_account;

	if (size < 1)
		return 0;
	has_account = (data[0] & 1) == 0;
	key = has_account ? account() : api_key;
	play_begin(&play, provider_find("vertex"),
			   "https://aiplatform.googleapis.com", key,
			   (data[0] & 2) != 0 ? "imagen-4.0-generate-001" :
			   "gemini-3-pro-image", json_pack("{s:i}", "n", 2),
			   json_object(), NULL);

	/* signing is slow: most inputs do without; and the key is not sent */
	tokens_forget();
	secret = has_account ? NULL : key;
	if (has_account && (data[0] & 0xfc) != 'L')
	{
		keep_token(&play);
		secret = TOKEN;
	}
	answers_play(&play, secret, true, data + 1, size - 1);
	return 0;
}
