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

#include "catalogue.h"

/* A user's plan and period, as the first columns of a statement give them. */
typedef struct BambiQuota
{
	bool		is_active;		/* the user */
	bool		is_withdrawn;	/* the consent to processing */
	bool		has_reset;
	TimestampTz reset;			/* users.reset_date */
	const BambiPlan *plan;		/* lent until SPI_finish */

	/* the period that runs, if a subscription decides it */
	bool		is_subscribed;
	TimestampTz subscription_start;
	TimestampTz subscription_end;
} BambiQuota;

#define BAMBI_QUOTA_COLUMNS	6

/*
 * Reads these columns from row 0 of the last result, and the plan that they
 * name.  Whose plan is not there is not active.
 */
extern void bambi_quota_read(BambiQuota *quota, TimestampTz now);

/*
 * Takes one generation from the user's quota and sets the period that it was
 * taken from; false if none is left.
 */
extern bool bambi_quota_reserve(const pg_uuid_t *user,
								const BambiQuota *quota, TimestampTz now,
								TimestampTz *period);

/*
 * Begins the period that runs, if the user's row still tells of one that is
 * over; whoever reserves does so by that.  True if it did.
 */
extern bool bambi_quota_begin_period(const pg_uuid_t *user, TimestampTz now);

/* Takes back what this transaction has just reserved, as if it had not. */
extern void bambi_quota_unreserve(const pg_uuid_t *user,
								  const BambiQuota *quota);

/* Refuses who does not consent to processing. */
extern void bambi_quota_require_consent(const BambiQuota *quota);

/* Why a reservation took nothing. */
extern void bambi_quota_refuse(const pg_uuid_t *user)
			pg_attribute_noreturn();

/* Gives one back, if the period that it was taken from still runs. */
extern void bambi_quota_release(const pg_uuid_t *user, TimestampTz period);

#endif							/* BAMBI_QUOTA_H */
