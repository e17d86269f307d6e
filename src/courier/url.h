/*-------------------------------------------------------------------------
 *
 * url.h
 *		Takes an address apart, by libcurl's own reading of it: so what is
 *		judged is what is connected.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_URL_H
#define BAMBI_URL_H

#include <stdbool.h>

#include "arena.h"

#define MAX_URL			4096

/* All in the arena. */
typedef struct Url
{
	const char *scheme;
	const char *host;
	const char *port;			/* also where it is the scheme's own */
} Url;

/* False if it is no absolute address, too long, or names a user. */
extern bool url_read(Arena *arena, const char *text, Url *url);

/* Where location, perhaps relative, leads to from base; NULL if nowhere. */
extern const char *url_join(Arena *arena, const char *base,
							const char *location);

/* Which has no place in an address, nor in a part of one. */
extern bool url_has_control_character(const char *text);

/* Whether an address can be put before a path: "https://host/path". */
extern bool url_is_base(const char *text);

#endif							/* BAMBI_URL_H */
