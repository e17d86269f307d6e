/*-------------------------------------------------------------------------
 *
 * keys.c
 *		Opens sealed keys, with the one key service that is configured.
 *
 * Unwrapped data keys are remembered for a short time, in a table where each
 * has one possible place: the wrapped key is random, so any eight bytes of
 * it are a good hash.  A timer wipes what is too old; it runs only while
 * there is something to wipe.
 *
 *-------------------------------------------------------------------------
 */
#include "keys.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "keyservices/keyservice.h"
#include "link.h"
#include "loop.h"
#include "runner.h"
#include "text.h"
#include "tokens.h"

#define REMEMBERED_KEYS	1024
#define REMEMBERED_MS	(300 * 1000)

/* Opening the service, and trying again while it is down. */
#define OPEN_TIMEOUT_MS	(10 * 1000)
#define REOPEN_MS		1000

#define MAX_PEM			(16 * 1024)

typedef struct DataKey
{
	int64_t		until;			/* 0: nothing here */
	size_t		wrapped_len;
	uint8_t		wrapped[JWE_MAX_RSA_BYTES];
	uint8_t		cek[JWE_CEK_SIZE];
} DataKey;

static DataKey remembered[REMEMBERED_KEYS];
static LoopTimer wipe_timer;

static const KeyServiceAdapter *service;
static json_t *service_settings;
static bool is_open;
static int64_t opened_at;		/* or last tried */
static const char *last_warning;	/* each is said once */

static Runner opening;
static SealingKey sealing_key;
static char reason[FAULT_MESSAGE_MAX + 1];	/* told to the worker last */

static void open_service(void);
static void tell_worker(const char *name, const char *error);

void
keys_configure(const Settings *settings)
{
	const char *name = settings->key_service;

	keys_forget();
	is_open = false;
	reason[0] = '\0';
	if (opening.x.arena != NULL)
	{
		runner_abort(&opening);
		arena_destroy(opening.x.arena);
		opening.x.arena = NULL;
	}
	json_decref(service_settings);
	service_settings = json_incref(settings->keys);

	service = keyservice_find(name);
	if (service != NULL)
		open_service();
	else
		tell_worker(name, name[0] == '\0' ? "no key service is configured" :
					"there is no such key service");
}

static Next
step_open(Runner *runner)
{
	return service->open(&runner->x, &sealing_key);
}

static void
opened(Runner *runner, Next next)
{
	is_open = next == NEXT_DONE;
	if (is_open)
	{
		tell_worker(service->name, NULL);
		if (service->warning != NULL && service->warning != last_warning)
			link_log(LEVEL_LOG, "%s", service->warning);
		last_warning = service->warning;
	}
	else
		tell_worker(service->name, runner->x.fault.message);
	exchange_clear_reply(&runner->x);
	arena_destroy(runner->x.arena);
	runner->x.arena = NULL;
}

static void
open_service(void)
{
	memset(&opening, 0, sizeof(opening));
	memset(&sealing_key, 0, sizeof(sealing_key));
	opening.x.arena = arena_create();
	keys_prepare(&opening.x);
	opening.step = step_open;
	opening.ended = opened;
	opening.deadline = loop_now() + OPEN_TIMEOUT_MS;
	opened_at = loop_now();
	runner_start(&opening);
}

/* The public half, or what is wrong; each thing that is wrong only once. */
static void
tell_worker(const char *name, const char *error)
{
	Text		text = {NULL, 0, 0};

	if (error != NULL && strcmp(error, reason) == 0)
		return;
	strncpy(reason, error != NULL ? error : "", sizeof(reason) - 1);

	text_add(&text, "{\"service\":");
	text_add_string(&text, name, JWE_MAX_NAME);
	if (error != NULL)
	{
		text_add(&text, ",\"error\":");
		text_add_string(&text, error, FAULT_MESSAGE_MAX);
	}
	else
	{
		text_add(&text, ",\"kid\":");
		text_add_string(&text, sealing_key.kid, JWE_MAX_NAME);
		text_add(&text, ",\"public_key\":");
		text_add_string(&text, sealing_key.public_pem, MAX_PEM);
	}
	text_add(&text, "}");
	link_send_text(FRAME_SEALING_KEY, 0, 0, text.bytes, text.len);
	free(text.bytes);
}

static void
release_json(void *object)
{
	json_decref(object);
}

void
keys_prepare(Exchange *x)
{
	x->base_url = "";
	x->settings = service_settings;
	arena_on_destroy(x->arena, release_json, json_incref(service_settings));
	x->secret = NULL;
}

Next
keys_fail_unreadable(Exchange *x)
{
	return exchange_fail(x, FAULT_KEY_UNREADABLE,
						 "the stored key could not be opened");
}

static DataKey *
place_of(const Jwe *jwe)
{
	uint64_t	hash;

	memcpy(&hash, jwe->wrapped, sizeof(hash));
	return &remembered[hash % REMEMBERED_KEYS];
}

/* Data keys, and the tokens that were got with what they opened. */
static void
wipe_old(LoopTimer *timer)
{
	int64_t		now = (int64_t) time(NULL);
	int64_t		token_ends = tokens_wipe_old(now);
	int64_t		next = 0;
	int			i;

	if (token_ends != 0)
		next = loop_now() + (token_ends - now) * 1000;

	for (i = 0; i < REMEMBERED_KEYS; i++)
	{
		DataKey    *key = &remembered[i];

		if (key->until != 0 && key->until <= loop_now())
			OPENSSL_cleanse(key, sizeof(*key));
		else if (key->until != 0 && (next == 0 || key->until < next))
			next = key->until;
	}
	if (next != 0)
		loop_set_timer(timer, next - loop_now());
}

static void
remember(const Jwe *jwe, const uint8_t *cek)
{
	DataKey    *key = place_of(jwe);

	memcpy(key->wrapped, jwe->wrapped, jwe->wrapped_len);
	key->wrapped_len = jwe->wrapped_len;
	memcpy(key->cek, cek, JWE_CEK_SIZE);
	key->until = loop_now() + REMEMBERED_MS;
	if (wipe_timer.place == 0)
	{
		wipe_timer.expired = wipe_old;
		loop_set_timer(&wipe_timer, REMEMBERED_MS);
	}
}

Next
keys_unwrap(Exchange *x, const Jwe *jwe, uint8_t cek[JWE_CEK_SIZE])
{
	const DataKey *key = place_of(jwe);
	Next		next;

	if (key->until > loop_now() && key->wrapped_len == jwe->wrapped_len &&
		memcmp(key->wrapped, jwe->wrapped, jwe->wrapped_len) == 0)
	{
		memcpy(cek, key->cek, JWE_CEK_SIZE);
		return NEXT_DONE;
	}

	if (!is_open && service != NULL && opening.x.arena == NULL &&
		loop_now() - opened_at >= REOPEN_MS)
		open_service();
	if (!is_open)
		return exchange_fail(x, FAULT_KEY_SERVICE_DOWN,
							 "the key service does not answer");

	next = service->unwrap(x, jwe->kid, jwe->wrapped, jwe->wrapped_len, cek);
	if (next == NEXT_DONE)
		remember(jwe, cek);
	else if (next == NEXT_FAIL && x->fault.class != FAULT_KEY_SERVICE_DOWN)
		return keys_fail_unreadable(x);
	return next;
}

void
keys_forget(void)
{
	OPENSSL_cleanse(remembered, sizeof(remembered));
	tokens_forget();
	loop_stop_timer(&wipe_timer);
}
