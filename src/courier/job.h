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
	JOB_COMING,					/* some of what it edits is here, its order is
								 * not */
	JOB_WAITING,				/* received, not begun */
	JOB_RUNNING,
	JOB_ANSWERED				/* answer is there, until it is taken */
} JobState;

/* What only a running job needs; private to job.c. */
typedef struct Work Work;

/* A picture to edit, as the worker brought it. */
typedef struct JobInput
{
	int			position;		/* from 1; 0 is the mask */
	Picture		picture;
} JobInput;

typedef struct Job
{
	uint64_t	tag;
	uint8_t		id[16];
	uint32_t	attempt;
	char		id_text[37];
	JobState	state;
	bool		has_begun;
	bool		is_insured;		/* an answer lies in the spool, in case that
								 * we die while a store is down */

	char	   *key;			/* malloc'ed with the JSON behind it */
	size_t		key_len;
	char	   *json;
	size_t		json_len;

	JobInput	inputs[MAX_INPUTS + 1];
	int			input_count;

	Work	   *work;			/* while it runs */
	Answer		answer;			/* once it is answered */
	void		(*answered) (struct Job *job);

	struct Job *previous;		/* in the line of those that wait */
	struct Job *next;
} Job;

/* Answered is called when there is an answer. */
extern Job *job_create(const FrameHead *head, void (*answered) (Job *job));

/* Copies a picture to edit.  False if it is one too many, or out of place. */
extern bool job_add_input(Job *job, const FrameHead *head,
						  const uint8_t *bytes);

/* Copies key and order; then it waits. */
extern void job_take_order(Job *job, const FrameHead *head, const char *key,
						   const char *json);

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
 * The time is over for a running job: it is answered with what pictures it
 * has, or as uncertain, or, where nothing has gone out, postponed.
 */
extern void job_give_up(Job *job);

/*
 * Nobody waits for a store any more: a running job whose pictures cannot be
 * put is answered with their bytes, for the database.
 */
extern void job_put_nothing_off(void);
extern void job_stop_waiting(Job *job);

extern void job_destroy(Job *job);

#endif							/* BAMBI_JOB_H */
