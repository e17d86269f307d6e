/*-------------------------------------------------------------------------
 *
 * job.c
 *		One generation: open the key, ask the provider, read the pictures,
 *		store them, report.
 *
 * A job goes through three exchanges, one after the other: with the key
 * service, the provider, and (once for each picture) the store.  Wherever it
 * ends, it ends with exactly one answer, and the decision which one is made
 * in one place: what may have cost money and brought no picture is
 * uncertain, whatever else is known (rules D5 and D7).
 *
 *-------------------------------------------------------------------------
 */
#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "keys.h"
#include "picture.h"
#include "point.h"
#include "retry.h"
#include "runner.h"
#include "stores/store.h"

/* More ranges than any provider row should need. */
#define MAX_RANGES		64

/* When a job that was not begun may come again. */
#define POSTPONED_MS	1000

/* The job's JSON, taken apart; all lent from it. */
typedef struct Order
{
	const char *user;
	const char *provider;
	const char *prompt;
	const char *model;
	char	   *base_url;		/* without slash at the end */
	json_t	   *parameters;
	json_t	   *settings;
	int			tries;
	AddressRange *ranges;
	int			range_count;
	const ProviderAdapter *adapter;
	const StoreAdapter *store;
} Order;

struct Work
{
	Job		   *job;
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

	AnswerPicture pictures[MAX_PICTURES];
	int			picture_count;
	int			stored;			/* how many of them */
};

/*
 * Kept from one job to the next: it is large, and a key service that answers
 * at once needs one only.
 */
static Jwe *spare_jwe;

static bool read_order(Work *work, Order *order);
static void open_key(Work *work);
static void put_back_jwe(Work *work);
static void ask(Work *work);
static void read_pictures(Work *work);
static void store_next(Work *work);
static void fail(Work *work, FaultClass class, const char *message);
static void finish(Work *work, const Fault *fault);
static void answer(Job *job, FrameResult result, const Fault *fault,
				   long retry_after_ms);

Job *
job_create(const FrameHead *head, const char *key, const char *json,
		   void (*answered) (Job *job))
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

	job->key = malloc((size_t) head->key_len + head->json_len + 1);
	if (job->key == NULL)
		abort();
	job->key_len = head->key_len;
	job->json = job->key + head->key_len;
	job->json_len = head->json_len;
	memcpy(job->key, key, job->key_len);
	memcpy(job->json, json, job->json_len);
	job->answered = answered;
	return job;
}

static void
release_json(void *object)
{
	json_decref(object);
}

void
job_begin(Job *job, const Settings *settings)
{
	Arena	   *arena = arena_create();
	Work	   *work = arena_alloc(arena, sizeof(Work));
	Usage		nothing = {-1, -1, -1, -1, -1, -1, -1};

	work->job = job;
	work->arena = arena;
	work->begun_at = loop_now();
	work->outcome.usage = nothing;
	work->runner.owner = work;
	work->runner.deadline = work->begun_at + settings->call_timeout_ms;
	work->runner.x.arena = arena;
	job->work = work;
	job->state = JOB_RUNNING;
	job->has_begun = true;

	if (!read_order(work, &work->order))
		fail(work, FAULT_INTERNAL, "the job could not be read");
	else if (job->key_len > 0)
		open_key(work);
	else if (work->order.adapter->needs_key)
		fail(work, FAULT_KEY_REMOVED, "the key of this generation is gone");
	else
		ask(work);
}

/* False if something that must be there is not. */
static bool
read_order(Work *work, Order *order)
{
	Job		   *job = work->job;
	json_t	   *json = json_loadb(job->json, job->json_len, 0, NULL);
	json_t	   *networks;
	const char *base_url;
	const char *adapter;
	const char *store;
	size_t		len;
	size_t		i;

	if (json == NULL)
		return false;
	arena_on_destroy(work->arena, release_json, json);

	order->user = json_string_value(json_object_get(json, "user"));
	order->provider = json_string_value(json_object_get(json, "provider"));
	order->model = json_string_value(json_object_get(json, "model"));
	order->prompt = json_string_value(json_object_get(json, "prompt"));
	order->parameters = json_object_get(json, "parameters");
	order->settings = json_object_get(json, "settings");
	order->tries = (int) json_integer_value(json_object_get(json, "tries"));
	base_url = json_string_value(json_object_get(json, "base_url"));
	adapter = json_string_value(json_object_get(json, "adapter"));
	store = json_string_value(json_object_get(json, "store"));
	if (order->user == NULL || order->provider == NULL ||
		order->model == NULL || order->prompt == NULL || adapter == NULL ||
		store == NULL || !json_is_object(order->parameters) ||
		!json_is_object(order->settings))
		return false;

	order->adapter = provider_find(adapter);
	order->store = store_find(store);
	if (order->adapter == NULL || order->store == NULL)
		return false;

	len = base_url != NULL ? strlen(base_url) : 0;
	while (len > 0 && base_url[len - 1] == '/')
		len--;
	order->base_url = arena_strndup(work->arena, len > 0 ? base_url : "",
									len);

	networks = json_object_get(json, "networks");
	if (json_array_size(networks) > MAX_RANGES)
		return false;
	if (json_array_size(networks) > 0)
		order->ranges = arena_alloc(work->arena, json_array_size(networks) *
									sizeof(AddressRange));
	for (i = 0; i < json_array_size(networks); i++)
	{
		const char *cidr = json_string_value(json_array_get(networks, i));

		if (cidr == NULL ||
			!address_parse_range(cidr, &order->ranges[order->range_count++]))
			return false;
	}
	return true;
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
	ask(work);
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

/* ---- the provider ---- */

static Next
step_ask(Runner *runner)
{
	Work	   *work = runner->owner;

	return work->order.adapter->generate(&runner->x, &work->generation,
										 &work->outcome);
}

static void
ask_ended(Runner *runner, Next next)
{
	Work	   *work = runner->owner;

	work->wrote = runner_wrote(runner);
	if (next == NEXT_FAIL && work->wrote && runner->x.reply.status == 0)
	{
		/* sent and unanswered, whatever the adapter makes of it */
		runner->x.fault.may_have_cost = true;
		runner->x.fault.charged = CHARGED_UNKNOWN;
	}
	exchange_clear_reply(&runner->x);
	if (next == NEXT_DONE)
		read_pictures(work);
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
	runner->x.secret = work->secret;
	runner->ranges = order->ranges;
	runner->range_count = order->range_count;
	runner->step = step_ask;
	runner->ended = ask_ended;
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
		Fault		fault = {
			.class = FAULT_UNKNOWN,
			.charged = work->wrote ? CHARGED_UNKNOWN : CHARGED_NO,
			.message = "the provider's answer holds no usable picture"
		};

		finish(work, &fault);
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

static void
store_ended(Runner *runner, Next next)
{
	Work	   *work = runner->owner;

	exchange_clear_reply(&runner->x);
	if (next == NEXT_DONE)
	{
		work->stored++;
		store_next(work);
		return;
	}

	/* the picture is paid for, and there is no second one for free */
	runner->x.fault.may_repeat = false;
	runner->x.fault.may_have_cost = false;
	runner->x.fault.charged = work->wrote ? CHARGED_YES : CHARGED_NO;
	finish(work, &runner->x.fault);
}

static void
store_next(Work *work)
{
	Runner	   *runner = &work->runner;

	if (work->stored == work->picture_count)
	{
		Fault		nothing = {
			.class = FAULT_NONE,
			.charged = work->wrote ? CHARGED_YES : CHARGED_NO
		};

		finish(work, &nothing);
		return;
	}
	runner->x.secret = NULL;
	runner->step = step_store;
	runner->ended = store_ended;
	runner_start(runner);
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
			answer(job, fault->class == FAULT_KEY_SERVICE_DOWN ?
				   RESULT_WAIT : RESULT_RETRY, fault, delay);
	}
}

/* The one place where a job ends; what it worked with is freed. */
static void
answer(Job *job, FrameResult result, const Fault *fault, long retry_after_ms)
{
	Work	   *work = job->work;
	AnswerFacts facts = {
		.tag = job->tag,
		.attempt = job->attempt,
		.result = result,
		.fault = fault,
		.retry_after_ms = retry_after_ms,
	};
	int			i;

	memcpy(facts.id, job->id, sizeof(facts.id));
	if (work != NULL)
	{
		facts.wrote = work->wrote;
		facts.request_id = work->outcome.provider_request_id;
		facts.usage = &work->outcome.usage;
		facts.latency_ms = (long) (loop_now() - work->begun_at);
		if (fault->class == FAULT_INVALID_KEY)
			facts.key_state = "rejected";
		else if (result == RESULT_SUCCEEDED && work->secret != NULL)
			facts.key_state = "valid";
		if (result == RESULT_SUCCEEDED)
		{
			facts.pictures = work->pictures;
			facts.picture_count = work->picture_count;
		}
	}
	answer_build(&job->answer, &facts);
	job->state = JOB_ANSWERED;

	if (work != NULL)
	{
		put_back_jwe(work);
		for (i = 0; i < MAX_PICTURES; i++)
		{
			free(work->pictures[i].picture.bytes);
			free(work->outcome.pictures[i].picture.bytes);
		}
		exchange_clear_reply(&work->runner.x);
		job->work = NULL;
		arena_destroy(work->arena);
	}
	free(job->key);
	job->key = NULL;
	job->json = NULL;
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
	if (job->work->wrote)
		answer(job, RESULT_UNCERTAIN, &fault, 0);
	else
		job_postpone(job);
}

void
job_destroy(Job *job)
{
	if (job->work != NULL)
	{
		stop_work(job->work);
		put_back_jwe(job->work);
		exchange_clear_reply(&job->work->runner.x);
		arena_destroy(job->work->arena);
	}
	answer_free(&job->answer);
	free(job->key);
	free(job);
}
