/*-------------------------------------------------------------------------
 *
 * budget.h
 *		How much money a user's generations may cost.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_BUDGET_H
#define BAMBI_BUDGET_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "price.h"

/*
 * Raises BAMBI_QUOTA_USED_UP unless all budgets that hold for this user and
 * this key (NULL: none pays) bear what the user has pending, the generation
 * that this transaction has queued included.  price is of that one: all of it
 * must be known.
 *
 * The user's row has been changed by this transaction, with a reservation or
 * by bambi_budget_touch_user: so of two that ask at once the second sees what
 * the first has queued, or is told to try again.
 */
extern void bambi_budget_require(const pg_uuid_t *user,
								 const pg_uuid_t *configuration,
								 const BambiEstimate *price);

/* What a generation that is there would cost now. */
extern void bambi_budget_estimate(BambiEstimate *price, const pg_uuid_t *id,
								  const pg_uuid_t *user, TimestampTz now);

#endif							/* BAMBI_BUDGET_H */
