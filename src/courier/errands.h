/*-------------------------------------------------------------------------
 *
 * errands.h
 *		What the worker wants done besides generations: it may be repeated,
 *		and costs nobody anything.
 *
 * An errand is JSON with its "kind":
 *	{"kind":"erase", "store", "location", "deleted_at_us"}
 *	{"kind":"link", "store", "location", "expires"}
 * and is answered once, in any order: {"url"} for a link, {"error"} if it was
 * not done.  Nothing is kept for a worker that is gone: it asks again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ERRANDS_H
#define BAMBI_ERRANDS_H

#include "../protocol/frame.h"

extern void errands_receive(const FrameHead *head, const char *json);

/* The worker is gone: nothing is begun or finished any more. */
extern void errands_stop(void);

#endif							/* BAMBI_ERRANDS_H */
