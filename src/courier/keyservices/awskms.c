/*-------------------------------------------------------------------------
 *
 * awskms.c
 *		The key service AWS KMS: an asymmetric RSA key, which never leaves it.
 *
 * Such a key has no versions: another key takes its place.  So kid names the
 * key itself, not the alias that led to it, with all that its ARN has, and
 * what was sealed to a key before goes on being unwrapped with that one.
 *
 * The credentials are the operator's, from a file in the form that AWS's own
 * programs share; or those of the machine's role, from the instance metadata
 * service (IMDSv2, with a token) at an address that the operator names; or, if
 * neither is named, those in the server's environment.
 *
 * As in the AWS KMS API reference: GetPublicKey, Decrypt, "Common errors"; and
 * in the EC2 user guide: "Use the Instance Metadata Service".
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include <openssl/crypto.h>

#include "../aws_credentials.h"
#include "../base64.h"
#include "../secret_json.h"
#include "../url.h"
#include "public_key.h"
#include "remote.h"

#define WHO				"AWS KMS"
#define METADATA		"the instance metadata service"

#define CREDENTIALS_PATH "/latest/meta-data/iam/security-credentials/"

/* Seconds that a token of the metadata service is asked for. */
#define METADATA_TOKEN_LIFE "60"

/*
 * Credentials of a role are read anew at each opening: new ones are there five
 * minutes before the old ones end.
 */
#define ROLE_GOOD_FOR	240

/* An RSA-4096 key in DER has 550 bytes. */
#define MAX_DER			1100

/* Of a key's name, an ARN, and of what else is put into a URL. */
#define MAX_NAME		256
#define NAME			REMOTE_LETTERS "-_"
#define KEY_NAME		REMOTE_LETTERS "-_:/"
#define ROLE_NAME		REMOTE_LETTERS "+=,.@_-"

enum
{
	START,
	TOKEN_READ,
	ROLE_READ,
	CREDENTIALS_READ,
	KEY_READ
};

/* arn:partition:kms:region:account:key/id */
typedef struct Arn
{
	const char *partition;
	const char *region;
	const char *account;
	const char *id;
} Arn;

/* What is needed to unwrap. */
static Arena *arena;
static SigV4 credentials;
static const char *own_arn;		/* of the key that is sealed to */
static const char *own_endpoint;	/* nobody else may see a session token */

static const Secret *metadata_token;	/* in the exchange that opens */

static Next ask_metadata(Exchange *x, const char *path, int step);
static Next ask_key(Exchange *x);
static bool read_arn(Arena *to, const char *text, Arn *arn);

/* ---- settings ---- */

static const char *
check_settings(const Exchange *x)
{
	const char *key = remote_setting(x, "aws_kms_key");
	const char *region = remote_setting(x, "aws_kms_region");
	const char *endpoint = remote_setting(x, "aws_kms_endpoint");
	const char *metadata = remote_setting(x, "aws_metadata");

	if (key == NULL)
		return "bambi.aws_kms_key is not set";
	if (strlen(key) > MAX_NAME ||
		!remote_is_made_of(key, strlen(key), KEY_NAME))
		return "bambi.aws_kms_key is no id, ARN or alias of a key";
	if (region == NULL)
		return "bambi.aws_kms_region is not set";
	if (!remote_is_made_of(region, strlen(region), NAME))
		return "bambi.aws_kms_region is no name of a region";
	if (endpoint != NULL && !url_is_base(endpoint))
		return "bambi.aws_kms_endpoint is no address such as "
			"\"https://kms.eu-central-1.amazonaws.com\"";
	if (metadata != NULL && !url_is_base(metadata))
		return "bambi.aws_metadata is no address such as "
			"\"http://169.254.169.254\"";
	return NULL;
}

static const char *
endpoint_of(Exchange *x)
{
	const char *endpoint = remote_setting(x, "aws_kms_endpoint");
	const char *region = remote_setting(x, "aws_kms_region");

	if (endpoint != NULL)
		return endpoint;
	return arena_printf(x->arena, "https://kms.%s.amazonaws.com%s", region,
						strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

/* ---- requests ---- */

/* Signs with copies: an opening may replace what there is meanwhile. */
static Next
ask(Exchange *x, const char *action, json_t *body)
{
	SigV4		signer = credentials;
	size_t		size = json_dumpb(body, NULL, 0, JSON_COMPACT);
	char	   *text = arena_alloc(x->arena, size);

	json_dumpb(body, text, size, JSON_COMPACT);
	json_decref(body);
	exchange_put(x, arena_printf(x->arena, "%s/", endpoint_of(x)),
				 "application/x-amz-json-1.1", text, size);
	x->request.method = "POST";
	exchange_header(x, "x-amz-target",
					arena_printf(x->arena, "TrentService.%s", action));
	x->secret = secret_create(x->arena, credentials.secret_key->bytes,
							  credentials.secret_key->len);
	signer.service = "kms";
	signer.region = remote_setting(x, "aws_kms_region");
	signer.now = x->now;
	sigv4_sign(x, &signer, NULL);
	return remote_send(x);
}

/* "com.amazonaws.kms#NotFoundException" is NotFoundException. */
static const char *
read_code(Exchange *x, const json_t *json)
{
	const char *type = json_string_value(json_object_get(json, "__type"));
	const char *hash = type != NULL ? strchr(type, '#') : NULL;

	if (hash != NULL)
		type = hash + 1;
	return type != NULL ? arena_strdup(x->arena, type) : "";
}

/* Its code, and its own words, which name who may not do what. */
static Next
fail(Exchange *x, const json_t *json, const char *code)
{
	/* what passes by itself, or with credentials that are read again */
	static const char *const passing[] = {
		"ThrottlingException", "DependencyTimeoutException",
		"KeyUnavailableException", "KMSInternalException",
		"RequestExpired", "ExpiredTokenException",
		"UnrecognizedClientException", "InvalidClientTokenId",
		"InvalidSignatureException"
	};
	const char *says = json_string_value(json_object_get(json, "message"));
	bool		may_repeat = x->reply.status == 429 || x->reply.status >= 500;
	size_t		i;

	if (says == NULL)
		says = json_string_value(json_object_get(json, "Message"));
	for (i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		may_repeat = may_repeat || strcmp(code, passing[i]) == 0;
	if (code[0] != '\0' && says != NULL)
		says = arena_printf(x->arena, "%s: %s", code, says);
	else if (code[0] != '\0')
		says = code;
	return remote_fail(x, WHO, says, may_repeat);
}

static void
forget(void)
{
	if (arena != NULL)
		arena_destroy(arena);
	arena = NULL;
	own_arn = NULL;
	own_endpoint = NULL;
	memset(&credentials, 0, sizeof(credentials));
}

/* Takes over the arena that they are in. */
static void
keep_credentials(Arena *fresh, const SigV4 *signer)
{
	const char *arn = own_arn != NULL ? arena_strdup(fresh, own_arn) : NULL;
	const char *endpoint = own_endpoint != NULL ?
	arena_strdup(fresh, own_endpoint) : NULL;

	forget();
	arena = fresh;
	credentials = *signer;
	own_arn = arn;
	own_endpoint = endpoint;
}

/* ---- opening ---- */

static Next
start(Exchange *x)
{
	const char *problem = check_settings(x);
	const char *metadata = remote_setting(x, "aws_metadata");
	const Secret *file;
	SigV4		signer = {.service = NULL};
	Arena	   *fresh;

	if (problem != NULL)
		return remote_fail_setup(x, problem);
	if (remote_setting(x, "aws_kms_credentials_file") != NULL)
	{
		file = remote_read_file(x, "aws_kms_credentials_file");
		if (file == NULL)
			return NEXT_FAIL;
		fresh = arena_create();
		if (!aws_credentials_read(fresh, file, &signer))
		{
			arena_destroy(fresh);
			return remote_fail_setup(x, "the file of "
									 "bambi.aws_kms_credentials_file has no "
									 "aws_access_key_id and "
									 "aws_secret_access_key for the default "
									 "profile");
		}
		keep_credentials(fresh, &signer);
		return ask_key(x);
	}
	if (metadata == NULL)
	{
		fresh = arena_create();
		if (!aws_credentials_from_environment(fresh, &signer))
		{
			arena_destroy(fresh);
			return remote_fail_setup(x, "neither "
									 "bambi.aws_kms_credentials_file nor "
									 "bambi.aws_metadata is set, nor "
									 "AWS_ACCESS_KEY_ID and "
									 "AWS_SECRET_ACCESS_KEY in the server's "
									 "environment");
		}
		keep_credentials(fresh, &signer);
		return ask_key(x);
	}

	metadata_token = NULL;
	exchange_method(x, "PUT", arena_printf(x->arena, "%s/latest/api/token",
										   metadata));
	exchange_header(x, "X-aws-ec2-metadata-token-ttl-seconds",
					METADATA_TOKEN_LIFE);
	x->step = TOKEN_READ;
	return remote_send(x);
}

static Next
ask_metadata(Exchange *x, const char *path, int step)
{
	exchange_get(x, arena_printf(x->arena, "%s%s%s",
								 remote_setting(x, "aws_metadata"),
								 CREDENTIALS_PATH, path));
	exchange_secret_header(x, "X-aws-ec2-metadata-token", "", metadata_token);
	x->step = step;
	return remote_send(x);
}

static Next
fail_metadata(Exchange *x)
{
	return remote_fail(x, METADATA, NULL, x->reply.status == 429 ||
					   x->reply.status >= 500);
}

static Next
read_token(Exchange *x)
{
	if (x->reply.status != 200 ||
		!aws_credentials_is_printable(x->reply.body, x->reply.body_len))
		return fail_metadata(x);
	metadata_token = secret_create(x->arena, (const uint8_t *) x->reply.body,
								   x->reply.body_len);
	OPENSSL_cleanse((char *) x->reply.body, x->reply.body_len);
	x->secret = metadata_token;
	return ask_metadata(x, "", ROLE_READ);
}

/* The machine's one role: the first line. */
static Next
read_role(Exchange *x)
{
	size_t		len = strcspn(x->reply.body, "\r\n");

	if (x->reply.status == 404)
		return remote_fail_setup(x, "this machine has no role: " METADATA
								 " knows no credentials");
	if (x->reply.status != 200 || len > MAX_NAME ||
		x->reply.body[0] == '.' ||
		!remote_is_made_of(x->reply.body, len, ROLE_NAME))
		return fail_metadata(x);
	return ask_metadata(x, arena_strndup(x->arena, x->reply.body, len),
						CREDENTIALS_READ);
}

static const char *
printable(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL && aws_credentials_is_printable(text, strlen(text)) ?
		text : NULL;
}

static Next
read_credentials(Exchange *x)
{
	json_t	   *json = remote_take_json(x);
	const char *key = printable(json, "AccessKeyId");
	const char *secret = printable(json, "SecretAccessKey");
	const char *session = printable(json, "Token");
	bool		are_there = x->reply.status == 200 && key != NULL &&
	secret != NULL && session != NULL;

	if (are_there)
	{
		Arena	   *fresh = arena_create();
		SigV4		signer = {.access_key = arena_strdup(fresh, key)};

		signer.secret_key = secret_create(fresh, (const uint8_t *) secret,
										  strlen(secret));
		signer.session_token = secret_create(fresh, (const uint8_t *) session,
											 strlen(session));
		keep_credentials(fresh, &signer);
	}
	secret_json_release(json);
	return are_there ? ask_key(x) : fail_metadata(x);
}

static Next
ask_key(Exchange *x)
{
	x->step = KEY_READ;
	return ask(x, "GetPublicKey",
			   json_pack("{s:s}", "KeyId", remote_setting(x, "aws_kms_key")));
}

static bool
has_algorithm(const json_t *json)
{
	const json_t *algorithms = json_object_get(json, "EncryptionAlgorithms");
	const json_t *algorithm;
	size_t		i;

	json_array_foreach(algorithms, i, algorithm)
	{
		if (json_is_string(algorithm) &&
			strcmp(json_string_value(algorithm), "RSAES_OAEP_SHA_256") == 0)
			return true;
	}

	/* not every server that speaks as KMS does lists them */
	return !json_is_array(algorithms);
}

/* What is wrong with the key, or NULL. */
static const char *
take_key(Exchange *x, const json_t *json, SealingKey *key)
{
	const char *usage = json_string_value(json_object_get(json, "KeyUsage"));
	const char *base64 = json_string_value(json_object_get(json,
														   "PublicKey"));
	const char *text = json_string_value(json_object_get(json, "KeyId"));
	Base64		decoder = {.count = 0};
	uint8_t		der[BASE64_DECODED_MAX(BASE64_ENCODED(MAX_DER))];
	size_t		len = 0;
	EVP_PKEY   *public_key = NULL;
	Arn			arn;

	if (usage == NULL || strcmp(usage, "ENCRYPT_DECRYPT") != 0 ||
		!has_algorithm(json))
		return "the key of bambi.aws_kms_key is not for encryption with "
			"RSAES_OAEP_SHA_256";
	if (text == NULL || !read_arn(x->arena, text, &arn))
		return "the answer of " WHO " has no ARN of the key";
	if (base64 != NULL && strlen(base64) <= BASE64_ENCODED(MAX_DER))
		len = base64_decode(&decoder, base64, strlen(base64), der);
	if (len > 0 && base64_is_whole(&decoder))
		public_key = public_key_read_der(der, len);
	if (public_key == NULL)
		return "the key of bambi.aws_kms_key must be RSA_3072 or RSA_4096";
	key->public_pem = public_key_print(x->arena, public_key);
	EVP_PKEY_free(public_key);
	text = arena_printf(x->arena, "awskms:%s/%s/%s/%s:1", arn.partition,
						arn.region, arn.account, arn.id);
	if (key->public_pem == NULL || strlen(text) > JWE_MAX_NAME)
		return "the key of bambi.aws_kms_key cannot be named";
	strcpy(key->kid, text);
	return NULL;
}

static Next
read_key(Exchange *x, SealingKey *key)
{
	json_t	   *json = remote_take_json(x);
	const char *problem;
	const char *code;
	const char *arn;

	if (x->reply.status != 200)
	{
		code = read_code(x, json);
		fail(x, json, code);
		secret_json_release(json);
		return NEXT_FAIL;
	}
	problem = take_key(x, json, key);
	arn = json_string_value(json_object_get(json, "KeyId"));
	if (problem == NULL)
	{
		own_arn = arena_strdup(arena, arn);
		own_endpoint = arena_strdup(arena, endpoint_of(x));
	}
	secret_json_release(json);
	if (problem != NULL)
		return remote_fail_setup(x, problem);
	key->good_for = remote_setting(x, "aws_kms_credentials_file") != NULL ?
		REMOTE_GOOD_FOR : ROLE_GOOD_FOR;
	return NEXT_DONE;
}

static Next
open_awskms(Exchange *x, SealingKey *key)
{
	if (x->step == START)
		return start(x);
	if (!remote_is_answered(x))
		return remote_fail_transport(x, x->step == KEY_READ ? WHO : METADATA);
	if (x->step == TOKEN_READ)
		return read_token(x);
	if (x->step == ROLE_READ)
		return read_role(x);
	if (x->step == CREDENTIALS_READ)
		return read_credentials(x);
	return read_key(x, key);
}

/* ---- unwrapping ---- */

/* The pieces between separators, the last one to the end of text. */
static bool
split(Arena *to, const char *text, char separator, const char **pieces[],
	  int count)
{
	int			i;

	for (i = 0; i < count; i++)
	{
		const char *end = i < count - 1 ? strchr(text, separator) :
		text + strlen(text);

		if (end == NULL ||
			!remote_is_made_of(text, (size_t) (end - text), NAME))
			return false;
		*pieces[i] = arena_strndup(to, text, (size_t) (end - text));
		text = end + 1;
	}
	return true;
}

static bool
read_arn(Arena *to, const char *text, Arn *arn)
{
	const char *service;
	const char *key;
	const char **front[] = {
		&arn->partition, &service, &arn->region, &arn->account
	};

	if (strncmp(text, "arn:", 4) != 0)
		return false;
	text += 4;
	key = strstr(text, ":key/");
	if (key == NULL ||
		!remote_is_made_of(key + 5, strlen(key + 5), NAME) ||
		!split(to, arena_strndup(to, text, (size_t) (key - text)), ':',
			   front, 4))
		return false;
	arn->id = arena_strdup(to, key + 5);
	return strcmp(service, "kms") == 0;
}

/*
 * The ARN that kid names, or NULL: any key of the account and the region in
 * which ours is, so that another one can become the key to seal to.
 */
static const char *
read_kid(Exchange *x, const char *kid)
{
	Arn			own;
	Arn			arn;
	const char **pieces[] = {
		&arn.partition, &arn.region, &arn.account, &arn.id
	};
	size_t		len = strlen(kid);

	if (len < 9 || strncmp(kid, "awskms:", 7) != 0 ||
		strcmp(kid + len - 2, ":1") != 0 ||
		!split(x->arena, arena_strndup(x->arena, kid + 7, len - 9), '/',
			   pieces, 4) ||
		!read_arn(x->arena, own_arn, &own) ||
		strcmp(arn.partition, own.partition) != 0 ||
		strcmp(arn.region, own.region) != 0 ||
		strcmp(arn.account, own.account) != 0)
		return NULL;
	return arena_printf(x->arena, "arn:%s:kms:%s:%s:key/%s", arn.partition,
						arn.region, arn.account, arn.id);
}

static Next
ask_unwrap(Exchange *x, const char *kid, const uint8_t *wrapped,
		   size_t wrapped_len)
{
	const char *arn;

	if (own_arn == NULL || strcmp(own_endpoint, endpoint_of(x)) != 0)
	{
		remote_fail_setup(x, "there are no credentials for " WHO);
		x->fault.may_repeat = true;
		return NEXT_FAIL;
	}
	arn = read_kid(x, kid);
	if (arn == NULL)
		return exchange_fail(x, FAULT_KEY_UNREADABLE, NULL);
	x->step = 1;
	return ask(x, "Decrypt",
			   json_pack("{s:s, s:s, s:o}", "KeyId", arn,
						 "EncryptionAlgorithm", "RSAES_OAEP_SHA_256",
						 "CiphertextBlob",
						 exchange_base64("", wrapped, wrapped_len)));
}

static Next
unwrap(Exchange *x, const char *kid, const uint8_t *wrapped,
	   size_t wrapped_len, uint8_t cek[JWE_CEK_SIZE])
{
	json_t	   *json;
	const json_t *plaintext;
	const char *code;
	Next		next;

	if (x->step == 0)
		return ask_unwrap(x, kid, wrapped, wrapped_len);
	if (!remote_is_answered(x))
		return remote_fail_transport(x, WHO);
	json = remote_take_json(x);
	plaintext = json_object_get(json, "Plaintext");
	code = read_code(x, json);
	if (x->reply.status == 200 && json_is_string(plaintext))
		next = remote_take_cek(x, json_string_value(plaintext), cek);
	else if (strcmp(code, "InvalidCiphertextException") == 0 ||
			 strcmp(code, "IncorrectKeyException") == 0)
		next = exchange_fail(x, FAULT_KEY_UNREADABLE, NULL);
	else
		next = fail(x, json, code);
	secret_json_release(json);
	return next;
}

const KeyServiceAdapter keyservice_awskms = {
	.name = "awskms",
	.open = open_awskms,
	.unwrap = unwrap,
	.how_to_rotate = "Asymmetric keys of AWS KMS have one version: make another "
	"key, name it in bambi.aws_kms_key or let the alias point to it, and "
	"reload.",
	.forget = forget,
};
