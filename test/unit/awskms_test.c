/*-------------------------------------------------------------------------
 *
 * awskms_test.c
 *		The key service AWS KMS: what it asks, and what it makes of the
 *		answers.  That the signatures are right is known by sigv4_test.
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "keyservice_play.h"

#define ID		"532da53b-e7eb-46c5-bcfc-765d4509f772"
#define ARN		"arn:aws:kms:eu-central-1:111122223333:key/" ID
#define KID		"awskms:aws/eu-central-1/111122223333/" ID ":1"
#define OTHER_ID	"8647d119-1402-4b08-9960-d7a25346ccbd"
#define ENDPOINT	"https://kms.eu-central-1.amazonaws.com/"
#define METADATA	"http://169.254.169.254"
#define ROLES	METADATA "/latest/meta-data/iam/security-credentials/"

#define CREDENTIALS \
	"[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n" \
	"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"

/* 32 bytes of 0x41 */
#define CEK_BASE64	"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="

#define ERROR(code)	"{\"__type\":\"" code "\",\"message\":\"so it is\"}"

static const KeyServiceAdapter *kms = &keyservice_awskms;
static char der[2][2048];		/* in base64: of 3072 bits, of 2048 */

static Next
step_open(void)
{
	return play_open(kms);
}

static Next
step_unwrap(const char *kid)
{
	return play_unwrap(kms, kid);
}

static const char *
key_answer(const char *arn, const char *usage, const char *public_key)
{
	static char text[8 * 1024];

	snprintf(text, sizeof(text),
			 "{\"KeyId\":\"%s\",\"CustomerMasterKeySpec\":\"RSA_3072\","
			 "\"EncryptionAlgorithms\":[\"RSAES_OAEP_SHA_1\","
			 "\"RSAES_OAEP_SHA_256\"],\"KeyUsage\":\"%s\","
			 "\"PublicKey\":\"%s\"}", arn, usage, public_key);
	return text;
}

static void
open_with_file(void)
{
	play_begin();
	step_open();
	play_answer(200, key_answer(ARN, "ENCRYPT_DECRYPT", der[0]));
	step_open();
}

static void
set_file(void)
{
	play_write("credentials", CREDENTIALS, 0600);
	play_set("aws_kms_credentials_file", play_path("credentials"));
	play_set("aws_kms_key", "alias/bambi");
	play_set("aws_kms_region", "eu-central-1");
}

static void
check_file(void)
{
	set_file();
	play_begin();
	CHECK(play_asks(step_open(), "POST", ENDPOINT) &&
		  play_sends("{\"KeyId\":\"alias/bambi\"}") &&
		  strcmp(play_header("x-amz-target"),
				 "TrentService.GetPublicKey") == 0 &&
		  strcmp(play_header("content-type"),
				 "application/x-amz-json-1.1") == 0,
		  "the key is asked for by what the operator calls it");
	CHECK(strstr(play_header("authorization"),
				 "Credential=AKIAIOSFODNN7EXAMPLE/20261128/eu-central-1/kms/"
				 "aws4_request, SignedHeaders=content-type;host;x-amz-date;"
				 "x-amz-target, ") != NULL &&
		  play_header("x-amz-security-token")[0] == '\0',
		  "signed for the service and the region");
	play_answer(200, key_answer(ARN, "ENCRYPT_DECRYPT", der[0]));
	CHECK(step_open() == NEXT_DONE && strcmp(sealing_key.kid, KID) == 0 &&
		  strstr(sealing_key.public_pem, "BEGIN PUBLIC KEY") != NULL &&
		  sealing_key.good_for == 300,
		  "it is known by its own name, and looked at again");

	play_write("credentials", CREDENTIALS "aws_session_token = S/+=\n", 0600);
	play_set("aws_kms_endpoint", "http://127.0.0.1:8080");
	play_begin();
	CHECK(play_asks(step_open(), "POST", "http://127.0.0.1:8080/") &&
		  strcmp(play_header("x-amz-security-token"), "S/+=") == 0 &&
		  strstr(play_header("authorization"), "x-amz-security-token")
		  != NULL, "a session token goes along, to another endpoint too");
	play_set("aws_kms_endpoint", "");
	play_set("aws_kms_region", "cn-north-1");
	play_begin();
	CHECK(play_asks(step_open(), "POST",
					"https://kms.cn-north-1.amazonaws.com.cn/"),
		  "regions of China have a domain of their own");
	set_file();
}

static void
check_metadata(void)
{
	play_set("aws_kms_credentials_file", "");
	play_set("aws_metadata", METADATA);
	kms->forget();
	play_begin();
	CHECK(play_asks(step_open(), "PUT", METADATA "/latest/api/token") &&
		  strcmp(play_header("X-aws-ec2-metadata-token-ttl-seconds"),
				 "60") == 0, "the metadata service is asked for a token");
	play_answer(200, "AQAEAtoken==");
	CHECK(play_asks(step_open(), "GET", ROLES) &&
		  strcmp(play_header("X-aws-ec2-metadata-token"),
				 "AQAEAtoken==") == 0,
		  "then, with it, for the machine's role");
	play_answer(200, "bambi-role\nother");
	CHECK(play_asks(step_open(), "GET", ROLES "bambi-role") &&
		  strcmp(play_header("X-aws-ec2-metadata-token"),
				 "AQAEAtoken==") == 0, "then for its credentials");
	play_answer(200, "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIAX\","
				"\"SecretAccessKey\":\"abcdefghij\",\"Token\":\"session\","
				"\"Expiration\":\"2026-11-28T06:00:00Z\"}");
	CHECK(play_asks(step_open(), "POST", ENDPOINT) &&
		  strstr(play_header("authorization"), "Credential=ASIAX/") != NULL &&
		  strcmp(play_header("x-amz-security-token"), "session") == 0 &&
		  play_header("X-aws-ec2-metadata-token")[0] == '\0' &&
		  strstr(body, "abcdefghij") == NULL,
		  "these sign, and are wiped where they came");
	play_answer(200, key_answer(ARN, "ENCRYPT_DECRYPT", der[0]));
	CHECK(step_open() == NEXT_DONE && sealing_key.good_for == 240,
		  "and are read again before they can end");

	play_begin();
	step_open();
	play_answer(403, "");
	CHECK(play_is_down(step_open(), "the instance metadata service answered "
					   "403", false), "a service that is off is told");
	play_begin();
	step_open();
	play_answer(200, "a\r\nb");
	CHECK(play_is_down(step_open(), "answered 200", false),
		  "what could not be a header is no token");
	play_begin();
	step_open();
	play_answer(200, "token");
	step_open();
	play_answer(404, "");
	CHECK(play_is_down(step_open(), "this machine has no role", false),
		  "a machine without a role is told");
	play_begin();
	step_open();
	play_answer(200, "token");
	step_open();
	play_answer(200, "..");
	CHECK(play_is_down(step_open(), "answered 200", false),
		  "a role does not lead upwards");
	play_begin();
	step_open();
	play_answer(200, "token");
	step_open();
	play_answer(200, "../../x?y");
	CHECK(play_is_down(step_open(), "answered 200", false),
		  "a role is no path");
	play_begin();
	step_open();
	play_answer(200, "token");
	step_open();
	play_answer(200, "role");
	step_open();
	play_answer(200, "{\"Code\":\"Failed\"}");
	CHECK(play_is_down(step_open(), "answered 200", false),
		  "credentials that are none are told");
	play_begin();
	step_open();
	play_fail(TRANSPORT_ADDRESS);
	CHECK(play_is_down(step_open(), "bambi.key_service_networks", false),
		  "its address is for the operator to allow");
	set_file();
}

static void
check_settings(void)
{
	static const PlaySetting wrong[] = {
		{"aws_kms_key", "", "bambi.aws_kms_key is not set"},
		{"aws_kms_key", "a\"b", "is no id, ARN or alias"},
		{"aws_kms_region", "", "bambi.aws_kms_region is not set"},
		{"aws_kms_region", "a.b/", "is no name of a region"},
		{"aws_kms_endpoint", "kms.test", "is no address"},
		{"aws_metadata", "169.254.169.254", "is no address"},
		{"aws_kms_credentials_file", "/nowhere", "does not exist"},
	};

	play_settings(kms, wrong, lengthof(wrong));
	play_set("aws_kms_credentials_file", "");
	play_set("aws_metadata", "");
	play_begin();
	CHECK(play_is_down(step_open(), "neither "
					   "bambi.aws_kms_credentials_file nor "
					   "bambi.aws_metadata is set", false),
		  "credentials come from nowhere else");
	setenv("AWS_ACCESS_KEY_ID", "AKIDOFTHEENVIRONMENT", 1);
	play_begin();
	CHECK(play_is_down(step_open(), "neither ", false),
		  "nor from half an environment");
	setenv("AWS_SECRET_ACCESS_KEY", "of-the-environment", 1);
	setenv("AWS_SESSION_TOKEN", "session-of-the-environment", 1);
	play_begin();
	CHECK(step_open() == NEXT_SEND &&
		  strstr(play_header("authorization"),
				 "Credential=AKIDOFTHEENVIRONMENT/") != NULL &&
		  strcmp(play_header("x-amz-security-token"),
				 "session-of-the-environment") == 0,
		  "but from a whole one");
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	unsetenv("AWS_SESSION_TOKEN");
	set_file();
	play_write("credentials", "[other]\naws_access_key_id = A\n", 0600);
	play_begin();
	CHECK(play_is_down(step_open(), "for the default profile", false),
		  "nor from another profile");
	set_file();
}

/* What both requests make of it. */
static const PlayAnswer down[] = {
	{400, ERROR("AccessDeniedException"),
	"AWS KMS answered 400: AccessDeniedException: so it is", false},
	{400, ERROR("com.amazonaws.kms#DisabledException"),
	"AWS KMS answered 400: DisabledException", false},
	{400, "{\"__type\":\"NotFoundException\"}", "NotFoundException", false},
	{400, ERROR("KMSInvalidStateException"), "KMSInvalidState", false},
	{400, ERROR("ThrottlingException"), "Throttling", true},
	{400, ERROR("ExpiredTokenException"), "ExpiredToken", true},
	{400, ERROR("UnrecognizedClientException"), "UnrecognizedClient", true},
	{400, "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature "
		"expired: 20261127T000000Z is now earlier than\"}",
	"InvalidSignatureException: Signature expired", true},
	{500, ERROR("KMSInternalException"), "500: KMSInternal", true},
	{503, "<html>", "AWS KMS answered 503", true},
	{301, "", "sent us to another address", false},
	{400, "", "AWS KMS answered 400", false},
};

static void
check_open_faults(void)
{
	for (size_t i = 0; i < lengthof(down); i++)
	{
		play_begin();
		step_open();
		play_answer(down[i].status, down[i].body);
		CHECK(play_is_down(step_open(), down[i].words, down[i].may_repeat),
			  "opening: \"%s\" is told", down[i].words);
	}
	play_begin();
	step_open();
	play_answer(200, key_answer(ARN, "SIGN_VERIFY", der[0]));
	CHECK(play_is_down(step_open(), "is not for encryption", false),
		  "a key that signs is none");
	play_begin();
	step_open();
	play_answer(200, key_answer(ARN, "ENCRYPT_DECRYPT", der[1]));
	CHECK(play_is_down(step_open(), "RSA_3072 or RSA_4096", false),
		  "nor is one of 2048 bits");
	play_begin();
	step_open();
	play_answer(200, key_answer(ARN, "ENCRYPT_DECRYPT", "QUJD"));
	CHECK(play_is_down(step_open(), "RSA_3072 or RSA_4096", false),
		  "nor is what is none at all");
	play_begin();
	step_open();
	play_answer(200, key_answer("arn:aws:s3:::b:key/x", "ENCRYPT_DECRYPT",
								der[0]));
	CHECK(play_is_down(step_open(), "no ARN", false),
		  "nor one without a name");
	play_begin();
	step_open();
	play_answer(200, key_answer("arn:key/x", "ENCRYPT_DECRYPT", der[0]));
	CHECK(play_is_down(step_open(), "no ARN", false), "nor with half of one");
	play_begin();
	step_open();
	play_fail(TRANSPORT_TLS);
	CHECK(play_is_down(step_open(), "AWS KMS's certificate", false),
		  "a wrong certificate is told");
}

static void
check_unwrap(void)
{
	static const char *const foreign[] = {
		"awskms:aws/eu-central-1/999999999999/" ID ":1",
		"awskms:aws/us-east-1/111122223333/" ID ":1",
		"awskms:aws-cn/eu-central-1/111122223333/" ID ":1",
		"awskms:aws/eu-central-1/111122223333/" ID ":2",
		"awskms:aws/eu-central-1/111122223333/a/b:1",
		"awskms:aws/eu-central-1/111122223333/:1",
		"awskms:aws/eu-central-1/111122223333:1",
		"awskms::1", "awskms:1", "vault:transit/bambi:1", "",
	};

	kms->forget();
	play_begin();
	CHECK(play_is_down(step_unwrap(KID), "no credentials", true),
		  "before it is opened nothing is asked");
	open_with_file();
	play_begin();
	CHECK(play_asks(step_unwrap(KID), "POST", ENDPOINT) &&
		  play_sends("{\"KeyId\":\"" ARN "\",\"EncryptionAlgorithm\":"
					 "\"RSAES_OAEP_SHA_256\",\"CiphertextBlob\":"
					 "\"d3JhcHBlZA==\"}") &&
		  strcmp(play_header("x-amz-target"), "TrentService.Decrypt") == 0,
		  "nothing is sent but what was wrapped");
	play_answer(200, "{\"KeyId\":\"" ARN "\",\"Plaintext\":\"" CEK_BASE64
				"\",\"EncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"}");
	memset(cek, 0, sizeof(cek));
	CHECK(step_unwrap(KID) == NEXT_DONE &&
		  memcmp(cek, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 32) == 0 &&
		  strstr(body, "QUFB") == NULL,
		  "the data key is taken, and wiped where it came");
	play_begin();
	CHECK(play_asks(step_unwrap("awskms:aws/eu-central-1/111122223333/"
								OTHER_ID ":1"), "POST", ENDPOINT) &&
		  strstr(x.request.body, "key/" OTHER_ID "\"") != NULL,
		  "the key before it goes on being asked for");

	play_foreign(kms, foreign, lengthof(foreign));
	play_set("aws_kms_endpoint", "https://other.test");
	play_begin();
	CHECK(play_is_down(step_unwrap(KID), "no credentials", true),
		  "nothing goes to an endpoint that was not opened");
	play_set("aws_kms_endpoint", "");
}

static void
check_unwrap_faults(void)
{
	static const PlayAnswer unreadable[] = {
		{400, "{\"__type\":\"InvalidCiphertextException\"}", NULL, false},
		{400, ERROR("com.amazonaws.kms#IncorrectKeyException"), NULL, false},
		{200, "{\"Plaintext\":\"QUFB\"}", NULL, false},
	};

	play_unwrap_answers(kms, KID, unreadable, lengthof(unreadable));
	play_unwrap_answers(kms, KID, down, lengthof(down));
	play_begin();
	step_unwrap(KID);
	play_answer(400, "{\"__type\":\"X\",\"message\":\"not wJalrXUtnFEMI/"
				"K7MDENG/bPxRfiCYEXAMPLEKEY\"}");
	CHECK(play_is_down(step_unwrap(KID), "X: not ***", false),
		  "the secret is not repeated to anybody");
}

int
main(void)
{
	EVP_PKEY   *keys[2] = {EVP_RSA_gen(3072), EVP_RSA_gen(2048)};

	if (mkdtemp(directory) == NULL)
		return 1;
	play_begin();
	for (int i = 0; i < 2; i++)
	{
		unsigned char *bytes = NULL;
		int			len = i2d_PUBKEY(keys[i], &bytes);

		EVP_EncodeBlock((unsigned char *) der[i], bytes, len);
		OPENSSL_free(bytes);
		EVP_PKEY_free(keys[i]);
	}

	check_file();
	check_metadata();
	check_settings();
	check_open_faults();
	check_unwrap();
	check_unwrap_faults();

	kms->forget();
	unlink(play_path("credentials"));
	CHECK(rmdir(directory) == 0, "no other file was made");
	play_end();
	return check_done();
}
