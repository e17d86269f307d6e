/*-------------------------------------------------------------------------
 *
 * links.h
 *		Links to pictures that the database hands out itself: signed, with a
 *		time at which they end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_LINKS_H
#define BAMBI_LINKS_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct BambiLink
{
	pg_uuid_t	image;
	pg_uuid_t	user;
	int64		until;			/* seconds since 1970 */
} BambiLink;

/* The link as text that fits into a URL, signed with secret. */
extern char *bambi_link_print(const BambiLink *link, const bytea *secret);

/*
 * Reads what is said, without believing it: false if it is no such text.
 * Whether it was we who said it, bambi_link_is_ours tells.
 */
extern bool bambi_link_parse(const char *text, BambiLink *link);
extern bool bambi_link_is_ours(const char *text, const bytea *secret);

#endif							/* BAMBI_LINKS_H */
