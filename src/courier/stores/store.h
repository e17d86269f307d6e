/*-------------------------------------------------------------------------
 *
 * store.h
 *		What an image store must be able to do.
 *
 * One constant of type StoreAdapter per file; registry.c lists them.
 *
 * put may be asked twice for the same image after a crash, and must then
 * give the same location.  erase of something already gone is a success.
 *
 * FAULT_STORE_DOWN is whatever an operator or time can mend; only a location
 * that makes no sense or leads to nothing is FAULT_BAD_REQUEST.
 *
 * x->settings are the settings of the server without their prefix
 * ("s3_bucket"), x->secret is what stands in the file that
 * credentials_setting names, and x->base_url is empty: an adapter makes whole
 * addresses of its settings.  A store that fails is asked again, for as long
 * as it takes: a picture is paid for by then.
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
	const char *format;			/* png, jpeg, webp, gif */
	const char *sha256;			/* hex */
	const Picture *picture;
} StoredImage;

/*
 * What a store must be able to do to keep the archive.  Its files have names
 * that archive_name_is_fine; put replaces what was there, as a whole.
 */
typedef struct ArchiveAdapter
{
	const char *(*check) (const json_t *settings);	/* as StoreAdapter's */
	Next		(*put) (Exchange *x, const char *name, const Picture *content,
						const char *sha256);
	Next		(*get) (Exchange *x, const char *name, Picture *content);
	Next		(*erase) (Exchange *x, const char *name);
} ArchiveAdapter;

typedef struct StoreAdapter
{
	const char *name;			/* as in images.store */
	bool		sends_bytes;	/* the bytes go back to the worker, in PICTURE */

	const char *credentials_setting;	/* of the file with them, or NULL */
	const char *own_setting;	/* that only who wants this store sets */

	/* Why the settings will not do, as a constant, or NULL.  NULL: any will. */
	const char *(*check) (const json_t *settings);

	/*
	 * Where put puts it, in the arena; NULL, the function itself, where it is
	 * put nowhere.
	 */
	char	   *(*place) (Exchange *x, const StoredImage *image);

	/* *location is as in images.storage_path, in the arena. */
	Next		(*put) (Exchange *x, const StoredImage *image, char **location);

	/*
	 * Puts a picture at a location that put gave it once; sha256 is its hash
	 * in hex.  NULL: that cannot be.
	 */
	Next		(*put_at) (Exchange *x, const char *location,
						   const Picture *picture, const char *sha256);

	/*
	 * Takes back what was put, unless it was put again after deleted_at_us
	 * (microseconds since 1970), when the row that names it was deleted.
	 */
	Next		(*erase) (Exchange *x, const char *location,
						  int64_t deleted_at_us);

	/* The bytes of what was put, malloc'ed and given. */
	Next		(*get) (Exchange *x, const char *location, Picture *picture);

	/*
	 * An address at which anybody can fetch it for expires seconds from
	 * x->now, or for good if expires is 0 and the store hands out to anybody;
	 * *url in the arena.  NULL: links to this store are made without it.
	 */
	Next		(*link) (Exchange *x, const char *location, int64_t expires,
						 char **url);

	const ArchiveAdapter *archive;	/* NULL: it keeps none */
} StoreAdapter;

/* "image store" or "archive", for messages. */
extern const char *store_called(const Exchange *x);

/* NEXT_FAIL for a location or name that leads to nothing. */
extern Next store_fail_missing(Exchange *x);

/* By name, or NULL. */
extern const StoreAdapter *store_find(const char *name);

/* One after the other, from 0; NULL after the last. */
extern const StoreAdapter *store_at(int place);

#endif							/* BAMBI_STORE_H */
