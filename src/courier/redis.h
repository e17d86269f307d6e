/*-------------------------------------------------------------------------
 *
 * redis.h
 *		The one connection to Redis, and what the worker wants written there.
 *
 * Two more kinds of errands (see errands.h):
 *	{"kind":"cache_open", "version", "epoch", "life_ms"}: a new connection,
 *	and with it a new epoch, which makes all values of others void
 *	{"kind":"cache_write", "opened", "version", "epoch", "life_ms", "values":
 *	 [{"key", "value", "life_ms", "is_change"}, ...]}: on the connection that
 *	the errand with the tag "opened" has got; value is JSON as text, or absent
 *	where there is none
 * Each is answered once, one at a time: {}, {"error"}, or {"was_flushed"} if
 * it was done, and nothing of what was written before is there any more.  The
 * answer to cache_open comes a second time, with an error, when its connection
 * is over.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_REDIS_H
#define BAMBI_REDIS_H

#include <jansson.h>
#include <stdint.h>

#include "settings.h"

/* Ends the connection if it would be another one by now. */
extern void redis_configure(const Settings *settings);

/* Whether redis_receive is to be given an errand of this kind. */
extern bool redis_is_meant(const char *kind);

extern void redis_receive(uint64_t tag, const json_t *errand);

/* Ends the connection, tells nobody, and wipes the password. */
extern void redis_stop(void);

#endif							/* BAMBI_REDIS_H */
