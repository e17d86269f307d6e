/*-------------------------------------------------------------------------
 *
 * secret.c
 *		A plaintext credential, wiped wherever it ends.
 *
 *-------------------------------------------------------------------------
 */
#include "secret.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* A request's head, with the largest credential, is smaller. */
#define CLEANSE_BYTES	(40 * 1024)

static void
wipe(void *object)
{
	secret_wipe(object);
}

Secret *
secret_create(Arena *arena, const uint8_t *bytes, size_t len)
{
	Secret	   *secret = arena_alloc(arena, sizeof(Secret));

	secret->bytes = arena_alloc(arena, len + 1);
	if (bytes != NULL)
		memcpy(secret->bytes, bytes, len);
	secret->len = len;
	arena_on_destroy(arena, wipe, secret);
	return secret;
}

void
secret_wipe(Secret *secret)
{
	if (secret->len > 0)
		OPENSSL_cleanse(secret->bytes, secret->len);
	secret->len = 0;
}

void
secret_free(void *block)
{
	size_t		size = malloc_usable_size(block);

	if (block != NULL && size <= CLEANSE_BYTES)
		OPENSSL_cleanse(block, size);
	free(block);
}

void *
secret_realloc(void *block, size_t size)
{
	size_t		old = malloc_usable_size(block);
	void	   *moved;

	if (block != NULL && size > 0 && size <= old)
		return block;
	moved = malloc(size);
	if (moved != NULL && block != NULL)
	{
		memcpy(moved, block, old < size ? old : size);
		secret_free(block);
	}
	return moved;
}
