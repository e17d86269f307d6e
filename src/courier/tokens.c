/*-------------------------------------------------------------------------
 *
 * tokens.c
 *		Access tokens that accounts were given, until shortly before they
 *		expire.
 *
 *-------------------------------------------------------------------------
 */
#include "tokens.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

/* Accounts that are busy in the same hour; others ask once more. */
#define MAX_TOKENS	256

/* A call may take minutes, and the other side's clock differs. */
#define RENEW_BEFORE	(5 * 60)

typedef struct Token
{
	int64_t		until;			/* 0: nothing here */
	uint8_t		key[TOKENS_KEY_SIZE];
	size_t		len;
	uint8_t		bytes[TOKENS_MAX_LENGTH];
} Token;

static Token tokens[MAX_TOKENS];

bool
tokens_key(const Secret *credential, const char *scope,
		   uint8_t key[TOKENS_KEY_SIZE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool		is_hashed;

	/* the zero between keeps the two from flowing into one another */
	is_hashed = context != NULL &&
		EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		EVP_DigestUpdate(context, scope, strlen(scope) + 1) == 1 &&
		EVP_DigestUpdate(context, credential->bytes, credential->len) == 1 &&
		EVP_DigestFinal_ex(context, key, NULL) == 1;
	EVP_MD_CTX_free(context);
	return is_hashed;
}

static void
wipe(Token *token)
{
	OPENSSL_cleanse(token, sizeof(*token));
}

static Token *
find(const uint8_t key[TOKENS_KEY_SIZE])
{
	for (int i = 0; i < MAX_TOKENS; i++)
	{
		if (tokens[i].until != 0 &&
			memcmp(tokens[i].key, key, TOKENS_KEY_SIZE) == 0)
			return &tokens[i];
	}
	return NULL;
}

/* An empty place, or that of the token that is the first to end. */
static Token *
find_place(void)
{
	Token	   *place = &tokens[0];

	for (int i = 1; i < MAX_TOKENS; i++)
	{
		if (tokens[i].until < place->until)
			place = &tokens[i];
	}
	return place;
}

Secret *
tokens_find(Arena *arena, const uint8_t key[TOKENS_KEY_SIZE], int64_t now)
{
	Token	   *token;

	tokens_wipe_old(now);
	token = find(key);
	if (token == NULL)
		return NULL;
	return secret_create(arena, token->bytes, token->len);
}

void
tokens_keep(const uint8_t key[TOKENS_KEY_SIZE], const Secret *token,
			int64_t now, int64_t life)
{
	Token	   *place;
	int64_t		early;

	tokens_wipe_old(now);
	tokens_drop(key);
	if (token->len > TOKENS_MAX_LENGTH || life <= 0 || now <= 0)
		return;
	if (life > TOKENS_MAX_LIFE)
		life = TOKENS_MAX_LIFE;
	early = life / 4 < RENEW_BEFORE ? life / 4 : RENEW_BEFORE;

	place = find_place();
	wipe(place);
	memcpy(place->key, key, TOKENS_KEY_SIZE);
	memcpy(place->bytes, token->bytes, token->len);
	place->len = token->len;
	place->until = now + life - early;
}

void
tokens_drop(const uint8_t key[TOKENS_KEY_SIZE])
{
	Token	   *token = find(key);

	if (token != NULL)
		wipe(token);
}

int64_t
tokens_wipe_old(int64_t now)
{
	int64_t		next = 0;

	for (int i = 0; i < MAX_TOKENS; i++)
	{
		if (tokens[i].until != 0 && tokens[i].until <= now)
			wipe(&tokens[i]);
		else if (tokens[i].until != 0 &&
				 (next == 0 || tokens[i].until < next))
			next = tokens[i].until;
	}
	return next;
}

void
tokens_forget(void)
{
	OPENSSL_cleanse(tokens, sizeof(tokens));
}
