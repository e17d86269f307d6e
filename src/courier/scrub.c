/*-------------------------------------------------------------------------
 *
 * scrub.c
 *		Makes a stranger's text fit to be stored and shown (rule L7).
 *
 * First everything that must not be seen is marked, byte by byte, in the
 * text as it came; only then is it copied.  So neither a replacement nor the
 * cut can put two halves of a key together, or save a piece of one.
 *
 *-------------------------------------------------------------------------
 */
#include "scrub.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "echo.h"

/* What follows "sk-" or the like, before it is taken for a key. */
#define SHORTEST_TAIL	4

/* What may follow "Bearer" without being a credential: "token". */
#define SHORTEST_BEARER	6

/*
 * So much of the text is looked at: more than what fits would be needed only
 * if nearly all of it were keys.
 */
#define TEXT_LOOKED_AT(size)	((size) + MIN(7 * (size), 4096))

static const char *const key_prefixes[] = {
	"sk-", "xai-", "AIza", "AQ.", "hvs.", "AKIA", "whsec_",
	"ya29.", "eyJ",				/* access tokens of Google; any JWT */
};

#define MAX(a, b)	((a) > (b) ? (a) : (b))
#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

static bool
is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9');
}

/* What keys are made of, and what providers put in place of their middle. */
static bool
is_key_character(char c)
{
	return is_alphanumeric(c) || (c != '\0' && strchr("-_.~+/=*", c) != NULL);
}

static size_t
token_length(const char *text, size_t len)
{
	size_t		n = 0;

	while (n < len && is_key_character(text[n]))
		n++;
	return n;
}

/* Of a secret that is too short to have pieces. */
static void
mark_whole(const char *text, size_t len, const Secret *secret, bool *marks)
{
	for (size_t at = 0; secret->len > 0 && at + secret->len <= len; at++)
	{
		if (memcmp(text + at, secret->bytes, secret->len) == 0)
			memset(marks + at, true, secret->len);
	}
}

/* What looks like anybody's key. */
static void
mark_patterns(const char *text, size_t len, bool *marks)
{
	for (size_t at = 0; at < len; at++)
	{
		if (at > 0 && is_alphanumeric(text[at - 1]))
			continue;
		for (size_t i = 0; i < lengthof(key_prefixes); i++)
		{
			size_t		prefix = strlen(key_prefixes[i]);
			size_t		token;

			if (strncmp(text + at, key_prefixes[i], prefix) != 0)
				continue;
			token = token_length(text + at, len - at);
			if (token >= prefix + SHORTEST_TAIL)
				memset(marks + at, true, token);
		}
	}
}

static void
mark_bearers(const char *text, size_t len, bool *marks)
{
	static const char word[] = "bearer";
	size_t		word_len = sizeof(word) - 1;

	for (size_t at = 0; at + word_len < len; at++)
	{
		size_t		token = at + word_len;
		size_t		n;

		if (strncasecmp(text + at, word, word_len) != 0)
			continue;
		while (token < len && strchr(" \t:=\"'", text[token]) != NULL)
			token++;
		n = token_length(text + token, len - token);
		if (token > at + word_len && n >= SHORTEST_BEARER)
			memset(marks + token, true, n);
	}
}

/* The length of the UTF-8 character at text, or 0 if it is none. */
static size_t
character_length(const uint8_t *text, size_t len)
{
	size_t		n;

	if (text[0] < 0x80)
		return 1;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		n = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		n = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (len < n)
		return 0;
	for (size_t i = 1; i < n; i++)
	{
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	/* overlong, surrogate, past the last plane */
	if ((text[0] == 0xe0 && text[1] < 0xa0) ||
		(text[0] == 0xed && text[1] > 0x9f) ||
		(text[0] == 0xf0 && text[1] < 0x90) ||
		(text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return n;
}

/* C0, DEL and C1; the latter are two bytes. */
static bool
is_control(const uint8_t *character)
{
	return character[0] < 0x20 || character[0] == 0x7f ||
		(character[0] == 0xc2 && character[1] < 0xa0);
}

static void
copy_unmarked(char *out, size_t out_size, const char *text, size_t len,
			  const bool *marks)
{
	size_t		used = 0;
	size_t		at = 0;

	while (at < len)
	{
		const char *piece = text + at;
		size_t		piece_len;

		if (marks[at])
		{
			piece = "***";
			piece_len = 3;
			while (at < len && marks[at])
				at++;
		}
		else
		{
			size_t		n = character_length((const uint8_t *) text + at,
											 len - at);

			piece_len = MAX(n, 1);
			at += piece_len;
			if (n == 0)
				piece = "?";
			else if (is_control((const uint8_t *) piece))
			{
				piece = " ";
				piece_len = 1;
			}
		}
		if (used + piece_len >= out_size)
			break;
		memcpy(out + used, piece, piece_len);
		used += piece_len;
	}
	out[used] = '\0';
}

void
scrub_text(char *out, size_t out_size, const char *text, const Secret *secret)
{
	size_t		len;
	bool	   *marks;

	out[0] = '\0';
	if (text == NULL || text[0] == '\0')
		return;
	len = strnlen(text, TEXT_LOOKED_AT(out_size));
	marks = calloc(len, sizeof(*marks));
	if (marks == NULL)			/* rather no text than one with a key */
		return;
	if (secret != NULL)
	{
		mark_whole(text, len, secret, marks);
		if (!echo_mark(text, len, secret, marks))
			memset(marks, true, len);
	}
	mark_patterns(text, len, marks);
	mark_bearers(text, len, marks);
	copy_unmarked(out, out_size, text, len, marks);
	free(marks);
}
