/*-------------------------------------------------------------------------
 *
 * oaep.c
 *		Unwraps with an RSA key that is here.
 *
 *-------------------------------------------------------------------------
 */
#include "oaep.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

bool
oaep_unwrap(EVP_PKEY *key, const uint8_t *wrapped, size_t wrapped_len,
			uint8_t out[JWE_MAX_RSA_BYTES], size_t *out_len)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	bool		ok;

	*out_len = JWE_MAX_RSA_BYTES;
	ok = context != NULL &&
		EVP_PKEY_decrypt_init(context) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
		EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
		EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
		EVP_PKEY_decrypt(context, out, out_len, wrapped, wrapped_len) == 1;
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return ok;
}
