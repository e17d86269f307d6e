/*-------------------------------------------------------------------------
 *
 * jwe.h
 *		The sealed key: compact JWE with RSA-OAEP-256 and A256GCM (RFC 7516,
 *		RFC 7518 sections 4.3 and 5.3).
 *
 * Backends only seal.  Opening is in two halves, because with a key service
 * the private key is elsewhere: jwe_parse gives the wrapped data key, the
 * service unwraps it, jwe_open does the rest.  The protected header is
 * exactly {"alg","enc","kid","sub","prv"}; anything else does not parse.
 *
 * No function here logs, and none tells why opening failed (rule C4).
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_JWE_H
#define BAMBI_JWE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JWE_MAX_PLAINTEXT	(16 * 1024)
#define JWE_MAX_COMPACT		(32 * 1024)
#define JWE_CEK_SIZE		32
#define JWE_MIN_RSA_BITS	3072
#define JWE_MAX_RSA_BYTES	1024	/* RSA-8192 */
#define JWE_MAX_NAME		256 /* kid, sub, prv */

typedef enum JweResult
{
	JWE_OK = 0,
	JWE_BAD_KEY,				/* the public key is no RSA key of 3072 bits
								 * or more */
	JWE_TOO_LONG,
	JWE_FAILED					/* everything else, on purpose */
} JweResult;

/* A parsed JWE.  Pointers are lent from the buffer inside. */
typedef struct Jwe
{
	char		kid[JWE_MAX_NAME + 1];
	char		sub[JWE_MAX_NAME + 1];
	char		prv[JWE_MAX_NAME + 1];
	uint8_t		wrapped[JWE_MAX_RSA_BYTES];
	size_t		wrapped_len;
	uint8_t		iv[12];
	uint8_t		tag[16];
	uint8_t		ciphertext[JWE_MAX_PLAINTEXT];
	size_t		ciphertext_len;
	char		aad[2048];		/* the protected header as it came */
	size_t		aad_len;
} Jwe;

/*
 * Seals secret to the public key (PEM, SubjectPublicKeyInfo) and writes a
 * terminated compact JWE to out.  kid, sub and prv are printable ASCII
 * without quote or backslash, at most JWE_MAX_NAME.
 */
extern JweResult jwe_seal(const char *public_pem,
						  const char *kid, const char *sub, const char *prv,
						  const uint8_t *secret, size_t secret_len,
						  char *out, size_t out_size);

/* Takes a compact JWE apart and checks its form; opens nothing. */
extern JweResult jwe_parse(const char *compact, size_t len, Jwe *jwe);

/*
 * Opens with an unwrapped data key.  out has JWE_MAX_PLAINTEXT + 1 bytes and
 * is terminated; on failure it is cleansed.
 */
extern JweResult jwe_open(const Jwe *jwe, const uint8_t cek[JWE_CEK_SIZE],
						  uint8_t *out, size_t *out_len);

#endif							/* BAMBI_JWE_H */
