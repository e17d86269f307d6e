/*-------------------------------------------------------------------------
 *
 * job.h
 *		One generation: open the key, ask the provider, read the pictures,
 *		store them, report.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_JOB_H
#define BAMBI_JOB_H

#include "../protocol/frame.h"
#include "answer.h"
#include "settings.h"

typedef enum JobState
{
	JOB_WAITING,				/* received, not begun */
	JOB_RUNNING,
	JOB_ANSWERED				/* answer is there, until it is taken */
} JobState;

/* What only a running job needs; private to job.c. */
typedef struct Work Work;

typedef struct Job
{
	uint64_t	tag;
	uint8_t		id[16];
	uint32_t	attempt;
	char		id_text[37];
	JobState	state;
	bool		has_begun;

	char	   *key;			/* malloc'ed with the JSON behind it */
	size_t		key_len;
	char	   *json;
	size_t		json_len;

	Work	   *work;			/* while it runs */
	Answer		answer;			/* once it is answered */
	void		(*answered) (struct Job *job);

	struct Job *previous;		/* in the line of those that wait */
	struct Job *next;
} Job;

/* Copies what the frame carries; answered is called when there is one. */
extern Job *job_create(const FrameHead *head, const char *key,
					   const char *json, void (*answered) (Job *job));

/* Settings are lent for as long as the job runs. */
extern void job_begin(Job *job, const Settings *settings);

/*
 * Cancels the job, unless a byte that may cost money has gone out; then it
 * runs on.
 */
extern void job_cancel(Job *job);

/* Answers a waiting job that it is to be sent again, later. */
extern void job_postpone(Job *job);

/*
 * The time is over for a running job: it is answered as uncertain, or, where
 * nothing has gone out, postponed.
 */
extern void job_give_up(Job *job);

extern void job_destroy(Job *job);

#endif							/* BAMBI_JOB_H */
