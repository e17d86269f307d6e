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
	int32		used;			/* users.usage_count, perhaps of a past period */
	char	   *plan;			/* plans.plan_type */
	bool		is_limited;
	int32		limit;
	Interval   *period;
	int32		weight;
} BambiQuota;

#define BAMBI_QUOTA_COLUMNS	7

/* Reads the columns above from row 0 of the last result. */
extern void bambi_quota_read(BambiQuota *quota);

/* When the period that begins now, at the latest, ends. */
extern TimestampTz bambi_quota_next_reset(const BambiQuota *quota,
										  TimestampTz now);

/*
 * Takes one generation from the user's quota and sets the period that it was
 * taken from; false if none is left.
 */
extern bool bambi_quota_reserve(const pg_uuid_t *user,
								const BambiQuota *quota, TimestampTz now,
								TimestampTz *period);

/* Why a reservation took nothing. */
extern void bambi_quota_refuse(const pg_uuid_t *user)
			pg_attribute_noreturn();

/* Gives one back, if the period that it was taken from still runs. */
extern void bambi_quota_release(const pg_uuid_t *user, TimestampTz period);

#endif							/* BAMBI_QUOTA_H */
