/*-------------------------------------------------------------------------
 *
 * scrub.h
 *		Makes a stranger's text fit to be stored and shown (rule L7).
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SCRUB_H
#define BAMBI_SCRUB_H

#include <stddef.h>

#include "secret.h"

/*
 * Copies text to out, at most out_size - 1 bytes and terminated, cut at a
 * character.  What is the secret, or six or more characters of it, also in a
 * disguise (echo.h), or looks like anybody's key, becomes "***"; control
 * characters become spaces; what is not UTF-8 becomes "?".  secret and text
 * may be NULL.
 */
extern void scrub_text(char *out, size_t out_size, const char *text,
					   const Secret *secret);

#endif							/* BAMBI_SCRUB_H */
