/*-------------------------------------------------------------------------
 *
 * maintain.c
 *		What comes round by the calendar: write-offs, checks of keys of which
 *		nothing was heard for long, a new master key.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "agenda.h"
#include "archive.h"
#include "client.h"
#include "key_check.h"
#include "key_life.h"
#include "maintain.h"
#include "months.h"
#include "rotate.h"
#include "shmem.h"
#include "statements_worker.h"
#include "transaction.h"

#define EVERY_MS	(24 * 60 * 60 * 1000)
#define AGAIN_MS	(60 * 1000)

PG_FUNCTION_INFO_V1(bambi_maintain_now);

static void
queue_key_checks(TimestampTz now)
{
	int			count = bambi_key_check_due(now);

	if (count > 0)
		bambi_agenda.errands_at = now;
	if (count == BAMBI_MOST_KEY_CHECKS)
		sooner(&bambi_agenda.maintain_at, in_ms(now, AGAIN_MS));
}

static uint64
write_off(TimestampTz now)
{
	Datum		values[] = {
		TimestampTzGetDatum(now - BAMBI_WRITE_OFF_AFTER), TimestampTzGetDatum(now)
	};

	return bambi_execute(&bambi_worker_write_off, values, NULL);
}

static void
maintain(TimestampTz now)
{
	bool		is_null;
	Datum		oldest;
	uint64		written_off;

	written_off = write_off(now);
	if (written_off > 0)
		ereport(LOG,
				(errmsg("bambi wrote off " UINT64_FORMAT
						" generations that stayed uncertain", written_off)));

	queue_key_checks(now);
	if (bambi_key_look_at_held(now))
		sooner(&bambi_agenda.maintain_at, in_ms(now, AGAIN_MS));
	bambi_rotation_look(now);
	bambi_agenda.reseal_at = now;	/* what did not open, perhaps */
	bambi_archive_look(now);

	bambi_execute(&bambi_worker_next_write_off, NULL, NULL);
	oldest = bambi_result(0, 1, &is_null);
	if (!is_null)
		bambi_agenda.maintain_at = Min(bambi_agenda.maintain_at,
									   Max(in_ms(now, BAMBI_LOOK_AGAIN_MS),
										   DatumGetTimestampTz(oldest) +
										   BAMBI_WRITE_OFF_AFTER));
}

void
bambi_maintain(TimestampTz now)
{
	if (!is_due(bambi_agenda.maintain_at, now))
		return;
	bambi_agenda.maintain_at = in_ms(now, EVERY_MS);
	if (!bambi_in_transaction(maintain, now))
		bambi_agenda.maintain_at = in_ms(now, AGAIN_MS);
}

/*
 * No argument.  Gives how many generations were written off.  The worker does
 * what only it can do.
 */
static Datum
maintain_now(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();
	uint64		written_off = 0;
	uint64		count;

	if (!bambi_months_make())
		ereport(WARNING,
				(errmsg("not all months ahead could be made"),
				 errdetail("Something is in the way, mostly a lock; the worker tries again.")));
	while ((count = write_off(now)) > 0)
		written_off += count;
	bambi_wake_at_commit(BAMBI_WAKE_MAINTAIN);
	PG_RETURN_INT64(written_off);
}

Datum
bambi_maintain_now(PG_FUNCTION_ARGS)
{
	return bambi_client_call(maintain_now, fcinfo);
}
