/*-------------------------------------------------------------------------
 *
 * errands.h
 *		What the worker wants done besides generations: it may be repeated,
 *		and costs nobody anything.
 *
 * An errand is JSON with its "kind":
 *	{"kind":"erase", "store", "location", "deleted_at_us"}
 *	{"kind":"link", "store", "location", "expires"}
 *	{"kind":"validate", "user", "provider", "adapter", "base_url", "networks",
 *	 "settings", "operator_settings", "model"}, with a sealed key
 *	{"kind":"reseal", "user", "provider", "kid"}, with a sealed key: to be
 *	sealed anew, to the master key kid
 *	{"kind":"rotate"}: a new version of the master key
 *	and those of the archive, see archive.h,
 * and is answered once, in any order: {"url"} for a link; {"state", "message"}
 * for a key, where state is valid, rejected, failing (known, and without money)
 * or unknown (nothing that was said tells); {"key"} sealed anew, {"kid"} of the
 * new version; {"error"} (and "is_unreadable" of a key that does not open, "how"
 * to rotate where the key service does not) if it was not done and
 * may be another time.  Nothing is kept for a worker that is gone: it asks
 * again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ERRANDS_H
#define BAMBI_ERRANDS_H

#include "../protocol/frame.h"

/* picture is the payload, of what is archived. */
extern void errands_receive(const FrameHead *head, const char *key,
							const char *json, const uint8_t *picture);

/* The worker is gone: nothing is begun or finished any more. */
extern void errands_stop(void);

#endif							/* BAMBI_ERRANDS_H */
