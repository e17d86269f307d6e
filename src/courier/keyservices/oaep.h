/*-------------------------------------------------------------------------
 *
 * oaep.h
 *		Unwraps with an RSA key that is here: RSA-OAEP with SHA-256, MGF1 with
 *		SHA-256, and an empty label (RFC 7518 section 4.3).
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_OAEP_H
#define BAMBI_OAEP_H

#include <openssl/evp.h>

#include "../../protocol/jwe.h"

/*
 * False, for whatever reason, if it does not unwrap; the caller cleanses out
 * either way.
 */
extern bool oaep_unwrap(EVP_PKEY *key, const uint8_t *wrapped,
						size_t wrapped_len, uint8_t out[JWE_MAX_RSA_BYTES],
						size_t *out_len);

#endif							/* BAMBI_OAEP_H */
