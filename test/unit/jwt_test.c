/*-------------------------------------------------------------------------
 *
 * jwt_test.c
 *		Claims are signed as RFC 7515 and RFC 7518 say, so that whoever has
 *		the public key can check them; a key that will not do signs nothing.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>

#include "../../src/courier/jwt.h"
#include "check.h"
#include "play.h"

/* A part of a token, decoded; malloc'ed and terminated. */
static uint8_t *
decode(const char *part, size_t len, size_t *size)
{
	char	   *text = malloc(len + 4);
	uint8_t    *bytes = malloc(len + 4);
	size_t		padded = len;
	int			n;

	for (size_t i = 0; i < len; i++)
		text[i] = part[i] == '-' ? '+' : part[i] == '_' ? '/' : part[i];
	while (padded % 4 != 0)
		text[padded++] = '=';
	n = EVP_DecodeBlock(bytes, (unsigned char *) text, (int) padded);
	*size = n < 0 ? 0 : (size_t) n - (padded - len);
	bytes[*size] = '\0';
	free(text);
	return bytes;
}

static EVP_PKEY *
read_pem(const char *pem)
{
	BIO		   *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY   *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return key;
}

static bool
is_verified(const Secret *token)
{
	const char *text = (const char *) token->bytes;
	const char *dot = strrchr(text, '.');
	size_t		len;
	uint8_t    *signature = decode(dot + 1, strlen(dot + 1), &len);
	EVP_PKEY   *key = read_pem(play_private_key());
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool		holds;

	EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key);
	holds = EVP_DigestVerify(context, signature, len, token->bytes,
							 (size_t) (dot - text)) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	free(signature);
	return holds;
}

static void
check_token(Arena *arena)
{
	json_t	   *claims = json_pack("{s:s, s:s, s:I}", "iss", "a@example.com",
								   "aud", "https://example.com/token",
								   "iat", (json_int_t) PLAY_NOW);
	Secret	   *token = jwt_sign(arena, play_private_key(), "k1", claims);
	const char *text = token != NULL ? (const char *) token->bytes : "";
	const char *first = strchr(text, '.');
	const char *second = first != NULL ? strchr(first + 1, '.') : NULL;
	uint8_t    *part;
	size_t		len;
	json_t	   *said;

	CHECK(second != NULL && strchr(second + 1, '.') == NULL,
		  "a token has three parts");
	if (second == NULL)
	{
		json_decref(claims);
		return;
	}
	CHECK(strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789-_.") == token->len &&
		  strlen(text) == token->len,
		  "it has the alphabet of URLs, and no padding");
	CHECK(is_verified(token), "the public key confirms the signature");

	part = decode(text, (size_t) (first - text), &len);
	CHECK(strcmp((char *) part,
				 "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}") == 0,
		  "the head names algorithm, type and key");
	free(part);
	part = decode(first + 1, (size_t) (second - first - 1), &len);
	said = json_loads((char *) part, 0, NULL);
	CHECK(json_equal(said, claims), "the claims are what was given");
	json_decref(said);
	free(part);

	token->bytes[first - text + 5] ^= 1;
	CHECK(!is_verified(token), "a changed claim is noticed");
	json_decref(claims);
}

static void
check_head_without_key_id(Arena *arena)
{
	json_t	   *claims = json_object();
	Secret	   *token = jwt_sign(arena, play_private_key(), NULL, claims);
	size_t		len;
	uint8_t    *head = decode((char *) token->bytes,
							  strcspn((char *) token->bytes, "."), &len);

	CHECK(strcmp((char *) head, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}") == 0,
		  "without a name of the key there is none in the head");
	free(head);
	json_decref(claims);
}

/* A key as PEM, with a passphrase or without one; malloc'ed. */
static char *
pem_of(EVP_PKEY *key, const char *passphrase)
{
	BIO		   *bio = BIO_new(BIO_s_mem());
	char	   *bytes;
	char	   *pem;
	long		len;

	PEM_write_bio_PrivateKey(bio, key,
							 passphrase != NULL ? EVP_aes_128_cbc() : NULL,
							 NULL, 0, NULL, (void *) passphrase);
	len = BIO_get_mem_data(bio, &bytes);
	pem = strndup(bytes, (size_t) len);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return pem;
}

static void
check_refused(Arena *arena, const char *fact, char *pem)
{
	json_t	   *claims = json_object();

	CHECK(strncmp(pem, "-----BEGIN", 10) == 0 &&
		  jwt_sign(arena, pem, NULL, claims) == NULL, "%s", fact);
	json_decref(claims);
	free(pem);
}

int
main(void)
{
	Arena	   *arena = arena_create();
	json_t	   *array = json_array();
	json_t	   *large = json_object();
	char	   *cut = strdup(play_private_key());

	check_token(arena);
	check_head_without_key_id(arena);

	check_refused(arena, "a key of 1024 bits signs nothing",
				  pem_of(EVP_RSA_gen(1024), NULL));
	check_refused(arena, "a key of more bits than allowed signs nothing",
				  pem_of(EVP_RSA_gen(JWT_MAX_RSA_BITS + 256), NULL));
	check_refused(arena, "a key of another kind signs nothing",
				  pem_of(EVP_EC_gen("P-256"), NULL));
	check_refused(arena, "nobody is asked for a passphrase",
				  pem_of(read_pem(play_private_key()), "secret"));
	cut[strlen(cut) / 2] = '\0';
	check_refused(arena, "half a key signs nothing", cut);

	CHECK(jwt_sign(arena, play_private_key(), NULL, array) == NULL,
		  "claims are an object");
	for (int i = 0; i < 2000; i++)
	{
		char		name[16];

		snprintf(name, sizeof(name), "n%d", i);
		json_object_set_new(large, name, json_integer(i));
	}
	CHECK(jwt_sign(arena, play_private_key(), NULL, large) == NULL,
		  "claims have a limit");
	json_decref(array);
	json_decref(large);
	arena_destroy(arena);
	return check_done();
}
