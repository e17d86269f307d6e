/*-------------------------------------------------------------------------
 *
 * echo.h
 *		Finds a key in a stranger's text, however it was disguised there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ECHO_H
#define BAMBI_ECHO_H

#include <stdbool.h>
#include <stddef.h>

#include "secret.h"

/*
 * Sets marks for each byte of text from which six or more characters of the
 * secret, one after the other, can be read: in any case, letters and digits
 * with anything else between them, escaped for a URL, JSON or HTML, in base64 (base64url)
 * or hexadecimal, twice over if need be.  Of a service account's JSON the
 * secret is its private key.
 *
 * Takes some microseconds for each hundred bytes, and at worst 40 times as
 * much memory as the text.  False if there is none: then nothing is known.
 */
extern bool echo_mark(const char *text, size_t len, const Secret *secret,
					  bool *marks);

#endif							/* BAMBI_ECHO_H */
