/*-------------------------------------------------------------------------
 *
 * retry.h
 *		When, if ever, to try a failed request again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_RETRY_H
#define BAMBI_RETRY_H

#include "fault.h"

/*
 * Milliseconds to wait before the next attempt, or -1 to give up.
 *
 * attempt, the one that failed, counts from 1; jitter lies in [0, 1).  While
 * the key service or a store is down there is no giving up: generations wait.
 */
extern int	retry_delay_ms(const Fault *fault, int attempt, double jitter);

/*
 * The other side's hint in milliseconds, from the values of the headers
 * retry-after-ms, retry-after (seconds, or an HTTP date) and date, each of
 * which may be NULL; 0 if they say nothing that makes sense.  A date is
 * counted from the answer's own, since clocks differ.
 */
extern long retry_hint_ms(const char *retry_after_ms, const char *retry_after,
						  const char *date);

#endif							/* BAMBI_RETRY_H */
