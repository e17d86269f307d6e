/*-------------------------------------------------------------------------
 *
 * service_account.c
 *		A service account of Google: its key, and the access token that it
 *		is exchanged for (RFC 7523).
 *
 * The key is a document that users bring, and it says itself where its token
 * comes from.  Believing that would let anybody make us sign for, and post
 * to, any address: only Google's hosts are believed, and the one address
 * that an operator has set.
 *
 *-------------------------------------------------------------------------
 */
#include "service_account.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "../jwt.h"
#include "../secret_json.h"
#include "../tokens.h"
#include "google_error.h"

#define SCOPE	"https://www.googleapis.com/auth/cloud-platform"
#define TOKEN_URI	"https://oauth2.googleapis.com/token"
#define TRUSTED_DOMAIN	".googleapis.com"

#define MAX_TOKEN_URI	200

/* The longest that Google accepts, in seconds. */
#define ASSERTION_LIFE	3600

#define GRANT \
	"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool
service_account_is(const Secret *key)
{
	size_t		at = 0;

	while (at < key->len && is_space(key->bytes[at]))
		at++;
	return at < key->len && key->bytes[at] == '{';
}

/*
 * https, and a host of Google's with nothing but a path behind it: no user,
 * no port, and no character that two parsers might read differently.
 */
static bool
is_of_google(const char *uri)
{
	static const char scheme[] = "https://";
	const char *host = uri + sizeof(scheme) - 1;
	const char *path;
	size_t		len;

	if (strncmp(uri, scheme, sizeof(scheme) - 1) != 0)
		return false;
	len = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-");
	path = host + len;
	if (*path != '/' && *path != '\0')
		return false;
	if (path[strspn(path, "abcdefghijklmnopqrstuvwxyz"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")] != '\0')
		return false;
	return len > strlen(TRUSTED_DOMAIN) &&
		memcmp(path - strlen(TRUSTED_DOMAIN), TRUSTED_DOMAIN,
			   strlen(TRUSTED_DOMAIN)) == 0;
}

static bool
may_ask(const Exchange *x, const char *uri)
{
	const char *allowed =
	json_string_value(exchange_operator_setting(x, "token_uri"));

	return strlen(uri) <= MAX_TOKEN_URI &&
		((allowed != NULL && strcmp(uri, allowed) == 0) ||
		 is_of_google(uri));
}

void
service_account_close(ServiceAccount *account)
{
	secret_json_release(account->json);
	memset(account, 0, sizeof(*account));
}

static const char *
text_of(const ServiceAccount *account, const char *name)
{
	return json_string_value(json_object_get(account->json, name));
}

Next
service_account_open(Exchange *x, ServiceAccount *account)
{
	const char *type;

	memset(account, 0, sizeof(*account));
	account->json = secret_json_parse((const char *) x->secret->bytes, x->secret->len);
	type = text_of(account, "type");
	account->email = text_of(account, "client_email");
	account->private_key = text_of(account, "private_key");
	account->key_id = text_of(account, "private_key_id");
	account->project = text_of(account, "project_id");
	account->token_uri = text_of(account, "token_uri");
	if (account->token_uri == NULL)
		account->token_uri = TOKEN_URI;

	if (type == NULL || strcmp(type, "service_account") != 0 ||
		account->email == NULL || account->private_key == NULL)
	{
		service_account_close(account);
		return exchange_fail(x, FAULT_INVALID_KEY,
							 "the key is neither an API key nor the JSON of "
							 "a service account's key");
	}
	if (!may_ask(x, account->token_uri))
	{
		service_account_close(account);
		return exchange_fail(x, FAULT_BAD_REQUEST,
							 "the key's \"token_uri\" is not an https address "
							 "of googleapis.com, nor the one that the "
							 "provider's settings allow");
	}
	return NEXT_DONE;
}

/* ---- the token ---- */

const Secret *
service_account_token(Exchange *x)
{
	uint8_t		key[TOKENS_KEY_SIZE];

	if (!tokens_key(x->secret, SCOPE, key))
		return NULL;
	return tokens_find(x->arena, key, x->now);
}

void
service_account_drop_token(Exchange *x)
{
	uint8_t		key[TOKENS_KEY_SIZE];

	if (tokens_key(x->secret, SCOPE, key))
		tokens_drop(key);
}

Next
service_account_ask(Exchange *x, const ServiceAccount *account)
{
	json_t	   *claims = json_pack("{s:s, s:s, s:s, s:I, s:I}",
								   "iss", account->email, "scope", SCOPE,
								   "aud", account->token_uri,
								   "iat", (json_int_t) x->now,
								   "exp", (json_int_t) x->now + ASSERTION_LIFE);
	const Secret *assertion = jwt_sign(x->arena, account->private_key,
									   account->key_id, claims);
	Secret	   *form;

	json_decref(claims);
	if (assertion == NULL)
		return exchange_fail(x, FAULT_INVALID_KEY,
							 "the service account's \"private_key\" is no RSA "
							 "key of 2048 to 4096 bits");

	/* nothing in an assertion needs escaping */
	form = secret_create(x->arena, NULL, strlen(GRANT) + assertion->len);
	memcpy(form->bytes, GRANT, strlen(GRANT));
	memcpy(form->bytes + strlen(GRANT), assertion->bytes, assertion->len);
	exchange_put(x, "", "application/x-www-form-urlencoded", form->bytes,
				 form->len);
	x->request.method = "POST";
	x->request.url = arena_strdup(x->arena, account->token_uri);
	return NEXT_SEND;
}

/* Visible characters only: it becomes the value of a header. */
static bool
is_token(const char *text)
{
	size_t		len = 0;

	while (text[len] > 0x20 && text[len] < 0x7f)
		len++;
	return text[len] == '\0' && len > 0 && len <= TOKENS_MAX_LENGTH;
}

const Secret *
service_account_read(Exchange *x)
{
	const char *body = x->reply.body;
	size_t		len = x->reply.body_len;
	json_t	   *json;
	const char *text;
	const json_t *life;
	uint8_t		key[TOKENS_KEY_SIZE];
	Secret	   *token = NULL;

	if (google_check(x) != NEXT_DONE)
		return NULL;
	json = body != NULL ? secret_json_parse(body, len) : NULL;
	text = json_string_value(json_object_get(json, "access_token"));
	life = json_object_get(json, "expires_in");
	if (text != NULL && is_token(text))
	{
		token = secret_create(x->arena, (const uint8_t *) text, strlen(text));
		if (json_is_integer(life) && tokens_key(x->secret, SCOPE, key))
			tokens_keep(key, token, x->now, json_integer_value(life));
	}
	else
	{
		exchange_fail(x, FAULT_PROVIDER_UNAVAILABLE,
					  "the token endpoint's answer holds no access token");
		x->fault.may_repeat = true;
	}
	secret_json_release(json);
	/* the buffer itself is plain memory, and nobody reads it again */
	if (body != NULL)
		OPENSSL_cleanse((char *) body, len);
	return token;
}
