/*-------------------------------------------------------------------------
 *
 * text.c
 *		A growing piece of JSON text.
 *
 *-------------------------------------------------------------------------
 */
#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
text_reserve(Text *text, size_t len)
{
	if (text->size - text->len < len)
	{
		size_t		size = text->size * 2;

		if (size < text->len + len)
			size = text->len + len;
		text->bytes = realloc(text->bytes, size);
		if (text->bytes == NULL)
			abort();
		text->size = size;
	}
	return text->bytes + text->len;
}

void
text_add(Text *text, const char *plain)
{
	size_t		len = strlen(plain);

	memcpy(text_reserve(text, len), plain, len);
	text->len += len;
}

void
text_add_number(Text *text, long long number)
{
	text->len += (size_t) snprintf(text_reserve(text, 24), 24, "%lld",
								   number);
}

/*
 * Bytes of the UTF-8 character at p, or 0 if it is none (RFC 3629).  The
 * terminating zero is no continuation byte, so this never reads past it.
 */
static int
character_len(const uint8_t *p)
{
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		return (p[1] & 0xc0) == 0x80 ? 2 : 0;
	if ((p[0] & 0xf0) == 0xe0)
	{
		if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 ||
			(p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
			return 0;
		return 3;
	}
	if (p[0] >= 0xf0 && p[0] <= 0xf4)
	{
		if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 ||
			(p[3] & 0xc0) != 0x80 || (p[0] == 0xf0 && p[1] < 0x90) ||
			(p[0] == 0xf4 && p[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

void
text_add_string(Text *text, const char *string, size_t max)
{
	const uint8_t *p = (const uint8_t *) string;
	const uint8_t *end;
	char	   *out;

	if (string == NULL)
	{
		text_add(text, "null");
		return;
	}
	end = p + strnlen(string, max);

	/* the longest is \u00XX for one byte */
	out = text_reserve(text, (size_t) (end - p) * 6 + 2);
	*out++ = '"';
	while (p < end)
	{
		int			len = character_len(p);

		if (p + len > end)
			break;
		if (len == 0)
		{
			*out++ = '?';
			p++;
		}
		else if (*p < ' ' || *p == 0x7f)
		{
			out += sprintf(out, "\\u%04x", *p);
			p++;
		}
		else
		{
			if (*p == '"' || *p == '\\')
				*out++ = '\\';
			memcpy(out, p, (size_t) len);
			out += len;
			p += len;
		}
	}
	*out++ = '"';
	text->len = (size_t) (out - text->bytes);
}
