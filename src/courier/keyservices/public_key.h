/*-------------------------------------------------------------------------
 *
 * public_key.h
 *		The public half of a master key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PUBLIC_KEY_H
#define BAMBI_PUBLIC_KEY_H

#include <openssl/evp.h>

#include "keyservice.h"

/* Whether keys can be sealed to it: RSA, of the sizes that a JWE may have. */
extern bool public_key_is_fine(const EVP_PKEY *key);

/* As PEM (SubjectPublicKeyInfo) in the arena, or NULL. */
extern char *public_key_print(Arena *arena, EVP_PKEY *key);

/* From PEM or, of len bytes, DER; NULL if it is not fine.  To be freed. */
extern EVP_PKEY *public_key_read_pem(const char *pem);
extern EVP_PKEY *public_key_read_der(const uint8_t *der, size_t len);

#endif							/* BAMBI_PUBLIC_KEY_H */
