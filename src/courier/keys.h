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
#include "exchange.h"
#include "settings.h"

/*
 * Forgets all data keys, opens the service that the settings name, and tells
 * the worker which key to seal to, or why there is none.
 */
extern void keys_configure(const Settings *settings);

/* Makes x ready for keys_unwrap: the service's settings. */
extern void keys_prepare(Exchange *x);

/*
 * A step function: the data key of a parsed JWE, from memory (at most 300 s
 * old) or from the service.  FAULT_KEY_UNREADABLE, with one text for every
 * reason, or FAULT_KEY_SERVICE_DOWN.
 */
extern Next keys_unwrap(Exchange *x, const Jwe *jwe,
						uint8_t cek[JWE_CEK_SIZE]);

/* The one error of a key that does not open, for whatever reason (C4). */
extern Next keys_fail_unreadable(Exchange *x);

/* Cleanses all data keys, and all tokens that were got with users' keys. */
extern void keys_forget(void);

#endif							/* BAMBI_KEYS_H */
