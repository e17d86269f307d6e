/*-------------------------------------------------------------------------
 *
 * text.h
 *		A growing piece of JSON text.
 *
 * jansson reads what strangers wrote; what the courier itself says is so
 * plain that printing it directly costs a tenth.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_TEXT_H
#define BAMBI_TEXT_H

#include <stddef.h>

typedef struct Text
{
	char	   *bytes;			/* malloc'ed; not terminated */
	size_t		len;
	size_t		size;
} Text;

/* Room for len more bytes, which the caller fills and counts. */
extern char *text_reserve(Text *text, size_t len);

/* As it is. */
extern void text_add(Text *text, const char *plain);
extern void text_add_number(Text *text, long long number);

/*
 * As a JSON string, cut after max bytes at a character; NULL is null.  What
 * is not UTF-8 becomes "?".
 */
extern void text_add_string(Text *text, const char *string, size_t max);

#endif							/* BAMBI_TEXT_H */
