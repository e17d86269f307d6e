/*-------------------------------------------------------------------------
 *
 * base64_test.c
 *		Base64 is read strictly, and the same however it is cut.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/courier/base64.h"
#include "check.h"

/* Decodes in pieces; the length, or -1 if it is not whole. */
static int
decode(const char *text, size_t piece, uint8_t *out)
{
	Base64		decoder = {0};
	size_t		len = strlen(text);
	size_t		written = 0;

	for (size_t at = 0; at < len; at += piece)
		written += base64_decode(&decoder, text + at,
								 len - at < piece ? len - at : piece,
								 out + written);
	return base64_is_whole(&decoder) ? (int) written : -1;
}

static void
check_vectors(void)
{
	/* RFC 4648 section 10, and the edges of the alphabet */
	static const struct
	{
		const char *text;
		const char *bytes;
	}			vectors[] =
	{
		{"", ""},
		{"Zg==", "f"},
		{"Zm8=", "fo"},
		{"Zm9v", "foo"},
		{"Zm9vYg==", "foob"},
		{"Zm9vYmE=", "fooba"},
		{"Zm9vYmFy", "foobar"},
		{"+/+/", "\xfb\xff\xbf"},
		{"////", "\xff\xff\xff"},
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
	{
		for (size_t piece = 1; piece <= 9; piece++)
		{
			uint8_t		out[64];
			int			len = decode(vectors[i].text, piece, out);

			CHECK(len == (int) strlen(vectors[i].bytes) &&
				  memcmp(out, vectors[i].bytes, len) == 0,
				  "\"%s\" in pieces of %zu", vectors[i].text, piece);
		}
	}
}

static void
check_malformed(void)
{
	static const char *const texts[] = {
		"Z", "Zg", "Zg=", "Zm9vYg", "Zm9vYg=",	/* cut short */
		"=", "====", "Z===", "Z=g=", "Zg=v",	/* padding misplaced */
		"Zg==Zg==", "Zg===", "Zm9v=", "Zm8=\n", /* something after the end */
		"Zh==", "Zm9=", "//==", /* bits left over */
		"Zm9v Zm9v", "Zm9v\nZm9v", "\tZm9v",	/* white space */
		"Zm-v", "Zm_v", "Zm.v", "Zm\x80v", "Zm\xffv",	/* not the alphabet */
		"Zm9vZm9vZm9v*m9v",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		for (size_t piece = 1; piece <= 17; piece += 4)
		{
			uint8_t		out[64];

			CHECK(decode(texts[i], piece, out) == -1,
				  "malformed %zu in pieces of %zu is refused", i, piece);
		}
	}
}

static void
check_alphabet(void)
{
	int			taken = 0;

	for (int c = 1; c < 256; c++)
	{
		char		text[5] = {'A', 'A', 'A', (char) c, '\0'};
		uint8_t		out[3];

		if (c != '=' && decode(text, 4, out) == 3)
			taken++;
	}
	CHECK(taken == 64, "the alphabet has 64 characters");
}

/* No byte may be written past what the header promises. */
static void
check_bounds(void)
{
	static const char text[] = "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmE=";
	size_t		len = sizeof(text) - 1;

	for (size_t cut = 0; cut <= len; cut++)
	{
		Base64		decoder = {0};
		uint8_t    *head = malloc(BASE64_DECODED_MAX(cut));
		uint8_t    *tail = malloc(BASE64_DECODED_MAX(len - cut));
		size_t		n = base64_decode(&decoder, text, cut, head);
		size_t		m = base64_decode(&decoder, text + cut, len - cut, tail);

		CHECK(n + m == 23 && n <= BASE64_DECODED_MAX(cut) &&
			  m <= BASE64_DECODED_MAX(len - cut), "cut at %zu", cut);
		free(head);
		free(tail);
	}
}

int
main(void)
{
	check_vectors();
	check_malformed();
	check_alphabet();
	check_bounds();
	return check_done();
}
