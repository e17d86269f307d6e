/*-------------------------------------------------------------------------
 *
 * google_fuzz.c
 *		Whatever answers for Google, all ways in end in pictures or in a fault
 *		with a message, never with a credential in it; requests go to Google's
 *		hosts alone, and each paid one is new.
 *
 * The first byte chooses the status, the second the way in, whether the
 * answer came to its end, and the pieces it came in; the rest is the body of
 * every answer but to a login, or of that.
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/courier/tokens.h"
#include "../unit/play.h"

extern const ProviderAdapter provider_google;
extern const ProviderAdapter provider_vertex;
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define API_KEY	"AQ.test0123456789abcdefghijklmnop"
#define TOKEN	"opaque0123456789abcdefghijklmnop"

/* Three pictures, a renewal between, and a login before. */
#define MAX_STEPS	8

static const long statuses[] = {
	200, 200, 200, 200, 302, 400, 401, 403, 404, 429, 500, 504,
};

typedef enum WayIn
{
	GEMINI_API,
	EXPRESS,
	ACCOUNT,
	IMAGEN,
	LOGIN
} WayIn;

static void
insist(bool holds)
{
	if (!holds)
		abort();
}

static void
check_text(const char *text)
{
	insist(text == NULL ||
		   (strstr(text, API_KEY) == NULL && strstr(text, TOKEN) == NULL));
}

static const char *
account(void)
{
	static char *text;
	json_t	   *json;

	if (text == NULL)
	{
		json = json_pack("{s:s, s:s, s:s, s:s}", "type", "service_account",
						 "project_id", "p1", "client_email", "a@example.com",
						 "private_key", play_private_key());
		text = json_dumps(json, 0);
		json_decref(json);
	}
	return text;
}

static void
begin(Play *play, WayIn way)
{
	const char *key = way < ACCOUNT ? API_KEY : account();

	play_begin(play, way == GEMINI_API ? &provider_google : &provider_vertex,
			   way == GEMINI_API ?
			   "https://generativelanguage.googleapis.com/v1" :
			   "https://aiplatform.googleapis.com", key,
			   way == IMAGEN ? "imagen-4.0-generate-001" :
			   "gemini-nano-banana-2.1", json_pack("{s:i}", "n", 3),
			   json_object(), NULL);
}

static void
check_request(const Play *play, int ordinal)
{
	const Request *request = &play->x.request;
	const char *host = strstr(request->url, "://") + 3;
	size_t		len = strcspn(host, "/");

	insist(strncmp(request->url, "https://", 8) == 0);
	insist(len > 15 && memcmp(host + len - 15, ".googleapis.com", 15) == 0);
	insist(!request->is_paid || request->ordinal > ordinal);
	insist(play_request_header(play, "authorization") == NULL ||
		   play_request_header(play, "x-goog-api-key") == NULL);
	check_text(request->url);
}

static void
check_end(const Play *play, Next next)
{
	const Outcome *outcome = &play->outcome;
	const Fault *fault = &play->x.fault;

	check_text(outcome->note);
	check_text(outcome->provider_request_id);
	if (next == NEXT_DONE)
		insist(outcome->picture_count >= 1);
	else
	{
		insist(next == NEXT_FAIL && outcome->picture_count == 0);
		insist(fault->class != FAULT_NONE && fault->message[0] != '\0');
		insist(!fault->may_repeat || !fault->may_have_cost);
		check_text(fault->message);
	}
	insist(outcome->picture_count <= MAX_PICTURES &&
		   outcome->missing_billed >= 0);
	for (int i = 0; i < outcome->picture_count; i++)
	{
		insist(outcome->pictures[i].picture.len > 0);
		check_text(outcome->pictures[i].revised_prompt);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Play		play;
	WayIn		way;
	long		status;
	const char *body;
	int			ordinal = 0;
	Next		next;

	if (size < 2)
		return 0;
	status = statuses[data[0] % (sizeof(statuses) / sizeof(statuses[0]))];
	way = data[1] % (LOGIN + 1);
	tokens_forget();
	begin(&play, way);
	body = arena_strndup(play.x.arena, (const char *) data + 2, size - 2);

	next = play_step(&play);
	for (int i = 0; i < MAX_STEPS && next == NEXT_SEND; i++)
	{
		check_request(&play, ordinal);
		if (play.x.request.is_paid)
			ordinal = play.x.request.ordinal;
		if (play.x.request.is_paid || way == LOGIN)
		{
			if (data[1] >= 128)
				play.x.reply.transport = TRANSPORT_RESET_BODY;
			next = play_answer(&play, status, body, 1 + (data[1] & 31));
		}
		else
			next = play_answer(&play, 200, "{\"access_token\":\"" TOKEN
							   "\",\"expires_in\":3599}", 99);
		if (play.x.reply.transport != TRANSPORT_OK)
			play.x.reply.transport = TRANSPORT_OK;
	}
	check_end(&play, next);
	play_end(&play);
	return 0;
}
