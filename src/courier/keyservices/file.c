/*-------------------------------------------------------------------------
 *
 * file.c
 *		The key service for development: a private key in a PEM file.
 *
 * For development, because here the private half lies on the database's own
 * machine.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "../secret_file.h"
#include "keyservice.h"
#include "oaep.h"
#include "public_key.h"

/* Bytes of the public key's hash that name the key. */
#define THUMBPRINT	16

static EVP_PKEY *private_key;
static char private_kid[JWE_MAX_NAME + 1];

static void forget(void);
static const char *read_key(const char *path, const char *data_directory,
							EVP_PKEY **key);
static bool name_key(const char *path, EVP_PKEY *key, char *kid);

static Next
open_file(Exchange *x, SealingKey *sealing_key)
{
	const char *path = exchange_setting(x, "key_file");
	const char *data_directory = exchange_setting(x, "data_directory");
	const char *problem;
	EVP_PKEY   *key = NULL;

	forget();
	if (path == NULL || path[0] == '\0')
		return exchange_fail(x, FAULT_KEY_SERVICE_DOWN,
							 "bambi.key_file is not set");
	problem = read_key(path, data_directory, &key);
	if (problem == NULL && !name_key(path, key, private_kid))
		problem = " has a name or a public key that cannot be used";
	if (problem == NULL)
	{
		sealing_key->public_pem = public_key_print(x->arena, key);
		if (sealing_key->public_pem == NULL)
			problem = " has a public key that cannot be written";
	}
	ERR_clear_error();
	if (problem != NULL)
	{
		EVP_PKEY_free(key);
		return exchange_fail(x, FAULT_KEY_SERVICE_DOWN,
							 arena_printf(x->arena, "the key file%s",
										  problem));
	}
	private_key = key;
	strcpy(sealing_key->kid, private_kid);
	return NEXT_DONE;
}

static const char *
read_key(const char *path, const char *data_directory, EVP_PKEY **key)
{
	uint8_t		bytes[SECRET_FILE_MAX];
	size_t		len;
	const char *problem = secret_file_read(path, data_directory, bytes, &len);
	BIO		   *bio;

	if (problem != NULL)
		return problem;
	bio = BIO_new_mem_buf(bytes, (int) len);

	/* "" as pass phrase: never ask a terminal for one */
	if (bio != NULL)
		*key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *) "");
	BIO_free(bio);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	if (*key == NULL || EVP_PKEY_get_base_id(*key) != EVP_PKEY_RSA)
		problem = " holds no RSA private key in PEM form";
	else if (!public_key_is_fine(*key))
		problem = " must hold a key of 3072 to 8192 bits";
	if (problem != NULL)
	{
		EVP_PKEY_free(*key);
		*key = NULL;
	}
	return problem;
}

/* "file:<basename>:<thumbprint of the public key>" */
static bool
name_key(const char *path, EVP_PKEY *key, char *kid)
{
	const char *base = strrchr(path, '/') + 1;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned	hash_len;
	unsigned char *der = NULL;
	int			der_len = i2d_PUBKEY(key, &der);
	bool		ok;
	int			len;
	int			i;

	ok = der_len > 0 && EVP_Digest(der, (size_t) der_len, hash, &hash_len,
								   EVP_sha256(), NULL) == 1;
	OPENSSL_free(der);
	if (!ok || strlen(base) > JWE_MAX_NAME / 2)
		return false;

	len = sprintf(kid, "file:%s:", base);
	for (i = 5; i < len - 1; i++)
	{
		/* what a protected header takes, and no second colon */
		if (!isalnum((unsigned char) kid[i]) && strchr("._-", kid[i]) == NULL)
			kid[i] = '_';
	}
	for (i = 0; i < THUMBPRINT; i++)
		len += sprintf(kid + len, "%02x", hash[i]);
	return true;
}

static Next
unwrap(Exchange *x, const char *kid, const uint8_t *wrapped,
	   size_t wrapped_len, uint8_t cek[JWE_CEK_SIZE])
{
	uint8_t		out[JWE_MAX_RSA_BYTES];
	size_t		out_len;
	bool		ok;

	if (private_key == NULL || strcmp(kid, private_kid) != 0)
		return exchange_fail(x, FAULT_KEY_UNREADABLE, NULL);

	ok = oaep_unwrap(private_key, wrapped, wrapped_len, out, &out_len) &&
		out_len == JWE_CEK_SIZE;
	if (ok)
		memcpy(cek, out, JWE_CEK_SIZE);
	OPENSSL_cleanse(out, sizeof(out));
	return ok ? NEXT_DONE : exchange_fail(x, FAULT_KEY_UNREADABLE, NULL);
}

static void
forget(void)
{
	EVP_PKEY_free(private_key);
	private_key = NULL;
}

const KeyServiceAdapter keyservice_file = {
	.name = "file",
	.warning = "the key service \"file\" is for development: the master key "
	"lies in a file on this machine",
	.open = open_file,
	.unwrap = unwrap,
	.forget = forget,
};
