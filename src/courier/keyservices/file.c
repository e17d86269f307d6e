/*-------------------------------------------------------------------------
 *
 * file.c
 *		The key service for development: a private key in a PEM file.
 *
 * For development, because here the private half lies on the database's own
 * machine.  The file is refused where that would be careless: in the data
 * directory, which base backups carry away, readable by others, or somebody
 * else's.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* realpath */

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include "keyservice.h"

/* A PEM of an RSA-8192 key has 6.5 kB. */
#define MAX_FILE	(16 * 1024)

/* Bytes of the public key's hash that name the key. */
#define THUMBPRINT	16

static EVP_PKEY *private_key;
static char private_kid[JWE_MAX_NAME + 1];

static const char *check_place(const char *path, const char *data_directory);
static const char *read_key(const char *path, EVP_PKEY **key);
static bool name_key(const char *path, EVP_PKEY *key, char *kid);
static char *print_public_key(Arena *arena, EVP_PKEY *key);

static Next
open_file(Exchange *x, SealingKey *sealing_key)
{
	const char *path = exchange_setting(x, "key_file");
	const char *data_directory = exchange_setting(x, "data_directory");
	const char *problem;
	EVP_PKEY   *key = NULL;

	EVP_PKEY_free(private_key);
	private_key = NULL;

	if (path == NULL || path[0] == '\0')
		return exchange_fail(x, FAULT_KEY_SERVICE_DOWN,
							 "bambi.key_file is not set");
	problem = check_place(path, data_directory);
	if (problem == NULL)
		problem = read_key(path, &key);
	if (problem == NULL && !name_key(path, key, private_kid))
		problem = "the key file's name or public key cannot be used";
	if (problem == NULL)
	{
		sealing_key->public_pem = print_public_key(x->arena, key);
		if (sealing_key->public_pem == NULL)
			problem = "the public key cannot be written";
	}
	ERR_clear_error();
	if (problem != NULL)
	{
		EVP_PKEY_free(key);
		return exchange_fail(x, FAULT_KEY_SERVICE_DOWN, problem);
	}
	private_key = key;
	strcpy(sealing_key->kid, private_kid);
	return NEXT_DONE;
}

static const char *
check_place(const char *path, const char *data_directory)
{
	char		real_path[PATH_MAX];
	char		real_directory[PATH_MAX];
	size_t		len;

	if (path[0] != '/')
		return "the key file needs an absolute path";
	if (realpath(path, real_path) == NULL)
		return "the key file does not exist or is not accessible";
	if (data_directory == NULL || data_directory[0] == '\0')
		return NULL;
	if (realpath(data_directory, real_directory) == NULL)
		return "the data directory is not accessible";
	len = strlen(real_directory);
	if (strncmp(real_path, real_directory, len) == 0 && real_path[len] == '/')
		return "the key file lies inside the data directory, where base "
			"backups would carry it away";
	return NULL;
}

static const char *
read_key(const char *path, EVP_PKEY **key)
{
	struct stat st;
	const char *problem = NULL;
	char		bytes[MAX_FILE];
	ssize_t		len = -1;
	int			fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return "the key file cannot be opened";

	/* asked of the open file: the name may mean another one by now */
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		problem = "the key file is not a plain file";
	else if ((st.st_mode & 07777) != 0600 && (st.st_mode & 07777) != 0400)
		problem = "the key file must have mode 0600 or 0400";
	else if (st.st_uid != geteuid())
		problem = "the key file must belong to the server's user";
	else if (st.st_size > MAX_FILE || (len = read(fd, bytes, MAX_FILE)) <= 0)
		problem = "the key file cannot be read";
	close(fd);

	if (problem == NULL)
	{
		BIO		   *bio = BIO_new_mem_buf(bytes, (int) len);

		/* "" as pass phrase: never ask a terminal for one */
		if (bio != NULL)
			*key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *) "");
		BIO_free(bio);
		if (*key == NULL || EVP_PKEY_get_base_id(*key) != EVP_PKEY_RSA)
			problem = "the key file holds no RSA private key in PEM form";
		else if (EVP_PKEY_get_bits(*key) < JWE_MIN_RSA_BITS ||
				 EVP_PKEY_get_size(*key) > JWE_MAX_RSA_BYTES)
			problem = "the key must have 3072 to 8192 bits";
		if (problem != NULL)
		{
			EVP_PKEY_free(*key);
			*key = NULL;
		}
	}
	OPENSSL_cleanse(bytes, sizeof(bytes));
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

static char *
print_public_key(Arena *arena, EVP_PKEY *key)
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

static Next
unwrap(Exchange *x, const char *kid, const uint8_t *wrapped,
	   size_t wrapped_len, uint8_t cek[JWE_CEK_SIZE])
{
	EVP_PKEY_CTX *context;
	uint8_t		out[JWE_MAX_RSA_BYTES];
	size_t		out_len = sizeof(out);
	bool		ok;

	if (private_key == NULL || strcmp(kid, private_kid) != 0)
		return exchange_fail(x, FAULT_KEY_UNREADABLE, NULL);

	context = EVP_PKEY_CTX_new(private_key, NULL);
	ok = context != NULL &&
		EVP_PKEY_decrypt_init(context) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
		EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
		EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
		EVP_PKEY_decrypt(context, out, &out_len, wrapped, wrapped_len) == 1 &&
		out_len == JWE_CEK_SIZE;
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	if (ok)
		memcpy(cek, out, JWE_CEK_SIZE);
	OPENSSL_cleanse(out, sizeof(out));
	return ok ? NEXT_DONE : exchange_fail(x, FAULT_KEY_UNREADABLE, NULL);
}

const KeyServiceAdapter keyservice_file = {
	.name = "file",
	.warning = "the key service \"file\" is for development: the master key "
	"lies in a file on this machine",
	.open = open_file,
	.unwrap = unwrap,
};
