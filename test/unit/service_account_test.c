/*-------------------------------------------------------------------------
 *
 * service_account_test.c
 *		A service account logs in with an assertion, at Google and nowhere
 *		else, and no more often than it must; and a key that is none is said
 *		to be.
 *
 * It is played with the Vertex adapter, which is where accounts come.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"
#include "vertex_play.h"

/* ---- logging in ---- */

/* The form of the official client, with an assertion that holds. */
static void
check_assertion(const Play *play)
{
	static const char grant[] = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3A"
	"grant-type%3Ajwt-bearer&assertion=";
	const char *form = play->x.request.body;
	size_t		len = strlen(grant);
	char	   *claims = NULL;
	json_t	   *json;

	CHECK(strncmp(form, grant, len) == 0 &&
		  strcmp(play_request_header(play, "content-type"),
				 "application/x-www-form-urlencoded") == 0 &&
		  strcmp(play->x.request.method, "POST") == 0 &&
		  play_request_header(play, "authorization") == NULL &&
		  play_request_header(play, "x-goog-api-key") == NULL,
		  "a token is asked for with a form");
	CHECK(play->x.request.body_len < 2000 &&
		  strspn(form + len, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRS"
				 "TUVWXYZ0123456789-_.") == play->x.request.body_len - len,
		  "nothing in the assertion needs escaping");

	/* the second part; whether the signature holds is in jwt_test.c */
	claims = strdup(strchr(form + len, '.') + 1);
	*strchr(claims, '.') = '\0';
	for (char *c = claims; *c != '\0'; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	claims = realloc(claims, strlen(claims) + 4);
	while (strlen(claims) % 4 != 0)
		strcat(claims, "=");
	EVP_DecodeBlock((unsigned char *) claims, (unsigned char *) claims,
					(int) strlen(claims));
	json = json_loads(claims, JSON_DISABLE_EOF_CHECK, NULL);
	CHECK(strcmp(json_string_value(json_object_get(json, "iss")),
				 "a@p1.iam.gserviceaccount.com") == 0 &&
		  strcmp(json_string_value(json_object_get(json, "scope")),
				 "https://www.googleapis.com/auth/cloud-platform") == 0 &&
		  strcmp(json_string_value(json_object_get(json, "aud")),
				 "https://oauth2.googleapis.com/token") == 0 &&
		  json_integer_value(json_object_get(json, "iat")) == PLAY_NOW &&
		  json_integer_value(json_object_get(json, "exp")) == PLAY_NOW + 3600,
		  "the assertion claims account, scope, address and an hour");
	json_decref(json);
	free(claims);
}

static void
check_login(void)
{
	char	   *account = make_account(NULL);
	Play		play;

	tokens_forget();
	begin(&play, account, MODEL, json_object(), json_object());
	CHECK(play_step(&play) == NEXT_SEND && asks_for_token(&play),
		  "an account logs in before it asks");
	check_assertion(&play);
	play_end(&play);
	free(account);
}

/* ---- renewal ---- */

static void
check_renewal(void)
{
	char	   *account = make_account(NULL);
	Play		play;

	tokens_forget();
	begin(&play, account, MODEL, json_pack("{s:i}", "n", 2), json_object());
	play_step(&play);
	play_answer(&play, 200, TOKEN_ANSWER, 9);
	CHECK(play_answer(&play, 401, EXPIRED, 9) == NEXT_SEND &&
		  asks_for_token(&play), "a refused token is exchanged for a new one");
	CHECK(play_answer(&play, 200, "{\"access_token\":\"opaque-new-token\","
					  "\"expires_in\":3599}", 9) == NEXT_SEND &&
		  play.x.request.is_paid && play.x.request.ordinal == 2 &&
		  strcmp(play_request_header(&play, "authorization"),
				 "Bearer opaque-new-token") == 0,
		  "the same request goes out again, as a new one");
	CHECK(play_answer(&play, 200, GOOD, 9) == NEXT_SEND &&
		  play.x.request.is_paid && play.x.request.ordinal == 3,
		  "the second picture is yet another one");
	CHECK(play_answer(&play, 401, EXPIRED, 9) == NEXT_DONE &&
		  play.outcome.picture_count == 1 && play.outcome.note != NULL &&
		  play.outcome.missing_billed == 0,
		  "a token is renewed only once, and what there is is kept");
	play_end(&play);

	begin(&play, account, MODEL, json_object(), json_object());
	CHECK(play_step(&play) == NEXT_SEND && asks_for_token(&play),
		  "a token that was refused is not remembered");
	play_answer(&play, 200, "{\"access_token\":\"opaque-new-token\","
				"\"expires_in\":3599}", 9);
	CHECK(play_answer(&play, 403, "{\"error\":{\"message\":\"who is "
					  "opaque-new-token?\"}}", 9) == NEXT_FAIL &&
		  strcmp(play.x.fault.message, "who is ***?") == 0,
		  "a token of any kind is scrubbed");
	play_end(&play);

	begin(&play, account, MODEL, json_object(), json_object());
	CHECK(play_step(&play) == NEXT_SEND && play.x.request.is_paid,
		  "one that was not refused is");
	play_answer(&play, 401, EXPIRED, 9);
	play_answer(&play, 200, TOKEN_ANSWER, 9);
	CHECK(play_answer(&play, 401, EXPIRED, 9) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_INVALID_KEY && !play.x.fault.may_repeat &&
		  play.x.fault.charged == CHARGED_NO,
		  "refused twice, the key is at fault");
	play_end(&play);

	begin(&play, account, MODEL, json_pack("{s:i}", "n", 2), json_object());
	CHECK(play_step(&play) == NEXT_SEND && asks_for_token(&play),
		  "what was refused last is not remembered either");
	play_answer(&play, 200, TOKEN_ANSWER, 9);
	play_answer(&play, 200, GOOD, 9);
	CHECK(play_answer(&play, 401, EXPIRED, 9) == NEXT_SEND &&
		  asks_for_token(&play) &&
		  play_lose(&play, TRANSPORT_TIMEOUT, true) == NEXT_DONE &&
		  play.outcome.picture_count == 1 &&
		  play.outcome.missing_billed == 0,
		  "a login that fails takes no picture away");
	play_end(&play);
	begin(&play, account, MODEL, json_object(), json_object());
	CHECK(play_step(&play) == NEXT_SEND && asks_for_token(&play),
		  "nor what no new one came for");
	play_end(&play);
	free(account);
}

static void
check_token_answer(const char *fact, long status, const char *text,
				   FaultClass class, bool may_repeat)
{
	char	   *account = make_account(NULL);
	Play		play;

	tokens_forget();
	begin(&play, account, MODEL, json_object(), json_object());
	play_step(&play);
	CHECK(play_answer(&play, status, text, 9) == NEXT_FAIL &&
		  play.x.fault.class == class &&
		  play.x.fault.may_repeat == may_repeat &&
		  play.x.fault.charged == CHARGED_NO && !play.x.fault.may_have_cost &&
		  strstr(play.x.fault.message, "eyJ") == NULL,
		  "%s: \"%s\"", fact, play.x.fault.message);
	play_end(&play);
	free(account);
}

static void
check_token_answers(void)
{
	char		large[TOKENS_MAX_LENGTH + 100];
	char	   *account = make_account(NULL);
	Play		play;

	check_token_answer("an echoed assertion", 400, "{\"error\":"
					   "\"invalid_grant\",\"error_description\":\"not "
					   "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.AAAA\"}",
					   FAULT_INVALID_KEY, false);
	check_token_answer("a wrong clock", 400, "{\"error\":\"invalid_grant\","
					   "\"error_description\":\"Check your iat and exp\"}",
					   FAULT_INVALID_KEY, false);
	check_token_answer("a failing endpoint", 502, "<html>",
					   FAULT_PROVIDER_UNAVAILABLE, true);
	check_token_answer("no token", 200, "{\"expires_in\":3599}",
					   FAULT_PROVIDER_UNAVAILABLE, true);
	check_token_answer("a header in a token", 200, "{\"access_token\":"
					   "\"a\\r\\nX-Evil: 1\",\"expires_in\":3599}",
					   FAULT_PROVIDER_UNAVAILABLE, true);
	check_token_answer("a cut token", 200, "{\"access_token\":\"a\\u0000b\","
					   "\"expires_in\":3599}", FAULT_PROVIDER_UNAVAILABLE,
					   true);
	memset(large, 'x', sizeof(large));
	memcpy(large, "{\"access_token\":\"", 17);
	memcpy(large + sizeof(large) - 3, "\"}", 3);
	check_token_answer("a token too long for a header", 200, large,
					   FAULT_PROVIDER_UNAVAILABLE, true);

	begin(&play, account, MODEL, json_object(), json_object());
	play_step(&play);
	CHECK(play_answer(&play, 200, "{\"access_token\":\"a\"}", 9) == NEXT_SEND
		  && play.x.request.is_paid,
		  "a token that does not say how long it lives is used");
	play_end(&play);
	begin(&play, account, MODEL, json_object(), json_object());
	CHECK(play_step(&play) == NEXT_SEND && asks_for_token(&play),
		  "but not kept");
	play_end(&play);
	free(account);
}

/* ---- what the key says ---- */

/* NULL: it is not believed. */
static void
check_token_uri(const char *uri, const char *operators, bool is_allowed)
{
	char	   *account = make_account(json_pack("{s:s}", "token_uri", uri));
	Play		play;
	Next		next;

	tokens_forget();
	/* users' settings are no operator's */
	begin(&play, account, MODEL, json_object(),
		  json_pack("{s:s}", "token_uri", uri));
	if (operators != NULL)
		play.x.operator_settings = json_pack("{s:s}", "token_uri", operators);
	next = play_step(&play);
	if (is_allowed)
		CHECK(next == NEXT_SEND && asks_at(&play, uri) &&
			  !play.x.request.is_paid, "\"%s\" may be asked", uri);
	else
		CHECK(next == NEXT_FAIL && play.x.fault.class == FAULT_BAD_REQUEST &&
			  says(&play, "token_uri") && play.x.request.url == NULL,
			  "\"%s\" is never asked", uri);
	play_end(&play);
	free(account);
}

static void
check_token_uris(void)
{
	char		large[300] = "https://oauth2.googleapis.com/";

	check_token_uri("https://oauth2.googleapis.com/token", NULL, true);
	check_token_uri("https://sts.googleapis.com/v1/token", NULL, true);
	check_token_uri("https://www.googleapis.com", NULL, true);
	check_token_uri("http://127.0.0.1:8080/token",
					"http://127.0.0.1:8080/token", true);
	check_token_uri("http://127.0.0.1:8080/token", NULL, false);
	check_token_uri("http://127.0.0.1:8080/token2",
					"http://127.0.0.1:8080/token", false);
	check_token_uri("http://oauth2.googleapis.com/token", NULL, false);
	check_token_uri("https://example.com/token", NULL, false);
	check_token_uri("https://googleapis.com/token", NULL, false);
	check_token_uri("https://.googleapis.com/token", NULL, false);
	check_token_uri("https://evilgoogleapis.com/token", NULL, false);
	check_token_uri("https://oauth2.googleapis.com.example.com/", NULL, false);
	check_token_uri("https://oauth2.googleapis.com@example.com/", NULL, false);
	check_token_uri("https://example.com\\.googleapis.com/", NULL, false);
	check_token_uri("https://example.com/.googleapis.com", NULL, false);
	check_token_uri("https://example.com#.googleapis.com", NULL, false);
	check_token_uri("https://example.com?.googleapis.com", NULL, false);
	check_token_uri("https://oauth2.googleapis.com:444/token", NULL, false);
	check_token_uri("https://oauth2.googleapis.comX.example.com/", NULL,
					false);
	check_token_uri("https://oauth2.googleapis.com/a?b", NULL, false);
	check_token_uri("https://oauth2.googleapis.com/a\r\nb", NULL, false);
	check_token_uri("", NULL, false);
	memset(large + 30, 'x', sizeof(large) - 31);
	check_token_uri(large, NULL, false);
}

static void
check_bad_key(const char *fact, char *key)
{
	Play		play;

	tokens_forget();
	begin(&play, key, MODEL, json_object(), json_object());
	CHECK(play_step(&play) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_INVALID_KEY &&
		  !says(&play, "PRIVATE") && !says(&play, "secret"),
		  "%s: \"%s\"", fact, play.x.fault.message);
	play_end(&play);
	free(key);
}

static void
check_bad_keys(void)
{
	char	   *account = make_account(NULL);
	char	   *spaced = malloc(strlen(account) + 4);
	char	   *deep = malloc(1001);
	Play		play;

	check_bad_key("no JSON", strdup("{\"private_key\":\"secret"));
	check_bad_key("an empty object", strdup("{}"));
	memset(deep, '[', 1000);
	deep[0] = '{';
	deep[1000] = '\0';
	check_bad_key("too deep", deep);
	check_bad_key("another type of key",
				  make_account(json_pack("{s:s}", "type",
										 "authorized_user")));
	check_bad_key("no account", make_account(json_pack("{s:n}",
													   "client_email")));
	check_bad_key("no key", make_account(json_pack("{s:n}", "private_key")));
	check_bad_key("a key that is none",
				  make_account(json_pack("{s:s}", "private_key",
										 "-----BEGIN PRIVATE KEY-----\n"
										 "c2VjcmV0\n"
										 "-----END PRIVATE KEY-----\n")));
	strcpy(spaced, "\n\t ");
	strcat(spaced, account);
	begin(&play, spaced, MODEL, json_object(), json_object());
	CHECK(play_step(&play) == NEXT_SEND && asks_for_token(&play),
		  "white space before the key does no harm");
	play_end(&play);
	free(spaced);
	free(account);
}

int
main(void)
{
	check_login();
	check_renewal();
	check_token_answers();
	check_token_uris();
	check_bad_keys();
	tokens_forget();
	return check_done();
}
