/*-------------------------------------------------------------------------
 *
 * key_check.h
 *		Having a key shown to its provider, as often as the plan allows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_KEY_CHECK_H
#define BAMBI_KEY_CHECK_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

/*
 * Queues a check of a key in the caller's transaction, in the place of those
 * that are queued.  Raises BAMBI_TOO_MANY, with the time to wait, beyond the
 * limits of the user's plan.  The configuration is locked, or new.
 */
extern void bambi_key_check(const pg_uuid_t *configuration,
							const pg_uuid_t *user, TimestampTz now);

/* The machinery's own: it counts for nobody, and wakes nobody. */
extern void bambi_key_check_later(const pg_uuid_t *configuration,
								  const pg_uuid_t *user);

/* Queued at a time, so that no provider sees all keys at once. */
#define BAMBI_MOST_KEY_CHECKS	8

/*
 * Queues checks of keys of which nothing was heard for
 * bambi.key_validation_days, and gives how many.
 */
extern int	bambi_key_check_due(TimestampTz now);

#endif							/* BAMBI_KEY_CHECK_H */
