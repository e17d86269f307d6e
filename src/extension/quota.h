/*-------------------------------------------------------------------------
 *
 * quota.h
 *		How many generations a user may still start.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_QUOTA_H
#define BAMBI_QUOTA_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

/* A user's plan and period, as the first columns of a statement give them. */
typedef struct BambiQuota
{
	bool		is_active;		/* the user */
	bool		has_reset;
	TimestampTz reset;			/* users.reset_date */
	char	   *plan;			/* plans.plan_type */
	bool		is_limited;
	int32		limit;
	Interval   *period;
	int32		weight;

	/* the period that runs, if a subscription decides it */
	bool		is_subscribed;
	TimestampTz subscription_start;
	TimestampTz subscription_end;

	int32		per_minute;		/* 0: any number */
	int32		max_pictures;	/* 0: any number */
} BambiQuota;

#define BAMBI_QUOTA_COLUMNS	9

/* Reads the columns above from row 0 of the last result. */
extern void bambi_quota_read(BambiQuota *quota);

/*
 * The values that RESERVE takes: now, end of a new period and limit in
 * values[0] to [2]; the start of the subscription's period and the limit in a
 * minute in more[0] and [1].
 */
extern void bambi_quota_values(const BambiQuota *quota, TimestampTz now,
							   Datum values[3], char nulls[3],
							   Datum more[2], char more_nulls[2]);

/*
 * Takes one generation from the user's quota and sets the period that it was
 * taken from; false if none is left.
 */
extern bool bambi_quota_reserve(const pg_uuid_t *user,
								const BambiQuota *quota, TimestampTz now,
								TimestampTz *period);

/* Takes back what this transaction has just reserved, as if it had not. */
extern void bambi_quota_unreserve(const pg_uuid_t *user,
								  const BambiQuota *quota);

/* Why a reservation took nothing. */
extern void bambi_quota_refuse(const pg_uuid_t *user)
			pg_attribute_noreturn();

/* Gives one back, if the period that it was taken from still runs. */
extern void bambi_quota_release(const pg_uuid_t *user, TimestampTz period);

#endif							/* BAMBI_QUOTA_H */
