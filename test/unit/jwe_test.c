/*-------------------------------------------------------------------------
 *
 * jwe_test.c
 *		What is sealed opens, for nobody else, and in one spelling only.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "../../src/courier/keyservices/oaep.h"
#include "../../src/protocol/jwe.h"
#include "check.h"

#define KID	"file:master.pem:0123456789abcdef"
#define SUB	"00000000-0000-7000-8000-000000000001"
#define PRV	"openai"

static EVP_PKEY *key;
static char *public_pem;

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

/* As a key service does it. */
static bool
unwrap(const Jwe *jwe, uint8_t cek[JWE_CEK_SIZE])
{
	uint8_t		out[JWE_MAX_RSA_BYTES];
	size_t		len;

	if (!oaep_unwrap(key, jwe->wrapped, jwe->wrapped_len, out, &len) ||
		len != JWE_CEK_SIZE)
		return false;
	memcpy(cek, out, JWE_CEK_SIZE);
	return true;
}

/* All the way; JWE_OK and the plain text, or why not. */
static JweResult
open_all(const char *compact, size_t len, uint8_t *out, size_t *out_len)
{
	static Jwe	jwe;
	uint8_t		cek[JWE_CEK_SIZE];
	JweResult	result = jwe_parse(compact, len, &jwe);

	if (result != JWE_OK)
		return result;
	if (strcmp(jwe.kid, KID) != 0 || strcmp(jwe.sub, SUB) != 0 ||
		strcmp(jwe.prv, PRV) != 0 || !unwrap(&jwe, cek))
		return JWE_FAILED;
	return jwe_open(&jwe, cek, out, out_len);
}

static void
check_round_trips(void)
{
	static const size_t sizes[] = {0, 1, 2, 3, 15, 16, 17, 51, 1000, 16384};
	static uint8_t secret[JWE_MAX_PLAINTEXT + 1];
	static uint8_t out[JWE_MAX_PLAINTEXT + 1];
	static char compact[JWE_MAX_COMPACT];
	static char other[JWE_MAX_COMPACT];
	size_t		out_len;
	size_t		i;

	for (i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t) (i * 7);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		bool		sealed = jwe_seal(public_pem, KID, SUB, PRV, secret,
									  sizes[i], compact,
									  sizeof(compact)) == JWE_OK;

		CHECK(sealed &&
			  open_all(compact, strlen(compact), out, &out_len) == JWE_OK &&
			  out_len == sizes[i] && memcmp(out, secret, out_len) == 0 &&
			  out[out_len] == '\0',
			  "%zu bytes come back as they went", sizes[i]);
	}
	jwe_seal(public_pem, KID, SUB, PRV, secret, 51, compact, sizeof(compact));
	jwe_seal(public_pem, KID, SUB, PRV, secret, 51, other, sizeof(other));
	CHECK(strcmp(compact, other) != 0, "no two JWE are alike");

	CHECK(jwe_seal(public_pem, KID, SUB, PRV, secret, sizeof(secret),
				   compact, sizeof(compact)) == JWE_TOO_LONG,
		  "a secret over its limit is not sealed");
	CHECK(jwe_seal(public_pem, KID, SUB, PRV, secret, 51, compact,
				   strlen(other)) == JWE_TOO_LONG,
		  "a buffer that is one byte too small is not written");
	CHECK(jwe_seal(public_pem, KID, SUB, PRV, secret, 51, compact,
				   strlen(other) + 1) == JWE_OK &&
		  strlen(compact) == strlen(other), "one that just fits is");
}

static void
check_names(void)
{
	static char compact[JWE_MAX_COMPACT];
	static Jwe	jwe;
	char		longest[JWE_MAX_NAME + 2];
	const uint8_t secret[] = "sk-test";
	static const char *const bad[] = {
		"", "a\"b", "a\\b", "a\nb", "caf\xc3\xa9", "a\x7f"
	};
	size_t		i;

	memset(longest, 'x', sizeof(longest));
	longest[JWE_MAX_NAME + 1] = '\0';
	CHECK(jwe_seal(public_pem, KID, longest, PRV, secret, 7, compact,
				   sizeof(compact)) == JWE_FAILED,
		  "a name over its limit is not sealed");
	longest[JWE_MAX_NAME] = '\0';
	CHECK(jwe_seal(public_pem, longest, longest, longest, secret, 7, compact,
				   sizeof(compact)) == JWE_OK &&
		  jwe_parse(compact, strlen(compact), &jwe) == JWE_OK &&
		  strcmp(jwe.kid, longest) == 0 && strcmp(jwe.prv, longest) == 0,
		  "the longest names come back");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(jwe_seal(public_pem, KID, SUB, bad[i], secret, 7, compact,
					   sizeof(compact)) == JWE_FAILED,
			  "name number %zu that JSON would have to escape is refused", i);
}

static void
check_keys(void)
{
	static char compact[JWE_MAX_COMPACT];
	EVP_PKEY   *small = EVP_RSA_gen(2048);
	EVP_PKEY   *curve = EVP_EC_gen("P-256");
	char	   *small_pem = print_public(small);
	char	   *curve_pem = print_public(curve);
	const uint8_t secret[] = "sk-test";

	CHECK(jwe_seal(small_pem, KID, SUB, PRV, secret, 7, compact,
				   sizeof(compact)) == JWE_BAD_KEY,
		  "an RSA key of 2048 bits is refused");
	CHECK(jwe_seal(curve_pem, KID, SUB, PRV, secret, 7, compact,
				   sizeof(compact)) == JWE_BAD_KEY,
		  "a key that is not RSA is refused");
	CHECK(jwe_seal("nonsense", KID, SUB, PRV, secret, 7, compact,
				   sizeof(compact)) == JWE_BAD_KEY,
		  "what is no key is refused");
	free(small_pem);
	free(curve_pem);
	EVP_PKEY_free(small);
	EVP_PKEY_free(curve);
}

/* Whichever key, or what is no key, came before. */
static void
check_taking_turns(void)
{
	static char compact[JWE_MAX_COMPACT];
	static uint8_t out[JWE_MAX_PLAINTEXT + 1];
	EVP_PKEY   *other = EVP_RSA_gen(JWE_MIN_RSA_BITS);
	char	   *other_pem = print_public(other);
	const char *pems[] = {public_pem, other_pem, "nonsense", public_pem,
	"nonsense", other_pem, public_pem, public_pem};
	size_t		right = 0;
	size_t		out_len;
	size_t		i;

	for (i = 0; i < sizeof(pems) / sizeof(pems[0]); i++)
	{
		JweResult	sealed = jwe_seal(pems[i], KID, SUB, PRV,
									  (const uint8_t *) "sk-test", 7, compact,
									  sizeof(compact));

		if (pems[i] != public_pem && pems[i] != other_pem)
			right += sealed == JWE_BAD_KEY;
		else
			right += sealed == JWE_OK &&
				(open_all(compact, strlen(compact), out, &out_len) ==
				 JWE_OK) == (pems[i] == public_pem);
	}
	CHECK(right == i, "each of %zu is sealed to the key that was named", i);
	free(other_pem);
	EVP_PKEY_free(other);
}

/* Every byte becomes another digit, or a dot, or something else. */
static void
check_mutations(void)
{
	static const char others[] = "A_.= \x80";
	static Jwe	jwe;
	static char compact[JWE_MAX_COMPACT];
	static uint8_t out[JWE_MAX_PLAINTEXT + 1];
	const uint8_t secret[] = "sk-0123456789abcdefghijklmnopqrstuv";
	size_t		len;
	size_t		out_len;
	size_t		i;
	size_t		k;
	int			tried = 0;
	int			opened = 0;

	jwe_seal(public_pem, KID, SUB, PRV, secret, sizeof(secret), compact,
			 sizeof(compact));
	len = strlen(compact);
	for (i = 0; i < len; i++)
	{
		char		kept = compact[i];

		/* the next letter: flips low bits that a lax decoder drops */
		compact[i] = (char) (kept + 1);
		tried++;
		opened += open_all(compact, len, out, &out_len) == JWE_OK;
		for (k = 0; k < sizeof(others) - 1; k++)
		{
			if (others[k] == kept)
				continue;
			compact[i] = others[k];
			tried++;
			opened += open_all(compact, len, out, &out_len) == JWE_OK;
		}
		compact[i] = kept;
	}
	CHECK(opened == 0, "none of %d mutations of one byte opens", tried);

	opened = 0;
	for (i = 0; i < len; i++)
		opened += open_all(compact, i, out, &out_len) == JWE_OK;
	CHECK(opened == 0, "none of %zu shorter ones opens", len);
	CHECK(open_all(compact, len, out, &out_len) == JWE_OK,
		  "the one that was mutated opens");
	compact[len] = 'A';
	CHECK(open_all(compact, len + 1, out, &out_len) != JWE_OK,
		  "with one more character it does not");
	memset(compact, 'A', sizeof(compact));
	CHECK(jwe_parse(compact, JWE_MAX_COMPACT + 1, &jwe) == JWE_TOO_LONG,
		  "one over the limit is not looked at");
}

/* base64url of a text; out holds enough. */
static void
encode(const char *text, char *out)
{
	size_t		len = strlen(text);

	EVP_EncodeBlock((unsigned char *) out, (const unsigned char *) text,
					(int) len);
	for (; *out != '\0'; out++)
	{
		if (*out == '+')
			*out = '-';
		else if (*out == '/')
			*out = '_';
		else if (*out == '=')
			*out = '\0';
	}
}

/* Puts another header before the rest of a good JWE. */
static JweResult
parse_header(const char *rest, const char *header)
{
	static char compact[JWE_MAX_COMPACT];
	static Jwe	jwe;

	encode(header, compact);
	strcat(compact, rest);
	return jwe_parse(compact, strlen(compact), &jwe);
}

static void
check_headers(void)
{
	static char good[JWE_MAX_COMPACT];
	const uint8_t secret[] = "sk-test";
	const char *rest;
	static const char *const fine[] = {
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\"}",
		"{\"prv\":\"p\",\"sub\":\"s\",\"kid\":\"k\",\"enc\":\"A256GCM\",\"alg\":\"RSA-OAEP-256\"}",
		" { \"alg\" : \"RSA-OAEP-256\" , \"enc\":\"A256GCM\",\n\t\"kid\":\"a\\/b\",\"sub\":\"s\",\"prv\":\"p\" } ",
	};
	static const char *const bad[] = {
		"{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\"}",
		"{\"alg\":\"RSA1_5\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\"}",
		"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\"}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A128GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\"}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\",\"zip\":\"DEF\"}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\",\"crit\":[\"exp\"]}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\",\"prv\":\"q\"}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"sub\":\"t\"}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\"}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":1}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"\"}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"\\u0070\"}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\"}x",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\",}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\"",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p",
		"[\"alg\",\"RSA-OAEP-256\"]", "{}", "null", "\"", "{\"alg\"", "{\"alg\":",
	};
	size_t		i;

	jwe_seal(public_pem, KID, SUB, PRV, secret, 7, good, sizeof(good));
	rest = strchr(good, '.');
	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		CHECK(parse_header(rest, fine[i]) == JWE_OK,
			  "good header number %zu parses", i);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(parse_header(rest, bad[i]) == JWE_FAILED,
			  "bad header number %zu does not", i);
}

/*
 * RFC 7516, appendix A.1.  It wraps its data key by RSA-OAEP with SHA-1 and
 * for a key of 2048 bits, so as a whole it must not parse.  The other half,
 * A256GCM over the protected header as it came, is ours: it has to open with
 * the data key that the RFC gives.  (A.2 and A.3 have neither.)
 */
static void
check_rfc7516(void)
{
	static const char compact[] =
	"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ."
	"OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGe"
	"ipsEdY3mx_etLbbWSrFr05kLzcSr4qKAq7YN7e9jwQRb23nfa6c9d-StnImGyFDb"
	"Sv04uVuxIp5Zms1gNxKKK2Da14B8S4rzVRltdYwam_lDp5XnZAYpQdb76FdIKLaV"
	"mqgfwX7XWRxv2322i-vDxRfqNzo_tETKzpVLzfiwQyeyPGLBIO56YJ7eObdv0je8"
	"1860ppamavo35UgoRdbYaBcoh9QcfylQr66oc6vFWXRcZ_ZT2LawVCWTIy3brGPi"
	"6UklfCpIMfIjf7iGdXKHzg."
	"48V1_ALb6US04U3b."
	"5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji"
	"SdiwkIr3ajwQzaBtQD_A."
	"XFBoMYUZodetZdvTiFvSkQ";
	static const uint8_t cek[JWE_CEK_SIZE] = {
		177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212,
		246, 138, 7, 110, 91, 112, 46, 34, 105, 47, 130, 203, 46, 122, 234, 64,
		252
	};
	static const uint8_t iv[12] = {
		227, 197, 117, 252, 2, 219, 233, 68, 180, 225, 77, 219
	};
	static const uint8_t tag[16] = {
		92, 80, 104, 49, 133, 25, 161, 215, 173, 101, 219, 211, 136, 91, 210,
		145
	};
	static const uint8_t ciphertext[] = {
		229, 236, 166, 241, 53, 191, 115, 196, 174, 43, 73, 109, 39, 122, 233,
		96, 140, 206, 120, 52, 51, 237, 48, 11, 190, 219, 186, 80, 111, 104,
		50, 142, 47, 167, 59, 61, 181, 127, 196, 21, 40, 82, 242, 32, 123, 143,
		168, 226, 73, 216, 176, 144, 138, 247, 106, 60, 16, 205, 160, 109, 64,
		63, 192
	};
	static const char plain[] =
	"The true sign of intelligence is not knowledge but imagination.";
	static Jwe	jwe;
	static uint8_t out[JWE_MAX_PLAINTEXT + 1];
	size_t		out_len;

	CHECK(jwe_parse(compact, strlen(compact), &jwe) == JWE_FAILED,
		  "RFC 7516 A.1 wraps with SHA-1, and does not parse");

	memset(&jwe, 0, sizeof(jwe));
	jwe.aad_len = (size_t) (strchr(compact, '.') - compact);
	memcpy(jwe.aad, compact, jwe.aad_len);
	memcpy(jwe.iv, iv, sizeof(iv));
	memcpy(jwe.tag, tag, sizeof(tag));
	memcpy(jwe.ciphertext, ciphertext, sizeof(ciphertext));
	jwe.ciphertext_len = sizeof(ciphertext);
	CHECK(jwe_open(&jwe, cek, out, &out_len) == JWE_OK &&
		  out_len == strlen(plain) && strcmp((char *) out, plain) == 0,
		  "what it encrypts with A256GCM opens with its data key");
	jwe.aad[0] ^= 1;
	CHECK(jwe_open(&jwe, cek, out, &out_len) == JWE_FAILED,
		  "but not under another header");
}

int
main(void)
{
	key = EVP_RSA_gen(JWE_MIN_RSA_BITS);
	public_pem = print_public(key);

	check_round_trips();
	check_names();
	check_keys();
	check_taking_turns();
	check_mutations();
	check_headers();
	check_rfc7516();

	free(public_pem);
	EVP_PKEY_free(key);
	return check_done();
}
