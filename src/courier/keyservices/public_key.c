/*-------------------------------------------------------------------------
 *
 * public_key.c
 *		The public half of a master key.
 *
 *-------------------------------------------------------------------------
 */
#include "public_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

bool
public_key_is_fine(const EVP_PKEY *key)
{
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
		EVP_PKEY_get_bits(key) >= JWE_MIN_RSA_BITS &&
		EVP_PKEY_get_size(key) <= JWE_MAX_RSA_BYTES;
}

char *
public_key_print(Arena *arena, EVP_PKEY *key)
{
	BIO		   *bio = BIO_new(BIO_s_mem());
	char	   *pem = NULL;
	char	   *bytes;
	long		len;

	if (bio != NULL && PEM_write_bio_PUBKEY(bio, key) == 1)
	{
		len = BIO_get_mem_data(bio, &bytes);
		pem = arena_strndup(arena, bytes, (size_t) len);
	}
	BIO_free(bio);
	return pem;
}

static EVP_PKEY *
only_fine(EVP_PKEY *key)
{
	ERR_clear_error();
	if (key == NULL || public_key_is_fine(key))
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

EVP_PKEY *
public_key_read_pem(const char *pem)
{
	BIO		   *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY   *key = NULL;

	if (bio != NULL)
		key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return only_fine(key);
}

EVP_PKEY *
public_key_read_der(const uint8_t *der, size_t len)
{
	const unsigned char *at = der;
	EVP_PKEY   *key = d2i_PUBKEY(NULL, &at, (long) len);

	if (key != NULL && at != der + len)
	{
		EVP_PKEY_free(key);
		key = NULL;
	}
	return only_fine(key);
}
