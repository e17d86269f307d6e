/*-------------------------------------------------------------------------
 *
 * cache.h
 *		Has the courier write to Redis what changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_CACHE_H
#define BAMBI_CACHE_H

#include "utils/timestamp.h"

#include "courier_link.h"

#define BAMBI_CACHE_TAG		0x1000

/* Does what is due: in a transaction of its own, if there is anything. */
extern void bambi_cache_run(TimestampTz now);

/* Somebody has noted something. */
extern void bambi_cache_woken(TimestampTz now);

/* The settings may be others now. */
extern void bambi_cache_try_again(TimestampTz now);

/* The courier's word.  Takes over the frame's memory. */
extern void bambi_cache_answered(BambiFrame *frame);

/* Whether values are on their way to Redis. */
extern bool bambi_cache_is_writing(void);

/* Whether Redis is to be written to, and is not there. */
extern bool bambi_cache_is_away(void);

/* The courier is gone, and its connection with it. */
extern void bambi_cache_lost(TimestampTz now);

#endif							/* BAMBI_CACHE_H */
