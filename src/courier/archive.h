/*-------------------------------------------------------------------------
 *
 * archive.h
 *		Errands of the archive: files go there, are proved to be there, and
 *		come back.
 *
 *	{"kind":"archive_put", "name", "is_raw"}, with a payload
 *	{"kind":"archive_get", "name", "is_raw", "sha256"}
 *	{"kind":"archive_erase", "name"}
 *	{"kind":"archive_copy", "name", "store", "location"}: a picture of an
 *	image store, as it is
 *	{"kind":"archive_return", "name", "sha256", "store", "location"}: back to
 *	where it was
 *
 * Names are below bambi.archive_prefix, see archive_name.h; sha256 is that of
 * the stored file, and may be absent.  What is not raw is compressed.  The
 * answer of a put and a copy comes when the file was read back and is the
 * same; that of a return likewise, from the image store.
 *
 * All but erase answer {"name", "bytes", "sha256", "content_bytes",
 * "content_sha256"}: size and hash of the stored file, and of what is in it;
 * get answers with the content as its payload, too.  What was not done is
 * answered {"error"}, and "is_absent" or "is_damaged": true where time does
 * not mend it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_COURIER_ARCHIVE_H
#define BAMBI_COURIER_ARCHIVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether an errand of this kind is for the archive. */
extern bool archive_is_meant(const char *kind);

/* object and payload are lent until it returns. */
extern void archive_receive(uint64_t tag, json_t *object,
							const uint8_t *payload, size_t payload_len);

/* The worker is gone: nothing is begun or finished any more. */
extern void archive_stop(void);

#endif							/* BAMBI_COURIER_ARCHIVE_H */
