/*-------------------------------------------------------------------------
 *
 * percent.c
 *		Percent-encoding of what becomes part of a URL.
 *
 *-------------------------------------------------------------------------
 */
#include "percent.h"

#include <string.h>

static const char unreserved[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

char *
percent_encode(Arena *arena, const char *text, bool is_path)
{
	static const char digits[] = "0123456789ABCDEF";
	char	   *encoded = arena_alloc(arena, strlen(text) * 3 + 1);
	char	   *out = encoded;

	for (; *text != '\0'; text++)
	{
		unsigned char c = (unsigned char) *text;

		if (strchr(unreserved, c) != NULL || (is_path && c == '/'))
			*out++ = (char) c;
		else
		{
			*out++ = '%';
			*out++ = digits[c >> 4];
			*out++ = digits[c & 15];
		}
	}
	return encoded;
}
