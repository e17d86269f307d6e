/*-------------------------------------------------------------------------
 *
 * scrub_matrix_test.c
 *		Whatever a provider makes of a user's key, and wherever it says so,
 *		nothing of it is in what is stored of the answer.
 *
 * Thirty disguises and places for each of six keys go through the adapters and
 * answer.c.  What is stored is then held against the disguised key: no piece
 * of it may be there that six characters of the key could be read from.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../src/courier/answer.h"
#include "../../src/courier/base64.h"
#include "check.h"
#include "disguises.h"
#include "play.h"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* Of a private key. */
#define CUT			120

/* ---- the matrix ---- */

typedef enum Place
{
	IN_MESSAGE,
	IN_BOTH,					/* half in the message, half in the code */
	IN_BODY,					/* message, by the JSON's own escapes */
	IN_ID,						/* header x-request-id, or "responseId" */
	IN_PROMPT,					/* "revised_prompt", or what a model says */
	IN_NOTE						/* of an answer of which a part came */
} Place;

typedef struct Template
{
	const char *name;
	Disguise	disguise;
	Place		place;
	size_t		window;			/* characters that tell six of the key */
	size_t		skip;			/* what comes before it */
} Template;

static const Template templates[] = {
	{"whole", whole, IN_MESSAGE, 6, 0},
	{"masked", masked, IN_MESSAGE, 6, 0},
	{"pieces with dots", dotted, IN_MESSAGE, 6, 0},
	{"upper case", upper, IN_MESSAGE, 6, 0},
	{"spaces between", spaced, IN_MESSAGE, 11, 0},
	{"dashes between", dashed, IN_MESSAGE, 11, 0},
	{"zero-width spaces between", thinly_spaced, IN_MESSAGE, 21, 0},
	{"quotes and commas", quoted, IN_MESSAGE, 25, 0},
	{"lines of eight", in_lines, IN_MESSAGE, 6, 0},
	{"URL-escaped", percent, IN_MESSAGE, 18, 0},
	{"URL-escaped twice", percent_twice, IN_MESSAGE, 30, 0},
	{"JSON-escaped by the body", unicode, IN_BODY, 6, 0},
	{"JSON-escaped", unicode, IN_MESSAGE, 36, 0},
	{"JSON-escaped twice", unicode_twice, IN_MESSAGE, 42, 0},
	{"escaped like C", back_x, IN_MESSAGE, 24, 0},
	{"HTML entities", entities, IN_MESSAGE, 30, 0},
	{"HTML entities in hex", hex_entities, IN_MESSAGE, 36, 0},
	{"HTML entities twice", entities_twice, IN_MESSAGE, 54, 0},
	{"hexadecimal", hex, IN_MESSAGE, 12, 0},
	{"hexadecimal with colons", hex_with_colons, IN_MESSAGE, 17, 0},
	{"an array in hexadecimal", hex_array, IN_MESSAGE, 34, 0},
	{"base64", base64, IN_MESSAGE, 8, 0},
	{"base64url", base64url, IN_MESSAGE, 8, 0},
	{"base64 of a header", base64_of_header, IN_MESSAGE, 8, 10},
	{"base64 of a login", base64_of_login, IN_MESSAGE, 8, 4},
	{"base64 twice", base64_twice, IN_MESSAGE, 11, 0},
	{"hexadecimal of base64", hex_of_base64, IN_MESSAGE, 16, 0},
	{"URL-escaped base64", percent_of_base64, IN_MESSAGE, 24, 0},
	{"base64 of URL escapes", base64_of_percent, IN_MESSAGE, 24, 0},
	{"Bearer", bearer, IN_MESSAGE, 6, 7},
	{"split over two fields", whole, IN_BOTH, 6, 0},
	{"in the request id", whole, IN_ID, 6, 0},
	{"base64 in the request id", base64, IN_ID, 8, 0},
	{"in the revised prompt", whole, IN_PROMPT, 6, 0},
	{"escaped in the revised prompt", percent, IN_PROMPT, 18, 0},
	{"in the note", bearer, IN_NOTE, 6, 7},
	{"hexadecimal in the note", hex, IN_NOTE, 12, 0},
};

typedef enum Tongue
{
	OPENAI,
	GOOGLE,
	XAI,
	TOKEN_ENDPOINT
} Tongue;

typedef struct Key
{
	const char *name;
	const char *adapter;
	Tongue		tongue;
	const char *prefix;
	int			random;			/* characters behind it */
	char		secret[256];	/* what must not be seen */
	char	   *key;			/* what the user brought */
	bool		is_token;		/* got for the key */
} Key;

static Key	keys[] = {
	{.name = "OpenAI key",.adapter = "openai",.tongue = OPENAI,
	.prefix = "sk-proj-",.random = 156},
	{.name = "Google key",.adapter = "google",.tongue = GOOGLE,
	.prefix = "AIza",.random = 35},
	{.name = "Google key of the new kind",.adapter = "google",
	.tongue = GOOGLE,.prefix = "AQ.Ab",.random = 48},
	{.name = "xAI key",.adapter = "xai",.tongue = XAI,.prefix = "xai-",
	.random = 80},
	{.name = "private key",.adapter = "vertex",.tongue = TOKEN_ENDPOINT},
	{.name = "access token",.adapter = "vertex",.tongue = GOOGLE,
	.prefix = "ya29.c.",.random = 150,.is_token = true},
};

static int	leaks;

/* ---- keys ---- */

/* Random, and the same in each run. */
static void
make_secret(Key *key)
{
	static const char letters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	char	   *at = stpcpy(key->secret, key->prefix);

	for (int i = 0; i < key->random; i++)
		*at++ = letters[(size_t) random() % (sizeof(letters) - 1)];
	*at = '\0';
}

/*
 * Some of the middle of a PEM, without its line ends.  If the key went on as
 * the sentence around it does, more than the piece would have to go.
 */
static void
cut_private_key(char *out)
{
	static char digits[4096];
	const char *middle = digits + 200;
	char	   *to = digits;

	for (const char *at = play_private_key(); *at != '\0'; at++)
	{
		if (*at != '\n')
			*to++ = *at;
	}
	*to = '\0';
	while (strchr("yY", middle[-1]) != NULL ||
		   strchr("wW", middle[CUT]) != NULL)
		middle++;
	sprintf(out, "%.*s", CUT, middle);
}

static char *
make_account(void)
{
	json_t	   *account = json_pack("{s:s, s:s, s:s, s:s}",
									"type", "service_account",
									"project_id", "p1",
									"private_key", play_private_key(),
									"client_email",
									"a@p1.iam.gserviceaccount.com");
	char	   *text = json_dumps(account, 0);

	json_decref(account);
	return text;
}

static void
make_key(Key *key)
{
	if (key->prefix != NULL)
		make_secret(key);
	else
		cut_private_key(key->secret);
	key->key = key->tongue == TOKEN_ENDPOINT || key->is_token ?
		make_account() : strdup(key->secret);
}

/* ---- answers ---- */

/* with is put into text, at "@". */
static char *
fill(const char *text, const char *with)
{
	const char *at = strchr(text, '@');
	char	   *out = malloc(strlen(text) + strlen(with) + 1);

	sprintf(out, "%.*s%s%s", (int) (at - text), text, with, at + 1);
	return out;
}

/* As JSON has it between quotes. */
static char *
in_json(const char *text)
{
	json_t	   *json = json_string(text);
	char	   *quoted = json_dumps(json, JSON_ENCODE_ANY);

	json_decref(json);
	quoted[strlen(quoted) - 1] = '\0';
	memmove(quoted, quoted + 1, strlen(quoted));
	return quoted;
}

#define SENTENCE	"The key @ was refused."

static const char *
error_body(Tongue tongue)
{
	switch (tongue)
	{
		case OPENAI:
			return "{\"error\":{\"message\":\"" SENTENCE "\","
				"\"type\":\"invalid_request_error\"}}";
		case GOOGLE:
			return "{\"error\":{\"code\":400,\"message\":\"" SENTENCE "\","
				"\"status\":\"INVALID_ARGUMENT\"}}";
		case XAI:
			return "{\"code\":\"The request is wrong\",\"error\":\"" SENTENCE
				"\"}";
		case TOKEN_ENDPOINT:
			break;
	}
	return "{\"error\":\"invalid_grant\",\"error_description\":\"" SENTENCE
		"\"}";
}

/* Of an answer with status 200. */
static const char *
good_body(Tongue tongue, Place place)
{
	if (tongue == GOOGLE && place == IN_ID)
		return "{\"responseId\":\"@\",\"candidates\":[]}";
	if (tongue == GOOGLE)
		return "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\""
			SENTENCE "\"}]},\"finishReason\":\"STOP\"}]}";
	if (place == IN_NOTE)
		return "{\"data\":[{\"b64_json\":\"" PLAY_PIXEL "\"}],"
			"\"error\":{\"message\":\"" SENTENCE "\"}}";
	return "{\"data\":[{\"b64_json\":\"" PLAY_PIXEL "\","
		"\"revised_prompt\":\"" SENTENCE "\"}]}";
}

/* Answers with the key in its place. */
static void
answer(Play *play, const Key *key, Place place, const char *disguised)
{
	Tongue		tongue = key->tongue;
	bool		is_good = place >= IN_PROMPT && tongue != TOKEN_ENDPOINT;
	const char *body = error_body(tongue);
	char	   *inside = place == IN_BODY ? strdup(disguised) :
	in_json(disguised);
	char	   *text;

	if (place == IN_NOTE && tongue == XAI)
		place = IN_PROMPT;		/* it has no such answer */
	if (place == IN_ID && tongue == GOOGLE)
		is_good = true;
	if (is_good)
		body = good_body(tongue, place);
	if (place == IN_BOTH && tongue == OPENAI)
		body = "{\"error\":{\"message\":\"The key @ was refused.\","
			"\"code\":\"@\",\"type\":\"@\"}}";
	text = fill(body, inside);
	for (char *more; strchr(text, '@') != NULL; text = more)
	{
		more = fill(text, inside + strlen(inside) / 2);
		free(text);
	}
	if (place == IN_ID)
		play_reply_header(play, "x-request-id", disguised);
	play_answer(play, is_good ? 200 : 400, text, 61);
	free(text);
	free(inside);
}

/* ---- what is stored ---- */

/* The longest piece that both have, in any case. */
static size_t
common_piece(const char *a, const char *b)
{
	size_t		longest = 0;

	for (const char *from = a; *from != '\0'; from++)
	{
		for (const char *with = b; *with != '\0'; with++)
		{
			size_t		n = 0;

			while (from[n] != '\0' &&
				   tolower((unsigned char) from[n]) ==
				   tolower((unsigned char) with[n]))
				n++;
			if (n > longest)
				longest = n;
		}
	}
	return longest;
}

/* All strings of the outcome, as the worker gets them. */
static char *
stored_text(Play *play, Next next)
{
	static const char *const members[] = {"message", "request_id", "note"};
	AnswerPicture pictures[MAX_PICTURES] = {0};
	AnswerFacts facts = {
		.result = next == NEXT_DONE ? RESULT_SUCCEEDED : RESULT_FAILED,
		.fault = &play->x.fault,
		.request_id = play->outcome.provider_request_id,
		.cost_ticks = -1,
		.note = play->outcome.note,
		.pictures = pictures,
		.picture_count = play->outcome.picture_count
	};
	Answer		made;
	const struct iovec *part;
	json_t	   *json;
	json_t	   *images;
	size_t		i;
	json_t	   *image;
	char	   *out = calloc(1, 64 * 1024);

	for (int p = 0; p < play->outcome.picture_count; p++)
	{
		pictures[p].format = "png";
		pictures[p].store = "database";
		pictures[p].revised_prompt = play->outcome.pictures[p].revised_prompt;
	}
	answer_build(&made, &facts);
	part = &made.parts[made.part_count - 1];
	json = json_loadb((const char *) part->iov_base + FRAME_HEAD_SIZE,
					  part->iov_len - FRAME_HEAD_SIZE, 0, NULL);
	images = json_object_get(json, "images");
	for (i = 0; i < lengthof(members); i++)
	{
		const char *text = json_string_value(json_object_get(json,
															 members[i]));

		strcat(strcat(out, text != NULL ? text : ""), "\n");
	}
	json_array_foreach(images, i, image)
	{
		const char *text =
		json_string_value(json_object_get(image, "revised_prompt"));

		strcat(strcat(out, text != NULL ? text : ""), "\n");
	}
	json_decref(json);
	answer_free(&made);
	return out;
}

/* Steps until the request whose answer has the key; false if it fails. */
static bool
begin(Play *play, const Key *key)
{
	Next		next;
	char		token[512];

	play_begin(play, provider_find(key->adapter), "https://api.example.com",
			   key->key, strcmp(key->adapter, "openai") == 0 ?
			   "gpt-image-2" : "gemini-nano-banana-2.1", json_object(),
			   json_object(), NULL);
	next = play_step(play);
	if (next == NEXT_SEND && key->is_token &&
		strstr(play->x.request.url, "oauth2") != NULL)
	{
		snprintf(token, sizeof(token),
				 "{\"access_token\":\"%s\",\"expires_in\":3599}", key->secret);
		next = play_answer(play, 200, token, 50);
		exchange_clear_reply(&play->x);
	}
	return next == NEXT_SEND;
}

static void
check_cell(const Key *key, const Template *template)
{
	static char disguised[MAX_TEXT];
	Play		play;
	char	   *stored;
	size_t		piece;
	bool		is_readable;
	bool		is_clean;

	template->disguise(key->secret, disguised);
	if (!begin(&play, key))
	{
		CHECK(false, "%s, %s: is asked", key->name, template->name);
		return;
	}
	answer(&play, key, template->place, disguised);
	stored = stored_text(&play, play.x.fault.class == FAULT_NONE ? NEXT_DONE :
						 NEXT_FAIL);
	piece = common_piece(stored, disguised + template->skip);
	is_clean = piece < template->window &&
		common_piece(stored, key->secret) < 6;
	/* what had a key in it is there, and the rest of it can be read */
	is_readable = strstr(stored, "***") != NULL &&
		(template->place == IN_ID ||
		 (strstr(stored, "The key") != NULL &&
		  strstr(stored, "was refused.") != NULL));
	if (template->place == IN_ID && key->tongue == TOKEN_ENDPOINT)
		is_readable = true;
	leaks += !is_clean;
	CHECK(is_clean && is_readable, "%s, %s", key->name, template->name);
	if (!is_clean || !is_readable)
		printf("# a piece of %zu in: %s", piece, stored);
	free(stored);
	play_end(&play);
}

/*
 * A token is scrubbed by itself, also if it has come to its end while the
 * provider worked.
 */
static void
check_late_token(const Key *key)
{
	char		disguised[MAX_TEXT];
	Play		play;

	base64(key->secret, disguised);
	CHECK(begin(&play, key), "a token is got");
	play.x.now += 4000;
	answer(&play, key, IN_MESSAGE, disguised);
	CHECK(strstr(play.x.fault.message, "The key ***") != NULL &&
		  common_piece(play.x.fault.message, disguised) < 8,
		  "a token that has expired meanwhile is not stored");
	play_end(&play);
}

/* What a service account's JSON says besides its key is in any message. */
static void
check_plain_words(void)
{
	static const char *const messages[] = {
		"The project_id of the service_account has no billing",
		"Permission denied on resource project p1: client_email has no role",
		"Invalid value for \"private_key\": %7B or &quot; or \\u007b",
	};

	for (size_t i = 0; i < lengthof(messages); i++)
	{
		Play		play;

		begin(&play, &keys[4]);
		exchange_fail(&play.x, FAULT_UNKNOWN, messages[i]);
		CHECK(strcmp(play.x.fault.message, messages[i]) == 0, "\"%s\"",
			  play.x.fault.message);
		play_end(&play);
	}
}

int
main(void)
{
	srandom(20);
	for (size_t k = 0; k < lengthof(keys); k++)
		make_key(&keys[k]);
	for (size_t k = 0; k < lengthof(keys); k++)
	{
		for (size_t t = 0; t < lengthof(templates); t++)
			check_cell(&keys[k], &templates[t]);
	}
	printf("# counted: %zu answers, %d with a piece of the key\n",
		   lengthof(keys) * lengthof(templates), leaks);
	check_late_token(&keys[5]);
	check_plain_words();
	for (size_t k = 0; k < lengthof(keys); k++)
		free(keys[k].key);
	return check_done();
}
