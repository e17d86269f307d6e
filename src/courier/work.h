/*-------------------------------------------------------------------------
 *
 * work.h
 *		What a job works with while it runs: shared by the files that run it,
 *		and nobody else's.
 *
 *	job.c			its life: key, and the one answer at the end
 *	job_ask.c		what it edits, the provider, pictures that are addresses
 *	job_keep.c		its pictures: what they are, and into their store
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_WORK_H
#define BAMBI_WORK_H

#include "budget.h"
#include "fetch.h"
#include "job.h"
#include "order.h"
#include "runner.h"
#include "sealed_key.h"

/* Each attempt to put a picture into its store, or to get one from there. */
#define STORE_TIMEOUT_MS	(120 * 1000)

struct Work
{
	Job		   *job;
	const Settings *settings;
	Arena	   *arena;
	Runner		runner;
	Order		order;
	Generation	generation;
	Outcome		outcome;
	SealedKey	sealed_key;
	Secret	   *secret;
	int64_t		begun_at;
	bool		wrote;			/* to the provider, a byte that may cost */

	Input		inputs[MAX_INPUTS];
	Input		mask;
	int			gotten;			/* of order.stored_inputs */

	int			fetched;		/* pictures looked at that came as addresses */
	Fetch		fetch;
	FaultClass	unfetched;		/* why the last of those is missing */

	AnswerPicture pictures[MAX_PICTURES];
	int			picture_count;
	int			stored;			/* how many of them */
	int			put_failures;	/* in a row */
	LoopTimer	put_timer;		/* runs between two attempts */
	Share		share;			/* of the byte budget: the pictures */
};

/* Ends in one of the three below, or in work_keep_pictures. */
extern void work_ask(Work *work);

/* Looks at the pictures of the outcome, and puts them; then it succeeds. */
extern void work_keep_pictures(Work *work);

/*
 * From here on nobody waits for anything: what pictures there are, and in no
 * store yet, go with the answer.  False if there are none; then it has not
 * ended.
 */
extern bool work_keep_in_database(Work *work);

/* The ends. */
extern void work_succeed(Work *work);
extern void work_finish(Work *work, const Fault *fault);
extern void work_fail(Work *work, FaultClass class, const char *message);

/* What an answer says of the job; pictures are lent from its work. */
extern AnswerFacts work_facts(Job *job, FrameResult result,
							  const Fault *fault);

/* The fault of a job that has none. */
extern Fault work_no_fault(const Work *work);

#endif							/* BAMBI_WORK_H */
