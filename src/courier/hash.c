/*-------------------------------------------------------------------------
 *
 * hash.c
 *		SHA-256, as tables and requests write it.
 *
 *-------------------------------------------------------------------------
 */
#include "hash.h"

#include <openssl/evp.h>

#define HASH_SIZE	((HASH_HEX_SIZE - 1) / 2)

bool
hash_hex(const void *bytes, size_t len, char hex[HASH_HEX_SIZE])
{
	static const EVP_MD *sha256;
	static EVP_MD_CTX *context;
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[HASH_SIZE];
	int			i;

	/* fetched once: finding it costs more than hashing a small picture */
	if (context == NULL)
	{
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
		context = EVP_MD_CTX_new();
	}
	if (EVP_DigestInit_ex(context, sha256, NULL) != 1 ||
		EVP_DigestUpdate(context, bytes, len) != 1 ||
		EVP_DigestFinal_ex(context, hash, NULL) != 1)
		return false;
	for (i = 0; i < HASH_SIZE; i++)
	{
		hex[2 * i] = digits[hash[i] >> 4];
		hex[2 * i + 1] = digits[hash[i] & 15];
	}
	hex[2 * HASH_SIZE] = '\0';
	return true;
}
