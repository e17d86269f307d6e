/*-------------------------------------------------------------------------
 *
 * settle.h
 *		From the courier's answers to the tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SETTLE_H
#define BAMBI_SETTLE_H

#include "utils/timestamp.h"

#include "calls.h"

/*
 * Settles what waits, as much as one transaction should, inside the caller's
 * transaction.  What somebody holds locked is put off; it is tried again when
 * with_locked is true.
 */
extern void bambi_settle(TimestampTz now, bool with_locked);

/* Settles one call, in the same way: for what could not be in a batch. */
extern void bambi_settle_single(BambiCall *call, TimestampTz now);

/*
 * Ends one call whose answer the tables refuse, as failed: it was paid, and
 * its picture is lost.
 */
extern void bambi_settle_refused(BambiCall *call, TimestampTz now);

/*
 * After the commit: tells the courier, wakes who waits, forgets the calls.
 * After an abort: they wait as before.
 */
extern void bambi_settle_keep(void);
extern void bambi_settle_forget(void);

/* Something was put back with a delay since the last time of asking. */
extern bool bambi_settle_has_delayed(void);

/* Something became uncertain since the last time of asking. */
extern bool bambi_settle_has_uncertain(void);

#endif							/* BAMBI_SETTLE_H */
