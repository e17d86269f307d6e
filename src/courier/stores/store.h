/*-------------------------------------------------------------------------
 *
 * store.h
 *		What an image store must be able to do.
 *
 * One constant of type StoreAdapter per file; registry.c lists them.
 *
 * put may be asked twice for the same image after a crash, and must then
 * give the same location.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STORE_H
#define BAMBI_STORE_H

#include "../exchange.h"

typedef struct StoredImage
{
	const char *user;			/* uuid text */
	const char *generation;		/* uuid text */
	int			position;		/* from 1 */
	const char *format;			/* png, jpeg, webp */
	const char *sha256;			/* hex */
	const Picture *picture;
} StoredImage;

typedef struct StoreAdapter
{
	const char *name;			/* as in images.store */
	bool		sends_bytes;	/* the bytes go back to the worker, in PICTURE */

	/* *location is as in images.storage_path, in the arena. */
	Next		(*put) (Exchange *x, const StoredImage *image, char **location);
} StoreAdapter;

extern const StoreAdapter store_database;

/* By name, or NULL. */
extern const StoreAdapter *store_find(const char *name);

#endif							/* BAMBI_STORE_H */
