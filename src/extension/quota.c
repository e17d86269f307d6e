/*-------------------------------------------------------------------------
 *
 * quota.c
 *		How many generations may this user still start?
 *
 * A reservation is one conditional UPDATE of the user's row, which rolls the
 * count over in the same statement when its period has ended; nothing is
 * decided by what was read before.  A reservation belongs to the period that
 * it was taken from (image_generations.quota_period), and goes back to no
 * other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"

#include "identity.h"
#include "quota.h"
#include "refuse.h"
#include "statements_client.h"

void
bambi_quota_read(BambiQuota *quota)
{
	bool		is_null;
	Datum		limit;

	quota->is_active = DatumGetBool(bambi_result(0, 1, &is_null));
	quota->reset = DatumGetTimestampTz(bambi_result(0, 2, &is_null));
	quota->has_reset = !is_null;
	quota->used = DatumGetInt32(bambi_result(0, 3, &is_null));
	quota->plan = bambi_result_text(0, 4);
	limit = bambi_result(0, 5, &is_null);
	quota->is_limited = !is_null;
	quota->limit = is_null ? 0 : DatumGetInt32(limit);
	quota->period = DatumGetIntervalP(bambi_result(0, 6, &is_null));
	quota->weight = DatumGetInt32(bambi_result(0, 7, &is_null));
}

static TimestampTz
periods_after(TimestampTz start, const Interval *period, int64 count)
{
	Datum		span = DirectFunctionCall2(interval_mul,
										   IntervalPGetDatum(period),
										   Float8GetDatum((double) count));

	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(start),
												   span));
}

/*
 * A user's periods follow each other without a gap, however long nobody
 * asked; so the day of the month stays.
 */
TimestampTz
bambi_quota_next_reset(const BambiQuota *quota, TimestampTz now)
{
	TimestampTz start = quota->has_reset ? quota->reset : now;
	TimestampTz next;
	double		length;
	int64		count;

	if (TIMESTAMP_NOT_FINITE(start))
		start = now;

	/* Below the true number, since a month may be longer than 30 days. */
	length = (double) quota->period->time +
		((double) quota->period->day + quota->period->month * 30.0) *
		USECS_PER_DAY;
	count = now > start ? (int64) ((now - start) / length * 0.9) : 0;
	do
	{
		next = periods_after(start, quota->period, ++count);
	} while (next <= now);
	return next;
}

bool
bambi_quota_reserve(const pg_uuid_t *user, const BambiQuota *quota,
					TimestampTz now, TimestampTz *period)
{
	Datum		values[4];
	char		nulls[5] = "    ";
	bool		is_null;

	values[0] = UUIDPGetDatum(user);
	values[1] = TimestampTzGetDatum(now);
	values[2] = TimestampTzGetDatum(bambi_quota_next_reset(quota, now));
	values[3] = Int32GetDatum(quota->limit);
	if (!quota->is_limited)
		nulls[3] = 'n';
	if (bambi_execute(&bambi_client_reserve, values, nulls) == 0)
		return false;
	*period = DatumGetTimestampTz(bambi_result(0, 1, &is_null));
	return true;
}

/* Looks again: the numbers of before may be another transaction's past. */
void
bambi_quota_refuse(const pg_uuid_t *user)
{
	Datum		values[1];
	BambiQuota	quota;
	char	   *reset;

	values[0] = UUIDPGetDatum(user);
	if (bambi_execute(&bambi_client_quota, values, NULL) == 0)
		bambi_refuse_not_signed_in();
	bambi_quota_read(&quota);
	if (!quota.is_active)
		bambi_refuse_not_signed_in();

	reset = bambi_result_text(0, 2);
	bambi_refuse(BAMBI_QUOTA_USED_UP, NULL,
				 psprintf("Of %d generations of plan \"%s\", %d are used; the period ends at %s.",
						  quota.limit, quota.plan, quota.used,
						  reset ? reset : "an unknown time"),
				 "Wait for the next period, or take a larger plan.");
}

void
bambi_quota_release(const pg_uuid_t *user, TimestampTz period)
{
	Datum		values[2];

	values[0] = UUIDPGetDatum(user);
	values[1] = TimestampTzGetDatum(period);
	bambi_execute(&bambi_client_release, values, NULL);
}
