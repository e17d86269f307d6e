/*-------------------------------------------------------------------------
 *
 * adopt.h
 *		What becomes of claims whose worker or courier is gone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ADOPT_H
#define BAMBI_ADOPT_H

#include "calls.h"

/*
 * Looks through the claims of other incarnations than ours, inside a
 * transaction, and makes a call of each that can be decided: its answer is
 * in the spool, or its courier is gone.  The ordinary settle does the rest.
 * When somebody must look again, because couriers of others still run or
 * there is more than may be read at a time; 0 for never.
 */
extern TimestampTz bambi_adopt(TimestampTz now);

/* The transaction failed: what was being read is read again. */
extern void bambi_adopt_forget(void);

/* The answer of an adopted call is in the tables: its file may go. */
extern void bambi_adopt_unlink(const BambiCall *call);

#endif							/* BAMBI_ADOPT_H */
