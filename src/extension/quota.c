/*-------------------------------------------------------------------------
 *
 * quota.c
 *		How many generations may this user still start?
 *
 * A reservation is one conditional UPDATE of the user's row, which rolls the
 * count over in the same statement when its period has ended, and looks after
 * the limit in a minute; nothing is decided by what was read before.  A
 * reservation belongs to the period that it was taken from
 * (image_generations.quota_period), and goes back to no other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rangetypes.h"

#include "identity.h"
#include "period.h"
#include "quota.h"
#include "refuse.h"
#include "statements_client.h"

/* Columns of bambi_client_quota behind those of bambi_quota_read. */
enum
{
	USED = BAMBI_QUOTA_COLUMNS + 1,
	ROOM_AT
};

/* 0 for NULL. */
static int32
number(int column)
{
	bool		is_null;
	Datum		value = bambi_result(0, column, &is_null);

	return is_null ? 0 : DatumGetInt32(value);
}

void
bambi_quota_read(BambiQuota *quota)
{
	bool		is_null;
	Datum		value;

	quota->is_active = DatumGetBool(bambi_result(0, 1, &is_null));
	quota->reset = DatumGetTimestampTz(bambi_result(0, 2, &is_null));
	quota->has_reset = !is_null;
	quota->plan = bambi_result_text(0, 3);
	quota->limit = DatumGetInt32(bambi_result(0, 4, &is_null));
	quota->is_limited = !is_null;
	quota->period = DatumGetIntervalP(bambi_result(0, 5, &is_null));
	quota->weight = number(6);
	value = bambi_result(0, 7, &is_null);
	quota->is_subscribed = !is_null;
	if (!is_null)
		bambi_period_read(DatumGetRangeTypeP(value),
						  &quota->subscription_start,
						  &quota->subscription_end);
	quota->per_minute = number(8);
	quota->max_pictures = number(9);
}

/*
 * When the period that begins now, at the latest, ends.  Those of a user
 * without a subscription follow each other without a gap, however long nobody
 * asked; so the day of the month stays.
 */
static TimestampTz
end_of_next(const BambiQuota *quota, TimestampTz now)
{
	TimestampTz start;
	TimestampTz end;

	if (quota->is_subscribed)
		return quota->subscription_end;
	start = quota->has_reset && !TIMESTAMP_NOT_FINITE(quota->reset) ?
		quota->reset : now;
	bambi_period_at(start, quota->period, Max(start, now), &start, &end);
	return end;
}

void
bambi_quota_values(const BambiQuota *quota, TimestampTz now, Datum values[3],
				   char nulls[3], Datum more[2], char more_nulls[2])
{
	memset(nulls, ' ', 3);
	values[0] = TimestampTzGetDatum(now);
	values[1] = TimestampTzGetDatum(end_of_next(quota, now));
	values[2] = Int32GetDatum(quota->limit);
	if (!quota->is_limited)
		nulls[2] = 'n';

	more[0] = TimestampTzGetDatum(quota->subscription_start);
	more_nulls[0] = quota->is_subscribed ? ' ' : 'n';
	more[1] = Int32GetDatum(quota->per_minute);
	more_nulls[1] = quota->per_minute > 0 ? ' ' : 'n';
}

bool
bambi_quota_reserve(const pg_uuid_t *user, const BambiQuota *quota,
					TimestampTz now, TimestampTz *period)
{
	Datum		values[7];
	char		nulls[8] = "       ";
	bool		is_null;

	values[0] = UUIDPGetDatum(user);
	values[1] = UUIDPGetDatum(user);
	bambi_quota_values(quota, now, &values[2], &nulls[2], &values[5],
					   &nulls[5]);
	if (bambi_execute(&bambi_client_reserve, values, nulls) == 0)
		return false;
	*period = DatumGetTimestampTz(bambi_result(0, 1, &is_null));
	return true;
}

void
bambi_quota_unreserve(const pg_uuid_t *user, const BambiQuota *quota)
{
	Datum		values[] = {
		UUIDPGetDatum(user), BoolGetDatum(quota->per_minute > 0)
	};

	bambi_execute(&bambi_client_unreserve, values, NULL);
}

static void
refuse_for_a_minute(const BambiQuota *quota, TimestampTz now)
{
	bool		is_null;
	TimestampTz room_at = DatumGetTimestampTz(bambi_result(0, ROOM_AT,
														   &is_null));
	int			seconds = 1;

	if (!is_null && room_at > now)
		seconds = (int) ((room_at - now + USECS_PER_SEC - 1) / USECS_PER_SEC);
	bambi_refuse_for_now(BAMBI_TOO_MANY, seconds, NULL,
						 psprintf("Plan \"%s\" allows %d generations in a minute.",
								  quota->plan, quota->per_minute),
						 psprintf("Try again in %d seconds.", seconds));
}

/* Looks again: the numbers of before may be another transaction's past. */
void
bambi_quota_refuse(const pg_uuid_t *user)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[] = {UUIDPGetDatum(user), TimestampTzGetDatum(now)};
	BambiQuota	quota;
	char	   *reset;
	int32		used;

	if (bambi_execute(&bambi_client_quota, values, NULL) == 0)
		bambi_refuse_not_signed_in();
	bambi_quota_read(&quota);
	if (!quota.is_active)
		bambi_refuse_not_signed_in();

	used = number(USED);
	if (quota.is_limited && used >= quota.limit)
	{
		reset = bambi_result_text(0, 2);
		bambi_refuse(BAMBI_QUOTA_USED_UP, NULL,
					 psprintf("Of %d generations of plan \"%s\", %d are used; the period ends at %s.",
							  quota.limit, quota.plan, used,
							  reset ? reset : "an unknown time"),
					 "Wait for the next period, or take a larger plan.");
	}
	if (quota.per_minute > 0)
		refuse_for_a_minute(&quota, now);
	/* whatever was in the way has gone since */
	bambi_refuse(BAMBI_TRY_LATER, NULL, NULL, NULL);
}

void
bambi_quota_release(const pg_uuid_t *user, TimestampTz period)
{
	Datum		values[2];

	values[0] = UUIDPGetDatum(user);
	values[1] = TimestampTzGetDatum(period);
	bambi_execute(&bambi_client_release, values, NULL);
}
