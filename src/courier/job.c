/*-------------------------------------------------------------------------
 *
 * job.c
 *		One generation: open the key, ask the provider, read the pictures,
 *		store them, report.
 *
 * A job goes through several exchanges, one after the other: with the key
 * service; with the stores of what it edits; with the provider; with whoever
 * has the pictures of which the answer gave only addresses; and, once for each
 * picture, with the store.  Wherever it ends, it ends with exactly one answer,
 * and the decision which one is made in one place: what may have cost money
 * and brought no picture is uncertain, whatever else is known (rules D5 and
 * D7).
 *
 * Once there are pictures the job can only succeed.  A store that is down is
 * waited for; where that may not be, they go into the database.
 *
 *-------------------------------------------------------------------------
 */
#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "body.h"
#include "fetch.h"
#include "keys.h"
#include "link.h"
#include "order.h"
#include "../protocol/picture.h"
#include "point.h"
#include "retry.h"
#include "runner.h"
#include "spool.h"
#include "stores.h"

/* When a job that was not begun may come again. */
#define POSTPONED_MS	1000

/* Each attempt to put a picture into its store, or to get one from there. */
#define STORE_TIMEOUT_MS	(120 * 1000)

/* Between attempts to put a picture; it doubles from the first on. */
#define FIRST_PUT_DELAY_MS	500
#define LONGEST_PUT_DELAY_MS	(30 * 1000)

/* What has bytes and goes with the answer, whatever store it was meant for. */
#define FALLBACK_STORE	"database"

struct Work
{
	Job		   *job;
	const Settings *settings;
	Arena	   *arena;
	Runner		runner;
	Order		order;
	Generation	generation;
	Outcome		outcome;
	Jwe		   *jwe;			/* malloc'ed; until the key is open */
	uint8_t		cek[JWE_CEK_SIZE];
	Secret	   *secret;
	int64_t		begun_at;
	bool		wrote;			/* to the provider, a byte that may cost */

	Input		inputs[MAX_INPUTS];
	Input		mask;
	int			gotten;			/* of order.stored_inputs */

	int			fetched;		/* pictures looked at that came as addresses */
	Fetch		fetch;

	AnswerPicture pictures[MAX_PICTURES];
	int			picture_count;
	int			stored;			/* how many of them */
	int			put_failures;	/* in a row */
	LoopTimer	put_timer;		/* runs between two attempts */
	Share		share;			/* of the byte budget, for what waits */
};

/*
 * Kept from one job to the next: it is large, and a key service that answers
 * at once needs one only.
 */
static Jwe *spare_jwe;

/* Set when there is no time to wait for a store any more. */
static bool nothing_is_put_off;

static void open_key(Work *work);
static void put_back_jwe(Work *work);
static void bring_inputs(Work *work);
static void ask(Work *work);
static void fetch_next(Work *work);
static void read_pictures(Work *work);
static void store_next(Work *work);
static void succeed(Work *work);
static void fail(Work *work, FaultClass class, const char *message);
static void finish(Work *work, const Fault *fault);
static void answer(Job *job, FrameResult result, const Fault *fault,
				   long retry_after_ms);

Job *
job_create(const FrameHead *head, void (*answered) (Job *job))
{
	static const char digits[] = "0123456789abcdef";
	Job		   *job = calloc(1, sizeof(Job));
	char	   *text;
	int			i;

	if (job == NULL)
		abort();
	job->tag = head->tag;
	job->attempt = head->attempt;
	memcpy(job->id, head->id, sizeof(job->id));
	text = job->id_text;
	for (i = 0; i < 16; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		*text++ = digits[job->id[i] >> 4];
		*text++ = digits[job->id[i] & 15];
	}
	job->answered = answered;
	return job;
}

bool
job_add_input(Job *job, const FrameHead *head, const uint8_t *bytes)
{
	JobInput   *input = &job->inputs[job->input_count];

	if (job->input_count == MAX_INPUTS + 1)
		return false;
	input->position = (int) head->status;
	input->picture.len = head->picture_len;
	input->picture.bytes = malloc(head->picture_len + 1);
	if (input->picture.bytes == NULL)
		abort();
	memcpy(input->picture.bytes, bytes, head->picture_len);
	job->input_count++;
	return true;
}

void
job_take_order(Job *job, const FrameHead *head, const char *key,
			   const char *json)
{
	job->key = malloc((size_t) head->key_len + head->json_len + 1);
	if (job->key == NULL)
		abort();
	job->key_len = head->key_len;
	job->json = job->key + head->key_len;
	job->json_len = head->json_len;
	memcpy(job->key, key, job->key_len);
	memcpy(job->json, json, job->json_len);
	job->state = JOB_WAITING;
}

void
job_begin(Job *job, const Settings *settings)
{
	Arena	   *arena = arena_create();
	Work	   *work = arena_alloc(arena, sizeof(Work));
	Usage		nothing = {-1, -1, -1, -1, -1, -1, -1};
	const char *problem;

	work->job = job;
	work->settings = settings;
	work->arena = arena;
	work->begun_at = loop_now();
	work->outcome.usage = nothing;
	work->outcome.cost_ticks = -1;
	work->runner.owner = work;
	work->runner.deadline = work->begun_at + settings->call_timeout_ms;
	work->runner.x.arena = arena;
	job->work = work;
	job->state = JOB_RUNNING;
	job->has_begun = true;

	if (!order_read(&work->order, arena, job->json, job->json_len))
		fail(work, FAULT_INTERNAL, "the job could not be read");
	else if ((problem = stores_problem(work->order.store)) != NULL)
		fail(work, FAULT_STORE_DOWN, problem);
	else if (job->key_len > 0)
		open_key(work);
	else if (work->order.adapter->needs_key)
		fail(work, FAULT_KEY_REMOVED, "the key of this generation is gone");
	else
		bring_inputs(work);
}

/* ---- the key ---- */

static void
put_back_jwe(Work *work)
{
	if (spare_jwe == NULL)
		spare_jwe = work->jwe;
	else
		free(work->jwe);
	work->jwe = NULL;
}

static Next
step_key(Runner *runner)
{
	Work	   *work = runner->owner;

	return keys_unwrap(&runner->x, work->jwe, work->cek);
}

static void
key_ended(Runner *runner, Next next)
{
	Work	   *work = runner->owner;
	uint8_t		plain[JWE_MAX_PLAINTEXT + 1];
	size_t		plain_len = 0;

	if (next == NEXT_DONE)
	{
		if (jwe_open(work->jwe, work->cek, plain, &plain_len) == JWE_OK &&
			plain_len > 0)
			work->secret = secret_create(work->arena, plain, plain_len);
		else
			keys_fail_unreadable(&runner->x);
		OPENSSL_cleanse(plain, plain_len);
	}
	OPENSSL_cleanse(work->cek, sizeof(work->cek));
	put_back_jwe(work);
	exchange_clear_reply(&runner->x);
	if (work->secret == NULL)
	{
		finish(work, &runner->x.fault);
		return;
	}
	POINT("key-opened");
	bring_inputs(work);
}

/* Only a key that was sealed for this user and this provider is opened. */
static void
open_key(Work *work)
{
	Runner	   *runner = &work->runner;

	work->jwe = spare_jwe != NULL ? spare_jwe : malloc(sizeof(Jwe));
	if (work->jwe == NULL)
		abort();
	spare_jwe = NULL;
	if (jwe_parse(work->job->key, work->job->key_len, work->jwe) != JWE_OK ||
		strcmp(work->jwe->sub, work->order.user) != 0 ||
		strcmp(work->jwe->prv, work->order.provider) != 0)
	{
		keys_fail_unreadable(&runner->x);
		finish(work, &runner->x.fault);
		return;
	}
	keys_prepare(&runner->x);
	runner->step = step_key;
	runner->ended = key_ended;
	runner_start(runner);
}

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
			fail(work, FAULT_INTERNAL,
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
		finish(work, &runner->x.fault);
		return;
	}
	job->inputs[job->input_count++].position =
		work->order.stored_inputs[work->gotten++].position;
	bring_inputs(work);
}

/* Those that the worker has not brought, because a store keeps them. */
static void
bring_inputs(Work *work)
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
		fail(work, FAULT_INTERNAL, "there are too many pictures to edit");
		return;
	}
	store = order->stored_inputs[work->gotten].store;
	problem = stores_problem(store);
	if (problem != NULL)
	{
		fail(work, FAULT_STORE_DOWN, problem);
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

static Next
step_ask(Runner *runner)
{
	Work	   *work = runner->owner;

	return work->order.adapter->generate(&runner->x, &work->generation,
										 &work->outcome);
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
		finish(work, &runner->x.fault);
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

	return fetch_step(&runner->x, &work->fetch,
					  &work->outcome.pictures[work->fetched].picture);
}

/* One that cannot be had is no reason to throw away the others. */
static void
fetch_ended(Runner *runner, Next next)
{
	Work	   *work = runner->owner;

	exchange_clear_reply(&runner->x);
	if (next != NEXT_DONE)
	{
		work->outcome.note = arena_strdup(work->arena,
										  runner->x.fault.message);
		work->outcome.missing_billed++;
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
		read_pictures(work);
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

/* ---- the pictures ---- */

static bool
hash_picture(const Picture *picture, char hex[65])
{
	static const EVP_MD *sha256;
	static EVP_MD_CTX *context;
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[32];
	int			i;

	/* fetched once: finding it costs more than hashing a small picture */
	if (context == NULL)
	{
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
		context = EVP_MD_CTX_new();
	}
	if (EVP_DigestInit_ex(context, sha256, NULL) != 1 ||
		EVP_DigestUpdate(context, picture->bytes, picture->len) != 1 ||
		EVP_DigestFinal_ex(context, hash, NULL) != 1)
		return false;
	for (i = 0; i < 32; i++)
	{
		hex[2 * i] = digits[hash[i] >> 4];
		hex[2 * i + 1] = digits[hash[i] & 15];
	}
	hex[64] = '\0';
	return true;
}

/*
 * Keeps those that are pictures.  One bad among several is no reason to
 * throw away what was paid for.
 */
static void
read_pictures(Work *work)
{
	int			i;

	for (i = 0; i < work->outcome.picture_count; i++)
	{
		OutcomePicture *from = &work->outcome.pictures[i];
		AnswerPicture *to = &work->pictures[work->picture_count];
		PictureFacts facts;

		if (from->picture.bytes != NULL && !from->picture.is_broken &&
			from->picture.len <= FRAME_MAX_PICTURE &&
			picture_sniff(from->picture.bytes, from->picture.len,
						  &facts) == PICTURE_OK &&
			hash_picture(&from->picture, to->sha256))
		{
			to->picture = from->picture;
			to->format = facts.format;
			to->width = facts.width;
			to->height = facts.height;
			to->revised_prompt = from->revised_prompt;
			to->store = work->order.store->name;
			to->is_sent = work->order.store->sends_bytes;
			work->picture_count++;
		}
		else
			free(from->picture.bytes);
		from->picture.bytes = NULL;
	}
	if (work->picture_count == 0)
	{
		exchange_fail(&work->runner.x, FAULT_UNKNOWN,
					  work->outcome.note != NULL ? work->outcome.note :
					  "the provider's answer holds no usable picture");
		work->runner.x.fault.charged = work->wrote ? CHARGED_UNKNOWN :
			CHARGED_NO;
		finish(work, &work->runner.x.fault);
		return;
	}
	store_next(work);
}

/* ---- the store ---- */

static Next
step_store(Runner *runner)
{
	Work	   *work = runner->owner;
	AnswerPicture *picture = &work->pictures[work->stored];
	StoredImage image = {
		.user = work->order.user,
		.generation = work->job->id_text,
		.position = work->stored + 1,
		.format = picture->format,
		.sha256 = picture->sha256,
		.picture = &picture->picture,
	};
	char	   *location = NULL;
	Next		next = work->order.store->put(&runner->x, &image, &location);

	picture->location = location;
	return next;
}

/*
 * From the one that is due on, they go with the answer instead: the worker
 * puts them into the database, and nothing is lost.
 */
static void
keep_in_database(Work *work, AnswerPicture *pictures)
{
	for (int i = work->stored; i < work->picture_count; i++)
	{
		pictures[i].store = FALLBACK_STORE;
		pictures[i].location = NULL;
		pictures[i].is_sent = true;
	}
}

static AnswerFacts
facts_of(Job *job, FrameResult result, const Fault *fault)
{
	AnswerFacts facts = {
		.tag = job->tag,
		.attempt = job->attempt,
		.result = result,
		.fault = fault,
		.cost_ticks = -1,
	};
	Work	   *work = job->work;

	memcpy(facts.id, job->id, sizeof(facts.id));
	if (work == NULL)
		return facts;
	facts.wrote = work->wrote;
	facts.request_id = work->outcome.provider_request_id;
	facts.usage = &work->outcome.usage;
	facts.cost_ticks = work->outcome.cost_ticks;
	facts.latency_ms = (long) (loop_now() - work->begun_at);
	if (fault->class == FAULT_INVALID_KEY)
		facts.key_state = "rejected";
	else if (result == RESULT_SUCCEEDED && work->secret != NULL)
		facts.key_state = "valid";
	if (result == RESULT_SUCCEEDED)
	{
		facts.pictures = work->pictures;
		facts.picture_count = work->picture_count;
		facts.billed = work->outcome.picture_count +
			work->outcome.missing_billed;
		facts.note = work->outcome.note;
	}
	return facts;
}

static Fault
no_fault(const Work *work)
{
	Fault		nothing = {
		.class = FAULT_NONE,
		.charged = work->wrote ? CHARGED_YES : CHARGED_NO
	};

	return nothing;
}

/*
 * A store is down, and we may die before it is up again: what was paid for
 * lies in the spool meanwhile.
 */
static void
insure(Work *work)
{
	Job		   *job = work->job;
	Fault		nothing = no_fault(work);
	AnswerFacts facts = facts_of(job, RESULT_SUCCEEDED, &nothing);
	AnswerPicture copies[MAX_PICTURES];
	Answer		copy;
	size_t		held = 0;

	memcpy(copies, work->pictures, sizeof(copies));
	keep_in_database(work, copies);
	for (int i = 0; i < work->picture_count; i++)
	{
		Picture    *picture = &copies[i].picture;
		uint8_t    *bytes = malloc(picture->len);

		if (bytes == NULL)
			abort();
		memcpy(bytes, picture->bytes, picture->len);
		picture->bytes = bytes;
		held += picture->len;
	}
	facts.pictures = copies;
	answer_build(&copy, &facts);
	job->is_insured = spool_write(job->id_text, job->attempt, copy.parts,
								  copy.part_count);
	answer_free(&copy);
	budget_grow(&work->share, held);
	POINT("picture-insured");
}

static void
put_again(LoopTimer *timer)
{
	store_next(timer->owner);
}

/* Waits for the store, for as long as it takes and somebody waits for us. */
static void
put_off(Work *work)
{
	const Fault *fault = &work->runner.x.fault;
	int64_t		delay = LONGEST_PUT_DELAY_MS;

	if (nothing_is_put_off)
	{
		keep_in_database(work, work->pictures);
		succeed(work);
		return;
	}
	if (work->put_failures++ == 0)
	{
		insure(work);
		link_log(LEVEL_WARNING, "store \"%s\": %s", work->order.store->name,
				 fault->message);
	}
	if (work->put_failures < 8)
		delay = FIRST_PUT_DELAY_MS << (work->put_failures - 1);
	if (fault->retry_after_ms > delay)
		delay = fault->retry_after_ms;
	work->put_timer.owner = work;
	work->put_timer.expired = put_again;
	loop_set_timer(&work->put_timer, delay < LONGEST_PUT_DELAY_MS ? delay :
				   LONGEST_PUT_DELAY_MS);
}

static void
store_ended(Runner *runner, Next next)
{
	Work	   *work = runner->owner;

	exchange_clear_reply(&runner->x);
	if (next == NEXT_DONE)
	{
		work->stored++;
		store_next(work);
	}
	else
		put_off(work);
}

static void
store_next(Work *work)
{
	Runner	   *runner = &work->runner;
	const StoreAdapter *store = work->order.store;
	const char *problem;

	if (work->stored == work->picture_count)
	{
		succeed(work);
		return;
	}
	/* it may have gone since: the settings are read again */
	problem = stores_problem(store);
	if (problem != NULL)
	{
		exchange_fail(&runner->x, FAULT_STORE_DOWN, problem);
		put_off(work);
		return;
	}
	stores_prepare(store, &runner->x);
	runner->ranges = stores_ranges(&runner->range_count);
	runner->deadline = loop_now() + STORE_TIMEOUT_MS;
	runner->step = step_store;
	runner->ended = store_ended;
	runner_start(runner);
}

static void
succeed(Work *work)
{
	Fault		nothing = no_fault(work);

	finish(work, &nothing);
}

void
job_put_nothing_off(void)
{
	nothing_is_put_off = true;
}

void
job_stop_waiting(Job *job)
{
	if (job->work == NULL || job->work->put_timer.place == 0)
		return;
	loop_stop_timer(&job->work->put_timer);
	keep_in_database(job->work, job->work->pictures);
	succeed(job->work);
}

/* ---- the end ---- */

/* In [0, 1); only to spread retries, so that no better chance is needed. */
static double
jitter(void)
{
	return (double) (random() & 0xffff) / 0x10000;
}

static void
fail(Work *work, FaultClass class, const char *message)
{
	exchange_fail(&work->runner.x, class, message);
	finish(work, &work->runner.x.fault);
}

static void
finish(Work *work, const Fault *fault)
{
	Job		   *job = work->job;
	int			delay;

	if (fault->class == FAULT_NONE)
		answer(job, RESULT_SUCCEEDED, fault, 0);
	else if (fault->may_have_cost)
		answer(job, RESULT_UNCERTAIN, fault, 0);
	else if (fault->class == FAULT_CANCELLED)
		answer(job, RESULT_CANCELLED, fault, 0);
	else
	{
		delay = retry_delay_ms(fault, work->order.tries, jitter());
		if (delay < 0)
			answer(job, RESULT_FAILED, fault, 0);
		else
			answer(job, fault->class == FAULT_KEY_SERVICE_DOWN ||
				   fault->class == FAULT_STORE_DOWN ?
				   RESULT_WAIT : RESULT_RETRY, fault, delay);
	}
}

static void
free_inputs(Job *job)
{
	while (job->input_count > 0)
		free(job->inputs[--job->input_count].picture.bytes);
}

/* What a job worked with; none of it is needed once it is answered. */
static void
end_work(Job *job)
{
	Work	   *work = job->work;
	int			i;

	free_inputs(job);
	free(job->key);
	job->key = NULL;
	job->json = NULL;
	if (work == NULL)
		return;
	put_back_jwe(work);
	for (i = 0; i < MAX_PICTURES; i++)
	{
		free(work->pictures[i].picture.bytes);
		free(work->outcome.pictures[i].picture.bytes);
	}
	budget_release(&work->share);
	exchange_clear_reply(&work->runner.x);
	job->work = NULL;
	arena_destroy(work->arena);
}

/* The one place where a job ends; what it worked with is freed. */
static void
answer(Job *job, FrameResult result, const Fault *fault, long retry_after_ms)
{
	AnswerFacts facts = facts_of(job, result, fault);

	facts.retry_after_ms = retry_after_ms;
	answer_build(&job->answer, &facts);
	job->state = JOB_ANSWERED;
	end_work(job);
	job->answered(job);
}

static void
stop_work(Work *work)
{
	if (work == NULL)
		return;
	if (runner_wrote(&work->runner))
		work->wrote = true;
	runner_abort(&work->runner);
	loop_stop_timer(&work->put_timer);
}

void
job_cancel(Job *job)
{
	Fault		fault = {
		.class = FAULT_CANCELLED,
		.message = "cancelled before anything was sent"
	};

	if (job->state == JOB_ANSWERED ||
		(job->work != NULL &&
		 (job->work->wrote || runner_wrote(&job->work->runner))))
		return;
	stop_work(job->work);
	answer(job, RESULT_CANCELLED, &fault, 0);
}

void
job_postpone(Job *job)
{
	Fault		nothing = {.class = FAULT_NONE};

	answer(job, RESULT_WAIT, &nothing, POSTPONED_MS);
}

void
job_give_up(Job *job)
{
	Fault		fault = {
		.class = FAULT_UNKNOWN,
		.may_have_cost = true,
		.charged = CHARGED_UNKNOWN,
		.message = "the courier had to end before the answer came"
	};

	stop_work(job->work);
	if (job->work->picture_count > 0)
	{
		keep_in_database(job->work, job->work->pictures);
		succeed(job->work);
	}
	else if (job->work->wrote)
		answer(job, RESULT_UNCERTAIN, &fault, 0);
	else
		job_postpone(job);
}

void
job_destroy(Job *job)
{
	stop_work(job->work);
	end_work(job);
	answer_free(&job->answer);
	free(job);
}
