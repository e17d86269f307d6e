/*-------------------------------------------------------------------------
 *
 * errands.h
 *		From the outbox to the courier, and back: what is to be done besides
 *		generations.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ERRANDS_H
#define BAMBI_ERRANDS_H

#include "utils/timestamp.h"

#include "courier_link.h"

/*
 * Notes what has been done, and hands over what is due: in a transaction of
 * its own, when there is something to do.
 */
extern void bambi_errands_run(TimestampTz now);

/* The courier's word about one.  Takes over the frame's memory. */
extern void bambi_errand_answered(BambiFrame *frame);

/* The courier is gone: what it had is tried again soon. */
extern void bambi_errands_lost(void);

#endif							/* BAMBI_ERRANDS_H */
