/*-------------------------------------------------------------------------
 *
 * period.c
 *		When does a period of a plan begin and end?
 *
 * By the calendar of UTC: a session's TimeZone would give each session other
 * bounds, and a count that starts anew for whoever sets it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

#include "period.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(bambi_past_due_grace);
PG_FUNCTION_INFO_V1(bambi_subscription_period);

static TypeCacheEntry *
range_type(void)
{
	return lookup_type_cache(TSTZRANGEOID, TYPECACHE_RANGE_INFO);
}

/* The bound of the calendar that lies count periods after the anchor. */
static TimestampTz
bound(TimestampTz anchor, const Interval *period, int64 count)
{
	Datum		span = DirectFunctionCall2(interval_mul,
										   IntervalPGetDatum(period),
										   Float8GetDatum((double) count));

	/* of timestamp, not timestamptz: both hold UTC, and that one stays in it */
	return DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval,
												 TimestampGetDatum(anchor),
												 span));
}

void
bambi_period_at(TimestampTz anchor, const Interval *period, TimestampTz at,
				TimestampTz *start, TimestampTz *end)
{
	double		length;
	int64		count;

	/* near the true number: a month may have other than 30 days */
	length = (double) period->time +
		((double) period->day + period->month * 30.0) * USECS_PER_DAY;
	count = (int64) floor((double) (at - anchor) / length);

	while ((*start = bound(anchor, period, count)) > at)
		count--;
	while ((*end = bound(anchor, period, count + 1)) <= at)
	{
		*start = *end;
		count++;
	}
}

void
bambi_period_read(const RangeType * range, TimestampTz *start,
				  TimestampTz *end)
{
	RangeBound	lower;
	RangeBound	upper;
	bool		is_empty;

	range_deserialize(range_type(), range, &lower, &upper, &is_empty);
	*start = DatumGetTimestampTz(lower.val);
	*end = DatumGetTimestampTz(upper.val);
}

static Datum
make_period(TimestampTz start, TimestampTz end)
{
	RangeBound	lower = {TimestampTzGetDatum(start), false, true, true};
	RangeBound	upper = {TimestampTzGetDatum(end), false, false, false};

	return RangeTypePGetDatum(make_range(range_type(), &lower, &upper,
										 false));
}

/*
 * Arguments: plan_type text, current_period_start timestamptz,
 * current_period_end timestamptz, period interval, at timestamptz.
 *
 * Counted from the end, since that is what the billing keeps: a month that is
 * paid from the 28th of February to the 31st of March is one period, and has
 * no rest of three days.
 */
Datum
bambi_subscription_period(PG_FUNCTION_ARGS)
{
	TimestampTz at;
	TimestampTz billed_from;
	TimestampTz start;
	TimestampTz end;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3) ||
		PG_ARGISNULL(4) ||
		strcmp(text_to_cstring(PG_GETARG_TEXT_PP(0)), "free") == 0)
		PG_RETURN_NULL();

	at = PG_GETARG_TIMESTAMPTZ(4);
	if (TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(2)))
		PG_RETURN_NULL();
	billed_from = PG_ARGISNULL(1) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(1);

	/* a billing that has not begun by our clock has by that of who bills */
	at = Max(at, billed_from);
	bambi_period_at(PG_GETARG_TIMESTAMPTZ(2), PG_GETARG_INTERVAL_P(3), at,
					&start, &end);
	PG_RETURN_DATUM(make_period(Max(start, billed_from), end));
}

Datum
bambi_past_due_grace(PG_FUNCTION_ARGS)
{
	Interval   *grace = palloc0(sizeof(Interval));

	grace->day = bambi_past_due_grace_days;
	PG_RETURN_INTERVAL_P(grace);
}
