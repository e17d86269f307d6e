/*-------------------------------------------------------------------------
 *
 * base64.h
 *		Base64 as in RFC 4648 section 4, read strictly and piece by piece.
 *
 * Strict: only the standard alphabet, padding required and nothing after it,
 * no white space, and the bits that the padding leaves over are zero.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_BASE64_H
#define BAMBI_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Base64
{
	uint32_t	bits;			/* of the characters of an unfinished four */
	int			count;			/* how many these are, padding included */
	int			padding;		/* how many of them are padding */
	bool		is_broken;		/* stays so */
} Base64;

/* Bytes that decoding len more characters can give at most. */
#define BASE64_DECODED_MAX(len)	(((len) + 3) / 4 * 3)

/* Characters that encoding len bytes gives. */
#define BASE64_ENCODED(len)	(((len) + 2) / 3 * 4)

/*
 * Decodes the next len characters into out and returns the number of bytes
 * written.  A zeroed Base64 is a new one.
 */
extern size_t base64_decode(Base64 *decoder, const char *in, size_t len,
							uint8_t *out);

/* Whether what was decoded so far is whole. */
extern bool base64_is_whole(const Base64 *decoder);

#endif							/* BAMBI_BASE64_H */
