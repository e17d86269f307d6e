/*-------------------------------------------------------------------------
 *
 * agenda.h
 *		What a worker has to do, and when.
 *
 * The files of the worker's loop share it: each notes what it leaves to do.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_AGENDA_H
#define BAMBI_AGENDA_H

#include "utils/timestamp.h"

#include "shmem.h"

#define BAMBI_LOOK_AGAIN_MS	1000	/* at couriers of others, at locked rows */

/* What is to be done, and when; 0 is "never". */
typedef struct BambiAgenda
{
	bool		is_paused;
	bool		must_read_instance;
	bool		must_cancel;
	bool		may_have_work;	/* the queue was not seen empty */
	TimestampTz claim_at;		/* not before, after an error */
	TimestampTz adopt_at;
	TimestampTz delayed_at;		/* a generation's not_before */
	TimestampTz check_at;		/* for rows that a claim passed by */
	TimestampTz promotion_at;	/* something may have been queued before it */
	TimestampTz settle_at;		/* for rows that a settle passed by */
	TimestampTz months_at;		/* partitions are to be made ahead */
	TimestampTz maintain_at;
	TimestampTz retention_at;	/* something may be past its time */
	TimestampTz courier_at;		/* start it, when there is none */
	TimestampTz errands_at;		/* something may be due in the outbox */
	TimestampTz reseal_at;		/* something may be sealed to an old key */
	TimestampTz archive_at;		/* something may be due for the archive */
	TimestampTz cache_at;		/* something may be due for Redis */
	bool		must_ask;		/* a session asks the courier something */
} BambiAgenda;

extern BambiAgenda bambi_agenda;

/* Shown by bambi_status(). */
extern void bambi_set_state(BambiWorkerState state);

static inline TimestampTz
in_ms(TimestampTz now, int64 ms)
{
	return now + ms * 1000;
}

static inline bool
is_due(TimestampTz at, TimestampTz now)
{
	return at != 0 && at <= now;
}

/* Makes deadline the earlier of both; 0 is never. */
static inline void
sooner(TimestampTz *deadline, TimestampTz at)
{
	if (at != 0 && (*deadline == 0 || at < *deadline))
		*deadline = at;
}

#endif							/* BAMBI_AGENDA_H */
