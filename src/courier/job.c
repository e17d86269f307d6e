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

#include "retry.h"
#include "stores.h"
#include "work.h"

/* When a job that was not begun may come again. */
#define POSTPONED_MS	1000


static void open_key(Work *work);
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

	if (job->input_count == MAX_INPUTS + 1 || head->status > MAX_INPUTS)
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
		work_fail(work, FAULT_INTERNAL, "the job could not be read");
	else if ((problem = stores_problem(work->order.store)) != NULL)
		work_fail(work, FAULT_STORE_DOWN, problem);
	else if (job->key_len > 0)
		open_key(work);
	else if (work->order.adapter->needs_key)
		work_fail(work, FAULT_KEY_REMOVED, "the key of this generation is gone");
	else
		work_ask(work);
}

/* ---- the key ---- */

static void
key_opened(Runner *runner, Secret *secret)
{
	Work	   *work = runner->owner;

	work->secret = secret;
	if (secret == NULL)
		work_finish(work, &runner->x.fault);
	else
		work_ask(work);
}

static void
open_key(Work *work)
{
	sealed_key_open(&work->sealed_key, &work->runner, work->job->key,
					work->job->key_len, work->order.user,
					work->order.provider, key_opened);
}

/* ---- the end ---- */

AnswerFacts
work_facts(Job *job, FrameResult result, const Fault *fault)
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
	else if (fault->class == FAULT_QUOTA_EXHAUSTED)
		facts.key_state = "failing";
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

Fault
work_no_fault(const Work *work)
{
	Fault		nothing = {
		.class = FAULT_NONE,
		.charged = work->wrote ? CHARGED_YES : CHARGED_NO
	};

	return nothing;
}

void
work_succeed(Work *work)
{
	Fault		nothing = work_no_fault(work);

	work_finish(work, &nothing);
}


/* In [0, 1); only to spread retries, so that no better chance is needed. */
static double
jitter(void)
{
	return (double) (random() & 0xffff) / 0x10000;
}

void
work_fail(Work *work, FaultClass class, const char *message)
{
	exchange_fail(&work->runner.x, class, message);
	work_finish(work, &work->runner.x.fault);
}

void
work_finish(Work *work, const Fault *fault)
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
	sealed_key_close(&work->sealed_key);
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
	AnswerFacts facts = work_facts(job, result, fault);

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
	Work	   *work = job->work;

	/* perhaps one of several requests; nobody will read its answer */
	if (runner_is_asking(&work->runner))
		work->outcome.missing_billed++;
	stop_work(work);

	/* what cost nothing is better begun again, and whole then */
	if ((work->wrote || work->picture_count > 0) &&
		work_keep_in_database(work))
		return;
	if (work->wrote)
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
