/*-------------------------------------------------------------------------
 *
 * job_ask.c
 *		A job's dealings with the world before its pictures are there: what it
 *		edits, the provider, and pictures of which the answer gave only
 *		addresses.
 *
 *-------------------------------------------------------------------------
 */
#include "work.h"

#include <stdlib.h>
#include <string.h>

#include "../protocol/picture.h"
#include "body.h"
#include "link.h"
#include "stores.h"

static void ask(Work *work);
static void fetch_next(Work *work);

/* ---- what is edited ---- */

/* Looks at the next one; false if it is no picture, or out of its place. */
static bool
add_input(Work *work, const JobInput *from)
{
	Generation *g = &work->generation;
	PictureFacts facts;
	Input	   *to;

	if (picture_sniff(from->picture.bytes, from->picture.len,
					  &facts) != PICTURE_OK)
		return false;
	if (from->position == 0)
		g->mask = to = &work->mask;
	else if (from->position == g->input_count + 1 &&
			 g->input_count < MAX_INPUTS)
		to = &work->inputs[g->input_count++];
	else
		return false;
	to->bytes = from->picture.bytes;
	to->len = from->picture.len;
	to->format = facts.format;
	to->width = facts.width;
	to->height = facts.height;
	return true;
}

static int
compare_inputs(const void *a, const void *b)
{
	return ((const JobInput *) a)->position - ((const JobInput *) b)->position;
}

static void
use_inputs(Work *work)
{
	Job		   *job = work->job;

	work->generation.inputs = work->inputs;
	qsort(job->inputs, (size_t) job->input_count, sizeof(JobInput),
		  compare_inputs);
	for (int i = 0; i < job->input_count; i++)
	{
		if (!add_input(work, &job->inputs[i]))
		{
			work_fail(work, FAULT_INTERNAL,
					  "the pictures to edit could not be read");
			return;
		}
	}
	ask(work);
}

static Next
step_get(Runner *runner)
{
	Work	   *work = runner->owner;
	Job		   *job = work->job;
	const StoredInput *wanted = &work->order.stored_inputs[work->gotten];

	return wanted->store->get(&runner->x, wanted->location,
							  &job->inputs[job->input_count].picture);
}

static void
get_ended(Runner *runner, Next next)
{
	Work	   *work = runner->owner;
	Job		   *job = work->job;

	exchange_clear_reply(&runner->x);
	if (next != NEXT_DONE)
	{
		work_finish(work, &runner->x.fault);
		return;
	}
	job->inputs[job->input_count++].position =
		work->order.stored_inputs[work->gotten++].position;
	work_ask(work);
}

/* Those that the worker has not brought, because a store keeps them. */
void
work_ask(Work *work)
{
	Runner	   *runner = &work->runner;
	const Order *order = &work->order;
	const StoreAdapter *store;
	const char *problem;

	if (work->gotten == order->stored_input_count)
	{
		use_inputs(work);
		return;
	}
	if (work->job->input_count == MAX_INPUTS + 1)
	{
		work_fail(work, FAULT_INTERNAL, "there are too many pictures to edit");
		return;
	}
	store = order->stored_inputs[work->gotten].store;
	problem = stores_problem(store);
	if (problem != NULL)
	{
		work_fail(work, FAULT_STORE_DOWN, problem);
		return;
	}
	stores_prepare(store, &runner->x);
	runner->ranges = stores_ranges(&runner->range_count);
	runner->deadline = loop_now() + STORE_TIMEOUT_MS;
	runner->step = step_get;
	runner->ended = get_ended;
	runner_start(runner);
}

/* ---- the provider ---- */

/* Those that are here wait for the others. */
static void
count_pictures(Work *work)
{
	size_t		held = 0;

	for (int i = 0; i < work->outcome.picture_count; i++)
		held += work->outcome.pictures[i].picture.len;
	budget_grow(&work->share, held);
}

static Next
step_ask(Runner *runner)
{
	Work	   *work = runner->owner;
	Next		next = work->order.adapter->generate(&runner->x,
													 &work->generation,
													 &work->outcome);

	count_pictures(work);
	return next;
}

/* An event of a streamed answer: true if it only says how far it is. */
static bool
take_event(void *owner, const char *text, size_t len, Picture *picture)
{
	Work	   *work = owner;
	const ProviderAdapter *adapter = work->order.adapter;
	PictureFacts facts;
	json_t	   *event;
	int			percent = -1;

	if (adapter->progress == NULL || !body_depth_is_fine(text, len))
		return false;
	event = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	if (event != NULL)
		percent = adapter->progress(event, &work->generation);
	json_decref(event);
	if (percent < 0)
		return false;

	if (picture != NULL &&
		(picture->is_broken ||
		 picture_sniff(picture->bytes, picture->len, &facts) != PICTURE_OK))
		picture = NULL;
	link_send_progress(work->job->tag, (uint32_t) percent, picture);
	return true;
}

static void
ask_ended(Runner *runner, Next next)
{
	Work	   *work = runner->owner;

	work->wrote = runner_wrote(runner);
	if (next == NEXT_FAIL && runner_is_unanswered(runner))
	{
		/* sent and unanswered, whatever the adapter makes of it */
		runner->x.fault.may_have_cost = true;
		runner->x.fault.charged = CHARGED_UNKNOWN;
	}
	exchange_clear_reply(&runner->x);
	if (next == NEXT_DONE)
		fetch_next(work);
	else
		work_finish(work, &runner->x.fault);
}

static void
ask(Work *work)
{
	Runner	   *runner = &work->runner;
	Order	   *order = &work->order;

	work->generation.model = order->model;
	work->generation.prompt = order->prompt;
	work->generation.parameters = order->parameters;
	work->generation.client_request_id =
		arena_printf(work->arena, "%s.%u", work->job->id_text,
					 (unsigned) work->job->attempt);

	runner->x.base_url = order->base_url;
	runner->x.settings = order->settings;
	runner->x.operator_settings = order->operator_settings;
	runner->x.secret = work->secret;
	runner->x.take_event = take_event;
	runner->x.event_owner = work;
	runner->ranges = order->ranges;
	runner->range_count = order->range_count;
	runner->share = &work->share;
	runner->request_ms = work->settings->call_timeout_ms;
	runner->deadline = loop_now() + runner->request_ms;
	runner->step = step_ask;
	runner->ended = ask_ended;
	runner_start(runner);
}

/* ---- pictures that came as addresses ---- */

static Next
step_fetch(Runner *runner)
{
	Work	   *work = runner->owner;

	Next		next = fetch_step(&runner->x, &work->fetch,
								  &work->outcome.pictures[work->fetched].picture);

	count_pictures(work);
	return next;
}

/*
 * One that cannot be had is no reason to throw away the others.  It is among
 * the outcome's pictures, and so among those that are billed.
 */
static void
fetch_ended(Runner *runner, Next next)
{
	Work	   *work = runner->owner;

	exchange_clear_reply(&runner->x);
	if (next != NEXT_DONE)
	{
		work->unfetched = runner->x.fault.class;
		work->outcome.note = arena_strdup(work->arena,
										  runner->x.fault.message);
	}
	work->fetched++;
	fetch_next(work);
}

static void
fetch_next(Work *work)
{
	Runner	   *runner = &work->runner;
	const Order *order = &work->order;
	OutcomePicture *wanted = work->outcome.pictures;
	Fetch	   *fetch = &work->fetch;

	while (work->fetched < work->outcome.picture_count &&
		   (wanted[work->fetched].url == NULL ||
			wanted[work->fetched].picture.bytes != NULL))
		work->fetched++;
	if (work->fetched == work->outcome.picture_count)
	{
		work_keep_pictures(work);
		return;
	}
	memset(fetch, 0, sizeof(*fetch));
	fetch->url = wanted[work->fetched].url;
	fetch->base_url = order->base_url;
	fetch->hosts = order->adapter->image_hosts;
	fetch->more_hosts = json_object_get(order->operator_settings,
										"image_hosts");
	runner->x.secret = NULL;
	runner->deadline = loop_now() + work->settings->call_timeout_ms;
	runner->step = step_fetch;
	runner->ended = fetch_ended;
	runner_start(runner);
}
