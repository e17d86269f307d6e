/*-------------------------------------------------------------------------
 *
 * jobs.c
 *		All jobs that the worker handed over, from JOB to TAKEN.
 *
 * A job's tag names its slot, so that it is found by index.  The worker hands
 * over no more than the cap allows; jobs wait in line here while many begin at
 * once, or where a reload has just lowered the cap.
 *
 *-------------------------------------------------------------------------
 */
#include "jobs.h"

#include <stdlib.h>

#include "job.h"
#include "link.h"
#include "loop.h"
#include "point.h"
#include "spool.h"

#define SLOTS		65536
#define SLOT_OF(tag)	((tag) & (SLOTS - 1))

/*
 * A local provider works while it begins.  Nobody else waits longer for it
 * than this.
 */
#define BEGIN_MS	20

static const Settings *settings;
static Job *slots[SLOTS];
static Job *first;				/* in the line of those that wait */
static Job *last;
static int	running;
static int	untaken;
static bool is_stopped;
static bool is_spooling;
static bool has_lost;
static LoopTimer more_timer;

static void answered(Job *job);

static void
more(LoopTimer *timer)
{
	(void) timer;				/* the turn itself begins the next ones */
}

void
jobs_start(const Settings *its_settings)
{
	settings = its_settings;
	more_timer.expired = more;
}

static Job *
find(const FrameHead *head)
{
	Job		   *job = slots[SLOT_OF(head->tag)];

	return job != NULL && job->tag == head->tag ? job : NULL;
}

static void
leave_line(Job *job)
{
	if (job->previous != NULL)
		job->previous->next = job->next;
	else
		first = job->next;
	if (job->next != NULL)
		job->next->previous = job->previous;
	else
		last = job->previous;
	job->previous = NULL;
	job->next = NULL;
}

static void
forget(Job *job)
{
	slots[SLOT_OF(job->tag)] = NULL;
	job_destroy(job);
}

/* The job of this tag that is coming, made if its slot is free; or NULL. */
static Job *
coming(const FrameHead *head)
{
	Job		   *job = slots[SLOT_OF(head->tag)];

	if (job == NULL)
	{
		job = job_create(head, answered);
		slots[SLOT_OF(head->tag)] = job;
	}
	return job->tag == head->tag && job->state == JOB_COMING ? job : NULL;
}

bool
jobs_input(const FrameHead *head, const uint8_t *picture)
{
	Job		   *job = coming(head);

	return job != NULL && job_add_input(job, head, picture);
}

bool
jobs_receive(const FrameHead *head, const char *key, const char *json)
{
	Job		   *job = coming(head);

	if (job == NULL)
		return false;
	job_take_order(job, head, key, json);
	POINT("job-received");
	if (is_stopped)
	{
		job_postpone(job);
		return true;
	}
	job->previous = last;
	if (last != NULL)
		last->next = job;
	else
		first = job;
	last = job;
	return true;
}

void
jobs_cancel(const FrameHead *head)
{
	Job		   *job = find(head);

	if (job == NULL || job->state == JOB_COMING)
		return;
	if (job->state == JOB_WAITING)
		leave_line(job);
	job_cancel(job);
}

void
jobs_taken(const FrameHead *head)
{
	Job		   *job = find(head);

	if (job == NULL || job->state != JOB_ANSWERED || job->answer.unsent > 0)
		return;
	untaken--;
	if (job->is_insured)
		spool_remove(job->id_text, job->attempt);
	forget(job);
}

void
jobs_begin(void)
{
	int			begun = 0;

	while (first != NULL && running < settings->max_in_flight)
	{
		Job		   *job = first;

		if (++begun % 16 == 0 && loop_lag() > BEGIN_MS)
		{
			loop_set_timer(&more_timer, 0);
			return;
		}
		leave_line(job);
		running++;
		job_begin(job, settings);
	}
}

static void
spool(Job *job)
{
	if (!spool_write(job->id_text, job->attempt, job->answer.parts,
					 job->answer.part_count))
		has_lost = true;
	untaken--;
	forget(job);
}

static void
answered(Job *job)
{
	if (job->has_begun)
		running--;
	untaken++;
	if (is_spooling)
		spool(job);
	else
		answer_send(&job->answer);
}

void
jobs_stop(void)
{
	is_stopped = true;
	while (first != NULL)
	{
		Job		   *job = first;

		leave_line(job);
		job_postpone(job);
	}
}

void
jobs_spool(void)
{
	int			slot;

	is_stopped = true;
	is_spooling = true;
	job_put_nothing_off();
	while (first != NULL)
	{
		Job		   *job = first;

		leave_line(job);
		forget(job);
	}
	for (slot = 0; slot < SLOTS && running > 0; slot++)
	{
		if (slots[slot] != NULL && slots[slot]->state == JOB_RUNNING)
			job_stop_waiting(slots[slot]);
	}
	for (slot = 0; slot < SLOTS && untaken > 0; slot++)
	{
		if (slots[slot] != NULL && slots[slot]->state == JOB_ANSWERED)
			spool(slots[slot]);
	}
}

void
jobs_give_up(void)
{
	int			slot;

	for (slot = 0; slot < SLOTS && running > 0; slot++)
	{
		if (slots[slot] != NULL && slots[slot]->state == JOB_RUNNING)
			job_give_up(slots[slot]);
	}
}

int
jobs_count(void)
{
	return running + untaken;
}

bool
jobs_are_safe(void)
{
	return !has_lost;
}
