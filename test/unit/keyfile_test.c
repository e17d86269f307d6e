/*-------------------------------------------------------------------------
 *
 * keyfile_test.c
 *		The key service for development takes a key file only where it lies
 *		safely, and opens what was sealed to it.
 *
 *-------------------------------------------------------------------------
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/stat.h>

#include "../../src/courier/keyservices/keyservice.h"
#include "../../src/courier/keyservices/pem.h"
#include "../../src/protocol/secret_file.h"
#include "check.h"

static Exchange x;
static SealingKey sealing_key;
static char directory[] = "/tmp/bambi-unit-XXXXXX";

static const char *
path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static Next
open_key(const char *path, const char *data_directory)
{
	json_decref(x.settings);
	x.settings = json_pack("{s:s, s:s}", "key_file", path,
						   "data_directory", data_directory);
	return keyservice_file.open(&x, &sealing_key);
}

static bool
is_refused(const char *path, const char *data_directory, const char *because)
{
	if (open_key(path, data_directory) == NEXT_FAIL &&
		x.fault.class == FAULT_KEY_SERVICE_DOWN &&
		strstr(x.fault.message, because) != NULL)
		return true;
	printf("# %s\n", x.fault.message);
	return false;
}

/* Writes any key, with a pass phrase or without. */
static void
write_key(const char *name, EVP_PKEY *key, const char *phrase)
{
	int			fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	FILE	   *file = fdopen(fd, "w");

	PEM_write_PrivateKey(file, key,
						 phrase != NULL ? EVP_aes_256_cbc() : NULL,
						 (const unsigned char *) phrase,
						 phrase != NULL ? (int) strlen(phrase) : 0, NULL,
						 NULL);
	fclose(file);
	EVP_PKEY_free(key);
}

static void
check_places(void)
{
	char		path[128];

	snprintf(path, sizeof(path), "%s/master.pem", directory);
	CHECK(pem_make_key(path) == NULL, "a key file is made");
	CHECK(strcmp(pem_make_key(path), "the file exists already") == 0,
		  "and never overwritten");
	CHECK(open_key(path, "/usr") == NEXT_DONE, "it opens");
	CHECK(strncmp(sealing_key.kid, "file:master.pem:", 16) == 0 &&
		  strlen(sealing_key.kid) == 16 + 32 &&
		  strstr(sealing_key.public_pem, "BEGIN PUBLIC KEY") != NULL,
		  "with its name, its thumbprint, and its public half only");
	CHECK(open_key(path, "") == NEXT_DONE,
		  "a data directory that is not known forbids nothing");

	CHECK(is_refused(path, directory, "inside the data directory"),
		  "inside the data directory it is refused");
	if (symlink(directory, "/tmp/bambi-unit-link") == 0)
	{
		CHECK(is_refused("/tmp/bambi-unit-link/master.pem", directory,
						 "inside the data directory"),
			  "also by way of a link");
		unlink("/tmp/bambi-unit-link");
	}
	chmod(path, 0640);
	CHECK(is_refused(path, "/usr", "mode 0600 or 0400"),
		  "where others may read it, it is refused");
	chmod(path, 0400);
	CHECK(open_key(path, "/usr") == NEXT_DONE, "mode 0400 will do");
	if (getuid() == 0)
	{
		CHECK(chown(path, 1, 1) == 0 &&
			  is_refused(path, "/usr", "belong to the server's user"),
			  "somebody else's is refused");
		CHECK(chown(path, 0, 0) == 0, "and is given back");
	}
	CHECK(is_refused("master.pem", "/usr", "absolute path"),
		  "a relative path is refused");
	CHECK(is_refused(path_of("none"), "/usr", "does not exist"),
		  "no file is no key");
	CHECK(is_refused("", "/usr", "is not set"), "nor is no name");
	CHECK(is_refused(directory, "/usr", "plain file"), "nor a directory");
}

static void
check_contents(void)
{
	write_key("small.pem", EVP_RSA_gen(2048), NULL);
	CHECK(is_refused(path_of("small.pem"), "/usr", "3072"),
		  "a key of 2048 bits is refused");
	write_key("curve.pem", EVP_EC_gen("P-256"), NULL);
	CHECK(is_refused(path_of("curve.pem"), "/usr", "no RSA private key"),
		  "a key of another kind is refused");
	write_key("locked.pem", EVP_RSA_gen(2048), "secret");
	CHECK(is_refused(path_of("locked.pem"), "/usr", "no RSA private key"),
		  "a key with a pass phrase is refused, and nobody is asked for it");
	unlink(path_of("small.pem"));
	unlink(path_of("curve.pem"));
	unlink(path_of("locked.pem"));
}

/* Puts one file's contents behind another's. */
static void
append_file(const char *to, const char *from)
{
	char		bytes[SECRET_FILE_MAX];
	FILE	   *in = fopen(from, "r");
	FILE	   *out = fopen(to, "a");
	size_t		len = fread(bytes, 1, sizeof(bytes), in);

	fwrite(bytes, 1, len, out);
	fclose(in);
	fclose(out);
}

/* What was sealed to kid, when a newer key stands before it. */
static void
check_older_key(const char *kid, const Jwe *jwe)
{
	char		next[128];
	char		master[128];
	uint8_t		cek[JWE_CEK_SIZE];
	FILE	   *file;

	strcpy(master, path_of("master.pem"));
	strcpy(next, path_of("next.pem"));
	CHECK(pem_make_key(next) == NULL && open_key(next, "/usr") == NEXT_DONE &&
		  keyservice_file.unwrap(&x, kid, jwe->wrapped, jwe->wrapped_len,
								 cek) == NEXT_FAIL &&
		  x.fault.class == FAULT_KEY_UNREADABLE,
		  "another key opens nothing of it");
	append_file(next, master);
	CHECK(open_key(next, "/usr") == NEXT_DONE &&
		  strncmp(sealing_key.kid, "file:next.pem:", 14) == 0 &&
		  strcmp(strrchr(sealing_key.kid, ':'), strrchr(kid, ':')) != 0,
		  "of several keys the first is sealed to");
	CHECK(keyservice_file.unwrap(&x, kid, jwe->wrapped, jwe->wrapped_len,
								 cek) == NEXT_DONE,
		  "and the others open, whatever the file was called");
	file = fopen(next, "r+");
	fseek(file, -1200, SEEK_END);
	fputs("!!!!", file);
	fclose(file);
	CHECK(is_refused(next, "/usr", "a damaged one"),
		  "a damaged one is not passed by");
	unlink(next);
	for (int i = 0; i < 7; i++)
		append_file(next, master);
	chmod(next, 0600);
	CHECK(is_refused(next, "/usr", "larger than 16 kB"),
		  "there is room for six");
	unlink(next);
}

static void
check_unwrap(void)
{
	static char compact[JWE_MAX_COMPACT];
	static Jwe	jwe;
	static uint8_t plain[JWE_MAX_PLAINTEXT + 1];
	uint8_t		cek[JWE_CEK_SIZE];
	size_t		len;
	char		kid[JWE_MAX_NAME + 1];

	open_key(path_of("master.pem"), "/usr");
	strcpy(kid, sealing_key.kid);
	jwe_seal(sealing_key.public_pem, kid, "user", "openai",
			 (const uint8_t *) "sk-test", 7, compact, sizeof(compact));
	jwe_parse(compact, strlen(compact), &jwe);
	CHECK(keyservice_file.unwrap(&x, kid, jwe.wrapped, jwe.wrapped_len,
								 cek) == NEXT_DONE &&
		  jwe_open(&jwe, cek, plain, &len) == JWE_OK && len == 7 &&
		  strcmp((char *) plain, "sk-test") == 0,
		  "what is sealed to it opens");
	CHECK(keyservice_file.unwrap(&x, "file:master.pem:other", jwe.wrapped,
								 jwe.wrapped_len, cek) == NEXT_FAIL &&
		  x.fault.class == FAULT_KEY_UNREADABLE,
		  "under another name it does not");
	jwe.wrapped[100] ^= 1;
	CHECK(keyservice_file.unwrap(&x, kid, jwe.wrapped, jwe.wrapped_len,
								 cek) == NEXT_FAIL &&
		  x.fault.class == FAULT_KEY_UNREADABLE, "nor if it was changed");
	jwe.wrapped[100] ^= 1;

	check_older_key(kid, &jwe);

	open_key("/nowhere", "/usr");
	CHECK(keyservice_file.unwrap(&x, kid, jwe.wrapped, jwe.wrapped_len,
								 cek) == NEXT_FAIL,
		  "nor once the file is gone");
}

int
main(void)
{
	x.arena = arena_create();
	x.base_url = "";
	if (mkdtemp(directory) == NULL)
		return 1;

	check_places();
	check_contents();
	check_unwrap();

	unlink(path_of("master.pem"));
	CHECK(rmdir(directory) == 0, "no other file was made");
	json_decref(x.settings);
	arena_destroy(x.arena);
	return check_done();
}
