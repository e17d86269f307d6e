/*-------------------------------------------------------------------------
 *
 * jwk.c
 *		The public key as a JSON Web Key (RFC 7517; RFC 7518 section 6.3.1).
 *
 *-------------------------------------------------------------------------
 */
#include "jwk.h"

#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

/* base64 of JWE_MAX_RSA_BYTES, terminated */
#define MAX_NUMBER	((JWE_MAX_RSA_BYTES + 2) / 3 * 4 + 1)

/* A number of the key, big-endian without leading zeros, in base64url. */
static bool
read_number(const EVP_PKEY *key, const char *name, char out[MAX_NUMBER])
{
	BIGNUM	   *number = NULL;
	uint8_t		bytes[JWE_MAX_RSA_BYTES];
	bool		ok;

	ok = EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
		BN_num_bytes(number) <= JWE_MAX_RSA_BYTES;
	if (ok)
	{
		int			len = BN_bn2bin(number, bytes);
		char	   *c;

		(void) EVP_EncodeBlock((unsigned char *) out, bytes, len);
		for (c = out; *c != '\0' && *c != '='; c++)
			*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
		*c = '\0';
	}
	BN_free(number);
	return ok;
}

static EVP_PKEY *
read_key(const char *pem)
{
	BIO		   *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY   *key = NULL;

	if (bio != NULL)
		key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return key;
}

JweResult
jwk_of_public_key(const char *public_pem, const char *kid, char *out,
				  size_t out_size)
{
	EVP_PKEY   *key = read_key(public_pem);
	char		n[MAX_NUMBER];
	char		e[MAX_NUMBER];
	JweResult	result = JWE_BAD_KEY;

	if (strlen(kid) > JWE_MAX_NAME)
		result = JWE_TOO_LONG;
	else if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
			 EVP_PKEY_get_bits(key) >= JWE_MIN_RSA_BITS &&
			 read_number(key, OSSL_PKEY_PARAM_RSA_N, n) &&
			 read_number(key, OSSL_PKEY_PARAM_RSA_E, e))
	{
		int			len = snprintf(out, out_size,
								   "{\"kty\": \"RSA\", \"use\": \"enc\", "
								   "\"alg\": \"RSA-OAEP-256\", "
								   "\"kid\": \"%s\", "
								   "\"n\": \"%s\", \"e\": \"%s\"}",
								   kid, n, e);

		result = len > 0 && (size_t) len < out_size ? JWE_OK : JWE_TOO_LONG;
	}
	EVP_PKEY_free(key);
	ERR_clear_error();
	return result;
}
