/*-------------------------------------------------------------------------
 *
 * sealed_key.c
 *		Opens the sealed key that a job or an errand brought.
 *
 *-------------------------------------------------------------------------
 */
#include "sealed_key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "point.h"

/*
 * Kept from one key to the next: it is large, and a key service that answers
 * at once needs one only.
 */
static Jwe *spare_jwe;

void
sealed_key_close(SealedKey *sealed)
{
	OPENSSL_cleanse(sealed->cek, sizeof(sealed->cek));
	if (spare_jwe == NULL)
		spare_jwe = sealed->jwe;
	else
		free(sealed->jwe);
	sealed->jwe = NULL;
}

static Next
step_key(Runner *runner)
{
	SealedKey  *sealed = runner->owner;

	return keys_unwrap(runner, &sealed->unwrapping, sealed->jwe, sealed->is_once,
					   sealed->cek);
}

static void
key_ended(Runner *runner, Next next)
{
	SealedKey  *sealed = runner->owner;
	Secret	   *secret = NULL;
	uint8_t		plain[JWE_MAX_PLAINTEXT + 1];
	size_t		plain_len = 0;

	if (next == NEXT_DONE)
	{
		if (jwe_open(sealed->jwe, sealed->cek, plain, &plain_len) == JWE_OK &&
			plain_len > 0)
			secret = secret_create(runner->x.arena, plain, plain_len);
		else
			keys_fail_unreadable(&runner->x);
		OPENSSL_cleanse(plain, plain_len);
	}
	sealed_key_close(sealed);
	exchange_clear_reply(&runner->x);
	runner->owner = sealed->owner;
	runner->is_punctual = false;
	if (secret != NULL)
		POINT("key-opened");
	sealed->opened(runner, secret);
}

void
sealed_key_open(SealedKey *sealed, Runner *runner, const char *text,
				size_t len, const char *user, const char *provider,
				void (*opened) (Runner *runner, Secret *secret))
{
	sealed->opened = opened;
	sealed->jwe = spare_jwe != NULL ? spare_jwe : malloc(sizeof(Jwe));
	if (sealed->jwe == NULL)
		abort();
	spare_jwe = NULL;
	if (jwe_parse(text, len, sealed->jwe) != JWE_OK ||
		strcmp(sealed->jwe->sub, user) != 0 ||
		strcmp(sealed->jwe->prv, provider) != 0)
	{
		sealed_key_close(sealed);
		keys_fail_unreadable(&runner->x);
		opened(runner, NULL);
		return;
	}
	sealed->owner = runner->owner;
	runner->owner = sealed;
	memset(&sealed->unwrapping, 0, sizeof(sealed->unwrapping));
	keys_prepare(runner);
	runner->step = step_key;
	runner->ended = key_ended;
	runner_start(runner);
}
