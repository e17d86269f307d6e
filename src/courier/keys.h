/*-------------------------------------------------------------------------
 *
 * keys.h
 *		Opens sealed keys, with the one key service that is configured.
 *
 * One per process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_KEYS_H
#define BAMBI_KEYS_H

#include "../protocol/jwe.h"
#include "runner.h"
#include "settings.h"

/*
 * Forgets all data keys, opens the service that the settings name, and tells
 * the worker which key to seal to, or why there is none.  From then on the
 * service is opened again as often as it asks for, and while it is down: the
 * worker is told what changes.
 */
extern void keys_configure(const Settings *settings);

/*
 * Makes a runner ready for keys_unwrap: the service's settings, the networks
 * it may be in, and the time there is for all of it (rule C5).  It is punctual
 * then, until its owner uses it for something else.
 */
extern void keys_prepare(Runner *runner);

/* One that runs; zeroed before it. */
typedef struct Unwrapping
{
	int			tries;
	const struct KeyServiceAdapter *asked;
} Unwrapping;

/*
 * A step function: the data key of a parsed JWE, from memory (at most 300 s
 * old) or from the service, which is asked again if that may help.  With
 * is_once it is not remembered, so that those which are needed again stay.
 * FAULT_KEY_UNREADABLE, with one text for every reason, or
 * FAULT_KEY_SERVICE_DOWN, whose reason the worker has been told.
 */
extern Next keys_unwrap(Runner *runner, Unwrapping *unwrapping, const Jwe *jwe,
						bool is_once, uint8_t cek[JWE_CEK_SIZE]);

/* The one error of a key that does not open, for whatever reason (rule C4). */
extern Next keys_fail_unreadable(Exchange *x);

/* The name of the key that is sealed to now; "" while there is none. */
extern const char *keys_sealing_kid(void);

/* Seals to it; false if that cannot be. */
extern bool keys_seal(const char *user, const char *provider,
					  const Secret *secret, char out[JWE_MAX_COMPACT + 1]);

/* One that runs; zeroed before it. */
typedef struct KeyRotation
{
	bool		is_made;		/* the version is; it is being opened */
	const char *how;			/* where the service makes none: what the
								 * operator is to do */
} KeyRotation;

/*
 * A step function: has the service make a new version of its key, and opens
 * it anew, by which the worker learns of it.
 */
extern Next keys_rotate(Runner *runner, KeyRotation *rotation);

/*
 * Cleanses all data keys, what the service was opened with, and all tokens
 * that were got with users' keys.
 */
extern void keys_forget(void);

#endif							/* BAMBI_KEYS_H */
