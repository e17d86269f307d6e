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
#include "utils/rangetypes.h"
#include "utils/typcache.h"

#include "period.h"
#include "plan.h"

PG_FUNCTION_INFO_V1(bambi_subscription_period);

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

/*
 * Counted from the end, since that is what the billing keeps: a month that is
 * paid from the 28th of February to the 31st of March is one period, and has
 * no rest of three days.
 */
bool
bambi_period_of_subscription(const char *plan, TimestampTz billed_from,
							 TimestampTz billed_to, const Interval *period,
							 TimestampTz at, TimestampTz *start,
							 TimestampTz *end)
{
	if (TIMESTAMP_NOT_FINITE(billed_to) || strcmp(plan, BAMBI_FREE_PLAN) == 0)
		return false;

	/* a billing that has not begun by our clock has by that of who bills */
	bambi_period_at(billed_to, period, Max(at, billed_from), start, end);
	*start = Max(*start, billed_from);
	return true;
}

/*
 * Arguments: plan_type text, current_period_start timestamptz,
 * current_period_end timestamptz, period interval, at timestamptz.
 */
Datum
bambi_subscription_period(PG_FUNCTION_ARGS)
{
	RangeBound	lower = {.inclusive = true,.lower = true};
	RangeBound	upper = {.inclusive = false,.lower = false};
	TimestampTz billed_from = DT_NOBEGIN;
	TimestampTz start;
	TimestampTz end;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3) ||
		PG_ARGISNULL(4))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1))
		billed_from = PG_GETARG_TIMESTAMPTZ(1);
	if (!bambi_period_of_subscription(text_to_cstring(PG_GETARG_TEXT_PP(0)),
									  billed_from, PG_GETARG_TIMESTAMPTZ(2),
									  PG_GETARG_INTERVAL_P(3),
									  PG_GETARG_TIMESTAMPTZ(4), &start, &end))
		PG_RETURN_NULL();

	lower.val = TimestampTzGetDatum(start);
	upper.val = TimestampTzGetDatum(end);
	PG_RETURN_RANGE_P(make_range(lookup_type_cache(TSTZRANGEOID,
												   TYPECACHE_RANGE_INFO),
								 &lower, &upper, false));
}
