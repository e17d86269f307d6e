/*-------------------------------------------------------------------------
 *
 * runner.h
 *		Drives one exchange: calls its step function, performs what it asks
 *		for, and calls it again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_RUNNER_H
#define BAMBI_RUNNER_H

#include "address.h"
#include "engine.h"
#include "exchange.h"
#include "loop.h"

typedef struct Runner
{
	/* set by the owner */
	Exchange	x;
	void	   *owner;
	Next		(*step) (struct Runner *runner);
	void		(*ended) (struct Runner *runner, Next next);
	const AddressRange *ranges; /* where x's host may be besides public */
	int			range_count;
	Share	   *share;			/* of the byte budget: what is held beside the
								 * calls; or NULL */
	int64_t		deadline;		/* loop_now() at which it is over */
	long		request_ms;		/* what each further paid request has; 0: no
								 * more than the deadline */
	bool		is_punctual;	/* step itself ends what has slept past the
								 * deadline, and knows better what to say */

	/* the runner's own */
	bool		wrote;			/* of a paid request, the first byte */
	bool		is_last_look;	/* the deadline has passed, see slept() */
	int			written;		/* ordinal of the last paid request that was */
	bool		is_unanswered;	/* the last paid one was sent, and has no HTTP
								 * status */
	Call	   *call;
	LoopTimer	timer;
} Runner;

/*
 * Runs the exchange, with x.step at 0, until runner->ended is called once
 * with NEXT_DONE, or with NEXT_FAIL and x.fault: possibly at once.  The same
 * runner may be started again for the next exchange.
 */
extern void runner_start(Runner *runner);

/* Whether the deadline has passed. */
extern bool runner_is_late(const Runner *runner);

/* Whether a paid request is written whose answer is not here yet. */
extern bool runner_is_asking(const Runner *runner);

/* Whether a paid request's first byte went out, ever. */
extern bool runner_wrote(const Runner *runner);

/* Whether the last paid request was sent, and nobody knows what came of it. */
extern bool runner_is_unanswered(const Runner *runner);

/* Ends the exchange; ended is not called. */
extern void runner_abort(Runner *runner);

#endif							/* BAMBI_RUNNER_H */
