/*-------------------------------------------------------------------------
 *
 * period.h
 *		When the periods of a plan begin and end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PERIOD_H
#define BAMBI_PERIOD_H

#include "utils/timestamp.h"

/*
 * Of the periods that follow each other before and after an anchor, the one
 * that runs at a time: start <= at < end.
 */
extern void bambi_period_at(TimestampTz anchor, const Interval *period,
							TimestampTz at, TimestampTz *start,
							TimestampTz *end);

/*
 * The period of the quota that runs at a time, if a subscription decides it:
 * what it bills lies between two times, the first DT_NOBEGIN and the last
 * DT_NOEND where they are not known.  False for the free plan, and for what is
 * not billed.
 */
extern bool bambi_period_of_subscription(const char *plan,
										 TimestampTz billed_from,
										 TimestampTz billed_to,
										 const Interval *period,
										 TimestampTz at, TimestampTz *start,
										 TimestampTz *end);

#endif							/* BAMBI_PERIOD_H */
