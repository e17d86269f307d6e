/*-------------------------------------------------------------------------
 *
 * claim.h
 *		From the queue to the courier.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_CLAIM_H
#define BAMBI_CLAIM_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

/*
 * Claims up to wanted generations for our incarnation and appends their JOB
 * frames to what the courier gets.  Inside a transaction; the frames must
 * not be sent before it is on disk.  Returns how many were claimed: fewer
 * than wanted means that the queue has no more for now.
 */
extern int	bambi_claim(int wanted, TimestampTz now);

/* ... unless it was cut short, and goes on in the next turn. */
extern bool bambi_claim_was_cut(void);

/* The claims of a turn that aborted: as if they had never been. */
extern void bambi_claim_forget(void);

/* ... and of one that committed. */
extern void bambi_claim_keep(void);

/* After a start: virtual time goes on where the queue begins. */
extern void bambi_claim_begin(void);

/* When the next delayed generation is due; 0 for none. */
extern TimestampTz bambi_claim_next_due(void);

/* Appends CANCEL frames for the claims whose owners ask for it. */
extern void bambi_claim_cancels(void);

#endif							/* BAMBI_CLAIM_H */
