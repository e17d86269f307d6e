/*-------------------------------------------------------------------------
 *
 * jwk.h
 *		The public key as clients want it: a JSON Web Key (RFC 7517).
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_JWK_H
#define BAMBI_JWK_H

#include <stddef.h>

#include "jwe.h"

/* n of RSA-8192 in base64url, e, kid and the constant members */
#define JWK_MAX_SIZE	2048

/*
 * Writes {"kty","use","alg","kid","n","e"} of an RSA key (PEM,
 * SubjectPublicKeyInfo) as terminated JSON.  kid is as for jwe_seal.
 */
extern JweResult jwk_of_public_key(const char *public_pem, const char *kid,
								   char *out, size_t out_size);

#endif							/* BAMBI_JWK_H */
