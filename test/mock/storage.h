/*-------------------------------------------------------------------------
 *
 * storage.h
 *		Supabase Storage, as far as pictures need it, under /storage/v1.
 *
 * Buckets are there without being made, but for those whose name begins with
 * "missing"; all are public, but for those whose name begins with "private".
 * A service key is any bearer token or apikey but one that begins with
 * "invalid".
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_STORAGE_H
#define MOCK_STORAGE_H

#include <jansson.h>

#include "http.h"

/* path: what follows /storage/v1 */
extern void storage_answer(Connection *c, const Request *request,
						   const char *path);

/*
 * The body of POST /_mock/storage: {"down": true} or "503": it answers 503;
 * {"down": "reset"}: connections are reset; {"down": false}: it is up again.
 * With "times": only for so many requests.  NULL, or what is wrong with it.
 */
extern const char *storage_set(const json_t *wish);

/* GET /_mock/storage: every object, without its bytes */
extern void storage_print(Connection *c);

/* Empty, and up. */
extern void storage_reset(void);

#endif							/* MOCK_STORAGE_H */
