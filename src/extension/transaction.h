/*-------------------------------------------------------------------------
 *
 * transaction.h
 *		The worker's transactions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_TRANSACTION_H
#define BAMBI_TRANSACTION_H

#include "utils/timestamp.h"

/*
 * Runs work in a transaction of its own, with SPI connected and a snapshot.
 * False if it failed: then it is undone, and the error is logged and noted
 * for bambi_status().
 */
extern bool bambi_in_transaction(void (*work) (TimestampTz now),
								 TimestampTz now);

/*
 * Whether what failed last may work later: locks, full disks, and the like.
 */
extern bool bambi_failure_is_passing(void);


#endif							/* BAMBI_TRANSACTION_H */
