/*-------------------------------------------------------------------------
 *
 * runner.c
 *		Drives one exchange.
 *
 *-------------------------------------------------------------------------
 */
#include "runner.h"

#include <time.h>

#define LAST_LOOK_MS	(10 * 1000)

static void drive(Runner *runner);

/* An adapter that makes one paid request need not number it. */
static int
ordinal_of(const Request *request)
{
	return request->ordinal > 0 ? request->ordinal : 1;
}

static void
call_ended(void *owner)
{
	Runner	   *runner = owner;
	const Exchange *x = &runner->x;

	runner->call = NULL;
	if (x->request.is_paid)
	{
		if (x->reply.wrote)
		{
			runner->wrote = true;
			runner->written = ordinal_of(&x->request);
		}
		runner->is_unanswered = x->reply.wrote && x->reply.status == 0;
	}
	drive(runner);
}

static void
give_up(Runner *runner)
{
	exchange_fail(&runner->x, FAULT_TIMEOUT,
				  "the provider did not finish in time");
	runner->x.fault.may_have_cost = runner->wrote;
	runner->x.fault.may_repeat = !runner->wrote;
	runner->x.fault.charged = runner->wrote ? CHARGED_UNKNOWN : CHARGED_NO;
	runner->ended(runner, NEXT_FAIL);
}

/*
 * What is paid for is asked after once more when its time is over: it may
 * have been there for long, and we stood still.
 */
static void
slept(LoopTimer *timer)
{
	Runner	   *runner = timer->owner;

	if (!runner->is_punctual && runner_is_late(runner))
	{
		if (!runner->wrote)
		{
			give_up(runner);
			return;
		}
		runner->is_last_look = true;
		runner->deadline = loop_now() + LAST_LOOK_MS;
	}
	drive(runner);
}

void
runner_start(Runner *runner)
{
	runner->x.step = 0;
	runner->is_last_look = false;
	drive(runner);
}

static void
drive(Runner *runner)
{
	Exchange   *x = &runner->x;
	Next		next;
	int64_t		left;

	x->now = (int64_t) time(NULL);
	next = runner->step(runner);
	if (next == NEXT_SEND && x->request.is_paid && runner->wrote &&
		runner->request_ms > 0)
		runner->deadline = loop_now() + runner->request_ms;
	left = runner->deadline - loop_now();

	if (next == NEXT_SEND && x->request.is_paid &&
		ordinal_of(&x->request) <= runner->written)
	{
		/* whatever an adapter thinks: rule D5 */
		exchange_fail(x, FAULT_INTERNAL,
					  "the adapter asked to send a paid request again");
		x->fault.may_have_cost = true;
		x->fault.charged = CHARGED_UNKNOWN;
		next = NEXT_FAIL;
	}
	switch (next)
	{
		case NEXT_SEND:
			exchange_clear_reply(x);
			runner->call = engine_send(x, runner->ranges,
									   runner->range_count,
									   left > 1 ? (long) left : 1,
									   runner->share,
									   call_ended, runner);
			return;
		case NEXT_SLEEP:
			if (runner->is_last_look)
			{
				give_up(runner);
				return;
			}
			runner->timer.owner = runner;
			runner->timer.expired = slept;
			loop_set_timer(&runner->timer,
						   x->sleep_ms < left ? x->sleep_ms : left);
			return;
		case NEXT_DONE:
		case NEXT_FAIL:
			runner->ended(runner, next);
			return;
	}
}

bool
runner_is_late(const Runner *runner)
{
	return loop_now() >= runner->deadline;
}

bool
runner_is_asking(const Runner *runner)
{
	return runner->call != NULL && runner->x.request.is_paid &&
		runner->x.reply.wrote;
}

bool
runner_wrote(const Runner *runner)
{
	return runner->wrote || runner_is_asking(runner);
}

bool
runner_is_unanswered(const Runner *runner)
{
	return runner->is_unanswered;
}

void
runner_abort(Runner *runner)
{
	if (runner->call != NULL)
	{
		runner->wrote = runner_wrote(runner);
		engine_abort(runner->call);
		runner->call = NULL;
	}
	loop_stop_timer(&runner->timer);
}
