/*-------------------------------------------------------------------------
 *
 * retention.h
 *		What is kept no longer, a bit at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_RETENTION_H
#define BAMBI_RETENTION_H

#include "utils/timestamp.h"

/*
 * Does the next part of the daily round over what is past its time, if it is
 * due, in a transaction of its own.
 */
extern void bambi_retention_run(TimestampTz now);

/* A round from the beginning, now or after the one that runs. */
extern void bambi_retention_ask(TimestampTz now);

#endif							/* BAMBI_RETENTION_H */
