/*-------------------------------------------------------------------------
 *
 * seal.c
 *		Seals and opens keys as backend and courier do, for whoever wants to
 *		compare.
 *
 *	seal KEYFILE jwk						prints the public key
 *	seal KEYFILE seal USER PROVIDER			the key comes from standard input
 *	seal KEYFILE open USER PROVIDER			so does the JWE
 *
 * KEYFILE is one of the key service "file".  What does not open ends with 1,
 * and says no more than that.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/courier/keyservices/keyservice.h"
#include "../../src/protocol/jwk.h"

static Exchange x;
static SealingKey key;

static void
die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(2);
}

static int
print_jwk(void)
{
	char		jwk[JWK_MAX_SIZE];

	if (jwk_of_public_key(key.public_pem, key.kid, jwk,
						  sizeof(jwk)) != JWE_OK)
		die("the public key cannot be written");
	puts(jwk);
	return 0;
}

static int
seal(const char *user, const char *provider, const char *in, size_t len)
{
	static char compact[JWE_MAX_COMPACT];

	if (jwe_seal(key.public_pem, key.kid, user, provider,
				 (const uint8_t *) in, len, compact,
				 sizeof(compact)) != JWE_OK)
		die("it could not be sealed");
	puts(compact);
	return 0;
}

/* As a job's key is opened. */
static int
open_sealed(const char *user, const char *provider, const char *in,
			size_t len)
{
	static Jwe	jwe;
	static uint8_t out[JWE_MAX_PLAINTEXT + 1];
	uint8_t		cek[JWE_CEK_SIZE];
	size_t		out_len;

	if (jwe_parse(in, len, &jwe) != JWE_OK || strcmp(jwe.sub, user) != 0 ||
		strcmp(jwe.prv, provider) != 0 ||
		keyservice_file.unwrap(&x, jwe.kid, jwe.wrapped, jwe.wrapped_len,
							   cek) != NEXT_DONE ||
		jwe_open(&jwe, cek, out, &out_len) != JWE_OK)
		return 1;
	fwrite(out, 1, out_len, stdout);
	return 0;
}

int
main(int argc, char **argv)
{
	static char in[JWE_MAX_COMPACT + 1];
	size_t		len;

	if (argc != 3 && argc != 5)
		die("usage: seal KEYFILE jwk|seal|open [USER PROVIDER]");
	x.arena = arena_create();
	x.settings = json_pack("{s:s, s:s}", "key_file", argv[1],
						   "data_directory", "/usr");
	if (keyservice_file.open(&x, &key) != NEXT_DONE)
		die(x.fault.message);
	if (argc == 3 && strcmp(argv[2], "jwk") == 0)
		return print_jwk();
	if (argc == 3)
		die("for whom?");

	len = fread(in, 1, sizeof(in), stdin);
	if (strcmp(argv[2], "seal") == 0)
		return seal(argv[3], argv[4], in, len);
	if (strcmp(argv[2], "open") == 0)
		return open_sealed(argv[3], argv[4], in, len);
	die("seal or open?");
	return 2;
}
