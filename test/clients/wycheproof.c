/*-------------------------------------------------------------------------
 *
 * wycheproof.c
 *		Tries what opens keys with the vectors of Wycheproof: RSA-OAEP-256 as
 *		the key service "file" unwraps, and A256GCM as jwe_open decrypts.
 *
 *	wycheproof FOLDER		with the files that are named below
 *
 * The vectors are others' and not in this tree.  Those of another algorithm
 * than ours are tried too, where it can be asked for: keys with a label must
 * not unwrap, and a JWE with an odd initialisation vector must not parse.
 *
 *-------------------------------------------------------------------------
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "../../src/courier/keyservices/keyservice.h"
#include "../../src/courier/keyservices/oaep.h"
#include "../unit/check.h"

#define MAX_BYTES	4096		/* the longest part of a vector has 2,570 */

typedef struct Bytes
{
	uint8_t		bytes[MAX_BYTES];
	size_t		len;
} Bytes;

/* How many vectors were valid, how many not, and how many we judged wrong. */
typedef struct Tally
{
	int			valid;
	int			invalid;
	int			wrong;
} Tally;

static const char *folder;

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static bool
is_valid(const json_t *vector)
{
	return strcmp(text_of(vector, "result"), "valid") == 0;
}

static Bytes
bytes_of(const json_t *vector, const char *name)
{
	const char *hex = text_of(vector, name);
	Bytes		all = {.len = strlen(hex) / 2};
	size_t		i;

	if (all.len > MAX_BYTES)
		abort();
	for (i = 0; i < all.len; i++)
	{
		unsigned	byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			abort();
		all.bytes[i] = (uint8_t) byte;
	}
	return all;
}

static bool
is_message(const json_t *vector, const uint8_t *bytes, size_t len)
{
	Bytes		message = bytes_of(vector, "msg");

	return len == message.len && memcmp(bytes, message.bytes, len) == 0;
}

/* Counts a vector; opens: ours gave its message. */
static void
judge(Tally *tally, const json_t *vector, bool expected, bool opens)
{
	if (expected)
		tally->valid++;
	else
		tally->invalid++;
	if (opens == expected)
		return;
	tally->wrong++;
	printf("# vector %d (%s) %s\n",
		   (int) json_integer_value(json_object_get(vector, "tcId")),
		   text_of(vector, "comment"),
		   opens ? "opens" : "does not open");
}

/* All of a file, or NULL after saying what is missing. */
static json_t *
read_vectors(const char *name)
{
	char		path[1024];
	json_error_t error;
	json_t	   *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = json_load_file(path, 0, &error);
	CHECK(json_array_size(json_object_get(file, "testGroups")) > 0,
		  "%s is there", name);
	if (file == NULL)
		printf("# \"%s\": %s\n"
			   "# It is a file of Wycheproof's test vectors: GitHub "
			   "C2SP/wycheproof, folder testvectors_v1,\n"
			   "# commit dac1dd4, Apache-2.0.  Put it there, or set "
			   "BAMBI_SHARED to a folder with vectors/ in it.\n",
			   path, error.text);
	return file;
}

/* ---- RSA-OAEP ---- */

/* A wrong message for a valid vector does not count as opened. */
static bool
service_opens(const char *kid, const json_t *vector, const Bytes *wrapped)
{
	static Exchange x;
	uint8_t		cek[JWE_CEK_SIZE];
	Next		next;

	x.arena = arena_create();
	next = keyservice_file.unwrap(&x, kid, wrapped->bytes, wrapped->len, cek);
	if (next != NEXT_DONE && x.fault.class != FAULT_KEY_UNREADABLE)
		abort();
	arena_destroy(x.arena);
	return next == NEXT_DONE &&
		(!is_valid(vector) || is_message(vector, cek, sizeof(cek)));
}

/* Has the key service read a group's key from a file. */
static bool
open_service(const json_t *group, char kid[JWE_MAX_NAME + 1])
{
	char		path[] = "/tmp/bambi-wycheproof-XXXXXX";
	const char *pem = text_of(group, "privateKeyPem");
	static Exchange x;
	static SealingKey sealing_key;
	int			fd = mkstemp(path);
	bool		is_open;

	if (fd < 0 || write(fd, pem, strlen(pem)) != (ssize_t) strlen(pem))
		abort();
	close(fd);
	x.arena = arena_create();
	x.settings = json_pack("{s:s, s:s}", "key_file", path,
						   "data_directory", "/usr");
	is_open = keyservice_file.open(&x, &sealing_key) == NEXT_DONE;
	json_decref(x.settings);
	arena_destroy(x.arena);
	unlink(path);
	strcpy(kid, sealing_key.kid);
	return is_open;
}

static EVP_PKEY *
read_private_key(const json_t *group)
{
	BIO		   *bio = BIO_new_mem_buf(text_of(group, "privateKeyPem"), -1);
	EVP_PKEY   *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return key;
}

static void
try_oaep(const char *name)
{
	json_t	   *file = read_vectors(name);
	json_t	   *group;
	json_t	   *vector;
	size_t		i;
	size_t		k;
	Tally		plain = {0};
	Tally		labelled = {0};
	Tally		service = {0};

	if (file == NULL)
		return;
	json_array_foreach(json_object_get(file, "testGroups"), i, group)
	{
		EVP_PKEY   *key = read_private_key(group);
		char		kid[JWE_MAX_NAME + 1];

		CHECK(key != NULL && open_service(group, kid),
			  "the key service takes the key of %d bits", key == NULL ? 0 :
			  EVP_PKEY_get_bits(key));
		json_array_foreach(json_object_get(group, "tests"), k, vector)
		{
			Bytes		wrapped = bytes_of(vector, "ct");
			Bytes		message = bytes_of(vector, "msg");
			bool		has_label = text_of(vector, "label")[0] != '\0';
			bool		expected = is_valid(vector) && !has_label;
			uint8_t		out[JWE_MAX_RSA_BYTES];
			size_t		len;
			bool		opens = oaep_unwrap(key, wrapped.bytes, wrapped.len,
											out, &len);

			if (opens && expected)
				opens = is_message(vector, out, len);
			judge(has_label ? &labelled : &plain, vector, expected, opens);
			judge(&service, vector,
				  expected && message.len == JWE_CEK_SIZE,
				  service_opens(kid, vector, &wrapped));
		}
		EVP_PKEY_free(key);
	}
	json_decref(file);

	CHECK(plain.wrong == 0 && plain.valid > 0 && plain.invalid > 0,
		  "%d vectors without a label: %d unwrap to their message, %d do not "
		  "unwrap", plain.valid + plain.invalid, plain.valid, plain.invalid);
	CHECK(labelled.wrong == 0 && labelled.invalid > 0,
		  "%d vectors with a label: none unwraps", labelled.invalid);
	CHECK(service.wrong == 0 && service.valid > 0 && service.invalid > 0,
		  "the key service unwraps %d of %d, which is a data key",
		  service.valid, service.valid + service.invalid);
	printf("# counted: %d vectors of %s as expected, %d not\n",
		   plain.valid + plain.invalid + labelled.invalid -
		   plain.wrong - labelled.wrong, name, plain.wrong + labelled.wrong);
}

/* ---- AES-256-GCM ---- */

static bool
opens_by_gcm(const json_t *vector)
{
	static Jwe	jwe;
	static uint8_t out[JWE_MAX_PLAINTEXT + 1];
	Bytes		cek = bytes_of(vector, "key");
	Bytes		iv = bytes_of(vector, "iv");
	Bytes		tag = bytes_of(vector, "tag");
	Bytes		aad = bytes_of(vector, "aad");
	Bytes		ciphertext = bytes_of(vector, "ct");
	size_t		len;

	if (cek.len != JWE_CEK_SIZE || iv.len != sizeof(jwe.iv) ||
		tag.len != sizeof(jwe.tag) || aad.len > sizeof(jwe.aad) ||
		ciphertext.len > sizeof(jwe.ciphertext))
		abort();
	memset(&jwe, 0, sizeof(jwe));
	memcpy(jwe.iv, iv.bytes, iv.len);
	memcpy(jwe.tag, tag.bytes, tag.len);
	memcpy(jwe.aad, aad.bytes, aad.len);
	jwe.aad_len = aad.len;
	memcpy(jwe.ciphertext, ciphertext.bytes, ciphertext.len);
	jwe.ciphertext_len = ciphertext.len;
	return jwe_open(&jwe, cek.bytes, out, &len) == JWE_OK &&
		(!is_valid(vector) || is_message(vector, out, len));
}

/* In base64url, behind a dot. */
static void
add_part(char *compact, const uint8_t *bytes, size_t len)
{
	char	   *c;

	strcat(compact, ".");
	c = compact + strlen(compact);
	EVP_EncodeBlock((unsigned char *) c, bytes, (int) len);
	for (; *c != '\0' && *c != '='; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	*c = '\0';
}

/* Whether a JWE with the vector's parts is taken apart. */
static bool
parses(const json_t *vector)
{
	static const char header[] = "{\"alg\":\"RSA-OAEP-256\","
	"\"enc\":\"A256GCM\",\"kid\":\"k\",\"sub\":\"s\",\"prv\":\"p\"}";
	static const uint8_t wrapped[JWE_MIN_RSA_BITS / 8];
	static char compact[JWE_MAX_COMPACT];
	static Jwe	jwe;
	static const char *const names[] = {"iv", "ct", "tag"};
	size_t		i;

	compact[0] = '\0';
	add_part(compact, (const uint8_t *) header, strlen(header));
	add_part(compact, wrapped, sizeof(wrapped));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		Bytes		part = bytes_of(vector, names[i]);

		add_part(compact, part.bytes, part.len);
	}
	return jwe_parse(compact + 1, strlen(compact + 1), &jwe) == JWE_OK;
}

static void
try_gcm(const char *name)
{
	json_t	   *file = read_vectors(name);
	json_t	   *group;
	json_t	   *vector;
	size_t		i;
	size_t		k;
	Tally		ours = {0};
	Tally		forms = {0};

	if (file == NULL)
		return;
	json_array_foreach(json_object_get(file, "testGroups"), i, group)
	{
		bool		is_ours = json_integer_value(json_object_get(group,
																 "ivSize")) ==
		8 * (int) sizeof(((Jwe *) NULL)->iv);

		if (json_integer_value(json_object_get(group, "keySize")) !=
			8 * JWE_CEK_SIZE)
			continue;
		json_array_foreach(json_object_get(group, "tests"), k, vector)
		{
			if (is_ours)
				judge(&ours, vector, is_valid(vector), opens_by_gcm(vector));
			judge(&forms, vector, is_ours, parses(vector));
		}
	}
	json_decref(file);

	CHECK(ours.wrong == 0 && ours.valid > 0 && ours.invalid > 0,
		  "%d vectors with our sizes: %d open to their message, %d do not "
		  "open", ours.valid + ours.invalid, ours.valid, ours.invalid);
	CHECK(forms.wrong == 0 && forms.valid > 0 && forms.invalid > 0,
		  "a JWE of their parts parses, and none of %d with another "
		  "initialisation vector", forms.invalid);
	printf("# counted: %d vectors of %s as expected, %d not\n",
		   ours.valid + ours.invalid + forms.invalid - ours.wrong -
		   forms.wrong, name, ours.wrong + forms.wrong);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
	{
		fprintf(stderr, "usage: wycheproof FOLDER\n");
		return 2;
	}
	folder = argv[1];
	try_oaep("rsa_oaep_3072_sha256_mgf1sha256_test.json");
	try_oaep("rsa_oaep_4096_sha256_mgf1sha256_test.json");
	try_gcm("aes_gcm_test.json");
	return check_done();
}
