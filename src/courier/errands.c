/*-------------------------------------------------------------------------
 *
 * errands.c
 *		What the worker wants done besides generations.
 *
 *-------------------------------------------------------------------------
 */
#include "errands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "archive.h"
#include "keys.h"
#include "link.h"
#include "loop.h"
#include "order.h"
#include "point.h"
#include "redis.h"
#include "runner.h"
#include "sealed_key.h"
#include "stores.h"
#include "text.h"

#define TIMEOUT_MS		(30 * 1000)

#define MAX_ANSWER_URL	8192

typedef struct Errand
{
	uint64_t	tag;
	Arena	   *arena;
	Runner		runner;
	const StoreAdapter *store;
	const char *location;
	int64_t		deleted_at_us;
	int64_t		expires;
	char	   *url;
	Order		order;			/* of a key that is checked: its provider */
	SealedKey	sealed_key;
	const char *user;			/* of a key that is sealed anew */
	const char *provider;
	const char *kid;			/* to which master key */
	Secret	   *secret;
	char	   *sealed;			/* the new one */
	KeyRotation rotation;
	struct Errand *previous;
	struct Errand *next;
} Errand;

/* All that run. */
static Errand *first;

static void
release_json(void *object)
{
	json_decref(object);
}

static void
leave(Errand *errand)
{
	if (errand->previous != NULL)
		errand->previous->next = errand->next;
	else
		first = errand->next;
	if (errand->next != NULL)
		errand->next->previous = errand->previous;
	sealed_key_close(&errand->sealed_key);
	arena_destroy(errand->arena);
}

static void
answer(const Errand *errand, const char *error)
{
	Text		text = {NULL, 0, 0};

	if (error != NULL)
	{
		text_add(&text, "{\"error\":");
		text_add_string(&text, error, FAULT_MESSAGE_MAX);
	}
	else
	{
		text_add(&text, "{\"url\":");
		text_add_string(&text, errand->url, MAX_ANSWER_URL);
	}
	text_add(&text, "}");
	link_send_text(FRAME_ERRAND_DONE, errand->tag, error == NULL, text.bytes,
				   text.len);
	free(text.bytes);
}

static Next
step_erase(Runner *runner)
{
	Errand	   *errand = runner->owner;

	return errand->store->erase(&runner->x, errand->location,
								errand->deleted_at_us);
}

static Next
step_link(Runner *runner)
{
	Errand	   *errand = runner->owner;

	return errand->store->link(&runner->x, errand->location, errand->expires,
							   &errand->url);
}

static void
ended(Runner *runner, Next next)
{
	Errand	   *errand = runner->owner;

	POINT("errand-ended");
	answer(errand, next == NEXT_DONE ? NULL : runner->x.fault.message);
	exchange_clear_reply(&runner->x);
	leave(errand);
}

/* ---- keys ---- */

/* What a key's check says, or NULL if it may say something another time. */
static const char *
state_of(const Fault *fault)
{
	switch (fault->class)
	{
		case FAULT_NONE:
			return "valid";
		case FAULT_INVALID_KEY:
			return "rejected";
		case FAULT_QUOTA_EXHAUSTED:
			return "failing";
		case FAULT_RATE_LIMITED:
		case FAULT_PROVIDER_UNAVAILABLE:
		case FAULT_TIMEOUT:
		case FAULT_KEY_SERVICE_DOWN:
		case FAULT_CANCELLED:
			return NULL;
		default:
			return "unknown";
	}
}

static void
answer_key(const Errand *errand, const Fault *fault)
{
	const char *state = state_of(fault);
	Text		text = {NULL, 0, 0};

	if (state == NULL)
	{
		answer(errand, fault->message);
		return;
	}
	text_add(&text, "{\"state\":");
	text_add_string(&text, state, FAULT_MESSAGE_MAX);
	text_add(&text, ",\"message\":");
	text_add_string(&text, fault->class == FAULT_NONE ? NULL : fault->message,
					FAULT_MESSAGE_MAX);
	text_add(&text, "}");
	link_send_text(FRAME_ERRAND_DONE, errand->tag, true, text.bytes, text.len);
	free(text.bytes);
}

static Next
step_validate(Runner *runner)
{
	Errand	   *errand = runner->owner;

	return errand->order.adapter->validate(&runner->x, errand->order.model);
}

static void
validated(Runner *runner, Next next)
{
	Fault		nothing = {.class = FAULT_NONE};
	Errand	   *errand = runner->owner;

	POINT("errand-ended");
	answer_key(errand, next == NEXT_DONE ? &nothing : &runner->x.fault);
	exchange_clear_reply(&runner->x);
	leave(errand);
}

static void
key_opened(Runner *runner, Secret *secret)
{
	Errand	   *errand = runner->owner;
	const Order *order = &errand->order;

	if (secret == NULL)
	{
		validated(runner, NEXT_FAIL);
		return;
	}
	runner->x.base_url = order->base_url;
	runner->x.settings = order->settings;
	runner->x.operator_settings = order->operator_settings;
	runner->x.secret = secret;
	runner->ranges = order->ranges;
	runner->range_count = order->range_count;
	runner->deadline = loop_now() + TIMEOUT_MS;
	runner->step = step_validate;
	runner->ended = validated;
	runner_start(runner);
}

static void
begin_validation(Errand *errand, const json_t *object, const char *key,
				 size_t key_len)
{
	Runner	   *runner = &errand->runner;
	Order	   *order = &errand->order;

	runner->owner = errand;
	runner->x.arena = errand->arena;
	runner->deadline = loop_now() + TIMEOUT_MS;
	if (!order_read_provider(order, errand->arena, object))
		exchange_fail(&runner->x, FAULT_INTERNAL,
					  "the errand could not be read");
	else if (order->adapter->validate == NULL)
		exchange_fail(&runner->x, FAULT_UNKNOWN,
					  "keys of this provider cannot be checked");
	else
	{
		sealed_key_open(&errand->sealed_key, runner, key, key_len,
						order->user, order->provider, key_opened);
		return;
	}
	validated(runner, NEXT_FAIL);
}

/* ---- sealing anew ---- */

/* The master key of which it is proved that what is sealed to it opens. */
static char proved_kid[JWE_MAX_NAME + 1];

static void
answer_resealed(const Errand *errand)
{
	Text		text = {NULL, 0, 0};

	text_add(&text, "{\"key\":");
	text_add_string(&text, errand->sealed, JWE_MAX_COMPACT);
	text_add(&text, "}");
	link_send_text(FRAME_ERRAND_DONE, errand->tag, true, text.bytes, text.len);
	free(text.bytes);
}

/* One that does not open will not later either; the worker notes it. */
static void
answer_not_resealed(const Errand *errand, const Fault *fault)
{
	Text		text = {NULL, 0, 0};

	text_add(&text, "{\"error\":");
	text_add_string(&text, fault->message, FAULT_MESSAGE_MAX);
	if (fault->class == FAULT_KEY_UNREADABLE)
		text_add(&text, ",\"is_unreadable\":true");
	text_add(&text, "}");
	link_send_text(FRAME_ERRAND_DONE, errand->tag, false, text.bytes,
				   text.len);
	free(text.bytes);
}

static void
resealing_ended(Errand *errand, bool is_done)
{
	POINT("reseal-ended");
	if (is_done)
		answer_resealed(errand);
	else
		answer_not_resealed(errand, &errand->runner.x.fault);
	exchange_clear_reply(&errand->runner.x);
	leave(errand);
}

/* What was sealed anew opens, or does not. */
static void
proof_opened(Runner *runner, Secret *secret)
{
	Errand	   *errand = runner->owner;
	const Secret *wanted = errand->secret;
	bool		is_same = secret != NULL && secret->len == wanted->len &&
	CRYPTO_memcmp(secret->bytes, wanted->bytes, wanted->len) == 0;

	if (is_same)
		snprintf(proved_kid, sizeof(proved_kid), "%s", errand->kid);
	else if (secret != NULL || runner->x.fault.class == FAULT_KEY_UNREADABLE)
		/* the old one is good: it is the new one that must not replace it */
		exchange_fail(&runner->x, FAULT_KEY_SERVICE_DOWN,
					  "what is sealed to the new master key does not open");
	resealing_ended(errand, is_same);
}

static void
reseal_opened(Runner *runner, Secret *secret)
{
	Errand	   *errand = runner->owner;

	if (secret == NULL)
	{
		resealing_ended(errand, false);
		return;
	}
	errand->secret = secret;
	errand->sealed = arena_alloc(errand->arena, JWE_MAX_COMPACT + 1);
	if (strcmp(errand->kid, keys_sealing_kid()) != 0 ||
		!keys_seal(errand->user, errand->provider, secret, errand->sealed))
	{
		exchange_fail(&runner->x, FAULT_KEY_SERVICE_DOWN,
					  "another master key is sealed to now");
		resealing_ended(errand, false);
	}
	else if (strcmp(proved_kid, errand->kid) == 0)
		resealing_ended(errand, true);
	else
		sealed_key_open(&errand->sealed_key, runner, errand->sealed,
						strlen(errand->sealed), errand->user,
						errand->provider, proof_opened);
}

static void
begin_resealing(Errand *errand, const json_t *object, const char *key,
				size_t key_len)
{
	Runner	   *runner = &errand->runner;

	runner->owner = errand;
	runner->x.arena = errand->arena;
	runner->deadline = loop_now() + TIMEOUT_MS;
	errand->user = json_string_value(json_object_get(object, "user"));
	errand->provider = json_string_value(json_object_get(object, "provider"));
	errand->kid = json_string_value(json_object_get(object, "kid"));
	errand->sealed_key.is_once = true;
	if (errand->user != NULL && errand->provider != NULL &&
		errand->kid != NULL)
	{
		sealed_key_open(&errand->sealed_key, runner, key, key_len,
						errand->user, errand->provider, reseal_opened);
		return;
	}
	exchange_fail(&runner->x, FAULT_INTERNAL, "the errand could not be read");
	resealing_ended(errand, false);
}

/* ---- a new master key ---- */

static Next
step_rotate(Runner *runner)
{
	Errand	   *errand = runner->owner;

	return keys_rotate(runner, &errand->rotation);
}

static void
rotated(Runner *runner, Next next)
{
	Errand	   *errand = runner->owner;
	bool		is_done = next == NEXT_DONE;
	Text		text = {NULL, 0, 0};

	POINT("errand-ended");
	text_add(&text, is_done ? "{\"kid\":" : "{\"error\":");
	text_add_string(&text, is_done ? keys_sealing_kid() :
					runner->x.fault.message, FAULT_MESSAGE_MAX);
	if (errand->rotation.how != NULL)
	{
		text_add(&text, ",\"how\":");
		text_add_string(&text, errand->rotation.how, FAULT_MESSAGE_MAX);
	}
	text_add(&text, "}");
	link_send_text(FRAME_ERRAND_DONE, errand->tag, is_done, text.bytes,
				   text.len);
	free(text.bytes);
	exchange_clear_reply(&runner->x);
	leave(errand);
}

static void
begin_rotation(Errand *errand)
{
	Runner	   *runner = &errand->runner;

	runner->owner = errand;
	runner->x.arena = errand->arena;
	keys_prepare(runner);
	runner->deadline = loop_now() + TIMEOUT_MS; /* large keys take seconds */
	runner->step = step_rotate;
	runner->ended = rotated;
	runner_start(runner);
}

/* ---- stores ---- */

/* What is wrong with it, or NULL. */
static const char *
read_errand(Errand *errand, const char *kind, const json_t *object)
{
	const char *store;

	store = json_string_value(json_object_get(object, "store"));
	errand->location = json_string_value(json_object_get(object, "location"));
	errand->deleted_at_us =
		json_integer_value(json_object_get(object, "deleted_at_us"));
	errand->expires = json_integer_value(json_object_get(object, "expires"));
	if (store == NULL || errand->location == NULL ||
		(errand->store = store_find(store)) == NULL)
		return "the errand could not be read";

	if (strcmp(kind, "erase") == 0 && errand->store->erase != NULL)
		errand->runner.step = step_erase;
	else if (strcmp(kind, "link") == 0 && errand->store->link != NULL)
		errand->runner.step = step_link;
	else
		return "the store cannot do that";
	return stores_problem(errand->store);
}

static void
begin_with_store(Errand *errand, const char *kind, const json_t *object)
{
	Runner	   *runner = &errand->runner;
	const char *problem = read_errand(errand, kind, object);

	if (problem != NULL)
	{
		answer(errand, problem);
		leave(errand);
		return;
	}
	runner->owner = errand;
	runner->ended = ended;
	runner->x.arena = errand->arena;
	stores_prepare(errand->store, &runner->x);
	runner->ranges = stores_ranges(&runner->range_count);
	runner->deadline = loop_now() + TIMEOUT_MS;
	runner_start(runner);
}

/* ---- all ---- */

void
errands_receive(const FrameHead *head, const char *key, const char *json,
				const uint8_t *picture)
{
	Arena	   *arena = arena_create();
	Errand	   *errand = arena_alloc(arena, sizeof(Errand));
	json_t	   *object = json_loadb(json, head->json_len, 0, NULL);
	const char *kind = json_string_value(json_object_get(object, "kind"));

	errand->tag = head->tag;
	errand->arena = arena;
	errand->next = first;
	if (first != NULL)
		first->previous = errand;
	first = errand;
	POINT("errand-received");

	if (object != NULL)
		arena_on_destroy(arena, release_json, object);
	if (kind == NULL)
	{
		answer(errand, "the errand could not be read");
		leave(errand);
	}
	else if (strcmp(kind, "validate") == 0)
		begin_validation(errand, object, key, head->key_len);
	else if (strcmp(kind, "reseal") == 0)
		begin_resealing(errand, object, key, head->key_len);
	else if (strcmp(kind, "rotate") == 0)
		begin_rotation(errand);
	else if (redis_is_meant(kind))
	{
		redis_receive(head->tag, object);
		leave(errand);
	}
	else if (archive_is_meant(kind))
	{
		archive_receive(head->tag, object, picture, head->picture_len);
		leave(errand);
	}
	else
		begin_with_store(errand, kind, object);
}

void
errands_stop(void)
{
	while (first != NULL)
	{
		runner_abort(&first->runner);
		exchange_clear_reply(&first->runner.x);
		leave(first);
	}
	archive_stop();
	redis_stop();
}
