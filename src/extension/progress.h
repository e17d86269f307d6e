/*-------------------------------------------------------------------------
 *
 * progress.h
 *		How far streamed generations are, for those who look.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PROGRESS_H
#define BAMBI_PROGRESS_H

#include "calls.h"

/*
 * Stores what has come since the last time, in a transaction of its own.  It
 * is a courtesy: what fails is forgotten.
 */
extern void bambi_progress_run(TimestampTz now);

/* Inside the transaction that ends the call: its preview goes. */
extern void bambi_progress_end(BambiCall *call);

#endif							/* BAMBI_PROGRESS_H */
