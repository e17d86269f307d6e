/*-------------------------------------------------------------------------
 *
 * uuid.h
 *		Ids that carry their time (UUID version 7, RFC 9562).
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_UUID_H
#define BAMBI_UUID_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

/* A new id, greater than all that this process made before. */
extern void bambi_uuid_make(pg_uuid_t *id);

/* The lowest id of the millisecond in which a time lies. */
extern void bambi_uuid_lowest(TimestampTz time, pg_uuid_t *id);

/* When an id was made, to the millisecond. */
extern TimestampTz bambi_uuid_made(const pg_uuid_t *id);

/*
 * Reads 32 hexadecimal digits, with or without a hyphen after every four.
 * False, never an error, for anything else.
 */
extern bool bambi_uuid_parse(const char *digits, pg_uuid_t *id);

#define UUID_TEXT_SIZE	37		/* with the terminating zero */

extern void bambi_uuid_print(const pg_uuid_t *id, char printed[UUID_TEXT_SIZE]);

#endif							/* BAMBI_UUID_H */
