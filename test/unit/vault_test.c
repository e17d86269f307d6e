/*-------------------------------------------------------------------------
 *
 * vault_test.c
 *		The key service of Vault and OpenBao: what it asks, and what it makes
 *		of the answers.  These are OpenBao 2.7's own, but for their ids.
 *
 *-------------------------------------------------------------------------
 */
#include "keyservice_play.h"

#define ADDRESS	"https://vault.test:8200"
#define KID		"vault:transit/bambi:2"

#define ERROR(text)	"{\"errors\":[\"" text "\"]}\n"
#define LOGIN(token, life, renewable) \
	"{\"request_id\":\"r\",\"lease_id\":\"\",\"renewable\":false," \
	"\"lease_duration\":0,\"data\":null,\"auth\":{\"client_token\":\"" token \
	"\",\"accessor\":\"a\",\"policies\":[\"bambi\"],\"lease_duration\":" \
	#life ",\"renewable\":" #renewable ",\"token_type\":\"service\"}}"
#define PLAINTEXT(base64) \
	"{\"request_id\":\"r\",\"data\":{\"plaintext\":\"" base64 "\"}," \
	"\"auth\":null}"

/* 32 bytes of 0x41 */
#define CEK_BASE64	"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="

static const KeyServiceAdapter *vault = &keyservice_vault;
static char *pem[2];			/* of 3072 bits, of 2048 */

static Next
step_open(void)
{
	return play_open(vault);
}

static Next
step_unwrap(const char *kid)
{
	return play_unwrap(vault, kid);
}

static void
answer_key(const char *type, const char *public_key)
{
	static char text[8 * 1024];

	snprintf(text, sizeof(text),
			 "{\"data\":{\"keys\":{\"1\":{\"public_key\":\"old\"},"
			 "\"2\":{\"name\":\"rsa-3072\",\"public_key\":%s}},"
			 "\"latest_version\":2,\"type\":\"%s\"}}", public_key, type);
	play_answer(200, text);
}

static void
set_token(void)
{
	play_write("token", "hvs.file\n", 0600);
	play_set("vault_address", ADDRESS);
	play_set("vault_key", "bambi");
	play_set("vault_token_file", play_path("token"));
}

/* As far as the key is asked for. */
static void
open_with_token(void)
{
	play_begin();
	step_open();
	play_answer(400, ERROR("lease is not renewable"));
	step_open();
}

static void
check_token_file(void)
{
	set_token();
	play_begin();
	CHECK(play_asks(step_open(), "POST", ADDRESS "/v1/auth/token/renew-self")
		  && strcmp(play_header("X-Vault-Token"), "hvs.file") == 0 &&
		  strcmp(play_header("X-Vault-Request"), "true") == 0 &&
		  play_header("X-Vault-Namespace")[0] == '\0',
		  "a token from a file is renewed first");
	play_answer(200, LOGIN("hvs.file", 60, true));
	CHECK(play_asks(step_open(), "GET", ADDRESS "/v1/transit/keys/bambi") &&
		  strcmp(play_header("X-Vault-Token"), "hvs.file") == 0,
		  "then the key is read");
	answer_key("rsa-3072", pem[0]);
	CHECK(step_open() == NEXT_DONE && strcmp(sealing_key.kid, KID) == 0 &&
		  strstr(sealing_key.public_pem, "BEGIN PUBLIC KEY") != NULL,
		  "its newest version is what is sealed to");
	CHECK(sealing_key.good_for == 40,
		  "the service is opened again before two thirds of the token's life");

	open_with_token();
	answer_key("rsa-4096", pem[0]);
	CHECK(step_open() == NEXT_DONE && sealing_key.good_for == 300,
		  "a token that ends never, or cannot be renewed, is none the less "
		  "read again, and so is the key");

	play_write("token", "hvs.other", 0400);
	play_set("vault_namespace", "/team/images/");
	play_set("vault_mount", "deep/transit/");
	play_begin();
	CHECK(step_open() == NEXT_SEND &&
		  strcmp(play_header("X-Vault-Token"), "hvs.other") == 0 &&
		  strcmp(play_header("X-Vault-Namespace"), "team/images") == 0,
		  "namespace and file are read at each opening");
	play_answer(403, ERROR("permission denied"));
	CHECK(play_asks(step_open(), "GET",
					ADDRESS "/v1/deep/transit/keys/bambi"),
		  "a token that may not renew itself may do for the key");
	answer_key("rsa-3072", pem[0]);
	CHECK(step_open() == NEXT_DONE &&
		  strcmp(sealing_key.kid, "vault:deep/transit/bambi:2") == 0,
		  "the mount is part of the key's name");
	play_set("vault_namespace", "");
	play_set("vault_mount", "");
	set_token();
}

static void
check_approle(void)
{
	play_write("role", "role-id\n", 0600);
	play_write("secret", "7bd1a1e6-5c0f\n", 0600);
	play_set("vault_token_file", "");
	play_set("vault_role_id_file", play_path("role"));
	play_set("vault_secret_id_file", play_path("secret"));
	vault->forget();
	play_begin();
	CHECK(play_asks(step_open(), "POST", ADDRESS "/v1/auth/approle/login") &&
		  play_sends("{\"role_id\":\"role-id\",\"secret_id\":\"7bd1a1e6-5c0f\"}")
		  && play_header("X-Vault-Token")[0] == '\0',
		  "an AppRole logs in with two files");
	play_answer(200, LOGIN("hvs.given", 90, true));
	CHECK(play_asks(step_open(), "GET", ADDRESS "/v1/transit/keys/bambi") &&
		  strcmp(play_header("X-Vault-Token"), "hvs.given") == 0 &&
		  strstr(body, "hvs.given") == NULL,
		  "the token is used, and the answer that held it is wiped");
	answer_key("rsa-3072", pem[0]);
	CHECK(step_open() == NEXT_DONE && sealing_key.good_for == 60,
		  "it is renewed in time");
	play_begin();
	step_open();
	play_answer(200, LOGIN("hvs.given", 1, true));
	step_open();
	play_answer(200, LOGIN("hvs.given", 1, true));
	step_open();
	answer_key("rsa-3072", pem[0]);
	CHECK(step_open() == NEXT_DONE && sealing_key.good_for == 1,
		  "however short it lives");
	play_begin();
	step_open();
	play_answer(403, ERROR("permission denied"));
	step_open();
	play_answer(200, LOGIN("hvs.given", 90, true));
	step_open();

	play_begin();
	CHECK(play_asks(step_open(), "POST", ADDRESS "/v1/auth/token/renew-self")
		  && strcmp(play_header("X-Vault-Token"), "hvs.given") == 0,
		  "at the next opening it is");
	play_answer(200, LOGIN("hvs.given", 90, true));
	CHECK(play_asks(step_open(), "GET", ADDRESS "/v1/transit/keys/bambi"),
		  "as long as it can be");
	play_begin();
	step_open();
	play_answer(200, LOGIN("hvs.given", 30, true));
	CHECK(play_asks(step_open(), "POST", ADDRESS "/v1/auth/approle/login"),
		  "at the end of its life there is another login");
	play_begin();
	step_open();
	play_answer(403, ERROR("permission denied"));
	CHECK(play_asks(step_open(), "POST", ADDRESS "/v1/auth/approle/login"),
		  "and so there is when it was revoked");
	play_answer(400, ERROR("invalid role or secret ID"));
	CHECK(play_is_down(step_open(), "the AppRole login at Vault answered "
					   "400: invalid role or secret ID", false),
		  "a login that is refused is told as what it is");

	play_set("vault_approle_mount", "images/approle");
	play_begin();
	CHECK(play_asks(step_open(), "POST",
					ADDRESS "/v1/auth/images/approle/login"),
		  "another mount is another login");
	play_answer(200, "{\"auth\":{\"client_token\":\"a\\nb\"}}");
	CHECK(play_is_down(step_open(), "holds no token", false),
		  "what could not be a header is no token");
	play_set("vault_approle_mount", "");

	play_write("secret", "a\"b", 0600);
	play_begin();
	CHECK(step_open() == NEXT_SEND, "a token that is there is enough");
	play_answer(403, ERROR("permission denied"));
	CHECK(play_is_down(step_open(), "hold no ids", false),
		  "nothing is put between quotes that has some");
	play_write("secret", "7bd1a1e6-5c0f", 0644);
	play_begin();
	step_open();
	play_answer(403, ERROR("permission denied"));
	CHECK(play_is_down(step_open(), "the file of "
					   "bambi.vault_secret_id_file must have mode 0600",
					   false),
		  "a file that others can read is not used");
	play_write("secret", "7bd1a1e6-5c0f", 0600);
}

/* Where the token may not go, whatever the settings say meanwhile. */
static void
check_other_address(void)
{
	vault->forget();
	play_begin();
	step_open();
	play_answer(200, LOGIN("hvs.given", 90, true));
	step_open();
	answer_key("rsa-3072", pem[0]);
	step_open();
	play_set("vault_address", "https://other.test");
	play_begin();
	CHECK(play_is_down(step_unwrap(KID), "no token", true),
		  "a token is not shown to another address");
	CHECK(play_asks(step_open(), "POST",
					"https://other.test/v1/auth/approle/login") &&
		  play_header("X-Vault-Token")[0] == '\0',
		  "nor when the service is opened there");
	play_set("vault_address", ADDRESS);
	vault->forget();
	play_begin();
	CHECK(play_is_down(step_unwrap(KID), "no token", true),
		  "and once forgotten it is gone");
}

static void
check_settings(void)
{
	static const PlaySetting wrong[] = {
		{"vault_address", "", "bambi.vault_address is not set"},
		{"vault_address", "vault.test", "is no address"},
		{"vault_address", "https://user@vault.test", "is no address"},
		{"vault_key", "", "bambi.vault_key is not set"},
		{"vault_key", "a/b", "is no name of a key"},
		{"vault_key", "..", "is no name of a key"},
		{"vault_key", "a?b", "is no name of a key"},
		{"vault_mount", "a//b", "is no path"},
		{"vault_mount", "a/../b", "is no path"},
		{"vault_mount", "a%2fb", "is no path"},
		{"vault_namespace", "a b", "is no path"},
		{"vault_approle_mount", "a#b", "is no path"},
		{"vault_role_id_file", "", "neither bambi.vault_token_file nor"},
		{"vault_role_id_file", "/nowhere", "does not exist"},
	};

	vault->forget();
	play_settings(vault, wrong, lengthof(wrong));
	set_token();
	play_write("token", " \n", 0600);
	play_begin();
	CHECK(play_is_down(step_open(), "is empty", false),
		  "an empty file has no token");
	play_write("token", "a b", 0600);
	play_begin();
	CHECK(play_is_down(step_open(), "holds no token", false),
		  "nor has one with two words");
	set_token();
}

static void
check_open_faults(void)
{
	static const PlayAnswer answers[] = {
		{403, ERROR("permission denied"),
		"Vault answered 403: permission denied", false},
		{403, ERROR("1 error occurred:\\n\\t* permission denied\\n\\n"),
		"Vault answered 403: permission denied", false},
		{404, "{\"errors\":[]}",
			"the key \"bambi\" of Vault's mount \"transit\" does not exist",
		false},
		{404, ERROR("no handler for route \\\"transit/keys/bambi\\\". route "
					"entry not found."),
		"Vault answered 404: no handler for route", false},
		{503, ERROR("Vault is sealed"),
		"Vault answered 503: Vault is sealed", true},
		{429, ERROR("request path is rate limited"), "answered 429", true},
		{500, "oops", "Vault answered 500", true},
		{307, "", "sent us to another address", false},
		{200, "oops", "is not described", false},
		{200, "{\"data\":{\"type\":\"aes256-gcm96\"}}",
		"must be of type rsa-3072 or rsa-4096", false},
		{200, "{\"data\":{\"type\":\"rsa-3072\",\"latest_version\":1}}",
		"no newest version", false},
	};
	static const struct
	{
		Transport	transport;
		const char *words;
		bool		may_repeat;
	}			transports[] =
	{
		{TRANSPORT_DNS, "does not resolve", true},
		{TRANSPORT_REFUSED, "could not be reached", true},
		{TRANSPORT_CONNECT_TIMEOUT, "reached in time", true},
		{TRANSPORT_TLS, "certificate", false},
		{TRANSPORT_ADDRESS, "bambi.key_service_networks", false},
		{TRANSPORT_TIMEOUT, "did not answer in time", true},
		{TRANSPORT_RESET, "closed the connection", true},
		{TRANSPORT_RESET_BODY, "inside its answer", true},
		{TRANSPORT_TOO_LARGE, "too large", false},
		{TRANSPORT_OTHER, "could not be asked", true},
	};

	for (size_t i = 0; i < lengthof(answers); i++)
	{
		open_with_token();
		play_answer(answers[i].status, answers[i].body);
		CHECK(play_is_down(step_open(), answers[i].words,
						   answers[i].may_repeat),
			  "\"%s\" is told", answers[i].words);
	}
	open_with_token();
	answer_key("rsa-3072", pem[1]);
	CHECK(play_is_down(step_open(), "of 3072 bits or more", false),
		  "a key of 2048 bits is none, whatever its type");
	for (size_t i = 0; i < lengthof(transports); i++)
	{
		open_with_token();
		play_fail(transports[i].transport);
		CHECK(play_is_down(step_open(), transports[i].words,
						   transports[i].may_repeat),
			  "\"%s\" is told", transports[i].words);
	}
	play_begin();
	step_open();
	play_answer(503, ERROR("Vault is sealed"));
	CHECK(play_is_down(step_open(), "503: Vault is sealed", true),
		  "a sealed Vault renews nothing, and is not asked for the key");
	open_with_token();
	play_answer(403, ERROR("no hvs.file here"));
	CHECK(play_is_down(step_open(), "403: no *** here", false),
		  "the token is not repeated to anybody");
}

static void
check_unwrap(void)
{
	static const char *const foreign[] = {
		"vault:other/bambi:1", "vault:transit/../sys:1", "vault:transit/:1",
		"vault:transit/bambi", "vault:transit/bambi:", "vault:transit/bambi:x",
		"vault:transit/bambi:1:2", "vault:transit/a/b:1",
		"vault:transit/bambi:1234567890", "vault:transit/a?b:1",
		"file:master.pem:0123", "awskms:aws/r/1/id:1", "",
	};

	open_with_token();
	answer_key("rsa-3072", pem[0]);
	step_open();
	play_begin();
	CHECK(play_asks(step_unwrap("vault:transit/bambi:1"), "POST",
					ADDRESS "/v1/transit/decrypt/bambi") &&
		  play_sends("{\"ciphertext\":\"vault:v1:d3JhcHBlZA==\"}") &&
		  strcmp(play_header("X-Vault-Token"), "hvs.file") == 0,
		  "an older version is asked for by its number, and nothing is sent "
		  "but what it wrapped");
	play_answer(200, PLAINTEXT(CEK_BASE64));
	memset(cek, 0, sizeof(cek));
	CHECK(step_unwrap("vault:transit/bambi:1") == NEXT_DONE &&
		  memcmp(cek, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 32) == 0 &&
		  strstr(body, "QUFB") == NULL,
		  "the data key is taken, and wiped where it came");
	play_begin();
	CHECK(play_asks(step_unwrap("vault:transit/before:7"), "POST",
					ADDRESS "/v1/transit/decrypt/before"),
		  "another key of the mount may have been the one to seal to");

	play_foreign(vault, foreign, lengthof(foreign));
}

static void
check_unwrap_faults(void)
{
	static const PlayAnswer answers[] = {
		{500, ERROR("1 error occurred:\\n\\t* failed to RSA decrypt the "
					"ciphertext: crypto/rsa: decryption error\\n\\n"), NULL,
		false},
		{400, ERROR("invalid ciphertext: version is too new"), NULL, false},
		{400, ERROR("ciphertext or signature version is disallowed by policy "
					"(too old)"), NULL, false},
		{200, PLAINTEXT("QUFB"), NULL, false},
		{200, PLAINTEXT("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUF="), NULL,
		false},
		{403, ERROR("permission denied"), "403: permission denied", true},
		{400, ERROR("encryption key not found"),
		"400: encryption key not found", false},
		{503, ERROR("Vault is sealed"), "503: Vault is sealed", true},
		{500, ERROR("internal error"), "500: internal error", true},
		{429, "", "answered 429", true},
		{302, "", "sent us to another address", false},
		{200, "{\"data\":{}}", "answered 200", false},
		{200, "", "answered 200", false},
	};
	Header		retry_after = {.name = "retry-after",.value = "2"};

	play_unwrap_answers(vault, KID, answers, lengthof(answers));
	play_begin();
	step_unwrap(KID);
	play_fail(TRANSPORT_TIMEOUT);
	CHECK(play_is_down(step_unwrap(KID), "did not answer in time", true),
		  "and so does silence");
	play_begin();
	step_unwrap(KID);
	play_answer(429, "");
	x.reply.headers = &retry_after;
	CHECK(play_is_down(step_unwrap(KID), "429", true) &&
		  x.fault.retry_after_ms == 2000, "a hint when to come is taken");
}

static void
check_rotation(void)
{
	set_token();
	open_with_token();
	answer_key("rsa-3072", pem[0]);
	step_open();
	play_begin();
	CHECK(play_asks(vault->rotate(&x), "POST",
					ADDRESS "/v1/transit/keys/bambi/rotate") &&
		  strcmp(play_header("X-Vault-Token"), "hvs.file") == 0,
		  "a new version is made by one request");
	play_answer(200, "{\"data\":{\"latest_version\":3}}");
	CHECK(vault->rotate(&x) == NEXT_DONE, "which OpenBao answers with the key");
	play_begin();
	vault->rotate(&x);
	play_answer(204, "");
	CHECK(vault->rotate(&x) == NEXT_DONE, "and Vault with nothing");
	play_begin();
	vault->rotate(&x);
	play_answer(403, ERROR("permission denied"));
	CHECK(play_is_down(vault->rotate(&x), "403: permission denied", false),
		  "whoever may not, is told");
	play_begin();
	vault->rotate(&x);
	play_fail(TRANSPORT_RESET);
	CHECK(vault->rotate(&x) == NEXT_FAIL, "a lost answer is a failure");
	play_set("vault_address", "https://other.test");
	play_begin();
	CHECK(play_is_down(vault->rotate(&x), "no token", false),
		  "the token goes to no other address");
	set_token();
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
		pem[i] = play_pem(keys[i]);
		EVP_PKEY_free(keys[i]);
	}

	check_token_file();
	check_approle();
	check_other_address();
	check_settings();
	check_open_faults();
	check_unwrap();
	check_unwrap_faults();
	check_rotation();

	vault->forget();
	free(pem[0]);
	free(pem[1]);
	unlink(play_path("token"));
	unlink(play_path("role"));
	unlink(play_path("secret"));
	CHECK(rmdir(directory) == 0, "no other file was made");
	play_end();
	return check_done();
}
