/*-------------------------------------------------------------------------
 *
 * errands.c
 *		What the worker wants done besides generations.
 *
 *-------------------------------------------------------------------------
 */
#include "errands.h"

#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "loop.h"
#include "point.h"
#include "runner.h"
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

/* What is wrong with it, or NULL. */
static const char *
read_errand(Errand *errand, const char *json, size_t len)
{
	json_t	   *object = json_loadb(json, len, 0, NULL);
	const char *kind;
	const char *store;

	if (object == NULL)
		return "the errand could not be read";
	arena_on_destroy(errand->arena, release_json, object);
	kind = json_string_value(json_object_get(object, "kind"));
	store = json_string_value(json_object_get(object, "store"));
	errand->location = json_string_value(json_object_get(object, "location"));
	errand->deleted_at_us =
		json_integer_value(json_object_get(object, "deleted_at_us"));
	errand->expires = json_integer_value(json_object_get(object, "expires"));
	if (kind == NULL || store == NULL || errand->location == NULL ||
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

void
errands_receive(const FrameHead *head, const char *json)
{
	Arena	   *arena = arena_create();
	Errand	   *errand = arena_alloc(arena, sizeof(Errand));
	Runner	   *runner = &errand->runner;
	const char *problem;

	errand->tag = head->tag;
	errand->arena = arena;
	errand->next = first;
	if (first != NULL)
		first->previous = errand;
	first = errand;
	POINT("errand-received");

	problem = read_errand(errand, json, head->json_len);
	if (problem != NULL)
	{
		answer(errand, problem);
		leave(errand);
		return;
	}
	runner->owner = errand;
	runner->ended = ended;
	runner->x.arena = arena;
	stores_prepare(errand->store, &runner->x);
	runner->ranges = stores_ranges(&runner->range_count);
	runner->deadline = loop_now() + TIMEOUT_MS;
	runner_start(runner);
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
}
