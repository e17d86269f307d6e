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
 * it may be in, and the time there is for all of it (rule C5).
 */
extern void keys_prepare(Runner *runner);

/*
 * A step function: the data key of a parsed JWE, from memory (at most 300 s
 * old) or from the service, which is asked again if that may help; tries
 * starts at 0.  FAULT_KEY_UNREADABLE, with one text for every reason, or
 * FAULT_KEY_SERVICE_DOWN, whose reason the worker has been told.
 */
extern Next keys_unwrap(Runner *runner, int *tries, const Jwe *jwe,
						uint8_t cek[JWE_CEK_SIZE]);

/* The one error of a key that does not open, for whatever reason (C4). */
extern Next keys_fail_unreadable(Exchange *x);

/*
 * Cleanses all data keys, what the service was opened with, and all tokens
 * that were got with users' keys.
 */
extern void keys_forget(void);

#endif							/* BAMBI_KEYS_H */
