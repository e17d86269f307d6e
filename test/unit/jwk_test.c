/*-------------------------------------------------------------------------
 *
 * jwk_test.c
 *		The JSON Web Key has the numbers of the key, and only of a good one.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "../../src/protocol/jwk.h"
#include "check.h"

#define KID	"file:master.pem:0123456789abcdef"

static char *
print_public(EVP_PKEY *of)
{
	BIO		   *bio = BIO_new(BIO_s_mem());
	char	   *bytes;
	char	   *copy;
	long		len;

	PEM_write_bio_PUBKEY(bio, of);
	len = BIO_get_mem_data(bio, &bytes);
	copy = strndup(bytes, (size_t) len);
	BIO_free(bio);
	return copy;
}

/* The number that base64url says, by a reader of this test's own. */
static BIGNUM *
read_base64url(const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	"abcdefghijklmnopqrstuvwxyz0123456789-_";
	BIGNUM	   *number = BN_new();
	int			bits = 0;

	for (; *text != '\0'; text++, bits += 6)
	{
		const char *digit = strchr(digits, *text);

		BN_lshift(number, number, 6);
		BN_add_word(number, digit != NULL ? (BN_ULONG) (digit - digits) : 0);
	}
	BN_rshift(number, number, bits % 8);
	return number;
}

static bool
is_number(const json_t *jwk, const char *member, EVP_PKEY *key,
		  const char *name)
{
	const char *text = json_string_value(json_object_get(jwk, member));
	BIGNUM	   *expected = NULL;
	BIGNUM	   *number = read_base64url(text != NULL ? text : "");
	bool		is_equal;

	EVP_PKEY_get_bn_param(key, name, &expected);
	is_equal = BN_cmp(expected, number) == 0 &&
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			   "0123456789-_") == strlen(text);
	BN_free(expected);
	BN_free(number);
	return is_equal;
}

static void
check_key(unsigned int bits)
{
	EVP_PKEY   *key = EVP_RSA_gen(bits);
	char	   *pem = print_public(key);
	char		text[JWK_MAX_SIZE];
	json_t	   *jwk;

	CHECK(jwk_of_public_key(pem, KID, text, sizeof(text)) == JWE_OK,
		  "a key of %u bits is written", bits);
	jwk = json_loads(text, 0, NULL);
	CHECK(json_object_size(jwk) == 6, "with six members");
	CHECK(is_number(jwk, "n", key, OSSL_PKEY_PARAM_RSA_N), "its n");
	CHECK(is_number(jwk, "e", key, OSSL_PKEY_PARAM_RSA_E), "its e");
	CHECK(strcmp(json_string_value(json_object_get(jwk, "kid")), KID) == 0,
		  "and its name");
	CHECK(jwk_of_public_key(pem, KID, text, 100) == JWE_TOO_LONG,
		  "not into too small a buffer");

	json_decref(jwk);
	free(pem);
	EVP_PKEY_free(key);
}

static void
check_refusals(void)
{
	EVP_PKEY   *short_key = EVP_RSA_gen(2048);
	EVP_PKEY   *curve = EVP_EC_gen("P-256");
	char	   *short_pem = print_public(short_key);
	char	   *curve_pem = print_public(curve);
	char		text[JWK_MAX_SIZE];

	CHECK(jwk_of_public_key(short_pem, KID, text, sizeof(text)) ==
		  JWE_BAD_KEY, "a short key is refused");
	CHECK(jwk_of_public_key(curve_pem, KID, text, sizeof(text)) ==
		  JWE_BAD_KEY, "one that is not RSA is refused");
	CHECK(jwk_of_public_key("no key", KID, text, sizeof(text)) ==
		  JWE_BAD_KEY, "what is no key is refused");

	free(short_pem);
	free(curve_pem);
	EVP_PKEY_free(short_key);
	EVP_PKEY_free(curve);
}

int
main(void)
{
	check_key(3072);
	check_key(4096);
	check_refusals();
	return check_done();
}
