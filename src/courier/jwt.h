/*-------------------------------------------------------------------------
 *
 * jwt.h
 *		Signed claims: JSON Web Token with RS256 (RFC 7519, RFC 7518 section
 *		3.3).
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_JWT_H
#define BAMBI_JWT_H

#include <jansson.h>

#include "arena.h"
#include "secret.h"

/* Less is not safe; more keeps the event loop from others. */
#define JWT_MIN_RSA_BITS	2048
#define JWT_MAX_RSA_BITS	4096

/*
 * The claims, signed with a private key (PEM, lent), in compact form.  key_id
 * may be NULL.  A Secret, because whoever has it can log in with it.  NULL if
 * the key is no RSA key of the sizes above that can be read without a
 * passphrase, or if the claims are no object.
 */
extern Secret *jwt_sign(Arena *arena, const char *private_pem,
						const char *key_id, const json_t *claims);

#endif							/* BAMBI_JWT_H */
