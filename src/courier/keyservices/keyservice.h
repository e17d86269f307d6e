/*-------------------------------------------------------------------------
 *
 * keyservice.h
 *		What an adapter for a key service must be able to do.
 *
 * One constant of type KeyServiceAdapter per file; registry.c lists them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_KEYSERVICE_H
#define BAMBI_KEYSERVICE_H

#include "../../protocol/jwe.h"
#include "../exchange.h"

/* The public half of the key that is sealed to now. */
typedef struct SealingKey
{
	char		kid[JWE_MAX_NAME + 1];	/* service:key:version */
	char	   *public_pem;		/* in the arena */
	int			good_for;		/* seconds after which to open again, because
								 * what unwraps ends or the key may be another
								 * by then; 0: for good */
} SealingKey;

/* x->settings are the key service's own: key_file, data_directory, ... */
typedef struct KeyServiceAdapter
{
	const char *name;			/* as in bambi.key_service */
	const char *warning;		/* for the server's log when it is opened, or
								 * NULL */

	/*
	 * Reads what is needed to unwrap, and names the key to seal to: the
	 * newest version of the key that the settings name.  What was opened
	 * before goes on unwrapping until this has succeeded.
	 */
	Next		(*open) (Exchange *x, SealingKey *key);

	/*
	 * Unwraps the data key of one JWE (RSA-OAEP with SHA-256 and MGF1 with
	 * SHA-256, empty label), whichever version of its key kid names.  A key
	 * that this service does not have, or that does not unwrap, is
	 * FAULT_KEY_UNREADABLE; a service that does not answer, or refuses us,
	 * FAULT_KEY_SERVICE_DOWN, with may_repeat if it may be otherwise in a
	 * moment, or once the service has been opened again.
	 */
	Next		(*unwrap) (Exchange *x, const char *kid,
						   const uint8_t *wrapped, size_t wrapped_len,
						   uint8_t cek[JWE_CEK_SIZE]);

	/*
	 * Makes a new version of the key that the settings name; the service is
	 * opened anew after it.  NULL where the service makes none: the operator
	 * does, as how_to_rotate tells.
	 */
	Next		(*rotate) (Exchange *x);
	const char *how_to_rotate;

	/* Wipes what open has read. */
	void		(*forget) (void);
} KeyServiceAdapter;

extern const KeyServiceAdapter keyservice_file;
extern const KeyServiceAdapter keyservice_vault;
extern const KeyServiceAdapter keyservice_awskms;

/* By name, or NULL. */
extern const KeyServiceAdapter *keyservice_find(const char *name);

#endif							/* BAMBI_KEYSERVICE_H */
