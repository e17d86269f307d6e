/*-------------------------------------------------------------------------
 *
 * jobs.h
 *		All jobs that the worker handed over, from JOB to TAKEN.
 *
 * One per process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_JOBS_H
#define BAMBI_JOBS_H

#include <stdbool.h>

#include "../protocol/frame.h"
#include "settings.h"

extern void jobs_start(const Settings *settings);

/*
 * The four frames of the worker that are about jobs.  The first two are false
 * if the job's slot is in use, or there are too many pictures.
 */
extern bool jobs_input(const FrameHead *head, const uint8_t *picture);
extern bool jobs_receive(const FrameHead *head, const char *key,
						 const char *json);
extern void jobs_cancel(const FrameHead *head);
extern void jobs_taken(const FrameHead *head);

/* Begins waiting jobs, up to the cap. */
extern void jobs_begin(void);

/* Begin no more: what waits, and what still comes, is answered so. */
extern void jobs_stop(void);

/*
 * The worker is gone: what waits is forgotten, and answers go to the spool
 * from now on, those first that it has not taken.
 */
extern void jobs_spool(void);

/* Ends what runs, now. */
extern void jobs_give_up(void);

/* How many run, or have an answer that is not taken. */
extern int	jobs_count(void);

/* False if an answer could not be spooled. */
extern bool jobs_are_safe(void);

#endif							/* BAMBI_JOBS_H */
