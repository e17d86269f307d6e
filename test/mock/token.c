/*-------------------------------------------------------------------------
 *
 * token.c
 *		Verifies the JWT of a service account and gives a token for it.
 *
 * The signature is checked with the public key that the test has registered;
 * nothing of a JWT is believed before that but who claims to have signed it.
 *
 *-------------------------------------------------------------------------
 */
#include "token.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "form.h"
#include "ledger.h"

#define MAX_ACCOUNTS	64
#define MAX_TOKENS		1024	/* the oldest goes first */
#define MAX_JWT			8192
#define LIFE			3599
#define SKEW			300		/* seconds by which clocks may differ */

#define GRANT_TYPE		"urn:ietf:params:oauth:grant-type:jwt-bearer"
#define SCOPE			"https://www.googleapis.com/auth/cloud-platform"
#define AUDIENCE		"https://oauth2.googleapis.com/token"

typedef struct Account
{
	char		email[256];
	char		project[128];	/* "": any */
	char		token_uri[256]; /* "": Google's, or where it was asked */
	EVP_PKEY   *key;
} Account;

typedef struct Token
{
	char		text[64];
	char		project[128];
	int64_t		ends_us;
} Token;

static Account accounts[MAX_ACCOUNTS];
static int	account_count;
static Token tokens[MAX_TOKENS];
static unsigned token_count;
static long life = LIFE;
static long announced = LIFE;

/* ---- the JWT ---- */

/* Base64url without padding; returns the length, or -1. */
static int
decode_base64url(const char *text, size_t length, unsigned char *out,
				 size_t size)
{
	char		padded[MAX_JWT + 4];
	int			decoded;
	size_t		padding = (4 - length % 4) % 4;

	if (length + padding > MAX_JWT || (length + padding) / 4 * 3 > size ||
		length == 0)
		return -1;
	for (size_t i = 0; i < length; i++)
		padded[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' :
			text[i] == '+' || text[i] == '/' ? '*' : text[i];
	memset(padded + length, '=', padding);
	decoded = EVP_DecodeBlock(out, (unsigned char *) padded, length + padding);
	return decoded < 0 ? -1 : decoded - (int) padding;
}

static json_t *
decode_json(const char *text, size_t length)
{
	unsigned char bytes[MAX_JWT];
	int			decoded = decode_base64url(text, length, bytes, sizeof(bytes));

	return decoded < 0 ? NULL :
		json_loadb((char *) bytes, decoded, 0, NULL);
}

static bool
is_signed(const Account *account, const char *jwt, const char *signature)
{
	unsigned char bytes[MAX_JWT];
	int			length = decode_base64url(signature, strlen(signature), bytes,
										  sizeof(bytes));
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool		is_good = length > 0 &&
	EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL,
						 account->key) == 1 &&
	EVP_DigestVerify(context, bytes, length, (const unsigned char *) jwt,
					 signature - 1 - jwt) == 1;

	EVP_MD_CTX_free(context);
	return is_good;
}

static const Account *
find_account(const char *email)
{
	for (int i = 0; i < account_count && email != NULL; i++)
		if (strcmp(accounts[i].email, email) == 0)
			return &accounts[i];
	return NULL;
}

static bool
is_audience(const char *audience, const Account *account,
			const Request *request)
{
	char		here[sizeof(request->host) + 64];

	if (account->token_uri[0] != '\0')
		return strcmp(audience, account->token_uri) == 0;
	snprintf(here, sizeof(here), "http://%s%.40s", request->host,
			 request->path);
	return strcmp(audience, AUDIENCE) == 0 || strcmp(audience, here) == 0;
}

static const char *
check_claims(const json_t *claims, const Account *account,
			 const Request *request, const char **description)
{
	const char *audience = json_string_value(json_object_get(claims, "aud"));
	const char *scope = json_string_value(json_object_get(claims, "scope"));
	json_int_t	now = now_us() / 1000000;
	json_int_t	issued = json_integer_value(json_object_get(claims, "iat"));
	json_int_t	expires = json_integer_value(json_object_get(claims, "exp"));

	*description = "Invalid JWT: Token must be a short-lived token (60 "
		"minutes) and in a reasonable timeframe. Check your iat and exp "
		"values in the JWT claim.";
	if (issued > now + SKEW || issued < now - 3600 || expires <= now - SKEW ||
		expires > issued + 3600 || expires <= issued)
		return "invalid_grant";
	*description = "Invalid JWT: the audience is not this token endpoint.";
	if (audience == NULL || !is_audience(audience, account, request))
		return "invalid_grant";
	*description = "Invalid OAuth scope or ID token audience provided.";
	if (scope == NULL || strstr(scope, SCOPE) == NULL)
		return "invalid_scope";
	return NULL;
}

/* NULL and the account, or OAuth's word for what is wrong. */
static const char *
check_jwt(const char *jwt, const Request *request, const Account **account,
		  const char **description)
{
	const char *first = strchr(jwt, '.');
	const char *second = first != NULL ? strchr(first + 1, '.') : NULL;
	json_t	   *head;
	json_t	   *claims;
	const char *wrong = "invalid_grant";
	const char *algorithm;

	*description = "Invalid JWT: malformed.";
	if (second == NULL || strchr(second + 1, '.') != NULL)
		return wrong;
	head = decode_json(jwt, first - jwt);
	claims = decode_json(first + 1, second - first - 1);
	algorithm = json_string_value(json_object_get(head, "alg"));
	*account = find_account(json_string_value(json_object_get(claims, "iss")));
	if (algorithm == NULL || strcmp(algorithm, "RS256") != 0)
		*description = "Invalid JWT: the algorithm must be RS256.";
	else if (*account == NULL)
		*description = "Invalid grant: account not found";
	else if (!is_signed(*account, jwt, second + 1))
		*description = "Invalid JWT Signature.";
	else
		wrong = check_claims(claims, *account, request, description);
	json_decref(head);
	json_decref(claims);
	return wrong;
}

/* ---- tokens ---- */

static const Token *
give_token(const Account *account)
{
	Token	   *token = &tokens[token_count++ % MAX_TOKENS];
	uint64_t	number[2];

	RAND_bytes((unsigned char *) number, sizeof(number));
	snprintf(token->text, sizeof(token->text),
			 "ya29.mock-%016" PRIx64 "%016" PRIx64, number[0], number[1]);
	strcpy(token->project, account->project);
	token->ends_us = now_us() + life * 1000000;
	return token;
}

void
token_answer(Connection *c, const Request *request)
{
	char		grant_type[128];
	char		jwt[MAX_JWT];
	const Account *account = NULL;
	const char *description = "";
	const char *wrong = "unsupported_grant_type";

	form_value(request->body, request->body_length, "grant_type", grant_type,
			   sizeof(grant_type));
	form_value(request->body, request->body_length, "assertion", jwt,
			   sizeof(jwt));
	if (strcmp(grant_type, GRANT_TYPE) == 0)
		wrong = check_jwt(jwt, request, &account, &description);
	if (wrong != NULL)
		answer_text(c, "{\"error\":\"%s\",\"error_description\":\"%s\"}",
					wrong, description);
	else
	{
		stats.token_exchanges++;
		answer_text(c, "{\"access_token\":\"%s\",\"expires_in\":%ld,"
					"\"token_type\":\"Bearer\"}", give_token(account)->text,
					announced);
	}
	connection_answer(c, wrong != NULL ? 400 : 200,
					  "content-type: application/json; charset=utf-8\r\n", 0);
}

static const Token *
find_token(const char *text)
{
	for (int i = 0; i < MAX_TOKENS; i++)
		if (text[0] != '\0' && strcmp(tokens[i].text, text) == 0)
			return &tokens[i];
	return NULL;
}

bool
token_is_alive(const char *text)
{
	const Token *token = find_token(text);

	return token != NULL && token->ends_us > now_us();
}

bool
token_is_for(const char *text, const char *project)
{
	const Token *token = find_token(text);

	return token != NULL && (token->project[0] == '\0' ||
							 strcmp(token->project, project) == 0);
}

/* ---- control ---- */

static void
keep(char *to, size_t size, const json_t *from, const char *name)
{
	const char *value = json_string_value(json_object_get(from, name));

	snprintf(to, size, "%s", value != NULL ? value : "");
}

const char *
token_register(const json_t *wish)
{
	const char *pem = json_string_value(json_object_get(wish, "public_key"));
	Account    *account = &accounts[account_count];
	BIO		   *bio;

	if (account_count == MAX_ACCOUNTS)
		return "too many service accounts";
	keep(account->email, sizeof(account->email), wish, "client_email");
	keep(account->project, sizeof(account->project), wish, "project_id");
	keep(account->token_uri, sizeof(account->token_uri), wish, "token_uri");
	if (account->email[0] == '\0' || pem == NULL)
		return "client_email and public_key are needed";
	bio = BIO_new_mem_buf(pem, -1);
	account->key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (account->key == NULL || EVP_PKEY_base_id(account->key) != EVP_PKEY_RSA)
		return "public_key is no RSA key in PEM";
	account_count++;
	return NULL;
}

const char *
token_set(const json_t *wish)
{
	json_t	   *seconds = json_object_get(wish, "life");
	json_t	   *said = json_object_get(wish, "announced");

	if (!json_is_object(wish))
		return "not an object";
	if (json_is_integer(seconds))
		life = json_integer_value(seconds);
	if (json_is_integer(said))
		announced = json_integer_value(said);
	if (json_is_true(json_object_get(wish, "revoke")))
		memset(tokens, 0, sizeof(tokens));
	return NULL;
}

void
token_reset(void)
{
	while (account_count > 0)
		EVP_PKEY_free(accounts[--account_count].key);
	memset(tokens, 0, sizeof(tokens));
	life = announced = LIFE;
}
