/*-------------------------------------------------------------------------
 *
 * sealed_key.h
 *		Opens the sealed key that a job or an errand brought.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SEALED_KEY_H
#define BAMBI_SEALED_KEY_H

#include "../protocol/jwe.h"
#include "keys.h"

/* One that is being opened; zeroed while none is. */
typedef struct SealedKey
{
	void	   *owner;			/* of the runner, otherwise */
	Jwe		   *jwe;			/* malloc'ed */
	uint8_t		cek[JWE_CEK_SIZE];
	Unwrapping	unwrapping;
	bool		is_once;		/* set before: nobody will open it again soon */
	void		(*opened) (Runner *runner, Secret *secret);
} SealedKey;

/*
 * Runs the exchange with the key service, in a runner whose arena, deadline
 * and owner are set, and calls opened once, possibly at once: with the key, in
 * the arena, or with NULL, and runner->x.fault says why.  Only a key that was
 * sealed for this user and this provider is opened (rule K3).
 */
extern void sealed_key_open(SealedKey *sealed, Runner *runner,
							const char *text, size_t len, const char *user,
							const char *provider,
							void (*opened) (Runner *runner, Secret *secret));

/* After runner_abort: opened is not called any more. */
extern void sealed_key_close(SealedKey *sealed);

#endif							/* BAMBI_SEALED_KEY_H */
