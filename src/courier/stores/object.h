/*-------------------------------------------------------------------------
 *
 * object.h
 *		What the stores of objects have in common: those that keep a picture
 *		under a key, in a bucket, behind HTTP.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_OBJECT_H
#define BAMBI_OBJECT_H

#include "store.h"

/* As StoreAdapter.check: store_prefix and store_public_url. */
extern const char *object_check(const json_t *settings);

/* Whether a bucket's name can stand in a path, and in a host's name. */
extern bool object_is_bucket(const char *text);

/*
 * The image's key, which is its location: "{store_prefix}user/generation/
 * position.format".  The same image has the same, so that a put can be
 * repeated.
 */
extern char *object_location(Exchange *x, const StoredImage *image);

/* Whether it can be the path of a URL that nobody will make shorter. */
extern bool object_location_is_fine(const char *location);

/* By the end of a location that object_location made. */
extern char *object_media_type(Exchange *x, const char *location);

/*
 * The address below store_public_url, for good: NEXT_DONE, or NEXT_FAIL if
 * there is none.
 */
extern Next object_public_link(Exchange *x, const char *location,
							   char **url);

/* Whether the request was performed, and the answer says yes. */
extern bool object_is_done(const Exchange *x);

/*
 * NEXT_FAIL for an answer that says no, or none: status is what it means,
 * reason how it says so, or NULL.  It may be repeated.
 */
extern Next object_fail(Exchange *x, long status, const char *reason);

/* NEXT_FAIL for settings or credentials that will not do, until mended. */
extern Next object_fail_unprepared(Exchange *x, const char *problem);

/* NEXT_FAIL for a location that is none. */
extern Next object_fail_location(Exchange *x);

/* NEXT_FAIL for what cannot be asked of the store. */
extern Next object_fail_request(Exchange *x, const char *problem);

/* Takes the picture out of an answer that says yes. */
extern Next object_take(Exchange *x, Picture *picture);

#endif							/* BAMBI_OBJECT_H */
