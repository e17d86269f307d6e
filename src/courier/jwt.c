/*-------------------------------------------------------------------------
 *
 * jwt.c
 *		Signed claims: JSON Web Token with RS256.
 *
 *-------------------------------------------------------------------------
 */
#include "jwt.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base64.h"

/* Two short members and the account's name and address: a few hundred. */
#define MAX_PART	(8 * 1024)

/* The library would ask on the terminal for a passphrase. */
static int
no_passphrase(char *buffer, int size, int is_writing, void *data)
{
	(void) buffer;
	(void) size;
	(void) is_writing;
	(void) data;
	return -1;
}

static EVP_PKEY *
read_key(const char *pem)
{
	size_t		len = strlen(pem);
	BIO		   *bio;
	EVP_PKEY   *key;
	int			bits;

	if (len > INT_MAX)
		return NULL;
	bio = BIO_new_mem_buf(pem, (int) len);
	if (bio == NULL)
		return NULL;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (key == NULL)
		return NULL;
	bits = EVP_PKEY_get_bits(key);
	if (EVP_PKEY_is_a(key, "RSA") != 1 || bits < JWT_MIN_RSA_BITS ||
		bits > JWT_MAX_RSA_BITS)
	{
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

/* Base64 with the alphabet of URLs and without padding (RFC 7515). */
static size_t
encode(uint8_t *out, const uint8_t *bytes, size_t len)
{
	size_t		n = (size_t) EVP_EncodeBlock(out, bytes, (int) len);

	while (n > 0 && out[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
	{
		if (out[i] == '+')
			out[i] = '-';
		else if (out[i] == '/')
			out[i] = '_';
	}
	return n;
}

/* Appends; false if the part is too long. */
static bool
add_json(uint8_t *out, size_t *len, const json_t *json)
{
	char		text[MAX_PART];
	size_t		n = json_dumpb(json, text, sizeof(text), JSON_COMPACT);

	if (n == 0 || n > sizeof(text))
		return false;
	*len += encode(out + *len, (const uint8_t *) text, n);
	return true;
}

static bool
add_signature(uint8_t *out, size_t *len, EVP_PKEY *key)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t		signature[JWT_MAX_RSA_BITS / 8];
	size_t		n = sizeof(signature);
	bool		is_signed;

	/* PKCS #1 v1.5 is what an RSA key does unless told otherwise */
	is_signed = context != NULL &&
		EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestSign(context, signature, &n, out, *len) == 1;
	EVP_MD_CTX_free(context);
	if (!is_signed)
		return false;
	out[(*len)++] = '.';
	*len += encode(out + *len, signature, n);
	return true;
}

Secret *
jwt_sign(Arena *arena, const char *private_pem, const char *key_id,
		 const json_t *claims)
{
	/* the encoder ends each part with a zero, where a dot comes next */
	uint8_t		out[2 * BASE64_ENCODED(MAX_PART) +
					BASE64_ENCODED(JWT_MAX_RSA_BITS / 8) + 3];
	size_t		len = 0;
	EVP_PKEY   *key = read_key(private_pem);
	json_t	   *head = json_pack("{s:s, s:s, s:s*}", "alg", "RS256",
								 "typ", "JWT", "kid", key_id);
	Secret	   *token = NULL;
	bool		is_signed;

	is_signed = key != NULL && json_is_object(claims) &&
		add_json(out, &len, head);
	if (is_signed)
	{
		out[len++] = '.';
		is_signed = add_json(out, &len, claims) &&
			add_signature(out, &len, key);
	}
	if (is_signed)
		token = secret_create(arena, out, len);
	OPENSSL_cleanse(out, sizeof(out));
	json_decref(head);
	EVP_PKEY_free(key);
	/* whatever the library noted about a bad key is nobody's business */
	ERR_clear_error();
	return token;
}
