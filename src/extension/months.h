/*-------------------------------------------------------------------------
 *
 * months.h
 *		Is there a partition for what is made now?
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_MONTHS_H
#define BAMBI_MONTHS_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

/*
 * For a backend, before it stores a generation of this id.  Where the month
 * is missing, the worker makes it meanwhile, in a transaction of its own: one
 * that a client keeps open would hold the locks that this takes.  Raises
 * BAMBI_TRY_LATER if it is not there in time.
 */
extern void bambi_month_require(const pg_uuid_t *id);

/* Whether an error says that a row found no partition of ours. */
extern bool bambi_month_is_missing(const ErrorData *error);

/* Raises BAMBI_TRY_LATER for it. */
extern void bambi_month_refuse(void) pg_attribute_noreturn();

/*
 * Makes the months ahead in the running transaction, which should end soon.
 * False if some are still missing, because somebody holds a lock.
 */
extern bool bambi_months_make(void);

/* The worker makes the months ahead, when that is due. */
extern void bambi_months_run(TimestampTz now);

#endif							/* BAMBI_MONTHS_H */
