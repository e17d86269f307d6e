/*-------------------------------------------------------------------------
 *
 * period.h
 *		When the periods of a plan begin and end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PERIOD_H
#define BAMBI_PERIOD_H

#include "utils/rangetypes.h"
#include "utils/timestamp.h"

/*
 * Of the periods that follow each other before and after an anchor, the one
 * that runs at a time: start <= at < end.
 */
extern void bambi_period_at(TimestampTz anchor, const Interval *period,
							TimestampTz at, TimestampTz *start,
							TimestampTz *end);

/* The bounds of what bambi_internal.subscription_period gives. */
extern void bambi_period_read(const RangeType * range, TimestampTz *start,
							  TimestampTz *end);

#endif							/* BAMBI_PERIOD_H */
