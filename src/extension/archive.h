/*-------------------------------------------------------------------------
 *
 * archive.h
 *		Months on their way to the archive and back.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ARCHIVE_H
#define BAMBI_ARCHIVE_H

#include "utils/timestamp.h"

#include "courier_link.h"

/* In the tags of what the courier is asked for it; places are below. */
#define BAMBI_ARCHIVE_TAG	0x0800

/* The next run notes the months that are due. */
extern void bambi_archive_look(TimestampTz now);

/* A piece of work, in a transaction of its own, when there is one. */
extern void bambi_archive_run(TimestampTz now);

/* The courier's word about an errand.  Takes over the frame's memory. */
extern void bambi_archive_answered(BambiFrame *frame);

/* The courier is gone: what it was about is asked again. */
extern void bambi_archive_lost(TimestampTz now);

#endif							/* BAMBI_ARCHIVE_H */
