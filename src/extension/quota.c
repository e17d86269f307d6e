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

static TimestampTz
time_or(int column, TimestampTz otherwise)
{
	bool		is_null;
	Datum		value = bambi_result(0, column, &is_null);

	return is_null ? otherwise : DatumGetTimestampTz(value);
}

void
bambi_quota_read(BambiQuota *quota, TimestampTz now)
{
	bool		is_null;

	quota->is_active = DatumGetBool(bambi_result(0, 1, &is_null));
	quota->reset = DatumGetTimestampTz(bambi_result(0, 2, &is_null));
	quota->has_reset = !is_null;
	quota->plan = bambi_catalogue_plan(bambi_result_text(0, 3), now);
	quota->is_active = quota->is_active && quota->plan;
	if (quota->plan == NULL)
		return;
	quota->is_subscribed =
		bambi_period_of_subscription(quota->plan->type,
									 time_or(4, DT_NOBEGIN),
									 time_or(5, DT_NOEND),
									 quota->plan->period, now,
									 &quota->subscription_start,
									 &quota->subscription_end);
	quota->is_withdrawn = DatumGetBool(bambi_result(0, 6, &is_null));
}

void
bambi_quota_require_consent(const BambiQuota *quota)
{
	if (quota->is_withdrawn)
		bambi_refuse(BAMBI_FORBIDDEN, "consent to processing is withdrawn",
					 "No generation begins without it.",
					 "Call bambi_consent('processing', true, ...) to grant it again.");
}

/*
 * When the period that begins now, at the latest, ends; of a subscription, in
 * whole seconds.  Those of a user without one follow each other without a gap,
 * however long nobody asked; so the day of the month stays.
 */
static TimestampTz
end_of_next(const BambiQuota *quota, TimestampTz now)
{
	TimestampTz start;
	TimestampTz end;

	if (quota->is_subscribed)
		return quota->subscription_end / USECS_PER_SEC * USECS_PER_SEC;
	start = quota->has_reset && !TIMESTAMP_NOT_FINITE(quota->reset) ?
		quota->reset : now;
	bambi_period_at(start, quota->plan->period, Max(start, now), &start, &end);
	return end;
}

#define PERIOD_VALUES	6

/* What bambi_client_reserve takes, and without the last what begins a period. */
static void
set_values(const pg_uuid_t *user, const BambiQuota *quota, TimestampTz now,
		   Datum values[PERIOD_VALUES], char nulls[PERIOD_VALUES])
{
	memset(nulls, ' ', PERIOD_VALUES);
	values[0] = UUIDPGetDatum(user);
	values[1] = TimestampTzGetDatum(now);
	values[2] = TimestampTzGetDatum(end_of_next(quota, now));
	values[3] = Int32GetDatum(quota->plan->limit);
	if (!quota->plan->is_limited)
		nulls[3] = 'n';
	values[4] = TimestampTzGetDatum(quota->subscription_start);
	if (!quota->is_subscribed)
		nulls[4] = 'n';
	values[5] = Int32GetDatum(quota->plan->per_minute);
	if (quota->plan->per_minute == 0)
		nulls[5] = 'n';
}

bool
bambi_quota_reserve(const pg_uuid_t *user, const BambiQuota *quota,
					TimestampTz now, TimestampTz *period)
{
	Datum		values[PERIOD_VALUES];
	char		nulls[PERIOD_VALUES];
	bool		is_null;
	bool		is_plain = !quota->is_subscribed &&
	quota->plan->per_minute == 0;

	set_values(user, quota, now, values, nulls);
	if (bambi_execute(is_plain ? &bambi_client_reserve :
					  &bambi_client_reserve_limited, values, nulls) == 0)
		return false;
	*period = DatumGetTimestampTz(bambi_result(0, 1, &is_null));
	return true;
}

bool
bambi_quota_begin_period(const pg_uuid_t *user, TimestampTz now)
{
	Datum		who[] = {UUIDPGetDatum(user), TimestampTzGetDatum(now)};
	Datum		values[PERIOD_VALUES];
	char		nulls[PERIOD_VALUES];
	BambiQuota	quota;

	if (bambi_execute(&bambi_client_quota, who, NULL) == 0)
		return false;
	bambi_quota_read(&quota, now);
	if (quota.plan == NULL)
		return false;
	set_values(user, &quota, now, values, nulls);
	return bambi_execute(&bambi_client_begin_period, values, nulls) > 0;
}

void
bambi_quota_unreserve(const pg_uuid_t *user, const BambiQuota *quota)
{
	Datum		values[] = {
		UUIDPGetDatum(user), BoolGetDatum(quota->plan->per_minute > 0)
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
								  quota->plan->type, quota->plan->per_minute),
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
	bool		is_null;

	if (bambi_execute(&bambi_client_quota, values, NULL) == 0)
		bambi_refuse_not_signed_in();
	bambi_quota_read(&quota, now);
	if (!quota.is_active)
		bambi_refuse_not_signed_in();
	bambi_quota_require_consent(&quota);

	used = DatumGetInt32(bambi_result(0, USED, &is_null));
	if (quota.plan->is_limited && used >= quota.plan->limit)
	{
		reset = bambi_result_text(0, 2);
		bambi_refuse(BAMBI_QUOTA_USED_UP, NULL,
					 psprintf("Of %d generations of plan \"%s\", %d are used; the period ends at %s.",
							  quota.plan->limit, quota.plan->type, used,
							  reset ? reset : "an unknown time"),
					 "Wait for the next period, or take a larger plan.");
	}
	if (quota.plan->per_minute > 0)
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
