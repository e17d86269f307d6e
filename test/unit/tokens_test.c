/*-------------------------------------------------------------------------
 *
 * tokens_test.c
 *		A token is found by who showed all of the same credential, until
 *		shortly before it ends, and by nobody else.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "../../src/courier/tokens.h"
#include "check.h"

#define NOW		INT64_C(1795420800)
#define SCOPE	"https://www.googleapis.com/auth/cloud-platform"

static Arena *arena;

static const Secret *
secret(const char *text)
{
	return secret_create(arena, (const uint8_t *) text, strlen(text));
}

static void
keep(const char *credential, const char *token, int64_t now, int64_t life)
{
	uint8_t		key[TOKENS_KEY_SIZE];

	tokens_key(secret(credential), SCOPE, key);
	tokens_keep(key, secret(token), now, life);
}

/* Whether this is the token that is found; NULL: none. */
static bool
finds(const char *credential, const char *scope, int64_t now,
	  const char *token)
{
	uint8_t		key[TOKENS_KEY_SIZE];
	const Secret *found;

	if (!tokens_key(secret(credential), scope, key))
		return false;
	found = tokens_find(arena, key, now);
	if (token == NULL || found == NULL)
		return token == NULL && found == NULL;
	return found->len == strlen(token) &&
		memcmp(found->bytes, token, found->len) == 0;
}

static void
check_keys(void)
{
	const char *mine = "{\"client_email\":\"a@x\",\"private_key\":\"1\"}";
	const char *theirs = "{\"client_email\":\"a@x\",\"private_key\":\"2\"}";

	keep(mine, "token-a", NOW, 3600);
	CHECK(finds(mine, SCOPE, NOW, "token-a"), "a token is found again");
	CHECK(finds(theirs, SCOPE, NOW, NULL),
		  "the name of an account alone finds nothing");
	CHECK(finds(mine, "https://www.googleapis.com/auth/drive", NOW, NULL),
		  "a token is good for its scope");
	keep(theirs, "token-b", NOW, 3600);
	CHECK(finds(mine, SCOPE, NOW, "token-a") &&
		  finds(theirs, SCOPE, NOW, "token-b"),
		  "two who claim the same account have a token each");
	keep(mine, "token-c", NOW, 3600);
	CHECK(finds(mine, SCOPE, NOW, "token-c"),
		  "a new token stands in the place of the one before");
	tokens_forget();
	CHECK(finds(mine, SCOPE, NOW, NULL) && finds(theirs, SCOPE, NOW, NULL),
		  "all are forgotten at once");
}

static void
check_times(void)
{
	uint8_t		key[TOKENS_KEY_SIZE];

	keep("a", "token", NOW, 3600);
	CHECK(finds("a", SCOPE, NOW + 3299, "token") &&
		  finds("a", SCOPE, NOW + 3300, NULL),
		  "a token is renewed five minutes before it ends");
	CHECK(finds("a", SCOPE, NOW, NULL),
		  "one that was too old is wiped, not only hidden");
	keep("a", "token", NOW, 400);
	CHECK(finds("a", SCOPE, NOW + 299, "token") &&
		  finds("a", SCOPE, NOW + 300, NULL),
		  "or after three quarters of a short life");
	keep("a", "token", NOW, INT64_MAX);
	CHECK(finds("a", SCOPE, NOW + 3299, "token") &&
		  finds("a", SCOPE, NOW + 3300, NULL),
		  "no token lives longer than an hour");
	keep("a", "old", NOW, 3600);
	keep("a", "token", NOW, 0);
	CHECK(finds("a", SCOPE, NOW, NULL), "a token without a life is not kept");
	keep("a", "token", NOW, -5);
	CHECK(finds("a", SCOPE, NOW, NULL), "nor one that has ended");

	keep("a", "token", NOW, 3600);
	keep("b", "other", NOW, 3600);
	tokens_key(secret("a"), SCOPE, key);
	tokens_drop(key);
	CHECK(finds("a", SCOPE, NOW, NULL) && finds("b", SCOPE, NOW, "other"),
		  "what was refused is dropped alone");
	tokens_wipe_old(NOW + 3600);
	CHECK(finds("b", SCOPE, NOW, NULL), "what is too old can be wiped");
}

static void
check_limits(void)
{
	char		name[32];
	char		large[TOKENS_MAX_LENGTH + 2];
	int			count = 0;

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	keep("a", large, NOW, 3600);
	CHECK(finds("a", SCOPE, NOW, NULL), "a token that is too long is not kept");
	keep("a", large + 1, NOW, 3600);
	CHECK(finds("a", SCOPE, NOW, large + 1), "the longest one is kept");

	keep("first", "to end", NOW, 100);
	for (int i = 0; i < 1000; i++)
	{
		snprintf(name, sizeof(name), "account %d", i);
		keep(name, name, NOW, 1000 + i);
	}
	CHECK(finds("first", SCOPE, NOW, NULL) &&
		  finds("account 0", SCOPE, NOW, NULL) &&
		  finds("account 999", SCOPE, NOW, "account 999"),
		  "with too many the first to end makes room");
	for (int i = 0; i < 1000; i++)
	{
		snprintf(name, sizeof(name), "account %d", i);
		count += finds(name, SCOPE, NOW, name);
	}
	CHECK(count > 100 && count <= 256, "the table is bounded: %d", count);
	tokens_forget();
}

int
main(void)
{
	arena = arena_create();
	check_keys();
	check_times();
	check_limits();
	arena_destroy(arena);
	return check_done();
}
