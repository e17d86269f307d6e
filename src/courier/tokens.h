/*-------------------------------------------------------------------------
 *
 * tokens.h
 *		Access tokens that accounts were given, until shortly before they
 *		expire.
 *
 * Known by a hash of everything that was shown for them: who has only the
 * name of an account finds nothing.  Times are seconds since 1970 and come
 * from the caller.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_TOKENS_H
#define BAMBI_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "secret.h"

#define TOKENS_KEY_SIZE	32

/* Documented for Google: 2048 bytes. */
#define TOKENS_MAX_LENGTH	2048

/* The longest that Google gives; what is said to live longer is not believed. */
#define TOKENS_MAX_LIFE	(60 * 60)

/* The hash of a whole credential and of what the token is good for. */
extern bool tokens_key(const Secret *credential, const char *scope,
					   uint8_t key[TOKENS_KEY_SIZE]);

/* A copy of the token, or NULL if there is none that is good for a while. */
extern Secret *tokens_find(Arena *arena, const uint8_t key[TOKENS_KEY_SIZE],
						   int64_t now);

/* Remembers a token, in the place of the one before; life is in seconds. */
extern void tokens_keep(const uint8_t key[TOKENS_KEY_SIZE],
						const Secret *token, int64_t now, int64_t life);

/* Wipes the one token that was refused. */
extern void tokens_drop(const uint8_t key[TOKENS_KEY_SIZE]);

/*
 * Wipes what is too old; each of the above that is told the time does it.
 * Gives when the next one will be, or 0 if there is none.
 */
extern int64_t tokens_wipe_old(int64_t now);

/* Wipes all of them. */
extern void tokens_forget(void);

#endif							/* BAMBI_TOKENS_H */
