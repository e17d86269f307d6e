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
#include "key_check.h"
#include "key_life.h"
#include "maintain.h"
#include "rotate.h"
#include "settings.h"
#include "statements_keys.h"
#include "statements_worker.h"
#include "transaction.h"

#define EVERY_MS	(24 * 60 * 60 * 1000)
#define AGAIN_MS	(60 * 1000)

/* Checked at a time, so that no provider sees all keys at once. */
#define MOST_CHECKS	8

static void
queue_key_checks(TimestampTz now)
{
	Datum		values[] = {
		TimestampTzGetDatum(now - bambi_key_validation_days * USECS_PER_DAY),
		Int32GetDatum(MOST_CHECKS)
	};
	pg_uuid_t	ids[MOST_CHECKS];
	pg_uuid_t	users[MOST_CHECKS];
	int			count;
	bool		is_null;

	if (bambi_key_validation_days == 0)
		return;
	count = (int) bambi_execute(&bambi_key_due, values, NULL);
	for (int i = 0; i < count; i++)
	{
		ids[i] = *DatumGetUUIDP(bambi_result(i, 1, &is_null));
		users[i] = *DatumGetUUIDP(bambi_result(i, 2, &is_null));
	}
	for (int i = 0; i < count; i++)
		bambi_key_check_later(&ids[i], &users[i]);
	if (count > 0)
		bambi_agenda.errands_at = now;
	if (count == MOST_CHECKS)
		sooner(&bambi_agenda.maintain_at, in_ms(now, AGAIN_MS));
}

static void
maintain(TimestampTz now)
{
	Datum		before[] = {
		TimestampTzGetDatum(now - BAMBI_WRITE_OFF_AFTER), TimestampTzGetDatum(now)
	};
	bool		is_null;
	Datum		oldest;
	uint64		written_off;

	written_off = bambi_execute(&bambi_worker_write_off, before, NULL);
	if (written_off > 0)
		ereport(LOG,
				(errmsg("bambi wrote off " UINT64_FORMAT
						" generations that stayed uncertain", written_off)));

	queue_key_checks(now);
	if (bambi_key_look_at_held(now))
		sooner(&bambi_agenda.maintain_at, in_ms(now, AGAIN_MS));
	bambi_rotation_look(now);
	bambi_agenda.reseal_at = now;	/* what did not open, perhaps */

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
