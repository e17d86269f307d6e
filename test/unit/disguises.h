/*-------------------------------------------------------------------------
 *
 * disguises.h
 *		What a provider may make of a key that it quotes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_DISGUISES_H
#define BAMBI_DISGUISES_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "../../src/courier/base64.h"

/* The longest disguise of the longest key. */
#define MAX_TEXT	8192

/* Each writes what it makes of key to out. */
typedef void (*Disguise) (const char *key, char *out);

/* Each character printed by format, with its code or itself. */
static void
print_each(const char *key, const char *format, char *out)
{
	for (; *key != '\0'; key++)
		out += sprintf(out, format, (unsigned char) *key);
}

static void
whole(const char *key, char *out)
{
	strcpy(out, key);
}

static void
masked(const char *key, char *out)
{
	sprintf(out, "%.8s*****%s", key, key + strlen(key) - 8);
}

static void
dotted(const char *key, char *out)
{
	sprintf(out, "%.7s...%.9s...%s", key, key + 12, key + strlen(key) - 10);
}

static void
upper(const char *key, char *out)
{
	do
		*out++ = (char) toupper((unsigned char) *key);
	while (*key++ != '\0');
}

static void
spaced(const char *key, char *out)
{
	print_each(key, "%c ", out);
}

static void
dashed(const char *key, char *out)
{
	print_each(key, "%c-", out);
}

static void
thinly_spaced(const char *key, char *out)
{
	print_each(key, "%c\xe2\x80\x8b", out);
}

static void
quoted(const char *key, char *out)
{
	print_each(key, "'%c', ", out);
}

/* In pieces of eight, a line each. */
static void
in_lines(const char *key, char *out)
{
	for (size_t len = strlen(key); len > 0;)
	{
		size_t		n = len < 8 ? len : 8;

		out += sprintf(out, "%.*s\n", (int) n, key);
		key += n;
		len -= n;
	}
}

static void
percent(const char *key, char *out)
{
	print_each(key, "%%%02X", out);
}

static void
percent_twice(const char *key, char *out)
{
	print_each(key, "%%25%02x", out);
}

static void
unicode(const char *key, char *out)
{
	print_each(key, "\\u%04x", out);
}

static void
unicode_twice(const char *key, char *out)
{
	print_each(key, "\\\\u%04x", out);
}

static void
back_x(const char *key, char *out)
{
	print_each(key, "\\x%02x", out);
}

static void
entities(const char *key, char *out)
{
	print_each(key, "&#%d;", out);
}

static void
hex_entities(const char *key, char *out)
{
	print_each(key, "&#x%X;", out);
}

static void
entities_twice(const char *key, char *out)
{
	print_each(key, "&amp;#%d;", out);
}

static void
hex(const char *key, char *out)
{
	print_each(key, "%02x", out);
}

static void
hex_with_colons(const char *key, char *out)
{
	print_each(key, "%02X:", out);
}

static void
hex_array(const char *key, char *out)
{
	print_each(key, "0x%02x, ", out);
}

static void
base64(const char *key, char *out)
{
	EVP_EncodeBlock((unsigned char *) out, (const unsigned char *) key,
					(int) strlen(key));
}

static void
base64url(const char *key, char *out)
{
	base64(key, out);
	out[strcspn(out, "=")] = '\0';
	for (; *out != '\0'; out++)
	{
		if (*out == '+' || *out == '/')
			*out = *out == '+' ? '-' : '_';
	}
}

static void
base64_of_header(const char *key, char *out)
{
	char		header[MAX_TEXT];

	sprintf(header, "Bearer %s", key);
	base64(header, out);
}

static void
base64_of_login(const char *key, char *out)
{
	char		login[MAX_TEXT];

	sprintf(login, "me:%s", key);
	base64(login, out);
}

static void
twice(const char *key, Disguise first, Disguise second, char *out)
{
	char		text[MAX_TEXT];

	first(key, text);
	second(text, out);
}

static void
base64_twice(const char *key, char *out)
{
	twice(key, base64, base64url, out);
}

static void
hex_of_base64(const char *key, char *out)
{
	twice(key, base64, hex, out);
}

static void
percent_of_base64(const char *key, char *out)
{
	twice(key, base64, percent, out);
}

static void
base64_of_percent(const char *key, char *out)
{
	twice(key, percent, base64, out);
}

static void
bearer(const char *key, char *out)
{
	sprintf(out, "Bearer %s", key);
}

#endif							/* BAMBI_DISGUISES_H */
