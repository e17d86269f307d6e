/*-------------------------------------------------------------------------
 *
 * jwe.c
 *		The sealed key: compact JWE with RSA-OAEP-256 and A256GCM.
 *
 * The hard part is to accept exactly one form.  The protected header is read
 * by a reader of its own, not by a JSON library: a backend cannot link one
 * (libjansson exports a name that the server exports too), and what is
 * allowed is so little that the reader is shorter than the checks after a
 * library would be.  Base64url is strict: no padding, no other character,
 * no bits left over, so that there is one spelling of each JWE.
 *
 *-------------------------------------------------------------------------
 */
#include "jwe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define IV_SIZE		12
#define TAG_SIZE	16

/* {"alg":"RSA-OAEP-256","enc":"A256GCM",...} with three names of 256 */
#define MAX_HEADER	1024

/* A piece of the compact form between two dots. */
typedef struct Part
{
	const char *text;
	size_t		len;
} Part;

static const char base64url_digits[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool is_name(const char *name);
static EVP_PKEY *find_public_key(const char *pem);
static bool wrap(EVP_PKEY *key, const uint8_t *cek,
				 uint8_t *wrapped, size_t *wrapped_len);
static bool encrypt(const uint8_t *cek, const uint8_t *iv,
					const char *aad, size_t aad_len,
					const uint8_t *in, size_t len,
					uint8_t *out, uint8_t *tag);
static bool split(const char *compact, size_t len, Part parts[5]);
static bool read_header(const char *json, size_t len, Jwe *jwe);
static size_t base64url_size(size_t len);
static char *base64url_encode(char *out, const uint8_t *in, size_t len);
static bool base64url_decode(Part part, uint8_t *out, size_t max,
							 size_t *out_len);

JweResult
jwe_seal(const char *public_pem,
		 const char *kid, const char *sub, const char *prv,
		 const uint8_t *secret, size_t secret_len,
		 char *out, size_t out_size)
{
	char		header[MAX_HEADER];
	uint8_t		cek[JWE_CEK_SIZE];
	uint8_t		iv[IV_SIZE];
	uint8_t		tag[TAG_SIZE];
	uint8_t		wrapped[JWE_MAX_RSA_BYTES];
	uint8_t		ciphertext[JWE_MAX_PLAINTEXT];
	size_t		wrapped_len = sizeof(wrapped);
	size_t		aad_len;
	int			header_len;
	char	   *end;
	EVP_PKEY   *key;
	JweResult	result = JWE_FAILED;

	if (secret_len > JWE_MAX_PLAINTEXT)
		return JWE_TOO_LONG;
	if (!is_name(kid) || !is_name(sub) || !is_name(prv))
		return JWE_FAILED;

	key = find_public_key(public_pem);
	if (key == NULL)
		return JWE_BAD_KEY;

	header_len = snprintf(header, sizeof(header),
						  "{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\","
						  "\"kid\":\"%s\",\"sub\":\"%s\",\"prv\":\"%s\"}",
						  kid, sub, prv);

	/* what is made here must be readable by jwe_parse */
	aad_len = base64url_size((size_t) header_len);
	if (aad_len + base64url_size((size_t) EVP_PKEY_get_size(key)) +
		base64url_size(IV_SIZE) + base64url_size(secret_len) +
		base64url_size(TAG_SIZE) + 4 >= out_size)
		result = JWE_TOO_LONG;
	else if (RAND_bytes(cek, sizeof(cek)) == 1 &&
			 RAND_bytes(iv, sizeof(iv)) == 1 &&
			 wrap(key, cek, wrapped, &wrapped_len))
	{
		end = base64url_encode(out, (const uint8_t *) header,
							   (size_t) header_len);
		if (encrypt(cek, iv, out, aad_len, secret, secret_len,
					ciphertext, tag))
		{
			*end++ = '.';
			end = base64url_encode(end, wrapped, wrapped_len);
			*end++ = '.';
			end = base64url_encode(end, iv, sizeof(iv));
			*end++ = '.';
			end = base64url_encode(end, ciphertext, secret_len);
			*end++ = '.';
			end = base64url_encode(end, tag, sizeof(tag));
			*end = '\0';
			result = JWE_OK;
		}
	}

	OPENSSL_cleanse(cek, sizeof(cek));
	ERR_clear_error();
	return result;
}

JweResult
jwe_parse(const char *compact, size_t len, Jwe *jwe)
{
	Part		parts[5];
	uint8_t		header[MAX_HEADER];
	size_t		header_len;
	size_t		iv_len;
	size_t		tag_len;

	if (len > JWE_MAX_COMPACT)
		return JWE_TOO_LONG;
	if (!split(compact, len, parts) || parts[0].len > sizeof(jwe->aad))
		return JWE_FAILED;
	memcpy(jwe->aad, parts[0].text, parts[0].len);
	jwe->aad_len = parts[0].len;

	if (!base64url_decode(parts[0], header, sizeof(header), &header_len) ||
		!read_header((const char *) header, header_len, jwe) ||
		!base64url_decode(parts[1], jwe->wrapped, sizeof(jwe->wrapped),
						  &jwe->wrapped_len) ||
		!base64url_decode(parts[2], jwe->iv, sizeof(jwe->iv), &iv_len) ||
		!base64url_decode(parts[3], jwe->ciphertext, sizeof(jwe->ciphertext),
						  &jwe->ciphertext_len) ||
		!base64url_decode(parts[4], jwe->tag, sizeof(jwe->tag), &tag_len))
		return JWE_FAILED;

	if (jwe->wrapped_len < JWE_MIN_RSA_BITS / 8 || iv_len != sizeof(jwe->iv) ||
		tag_len != sizeof(jwe->tag))
		return JWE_FAILED;
	return JWE_OK;
}

JweResult
jwe_open(const Jwe *jwe, const uint8_t cek[JWE_CEK_SIZE],
		 uint8_t *out, size_t *out_len)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t		tag[TAG_SIZE];
	int			len = 0;
	int			tail = 0;
	bool		ok;

	memcpy(tag, jwe->tag, sizeof(tag));
	ok = context != NULL &&
		EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, cek,
						   jwe->iv) == 1 &&
		EVP_DecryptUpdate(context, NULL, &len, (const uint8_t *) jwe->aad,
						  (int) jwe->aad_len) == 1 &&
		EVP_DecryptUpdate(context, out, &len, jwe->ciphertext,
						  (int) jwe->ciphertext_len) == 1 &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_SIZE,
							tag) == 1 &&
		EVP_DecryptFinal_ex(context, out + len, &tail) == 1;
	EVP_CIPHER_CTX_free(context);
	ERR_clear_error();

	if (!ok)
	{
		OPENSSL_cleanse(out, JWE_MAX_PLAINTEXT + 1);
		*out_len = 0;
		return JWE_FAILED;
	}
	*out_len = (size_t) len;
	out[len] = '\0';
	return JWE_OK;
}

/* Printable ASCII that stands in JSON as it is, neither empty nor too long. */
static bool
is_name(const char *name)
{
	size_t		i;

	for (i = 0; name[i] != '\0'; i++)
	{
		if (i == JWE_MAX_NAME || name[i] < ' ' || name[i] > '~' ||
			name[i] == '"' || name[i] == '\\')
			return false;
	}
	return i > 0;
}

/* NULL if it is no RSA key, or a short one. */
static EVP_PKEY *
read_public_key(const char *pem)
{
	BIO		   *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY   *key;

	if (bio == NULL)
		return NULL;
	key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (key != NULL && (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
						EVP_PKEY_get_bits(key) < JWE_MIN_RSA_BITS ||
						EVP_PKEY_get_size(key) > JWE_MAX_RSA_BYTES))
	{
		EVP_PKEY_free(key);
		key = NULL;
	}
	if (key == NULL)
		ERR_clear_error();
	return key;
}

/*
 * The same key seals everything until the next rotation, and to read it takes
 * five times as long as to seal to it: the last one is kept.
 */
static EVP_PKEY *
find_public_key(const char *pem)
{
	static EVP_PKEY *key;
	static char *key_pem;

	if (key_pem != NULL && strcmp(key_pem, pem) == 0)
		return key;
	EVP_PKEY_free(key);
	free(key_pem);
	key_pem = NULL;
	key = read_public_key(pem);
	if (key != NULL)
		key_pem = strdup(pem);
	return key;
}

static bool
wrap(EVP_PKEY *key, const uint8_t *cek, uint8_t *wrapped, size_t *wrapped_len)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	bool		ok;

	ok = context != NULL &&
		EVP_PKEY_encrypt_init(context) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
		EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
		EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
		EVP_PKEY_encrypt(context, wrapped, wrapped_len, cek,
						 JWE_CEK_SIZE) == 1;
	EVP_PKEY_CTX_free(context);
	return ok;
}

static bool
encrypt(const uint8_t *cek, const uint8_t *iv, const char *aad, size_t aad_len,
		const uint8_t *in, size_t len, uint8_t *out, uint8_t *tag)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int			n;
	bool		ok;

	ok = context != NULL &&
		EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, cek, iv) == 1 &&
		EVP_EncryptUpdate(context, NULL, &n, (const uint8_t *) aad,
						  (int) aad_len) == 1 &&
		EVP_EncryptUpdate(context, out, &n, in, (int) len) == 1 &&
		EVP_EncryptFinal_ex(context, out + n, &n) == 1 &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_SIZE,
							tag) == 1;
	EVP_CIPHER_CTX_free(context);
	return ok;
}

/* Exactly five parts. */
static bool
split(const char *compact, size_t len, Part parts[5])
{
	const char *end = compact + len;
	int			i;

	for (i = 0; i < 5; i++)
	{
		const char *dot = memchr(compact, '.', (size_t) (end - compact));

		if ((dot == NULL) != (i == 4))
			return false;
		parts[i].text = compact;
		parts[i].len = (size_t) ((dot != NULL ? dot : end) - compact);
		compact = dot != NULL ? dot + 1 : end;
	}
	return true;
}

static const char *
skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/*
 * A JSON string of a name's characters into out (JWE_MAX_NAME + 1).  The
 * one escape that is known is that of the slash, which some encoders write.
 * Returns what follows, or NULL.
 */
static const char *
read_string(const char *p, const char *end, char *out)
{
	size_t		len = 0;

	p = skip_space(p, end);
	if (p == end || *p++ != '"')
		return NULL;
	while (p < end && *p != '"')
	{
		if (*p == '\\' && (++p == end || *p != '/'))
			return NULL;
		if (*p < ' ' || *p > '~' || len == JWE_MAX_NAME)
			return NULL;
		out[len++] = *p++;
	}
	if (p == end || len == 0)
		return NULL;
	out[len] = '\0';
	return p + 1;
}

/* {"alg","enc","kid","sub","prv"}: each once, in any order, nothing else. */
static bool
read_header(const char *json, size_t len, Jwe *jwe)
{
	static const char *const names[5] = {"alg", "enc", "kid", "sub", "prv"};
	const char *p = json;
	const char *end = json + len;
	char		alg[JWE_MAX_NAME + 1] = "";
	char		enc[JWE_MAX_NAME + 1] = "";
	char	   *const values[5] = {alg, enc, jwe->kid, jwe->sub, jwe->prv};
	unsigned	seen = 0;
	int			member;

	for (member = 0; member < 5; member++)
	{
		char		name[JWE_MAX_NAME + 1];
		int			i;

		p = skip_space(p, end);
		if (p == end || *p++ != (member == 0 ? '{' : ','))
			return false;
		p = read_string(p, end, name);
		if (p == NULL)
			return false;
		for (i = 0; i < 5 && strcmp(name, names[i]) != 0; i++)
			;
		if (i == 5 || (seen & 1u << i) != 0)
			return false;
		seen |= 1u << i;
		p = skip_space(p, end);
		if (p == end || *p++ != ':')
			return false;
		p = read_string(p, end, values[i]);
		if (p == NULL)
			return false;
	}
	p = skip_space(p, end);
	if (p == end || *p++ != '}' || skip_space(p, end) != end)
		return false;
	return strcmp(alg, "RSA-OAEP-256") == 0 && strcmp(enc, "A256GCM") == 0;
}

static size_t
base64url_size(size_t len)
{
	return (len * 4 + 2) / 3;
}

/* Returns the end of what was written. */
static char *
base64url_encode(char *out, const uint8_t *in, size_t len)
{
	uint32_t	bits = 0;
	int			count = 0;
	size_t		i;

	for (i = 0; i < len; i++)
	{
		bits = bits << 8 | in[i];
		for (count += 8; count >= 6; count -= 6)
			*out++ = base64url_digits[bits >> (count - 6) & 63];
	}
	if (count > 0)
		*out++ = base64url_digits[bits << (6 - count) & 63];
	return out;
}

/* A digit's value with 64 added; 0 is no digit. */
static const uint8_t base64url_values[256] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 126, 0, 0,
	116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 0, 0, 0, 0, 0, 0,
	0, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78,
	79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 0, 0, 0, 0, 127,
	0, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104,
	105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 0, 0, 0, 0, 0
};

static bool
base64url_decode(Part part, uint8_t *out, size_t max, size_t *out_len)
{
	const uint8_t *in = (const uint8_t *) part.text;
	size_t		rest = part.len % 4;
	size_t		len = part.len / 4 * 3 + (rest > 0 ? rest - 1 : 0);
	uint32_t	bits = 0;
	uint8_t		all = 64;
	size_t		i;

	/* a lone digit is less than a byte */
	if (rest == 1 || len > max)
		return false;
	*out_len = len;

	for (i = part.len / 4; i > 0; i--, in += 4)
	{
		uint8_t		a = base64url_values[in[0]];
		uint8_t		b = base64url_values[in[1]];
		uint8_t		c = base64url_values[in[2]];
		uint8_t		d = base64url_values[in[3]];

		all &= a & b & c & d;
		*out++ = (uint8_t) (a << 2 | (b & 63) >> 4);
		*out++ = (uint8_t) (b << 4 | (c & 63) >> 2);
		*out++ = (uint8_t) (c << 6 | (d & 63));
	}
	for (i = 0; i < rest; i++)
	{
		all &= base64url_values[in[i]];
		bits = bits << 6 | (base64url_values[in[i]] & 63);
	}
	if (rest == 2)
		*out++ = (uint8_t) (bits >> 4);
	else if (rest == 3)
	{
		*out++ = (uint8_t) (bits >> 10);
		*out++ = (uint8_t) (bits >> 2);
	}
	if (all == 0)
		return false;

	/* bits that no encoder leaves would be another spelling */
	return (bits & (rest == 2 ? 15 : rest == 3 ? 3 : 0)) == 0;
}
