/*-------------------------------------------------------------------------
 *
 * percent.h
 *		Percent-encoding of what becomes part of a URL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PERCENT_H
#define BAMBI_PERCENT_H

#include <stdbool.h>

#include "arena.h"

/*
 * Every byte but the unreserved ones (RFC 3986 section 2.3) as %XX, upper
 * case, as AWS wants it signed; of a path the slashes stay.
 */
extern char *percent_encode(Arena *arena, const char *text, bool is_path);

#endif							/* BAMBI_PERCENT_H */
