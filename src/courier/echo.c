/*-------------------------------------------------------------------------
 *
 * echo.c
 *		Finds a key in a stranger's text, however it was disguised there.
 *
 * A view is the text as one of its readers would see it; each character
 * remembers from which bytes of the text it was read.  A view is searched
 * for pieces of the key, then its escapes are undone, which makes another
 * view, and then what it may hold in base64 and hexadecimal.  Searching for
 * pieces that are six characters long is one look into a table for each
 * character, so that all of it takes time in proportion to the text.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "echo.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* The shortest piece of a key that gives something away. */
#define PIECE			6

/* Escapes of escapes of escapes. */
#define MAX_ESCAPES		3

/* Encodings inside each other; each multiplies the work by four. */
#define MAX_ENCODINGS	2

/* Base64 of a piece; shorter words are none. */
#define SHORTEST_BASE64	8

/* "hyphen", "period", "lowbar" */
#define LONGEST_ENTITY	10

typedef struct Glyph
{
	uint8_t		c;
	uint32_t	from;			/* in the text */
	uint32_t	to;
} Glyph;

typedef struct View
{
	Glyph	   *glyphs;
	size_t		count;
} View;

/* All pieces of the key, each a number; open addressing. */
typedef struct Pieces
{
	uint64_t   *slots;
	size_t		mask;
} Pieces;

/* ---- characters ---- */

/* A letter in lower case, or a digit; 0 for anything else. */
static uint8_t
fold(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t) (c - 'A' + 'a');
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : 0;
}

static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = fold(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Of either alphabet. */
static int
base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* ---- the pieces of the key ---- */

static uint64_t *
find_slot(const Pieces *pieces, uint64_t piece)
{
	size_t		at = (size_t) ((piece * UINT64_C(0x9e3779b97f4a7c15)) >> 32);

	while (pieces->slots[at & pieces->mask] != 0 &&
		   pieces->slots[at & pieces->mask] != piece)
		at++;
	return &pieces->slots[at & pieces->mask];
}

/* The last PIECE characters as a number, never 0, in lower case. */
static uint64_t
push(uint64_t piece, uint8_t c)
{
	if (fold(c) != 0)
		c = fold(c);
	else if (c == 0)
		c = 1;
	return ((piece << 8) | c) & ((UINT64_C(1) << (8 * PIECE)) - 1);
}

static const uint8_t *
find(const uint8_t *bytes, size_t len, const char *word)
{
	return memmem(bytes, len, word, strlen(word));
}

/*
 * Where in the secret the secret is.  A service account's JSON has words in it
 * that are in everybody's messages, and one value that nobody may know.
 */
static const uint8_t *
find_core(const Secret *secret, size_t *len)
{
	const uint8_t *end = secret->bytes + secret->len;
	const uint8_t *at = secret->bytes;
	const uint8_t *stop;

	*len = secret->len;
	if (find(at, *len, "\"private_key\"") == NULL ||
		(at = find(at, *len, "-----BEGIN")) == NULL ||
		(at = find(at, (size_t) (end - at), "KEY-----")) == NULL)
		return secret->bytes;
	at += strlen("KEY-----");
	stop = find(at, (size_t) (end - at), "-----END");
	*len = (size_t) ((stop != NULL ? stop : end) - at);
	return at;
}

static bool
make_pieces(Pieces *pieces, const Secret *secret)
{
	size_t		len;
	const uint8_t *bytes = find_core(secret, &len);
	bool		is_json = bytes != secret->bytes;
	size_t		size = 64;
	size_t		all = 0;		/* characters, */
	size_t		plain = 0;		/* and letters and digits, so far */
	uint64_t	of_all = 0;
	uint64_t	of_plain = 0;

	while (size < 3 * len)
		size *= 2;
	pieces->slots = calloc(size, sizeof(uint64_t));
	pieces->mask = size - 1;
	if (pieces->slots == NULL)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		/* the "\n" of JSON */
		if (is_json && (bytes[i] == '\\' || bytes[i] == '\n'))
		{
			i += bytes[i] == '\\';
			continue;
		}
		of_all = push(of_all, bytes[i]);
		if (++all >= PIECE)
			*find_slot(pieces, of_all) = of_all;
		if (fold(bytes[i]) == 0)
			continue;
		of_plain = push(of_plain, bytes[i]);
		if (++plain >= PIECE)
			*find_slot(pieces, of_plain) = of_plain;
	}
	return true;
}

static void
free_pieces(Pieces *pieces)
{
	if (pieces->slots != NULL)
		OPENSSL_cleanse(pieces->slots,
						(pieces->mask + 1) * sizeof(uint64_t));
	free(pieces->slots);
}

/* ---- searching ---- */

/* The last characters of a view, of one kind or of all. */
typedef struct Window
{
	uint32_t	from[PIECE];	/* where each begins, in a ring */
	size_t		count;
	uint64_t	piece;
} Window;

static void
slide(Window *window, const Glyph *glyph, const Pieces *pieces, bool *marks)
{
	uint32_t	begin;

	window->piece = push(window->piece, glyph->c);
	window->from[window->count++ % PIECE] = glyph->from;
	if (window->count < PIECE ||
		*find_slot(pieces, window->piece) != window->piece)
		return;
	begin = window->from[window->count % PIECE];
	memset(marks + begin, true, glyph->to - begin);
}

/* Pieces as they are, and pieces with anything between their letters. */
static void
mark_pieces(const View *view, const Pieces *pieces, bool *marks)
{
	Window		all = {.count = 0};
	Window		plain = {.count = 0};

	for (size_t i = 0; i < view->count; i++)
	{
		const Glyph *glyph = &view->glyphs[i];

		slide(&all, glyph, pieces, marks);
		if (fold(glyph->c) != 0)
			slide(&plain, glyph, pieces, marks);
	}
}

/* ---- escapes ---- */

static int
hex_at(const View *view, size_t at, size_t digits)
{
	int			value = 0;

	if (at + digits > view->count)
		return -1;
	for (size_t i = at; i < at + digits; i++)
	{
		int			digit = hex_value(view->glyphs[i].c);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static uint8_t
char_at(const View *view, size_t at)
{
	return at < view->count ? view->glyphs[at].c : 0;
}

/* "&#115;", "&#x73;", "&amp;"; any other name is a character of no interest. */
static size_t
read_entity(const View *view, size_t at, int *value)
{
	size_t		i = at + 1;
	size_t		end = at + 2 + LONGEST_ENTITY;
	bool		is_number = char_at(view, i) == '#';
	bool		is_hex = is_number && fold(char_at(view, i + 1)) == 'x';

	*value = 0;
	for (i += is_number + is_hex; i < end && fold(char_at(view, i)) != 0; i++)
	{
		int			digit = hex_value(char_at(view, i));

		if (is_number && (digit < 0 || (!is_hex && digit > 9)))
			return 0;
		if (is_number && *value < 0x10000)
			*value = *value * (is_hex ? 16 : 10) + digit;
	}
	if (char_at(view, i) != ';' || i == at + 1)
		return 0;
	if (!is_number && i == at + 4 && fold(char_at(view, at + 1)) == 'a' &&
		fold(char_at(view, at + 2)) == 'm')
		*value = '&';
	return i + 1 - at;
}

/* How many characters an escape has, or 0; value is what it stands for. */
static size_t
read_escape(const View *view, size_t at, int *value)
{
	uint8_t		next = char_at(view, at + 1);

	switch (char_at(view, at))
	{
		case '%':
			*value = hex_at(view, at + 1, 2);
			return *value >= 0 ? 3 : 0;
		case '&':
			return read_entity(view, at, value);
		case '\\':
			if (next == 'u' && (*value = hex_at(view, at + 2, 4)) >= 0)
				return 6;
			if (next == 'x' && (*value = hex_at(view, at + 2, 2)) >= 0)
				return 4;
			*value = fold(next) != 0 ? '\n' : next;
			return next == 'n' || next == 'r' || next == 't' ||
				(next != 0 && fold(next) == 0) ? 2 : 0;
		default:
			return 0;
	}
}

/* In place; false if there was nothing to be undone. */
static bool
undo_escapes(View *view)
{
	size_t		count = 0;
	bool		has_any = false;

	for (size_t at = 0; at < view->count;)
	{
		Glyph		glyph = view->glyphs[at];
		int			value;
		size_t		len = read_escape(view, at, &value);

		if (len > 0)
		{
			glyph.c = value < 0x80 ? (uint8_t) value : 0;
			glyph.to = view->glyphs[at + len - 1].to;
			has_any = true;
		}
		at += len > 0 ? len : 1;
		view->glyphs[count++] = glyph;
	}
	view->count = count;
	return has_any;
}

/* ---- encodings ---- */

static void
add_glyph(View *view, int value, const Glyph *first, const Glyph *last)
{
	Glyph	   *glyph = &view->glyphs[view->count++];

	glyph->c = (uint8_t) value;
	glyph->from = first->from;
	glyph->to = last->to;
}

/* Each long word of view, but for its first characters. */
static void
decode_base64(const View *view, size_t skip, View *out)
{
	size_t		at = 0;

	out->count = 0;
	while (at < view->count)
	{
		size_t		end = at;
		unsigned	bits = 0;
		int			bit_count = 0;

		while (end < view->count && base64_value(view->glyphs[end].c) >= 0)
			end++;
		if (end - at >= SHORTEST_BASE64)
		{
			for (size_t i = at + skip; i < end; i++)
			{
				bits = bits << 6 | (unsigned) base64_value(view->glyphs[i].c);
				bit_count += 6;
				if (bit_count < 8)
					continue;
				bit_count -= 8;
				add_glyph(out, (int) (bits >> bit_count & 0xff),
						  &view->glyphs[i - 1], &view->glyphs[i]);
			}
		}
		at = end + 1;
	}
}

/* Pairs of digits with anything but letters around them; "0x" is nothing. */
static void
decode_hex(const View *view, size_t skip, View *out)
{
	size_t		seen = 0;
	const Glyph *first = NULL;

	out->count = 0;
	for (size_t i = 0; i < view->count; i++)
	{
		const Glyph *glyph = &view->glyphs[i];
		int			digit = hex_value(glyph->c);

		if (glyph->c == '0' && fold(char_at(view, i + 1)) == 'x')
		{
			i++;
			continue;
		}
		if (digit < 0)
		{
			if (fold(glyph->c) != 0)
			{
				seen = 0;
				first = NULL;
			}
			continue;
		}
		if (seen++ < skip)
			continue;
		if (first == NULL)
			first = glyph;
		else
		{
			add_glyph(out, hex_value(first->c) * 16 + digit, first, glyph);
			first = NULL;
		}
	}
}

static bool
search(View *view, const Pieces *pieces, int depth, bool *marks)
{
	View		inner;

	for (int i = 0; i < MAX_ESCAPES; i++)
	{
		mark_pieces(view, pieces, marks);
		if (!undo_escapes(view))
			break;
	}
	mark_pieces(view, pieces, marks);
	if (depth == MAX_ENCODINGS || view->count < SHORTEST_BASE64)
		return true;

	inner.glyphs = malloc(view->count * sizeof(Glyph));
	if (inner.glyphs == NULL)
		return false;
	for (size_t skip = 0; skip < 6; skip++)
	{
		if (skip < 4)
			decode_base64(view, skip, &inner);
		else
			decode_hex(view, skip - 4, &inner);
		if (!search(&inner, pieces, depth + 1, marks))
		{
			free(inner.glyphs);
			return false;
		}
	}
	free(inner.glyphs);
	return true;
}

bool
echo_mark(const char *text, size_t len, const Secret *secret, bool *marks)
{
	Pieces		pieces;
	View		view = {malloc(len * sizeof(Glyph)), len};
	bool		ok = make_pieces(&pieces, secret) && view.glyphs != NULL;

	for (size_t i = 0; ok && i < len; i++)
	{
		view.glyphs[i].c = (uint8_t) text[i];
		view.glyphs[i].from = (uint32_t) i;
		view.glyphs[i].to = (uint32_t) i + 1;
	}
	ok = ok && search(&view, &pieces, 0, marks);
	free(view.glyphs);
	free_pieces(&pieces);
	return ok;
}
