/*-------------------------------------------------------------------------
 *
 * validate_test.c
 *		Each adapter proves a key by a request that costs nothing, and calls a
 *		key wrong only where the provider has said so.
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/courier/tokens.h"
#include "check.h"
#include "play.h"

#define OPENAI	"https://api.openai.com/v1"
#define COMPATIBLE	"https://images.example/v1"
#define GEMINI	"https://generativelanguage.googleapis.com/v1"
#define VERTEX	"https://aiplatform.googleapis.com"
#define XAI		"https://api.x.ai/v1"
#define MODEL	"gemini-3-pro-image"

static Next
step(Play *play)
{
	Next		next = play->adapter->validate(&play->x,
											   play->generation.model);

	if (next == NEXT_SEND)
		exchange_clear_reply(&play->x);
	return next;
}

static Next
begin(Play *play, const char *adapter, const char *base, const char *key)
{
	play_begin(play, provider_find(adapter), base, key, MODEL, json_object(),
			   json_object(), NULL);
	return step(play);
}

static Next
answer(Play *play, long status, const char *body)
{
	play->x.reply.status = status;
	play->x.reply.wrote = true;
	play->x.reply.is_complete = true;
	play->x.reply.body = body;
	play->x.reply.body_len = strlen(body);
	return step(play);
}

typedef struct Case
{
	const char *says;
	const char *adapter;
	const char *base;
	long		status;
	const char *body;
	FaultClass	class;			/* FAULT_NONE: the key is good */
} Case;

#define GOOGLE_ERROR(status, word, reason) \
	"{\"error\":{\"code\":" status ",\"message\":\"no\",\"status\":\"" word \
	"\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\"," \
	"\"reason\":\"" reason "\"}]}}"

static const Case cases[] = {
	{"a list", "openai", OPENAI, 200, "{\"object\":\"list\",\"data\":[]}",
	FAULT_NONE},
	{"a wrong key", "openai", OPENAI, 401,
		"{\"error\":{\"code\":\"invalid_api_key\",\"message\":\"no\"}}",
	FAULT_INVALID_KEY},
	{"a key without that scope", "openai", OPENAI, 403,
		"{\"error\":\"You have insufficient permissions for this operation. "
	"Missing scopes: api.model.read.\"}", FAULT_UNKNOWN},
	{"a forbidden region", "openai", OPENAI, 403,
		"{\"error\":{\"code\":\"unsupported_country_region_territory\","
	"\"message\":\"no\"}}", FAULT_BAD_REQUEST},
	{"a 403 for another reason", "openai", OPENAI, 403,
	"{\"error\":{\"message\":\"no\"}}", FAULT_BAD_REQUEST},
	{"a list of addresses", "openai", OPENAI, 401,
		"{\"error\":{\"code\":\"ip_not_authorized\",\"message\":\"no\"}}",
	FAULT_BAD_REQUEST},
	{"an account without money", "openai", OPENAI, 429,
		"{\"error\":{\"type\":\"insufficient_quota\",\"message\":\"no\"}}",
	FAULT_QUOTA_EXHAUSTED},
	{"too many requests", "openai", OPENAI, 429, "{}", FAULT_RATE_LIMITED},
	{"a server that fails", "openai", OPENAI, 502, "<html>",
	FAULT_PROVIDER_UNAVAILABLE},
	{"a page", "openai", COMPATIBLE, 200, "<html>", FAULT_UNKNOWN},
	{"another document", "openai", COMPATIBLE, 200, "{\"status\":\"up\"}",
	FAULT_UNKNOWN},
	{"no list", "openai", COMPATIBLE, 404, "", FAULT_UNKNOWN},
	{"a compatible server's 401", "openai", COMPATIBLE, 401, "",
	FAULT_INVALID_KEY},
	{"a compatible server's 403", "openai", COMPATIBLE, 403,
	"{\"detail\":\"Forbidden\"}", FAULT_INVALID_KEY},
	{"its scopes", "openai", COMPATIBLE, 403,
	"{\"error\":\"Missing scopes: api.model.read\"}", FAULT_UNKNOWN},
	{"what stands in front of it", "openai", COMPATIBLE, 403, "<html>",
	FAULT_BAD_REQUEST},

	{"a list", "google", GEMINI, 200, "{\"models\":[{}]}", FAULT_NONE},
	{"a wrong key", "google", GEMINI, 400,
		GOOGLE_ERROR("400", "INVALID_ARGUMENT", "API_KEY_INVALID"),
	FAULT_INVALID_KEY},
	{"a bad new key", "google", GEMINI, 401,
		GOOGLE_ERROR("401", "UNAUTHENTICATED", "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
	FAULT_INVALID_KEY},
	{"a forbidden address", "google", GEMINI, 403,
		GOOGLE_ERROR("403", "PERMISSION_DENIED", "API_KEY_IP_ADDRESS_BLOCKED"),
	FAULT_BAD_REQUEST},
	{"too many requests", "google", GEMINI, 429, "{}", FAULT_RATE_LIMITED},
	{"a server that fails", "google", GEMINI, 503, "",
	FAULT_PROVIDER_UNAVAILABLE},

	{"counted tokens", "vertex", VERTEX, 200, "{\"totalTokens\":2}",
	FAULT_NONE},
	{"a wrong key", "vertex", VERTEX, 400,
		GOOGLE_ERROR("400", "INVALID_ARGUMENT", "API_KEY_INVALID"),
	FAULT_INVALID_KEY},
	{"a wrong key, otherwise said", "vertex", VERTEX, 401, "",
	FAULT_INVALID_KEY},
	{"a model that is gone", "vertex", VERTEX, 404,
		"{\"error\":{\"status\":\"NOT_FOUND\",\"message\":\"no\"}}",
	FAULT_MODEL_NOT_FOUND},
	{"a server that fails", "vertex", VERTEX, 500, "",
	FAULT_PROVIDER_UNAVAILABLE},

	{"a good key", "xai", XAI, 200,
		"{\"api_key_blocked\":false,\"api_key_disabled\":false,"
	"\"team_blocked\":false,\"acls\":[\"api-key:model:*\"]}", FAULT_NONE},
	{"a blocked key", "xai", XAI, 200, "{\"api_key_blocked\":true}",
	FAULT_INVALID_KEY},
	{"a disabled key", "xai", XAI, 200, "{\"api_key_disabled\":true}",
	FAULT_INVALID_KEY},
	{"a blocked team", "xai", XAI, 200, "{\"team_blocked\":true}",
	FAULT_INVALID_KEY},
	{"a page", "xai", XAI, 200, "<html>", FAULT_UNKNOWN},
	{"a wrong key", "xai", XAI, 400,
	"{\"error\":\"Incorrect API key provided.\"}", FAULT_INVALID_KEY},
	{"another bad request", "xai", XAI, 400, "{\"error\":\"no\"}",
	FAULT_BAD_REQUEST},
	{"no money", "xai", XAI, 403,
		"{\"error\":\"Your team has used all available credits\"}",
	FAULT_QUOTA_EXHAUSTED},
	{"too many requests", "xai", XAI, 429, "{}", FAULT_RATE_LIMITED},
	{"a server that fails", "xai", XAI, 529, "", FAULT_PROVIDER_UNAVAILABLE},
};

static void
check_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const Case *c = &cases[i];
		Play		play;
		Next		next;

		CHECK(begin(&play, c->adapter, c->base, "key-0123456789") ==
			  NEXT_SEND, "%s: %s: asks", c->adapter, c->says);
		CHECK(!play.x.request.is_paid, "%s: %s: for nothing", c->adapter,
			  c->says);
		next = answer(&play, c->status, c->body);
		CHECK(c->class == FAULT_NONE ? next == NEXT_DONE :
			  next == NEXT_FAIL && play.x.fault.class == c->class,
			  "%s: %s: is %s, not %s", c->adapter, c->says,
			  c->class == FAULT_NONE ? "good" : fault_code(c->class),
			  next == NEXT_DONE ? "good" : fault_code(play.x.fault.class));
		play_end(&play);
	}
}

static void
check_transport(void)
{
	static const char *const names[] = {"openai", "google", "vertex", "xai"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		Play		play;

		begin(&play, names[i], VERTEX, "key-0123456789");
		play.x.reply.transport = TRANSPORT_DNS;
		CHECK(step(&play) == NEXT_FAIL &&
			  play.x.fault.class == FAULT_PROVIDER_UNAVAILABLE,
			  "%s: without a network nothing is said about the key",
			  names[i]);
		play_end(&play);
	}
	CHECK(provider_find("sandbox")->validate == NULL,
		  "sandbox has no keys to check");
}

/* Where it asks, and how it shows the key. */
static void
check_request(const char *adapter, const char *base, const char *method,
			  const char *url, const char *header, const char *value)
{
	Play		play;
	const char *sent;

	begin(&play, adapter, base, "key-0123456789");
	sent = play_request_header(&play, header);
	CHECK(strcmp(play.x.request.method, method) == 0 &&
		  strcmp(play.x.request.url, url) == 0, "%s: %s %s, not %s %s",
		  adapter, method, url, play.x.request.method, play.x.request.url);
	CHECK(sent != NULL && strcmp(sent, value) == 0,
		  "%s: with the key in %s", adapter, header);
	play_end(&play);
}

static void
check_requests(void)
{
	check_request("openai", OPENAI, "GET", OPENAI "/models", "Authorization",
				  "Bearer key-0123456789");
	check_request("google", GEMINI, "GET", GEMINI "/models?pageSize=1",
				  "x-goog-api-key", "key-0123456789");
	check_request("xai", XAI, "GET", XAI "/api-key", "Authorization",
				  "Bearer key-0123456789");
	check_request("vertex", VERTEX, "POST",
				  VERTEX "/v1/publishers/google/models/" MODEL ":countTokens",
				  "x-goog-api-key", "key-0123456789");
}

static void
check_settings(void)
{
	Play		play;

	play_begin(&play, provider_find("openai"), OPENAI, "sk-0123456789", MODEL,
			   json_object(), json_pack("{s:s}", "organization", "org-1"),
			   NULL);
	CHECK(step(&play) == NEXT_SEND &&
		  strcmp(play_request_header(&play, "OpenAI-Organization"),
				 "org-1") == 0, "openai: of the key's organization");
	play_end(&play);

	play_begin(&play, provider_find("vertex"), VERTEX, "AIza0123456789", NULL,
			   json_object(), json_object(), NULL);
	CHECK(step(&play) == NEXT_FAIL && play.x.fault.class == FAULT_UNKNOWN,
		  "vertex: without a model nothing can be said");
	play_end(&play);
}

/* A service account, about to be checked. */
static Next
begin_account(Play *play, char **key)
{
	json_t	   *json = json_pack("{s:s, s:s, s:s, s:s, s:s}",
								 "type", "service_account",
								 "client_email", "a@p1.example",
								 "private_key", play_private_key(),
								 "project_id", "p1", "token_uri",
								 "https://oauth2.googleapis.com/token");

	tokens_forget();
	*key = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return begin(play, "vertex", VERTEX, *key);
}

/* As an adapter reads it, which wipes it then. */
static Next
answer_token(Play *play)
{
	return answer(play, 200,
				  arena_strdup(play->x.arena, "{\"access_token\":\"t1\","
							   "\"expires_in\":3599}"));
}

static void
end_account(Play *play, char *key)
{
	play_end(play);
	free(key);
}

static void
check_account(void)
{
	char	   *key;
	Play		play;

	CHECK(begin_account(&play, &key) == NEXT_SEND &&
		  strcmp(play.x.request.url,
				 "https://oauth2.googleapis.com/token") == 0,
		  "an account logs in first");
	CHECK(answer_token(&play) == NEXT_SEND &&
		  strcmp(play.x.request.url, VERTEX "/v1/projects/p1/locations/global"
				 "/publishers/google/models/" MODEL ":countTokens") == 0 &&
		  strcmp(play_request_header(&play, "Authorization"),
				 "Bearer t1") == 0 && !play.x.request.is_paid,
		  "then it has tokens counted in its project");
	CHECK(answer(&play, 200, "{\"totalTokens\":2}") == NEXT_DONE,
		  "and is good");
	end_account(&play, key);

	begin_account(&play, &key);
	CHECK(answer(&play, 400, "{\"error\":\"invalid_grant\"}") == NEXT_FAIL &&
		  play.x.fault.class == FAULT_INVALID_KEY,
		  "an account that may not log in is wrong");
	end_account(&play, key);

	begin_account(&play, &key);
	answer_token(&play);
	CHECK(answer(&play, 403, GOOGLE_ERROR("403", "PERMISSION_DENIED",
										  "IAM_PERMISSION_DENIED")) ==
		  NEXT_FAIL && play.x.fault.class == FAULT_INVALID_KEY,
		  "one without the role is wrong, though it has a token");
	end_account(&play, key);

	begin_account(&play, &key);
	answer_token(&play);
	CHECK(answer(&play, 401, "") == NEXT_SEND &&
		  strcmp(play.x.request.url,
				 "https://oauth2.googleapis.com/token") == 0,
		  "a token that is refused is renewed");
	CHECK(answer_token(&play) == NEXT_SEND &&
		  answer(&play, 401, "") == NEXT_FAIL &&
		  play.x.fault.class == FAULT_INVALID_KEY, "once");
	end_account(&play, key);

	begin_account(&play, &key);
	CHECK(answer(&play, 503, "") == NEXT_FAIL &&
		  play.x.fault.class == FAULT_PROVIDER_UNAVAILABLE,
		  "a token endpoint that fails says nothing");
	end_account(&play, key);
}

int
main(void)
{
	check_requests();
	check_cases();
	check_transport();
	check_settings();
	check_account();
	return check_done();
}
