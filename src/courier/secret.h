/*-------------------------------------------------------------------------
 *
 * secret.h
 *		A plaintext credential: a type of its own, so that it cannot slip
 *		into a message as a string, and is wiped wherever it ends.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SECRET_H
#define BAMBI_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"

typedef struct Secret
{
	uint8_t    *bytes;			/* terminated, so that a header can be made */
	size_t		len;
} Secret;

/*
 * Copies bytes; the arena cleanses them when it is destroyed.  With bytes NULL
 * there are len zeros, for the caller to fill.
 */
extern Secret *secret_create(Arena *arena, const uint8_t *bytes, size_t len);

/* Cleanses now; the Secret is empty afterwards. */
extern void secret_wipe(Secret *secret);

/*
 * free and realloc for a library that copies secrets into memory of its own
 * and only frees it: small blocks are cleansed first.
 */
extern void secret_free(void *block);
extern void *secret_realloc(void *block, size_t size);

#endif							/* BAMBI_SECRET_H */
