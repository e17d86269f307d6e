/*-------------------------------------------------------------------------
 *
 * file.c
 *		The key service for development: private keys in a PEM file.
 *
 * For development, because here the private halves lie on the database's own
 * machine.  The first key of the file seals, and all of them open: so a new
 * one is put before the others, which stay until nothing is sealed to them.
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

#include "../../protocol/secret_file.h"
#include "keyservice.h"
#include "oaep.h"
#include "public_key.h"

/* Bytes of the public key's hash that name the key. */
#define THUMBPRINT	16

/* As many of 3072 bits as the file has room for. */
#define MAX_KEYS	6

#define PREFIX		"file:"
#define NO_KEY		" holds no RSA private key in PEM form, or a damaged one"

/* Open with the first; the others are old. */
typedef struct Keys
{
	int			count;
	EVP_PKEY   *keys[MAX_KEYS];
	char		thumbprints[MAX_KEYS][2 * THUMBPRINT + 1];
} Keys;

static Keys opened;

static void forget(void);
static void free_keys(Keys *keys);
static const char *read_keys(const char *path, const char *data_directory,
							 Keys *keys);
static bool name_key(const char *path, const Keys *keys, char *kid);

static Next
open_file(Exchange *x, SealingKey *sealing_key)
{
	const char *path = exchange_setting(x, "key_file");
	const char *data_directory = exchange_setting(x, "data_directory");
	const char *problem;
	Keys		keys = {.count = 0};

	forget();
	if (path == NULL || path[0] == '\0')
		return exchange_fail(x, FAULT_KEY_SERVICE_DOWN,
							 "bambi.key_file is not set");
	problem = read_keys(path, data_directory, &keys);
	if (problem == NULL && !name_key(path, &keys, sealing_key->kid))
		problem = " has a name that cannot be used";
	if (problem == NULL)
	{
		sealing_key->public_pem = public_key_print(x->arena, keys.keys[0]);
		if (sealing_key->public_pem == NULL)
			problem = " has a public key that cannot be written";
	}
	ERR_clear_error();
	if (problem != NULL)
	{
		free_keys(&keys);
		return exchange_fail(x, FAULT_KEY_SERVICE_DOWN,
							 arena_printf(x->arena, "the key file%s",
										  problem));
	}
	opened = keys;
	return NEXT_DONE;
}

static bool
print_thumbprint(EVP_PKEY *key, char *thumbprint)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned	hash_len;
	unsigned char *der = NULL;
	int			der_len = i2d_PUBKEY(key, &der);
	bool		ok;
	int			i;

	ok = der_len > 0 && EVP_Digest(der, (size_t) der_len, hash, &hash_len,
								   EVP_sha256(), NULL) == 1;
	OPENSSL_free(der);
	for (i = 0; ok && i < THUMBPRINT; i++)
		sprintf(thumbprint + 2 * i, "%02x", hash[i]);
	return ok;
}

/* Takes the key over; what is wrong with it, or NULL. */
static const char *
add_key(Keys *keys, EVP_PKEY *key)
{
	const char *problem = NULL;

	if (keys->count == MAX_KEYS)
		problem = " holds too many keys";
	else if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		problem = " holds a key that is no RSA private key";
	else if (!public_key_is_fine(key))
		problem = " must hold keys of 3072 to 8192 bits";
	else if (!print_thumbprint(key, keys->thumbprints[keys->count]))
		problem = " has a public key that cannot be used";
	if (problem == NULL)
		keys->keys[keys->count++] = key;
	else
		EVP_PKEY_free(key);
	return problem;
}

/* By the lines that begin and end each. */
static int
count_keys(const uint8_t *bytes, size_t len)
{
	static const char mark[] = "PRIVATE KEY-----";
	size_t		mark_len = strlen(mark);
	size_t		i;
	int			count = 0;

	for (i = 0; i + mark_len <= len; i++)
		count += memcmp(bytes + i, mark, mark_len) == 0;
	return (count + 1) / 2;
}

static const char *
read_keys(const char *path, const char *data_directory, Keys *keys)
{
	uint8_t		bytes[SECRET_FILE_MAX];
	size_t		len;
	const char *problem = secret_file_read(path, data_directory, bytes, &len);
	EVP_PKEY   *key;
	BIO		   *bio;
	int			count;

	if (problem != NULL)
		return problem;
	bio = BIO_new_mem_buf(bytes, (int) len);
	count = bio != NULL ? count_keys(bytes, len) : 0;
	if (count == 0)
		problem = NO_KEY;

	/* one that is damaged is not passed by: what it has sealed would be lost */
	while (problem == NULL && keys->count < count)
	{
		/* "" as pass phrase: never ask a terminal for one */
		key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *) "");
		problem = key != NULL ? add_key(keys, key) : NO_KEY;
	}
	BIO_free(bio);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return problem;
}

/* "file:<basename>:<thumbprint of the public key>" */
static bool
name_key(const char *path, const Keys *keys, char *kid)
{
	const char *base = strrchr(path, '/') + 1;
	int			len;
	int			i;

	if (strlen(base) > JWE_MAX_NAME / 2)
		return false;
	len = sprintf(kid, PREFIX "%s:", base);
	for (i = (int) strlen(PREFIX); i < len - 1; i++)
	{
		/* what a protected header takes, and no second colon */
		if (!isalnum((unsigned char) kid[i]) && strchr("._-", kid[i]) == NULL)
			kid[i] = '_';
	}
	strcpy(kid + len, keys->thumbprints[0]);
	return true;
}

/* By its thumbprint: the file may have got another name since. */
static EVP_PKEY *
find_key(const char *kid)
{
	const char *thumbprint = strrchr(kid, ':');
	int			i;

	if (strncmp(kid, PREFIX, strlen(PREFIX)) != 0 || thumbprint == NULL)
		return NULL;
	for (i = 0; i < opened.count; i++)
	{
		if (strcmp(thumbprint + 1, opened.thumbprints[i]) == 0)
			return opened.keys[i];
	}
	return NULL;
}

static Next
unwrap(Exchange *x, const char *kid, const uint8_t *wrapped,
	   size_t wrapped_len, uint8_t cek[JWE_CEK_SIZE])
{
	EVP_PKEY   *key = find_key(kid);
	uint8_t		out[JWE_MAX_RSA_BYTES];
	size_t		out_len;
	bool		ok;

	if (key == NULL)
		return exchange_fail(x, FAULT_KEY_UNREADABLE, NULL);

	ok = oaep_unwrap(key, wrapped, wrapped_len, out, &out_len) &&
		out_len == JWE_CEK_SIZE;
	if (ok)
		memcpy(cek, out, JWE_CEK_SIZE);
	OPENSSL_cleanse(out, sizeof(out));
	return ok ? NEXT_DONE : exchange_fail(x, FAULT_KEY_UNREADABLE, NULL);
}

static void
free_keys(Keys *keys)
{
	int			i;

	for (i = 0; i < keys->count; i++)
		EVP_PKEY_free(keys->keys[i]);
	memset(keys, 0, sizeof(*keys));
}

static void
forget(void)
{
	free_keys(&opened);
}

const KeyServiceAdapter keyservice_file = {
	.name = "file",
	.warning = "the key service \"file\" is for development: the master key "
	"lies in a file on this machine",
	.open = open_file,
	.unwrap = unwrap,
	.how_to_rotate = "Put a new key before the old ones in the file of "
	"bambi.key_file, and reload.",
	.forget = forget,
};
