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
 * The service is opened by an exchange of its own, of which there is one at a
 * time: whoever finds the service closed, or was refused, waits for that one
 * and asks then.  So a service that comes back is not met by as many logins
 * as there are generations, and one that is down is asked by nobody else.
 *
 *-------------------------------------------------------------------------
 */
#include "keys.h"

#include <stdio.h>
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

/* All that it takes to open the service, or to unwrap one key (rule C5). */
#define TOTAL_MS		(10 * 1000)
#define MAX_TRIES		3
#define FIRST_PAUSE_MS	200

/* Between two openings, and between looks at one that runs. */
#define REOPEN_MS		1000
#define REOPEN_DOWN_MS	(10 * 1000)
#define LOOK_MS			20

#define MAX_PEM			(16 * 1024)

/* An operator lists a network or two. */
#define MAX_RANGES		32

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
static AddressRange ranges[MAX_RANGES];
static int	range_count;
static bool is_open;
static bool is_doubtful;		/* it is open, but will be opened again soon */
static int64_t opened_at;		/* or last tried */
static const char *last_warning;	/* each is said once */

static Runner opening;			/* runs while it has an arena */
static int	opening_tries;
static LoopTimer reopen_timer;
static SealingKey sealing_key;

/* What was opened last, also while it is being opened again. */
static char seal_kid[JWE_MAX_NAME + 1];
static char seal_pem[MAX_PEM + 1];

/* What the worker was told last, so that it is told each thing once. */
static char told_kid[JWE_MAX_NAME + 1];
static char told_closed[FAULT_MESSAGE_MAX + 1];
static char told_refused[FAULT_MESSAGE_MAX + 1];

static void read_ranges(const char *list);
static void open_service(void);
static void tell_sealing_key(void);
static void tell_error(char *told, const char *error);

static bool
is_opening(void)
{
	return opening.x.arena != NULL;
}

static void
stop_opening(void)
{
	loop_stop_timer(&reopen_timer);
	if (!is_opening())
		return;
	runner_abort(&opening);
	exchange_clear_reply(&opening.x);
	arena_destroy(opening.x.arena);
	opening.x.arena = NULL;
}

void
keys_configure(const Settings *settings)
{
	const char *name = settings->key_service;
	const char *networks;

	keys_forget();
	told_kid[0] = '\0';
	told_closed[0] = '\0';
	told_refused[0] = '\0';
	json_decref(service_settings);
	service_settings = json_incref(settings->keys);
	networks = json_string_value(json_object_get(service_settings,
												 "key_service_networks"));
	read_ranges(networks != NULL ? networks : "");

	service = keyservice_find(name);
	if (service != NULL)
		open_service();
	else
		tell_error(told_closed, name[0] == '\0' ?
				   "no key service is configured" :
				   "there is no such key service");
}

static void
read_ranges(const char *list)
{
	static char said[FAULT_MESSAGE_MAX + 1];
	char		problem[FAULT_MESSAGE_MAX + 1];

	memset(ranges, 0, sizeof(ranges));
	range_count = address_parse_list(list, ranges, MAX_RANGES, problem,
									 sizeof(problem));
	if (problem[0] != '\0' && strcmp(problem, said) != 0)
		link_log(LEVEL_WARNING, "bambi.key_service_networks%s", problem);
	snprintf(said, sizeof(said), "%s", problem);
}

/* ---- trying again ---- */

/* In [0, 1); only to spread retries, so that no better chance is needed. */
static double
jitter(void)
{
	return (double) (random() & 0xffff) / 0x10000;
}

/*
 * From the beginning, after ms; x->fault if there is not so much time left.
 * It stands too for what wakes up too late.
 */
static Next
pause_for(Runner *runner, long ms)
{
	if (runner->deadline - loop_now() <= ms)
		return NEXT_FAIL;
	runner->x.step = 0;
	runner->x.sleep_ms = (int) ms;
	return NEXT_SLEEP;
}

static Next
try_again(Runner *runner, int *tries)
{
	const Fault *fault = &runner->x.fault;
	long		ms = (long) ((FIRST_PAUSE_MS << *tries) *
							 (0.5 + jitter() / 2));

	if (!fault->may_repeat || ++*tries >= MAX_TRIES)
		return NEXT_FAIL;
	return pause_for(runner, fault->retry_after_ms > ms ?
					 fault->retry_after_ms : ms);
}

/* ---- opening ---- */

static Next
step_open(Runner *runner)
{
	Next		next;

	/* it slept, since the answer to a request finds another step */
	if (runner->x.step == 0 && runner_is_late(runner))
		return NEXT_FAIL;
	next = service->open(&runner->x, &sealing_key);
	return next == NEXT_FAIL ? try_again(runner, &opening_tries) : next;
}

static void
reopen(LoopTimer *timer)
{
	(void) timer;
	if (!is_opening())
		open_service();
}

static void
opened(Runner *runner, Next next)
{
	int64_t		ms = sealing_key.good_for * INT64_C(1000);

	is_open = next == NEXT_DONE;
	if (is_open)
	{
		/* a rotation: what is remembered is of the version before (rule C3) */
		if (strcmp(seal_kid, sealing_key.kid) != 0)
			OPENSSL_cleanse(remembered, sizeof(remembered));
		snprintf(seal_kid, sizeof(seal_kid), "%s", sealing_key.kid);
		snprintf(seal_pem, sizeof(seal_pem), "%s", sealing_key.public_pem);
		if (strcmp(told_kid, sealing_key.kid) != 0 || told_closed[0] != '\0')
			tell_sealing_key();
		if (service->warning != NULL && service->warning != last_warning)
			link_log(LEVEL_LOG, "%s", service->warning);
		last_warning = service->warning;
	}
	else
	{
		tell_error(told_closed, runner->x.fault.message);
		ms = (int64_t) (REOPEN_DOWN_MS * (0.5 + jitter() / 2));
	}
	exchange_clear_reply(&runner->x);
	arena_destroy(runner->x.arena);
	runner->x.arena = NULL;
	if (ms > 0)
		loop_set_timer(&reopen_timer, ms);
}

static void
open_service(void)
{
	loop_stop_timer(&reopen_timer);
	reopen_timer.expired = reopen;
	is_doubtful = false;
	memset(&opening, 0, sizeof(opening));
	memset(&sealing_key, 0, sizeof(sealing_key));
	opening.x.arena = arena_create();
	keys_prepare(&opening);
	opening.step = step_open;
	opening.ended = opened;
	opening_tries = 0;
	opened_at = loop_now();
	runner_start(&opening);
}

/*
 * Not more often than REOPEN_MS, and not while it is being done.  Who was
 * refused by an open service waits for that time; who finds it closed does
 * not, since it was closed a moment ago.
 */
static void
open_service_again(void)
{
	int64_t		early = opened_at + REOPEN_MS - loop_now();

	if (service == NULL || is_opening() || is_doubtful)
		return;
	if (early <= 0)
		open_service();
	else if (is_open)
	{
		is_doubtful = true;
		loop_set_timer(&reopen_timer, early);
	}
}

static void
send_to_worker(const char *kid, const char *error)
{
	Text		text = {NULL, 0, 0};

	text_add(&text, "{\"service\":");
	text_add_string(&text, service != NULL ? service->name : "",
					JWE_MAX_NAME);
	if (error != NULL)
	{
		text_add(&text, ",\"error\":");
		text_add_string(&text, error, FAULT_MESSAGE_MAX);
	}
	else
	{
		text_add(&text, ",\"kid\":");
		text_add_string(&text, kid, JWE_MAX_NAME);
		text_add(&text, ",\"public_key\":");
		text_add_string(&text, sealing_key.public_pem, MAX_PEM);
	}
	text_add(&text, "}");
	link_send_text(FRAME_SEALING_KEY, 0, 0, text.bytes, text.len);
	free(text.bytes);
}

static void
tell_sealing_key(void)
{
	send_to_worker(sealing_key.kid, NULL);
	snprintf(told_kid, sizeof(told_kid), "%s", sealing_key.kid);
	told_closed[0] = '\0';
}

static void
tell_error(char *told, const char *error)
{
	if (strcmp(error, told) == 0)
		return;
	snprintf(told, FAULT_MESSAGE_MAX + 1, "%s", error);
	send_to_worker(NULL, error);
}

static void
release_json(void *object)
{
	json_decref(object);
}

void
keys_prepare(Runner *runner)
{
	Exchange   *x = &runner->x;

	x->base_url = "";
	x->settings = service_settings;
	arena_on_destroy(x->arena, release_json, json_incref(service_settings));
	x->secret = NULL;
	runner->ranges = ranges;
	runner->range_count = range_count;
	runner->deadline = loop_now() + TOTAL_MS;
	runner->is_punctual = true;
}

/* ---- unwrapping ---- */

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

/* Whether the service can be asked now; if not, *next is what to do. */
static bool
may_ask(Runner *runner, int tries, Next *next)
{
	if (runner_is_late(runner))
	{
		*next = NEXT_FAIL;
		return false;
	}
	if (!is_open)
		open_service_again();
	if (is_open && (tries == 0 || (!is_opening() && !is_doubtful)))
		return true;

	exchange_fail(&runner->x, FAULT_KEY_SERVICE_DOWN,
				  "the key service does not answer");
	*next = is_opening() || is_doubtful ? pause_for(runner, LOOK_MS) :
		NEXT_FAIL;
	return false;
}

/* With what was refused last, of which the worker is told. */
static Next
give_up(const Exchange *x)
{
	tell_error(told_refused, x->fault.message);
	return NEXT_FAIL;
}

Next
keys_unwrap(Runner *runner, Unwrapping *unwrapping, const Jwe *jwe, bool is_once,
			uint8_t cek[JWE_CEK_SIZE])
{
	Exchange   *x = &runner->x;
	const DataKey *key = place_of(jwe);
	Next		next;

	/* what another service was asked, this one cannot answer */
	if (x->step != 0 && unwrapping->asked != service)
	{
		x->step = 0;
		keys_prepare(runner);
	}
	if (x->step == 0)
	{
		if (key->until > loop_now() &&
			key->wrapped_len == jwe->wrapped_len &&
			memcmp(key->wrapped, jwe->wrapped, jwe->wrapped_len) == 0)
		{
			memcpy(cek, key->cek, JWE_CEK_SIZE);
			return NEXT_DONE;
		}
		if (unwrapping->tries > 0 && runner_is_late(runner))
			return give_up(x);
		if (!may_ask(runner, unwrapping->tries, &next))
			return next;
		unwrapping->asked = service;
	}

	next = service->unwrap(x, jwe->kid, jwe->wrapped, jwe->wrapped_len, cek);
	if (next == NEXT_DONE)
	{
		if (!is_once)
			remember(jwe, cek);
		told_refused[0] = '\0';
	}
	if (next != NEXT_FAIL)
		return next;
	if (x->fault.class != FAULT_KEY_SERVICE_DOWN)
		return keys_fail_unreadable(x);

	/* it may be that the service is down, or that we have to log in again */
	open_service_again();
	next = try_again(runner, &unwrapping->tries);
	return next == NEXT_FAIL ? give_up(x) : next;
}

/* ---- sealing ---- */

const char *
keys_sealing_kid(void)
{
	return seal_kid;
}

bool
keys_seal(const char *user, const char *provider, const Secret *secret,
		  char out[JWE_MAX_COMPACT + 1])
{
	return seal_kid[0] != '\0' &&
		jwe_seal(seal_pem, seal_kid, user, provider, secret->bytes,
				 secret->len, out, JWE_MAX_COMPACT + 1) == JWE_OK;
}

/* ---- a new version ---- */

static Next
wait_for_opening(Runner *runner)
{
	exchange_fail(&runner->x, FAULT_KEY_SERVICE_DOWN,
				  "the new version was made, but could not be read in time");
	return pause_for(runner, LOOK_MS);
}

Next
keys_rotate(Runner *runner, KeyRotation *rotation)
{
	Exchange   *x = &runner->x;
	Next		next;

	if (rotation->is_made)
	{
		if (is_opening())
			return wait_for_opening(runner);
		return is_open ? NEXT_DONE :
			exchange_fail(x, FAULT_KEY_SERVICE_DOWN, told_closed);
	}
	if (service == NULL)
		return exchange_fail(x, FAULT_KEY_SERVICE_DOWN, told_closed);
	if (service->rotate == NULL)
	{
		rotation->how = service->how_to_rotate;
		return exchange_fail(x, FAULT_KEY_SERVICE_DOWN,
							 "the key service makes no new versions of a key");
	}
	if (x->step == 0 && !may_ask(runner, 0, &next))
		return next;

	/* never repeated here: each request makes a version */
	next = service->rotate(x);
	if (next != NEXT_DONE)
		return next;
	rotation->is_made = true;
	stop_opening();				/* it may have seen the version before */
	open_service();
	return wait_for_opening(runner);
}

void
keys_forget(void)
{
	stop_opening();
	seal_kid[0] = '\0';
	is_open = false;
	is_doubtful = false;
	if (service != NULL && service->forget != NULL)
		service->forget();
	OPENSSL_cleanse(remembered, sizeof(remembered));
	tokens_forget();
	loop_stop_timer(&wipe_timer);
}
