/*-------------------------------------------------------------------------
 *
 * turn.h
 *		One turn of the worker's loop, in one transaction: settle and claim.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_TURN_H
#define BAMBI_TURN_H

#include "utils/timestamp.h"

/* Whether anything is there to be done in the tables. */
extern bool bambi_turn_is_needed(TimestampTz now);

/*
 * Does it.  The frames for the courier are appended, and may be sent when
 * this returns: what they say is on disk.  True if something was claimed.
 */
extern bool bambi_turn_run(TimestampTz now);

/* Before the first turn: virtual time and the delays of the queue. */
extern void bambi_turn_begin(TimestampTz now);


#endif							/* BAMBI_TURN_H */
