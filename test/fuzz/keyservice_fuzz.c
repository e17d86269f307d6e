/*-------------------------------------------------------------------------
 *
 * keyservice_fuzz.c
 *		Whatever Vault, AWS KMS or a metadata service answers, and whatever a
 *		stored key calls itself: it ends in a key that can be named, in a data
 *		key, or in one of two faults; nobody else is asked, and no secret told.
 *
 * An input is a letter and a name; then, with 0x1e before each, answers: three
 * digits of status, and the body.  The letter's bits say: 1, Vault; 2, it is
 * opened, else asked to unwrap; 4, with a file alone; 8, for the first time.
 *
 *-------------------------------------------------------------------------
 */
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "../unit/keyservice_play.h"
#include "fuzz.h"

#define SEPARATOR	0x1e
#define MAX_STEPS	8

#define ADDRESS	"https://service.test"
#define SECRET	"hvs.0123456789abcdef"

static void
set_up(void)
{
	static const char *const settings[][2] = {
		{"vault_address", ADDRESS}, {"vault_key", "bambi"},
		{"aws_kms_key", "alias/bambi"}, {"aws_kms_region", "eu-central-1"},
		{"aws_kms_endpoint", ADDRESS},
	};

	insist(mkdtemp(directory) != NULL);
	play_begin();
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		play_set(settings[i][0], settings[i][1]);
	play_write("secret", SECRET, 0600);
	play_write("aws", "[default]\naws_access_key_id = A\n"
			   "aws_secret_access_key = " SECRET "\n", 0600);
	play_set("vault_role_id_file", play_path("secret"));
	play_set("vault_secret_id_file", play_path("secret"));
}

/* Opens it with good answers, so that each input begins with the same. */
static void
open_well(const KeyServiceAdapter *service)
{
	static char vault_key[4096];
	static char kms_key[4096];
	Next		next;

	if (vault_key[0] == '\0')
	{
		EVP_PKEY   *key = EVP_RSA_gen(3072);
		char	   *pem = play_pem(key);
		unsigned char base64[2048];
		unsigned char *der = NULL;
		int			len = i2d_PUBKEY(key, &der);

		EVP_EncodeBlock(base64, der, len);
		snprintf(vault_key, sizeof(vault_key),
				 "{\"data\":{\"type\":\"rsa-3072\",\"latest_version\":1,"
				 "\"keys\":{\"1\":{\"public_key\":%s}}}}", pem);
		snprintf(kms_key, sizeof(kms_key),
				 "{\"KeyId\":\"arn:aws:kms:eu-central-1:111122223333:key/"
				 "1-2\",\"KeyUsage\":\"ENCRYPT_DECRYPT\","
				 "\"PublicKey\":\"%s\"}", base64);
		OPENSSL_free(der);
		EVP_PKEY_free(key);
		free(pem);
	}
	play_begin();
	while ((next = service->open(&x, &sealing_key)) == NEXT_SEND)
	{
		const char *url = x.request.url;

		if (strstr(url, "/auth/") != NULL)
			play_answer(200, "{\"auth\":{\"client_token\":\"hvs.given\","
						"\"lease_duration\":60,\"renewable\":true}}");
		else if (strstr(url, "/keys/") != NULL)
			play_answer(200, vault_key);
		else if (strstr(url, "/api/token") != NULL)
			play_answer(200, "token");
		else if (strstr(url, "credentials/role") != NULL)
			play_answer(200, "{\"AccessKeyId\":\"A\","
						"\"SecretAccessKey\":\"B\",\"Token\":\"C\"}");
		else if (strstr(url, "credentials/") != NULL)
			play_answer(200, "role");
		else
			play_answer(200, kms_key);
	}
	insist(next == NEXT_DONE);
}

static void
insist_on_answer(const KeyServiceAdapter *service, bool is_open, Next next)
{
	if (next == NEXT_FAIL)
	{
		insist(x.fault.class == FAULT_KEY_SERVICE_DOWN ||
			   (!is_open && x.fault.class == FAULT_KEY_UNREADABLE));
		insist(x.secret == NULL || x.secret->len < 6 ||
			   strstr(x.fault.message, (char *) x.secret->bytes) == NULL);
		insist((x.fault.message[0] == '\0') ==
			   (x.fault.class == FAULT_KEY_UNREADABLE));
	}
	else if (is_open)
	{
		insist(strncmp(sealing_key.kid, service->name,
					   strlen(service->name)) == 0);
		insist(strpbrk(sealing_key.kid, "\"\\ \n") == NULL);
		insist(sealing_key.public_pem != NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const KeyServiceAdapter *service;
	char	   *text = strndup((const char *) data, size);
	char	   *answer;
	char	   *rest;
	bool		is_open;
	Next		next;

	if (x.settings == NULL)
		set_up();
	service = (text[0] & 1) != 0 ? &keyservice_vault : &keyservice_awskms;
	is_open = (text[0] & 2) != 0;
	play_set("vault_token_file", (text[0] & 4) != 0 ? play_path("secret") : "");
	play_set("aws_kms_credentials_file",
			 (text[0] & 4) != 0 ? play_path("aws") : "");
	play_set("aws_metadata", (text[0] & 4) != 0 ? "" : ADDRESS);
	service->forget();
	if ((text[0] & 8) == 0)
		open_well(service);
	play_begin();

	rest = strchr(text, SEPARATOR);
	if (rest != NULL)
		*rest++ = '\0';
	for (int i = 0; i < MAX_STEPS; i++)
	{
		next = is_open ? service->open(&x, &sealing_key) :
			service->unwrap(&x, text[0] != '\0' ? text + 1 : text,
							(const uint8_t *) "wrapped", 7, cek);
		if (next != NEXT_SEND)
		{
			insist(next == NEXT_DONE || next == NEXT_FAIL);
			insist_on_answer(service, is_open, next);
			break;
		}
		insist(strncmp(x.request.url, ADDRESS "/", strlen(ADDRESS) + 1) == 0);
		insist(strpbrk(x.request.url, " ?#%\r\n") == NULL);
		insist(strstr(x.request.url, "/.") == NULL);
		insist(i < MAX_STEPS - 1);

		answer = rest != NULL ? rest : "";
		rest = strchr(answer, SEPARATOR);
		if (rest != NULL)
			*rest++ = '\0';
		play_answer(strlen(answer) >= 3 ? (answer[0] & 7) * 100 +
					(answer[1] & 15) * 10 + (answer[2] & 15) : 0,
					strlen(answer) >= 3 ? answer + 3 : "");
	}
	free(text);
	return 0;
}
