/*-------------------------------------------------------------------------
 *
 * scrub_test.c
 *		Nothing of a key survives in a message, whatever a provider makes of
 *		it; what is left is short, clean UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/courier/fault.h"
#include "../../src/courier/scrub.h"
#include "check.h"

/* No prefix of a known kind, so that only the secret itself is known. */
static const char key[] = "Qm7x2LpR9vTz4KwB8nHd";

static const Secret *
secret_of(const char *text)
{
	static Secret secret;

	secret.bytes = (uint8_t *) text;
	secret.len = strlen(text);
	return &secret;
}

static void
expect(const char *text, const char *wanted)
{
	char		out[FAULT_MESSAGE_MAX + 1];

	scrub_text(out, sizeof(out), text, secret_of(key));
	CHECK(strcmp(out, wanted) == 0, "\"%s\"", wanted);
	if (strcmp(out, wanted) != 0)
		printf("# is \"%s\"\n", out);
}

static void
check_texts(void)
{
	expect("", "");
	expect("Rate limit reached.", "Rate limit reached.");
	expect("bad key Qm7x2LpR9vTz4KwB8nHd.", "bad key ***.");
	expect("Qm7x2LpR9vTz4KwB8nHdQm7x2LpR9vTz4KwB8nHd", "***");
	expect("Qm7x2L...wB8nHd", "***...***");
	expect("Qm7x2...B8nHd", "Qm7x2...B8nHd");
	expect("xxQm7x2LpR9v and 4KwB8nHdyy", "xx*** and ***yy");
	expect("Incorrect API key provided: sk-test*********************. You",
		   "Incorrect API key provided: *** You");
	expect("key=xai-abcdefgh", "key=***");
	expect("AIzaSyA-123_4 is refused", "*** is refused");
	expect("AQ.Ab8RN6 hvs.CAESI AKIAIOSFODNN7 whsec_abcd",
		   "*** *** *** ***");
	expect("ya29.c.b0Aaekm1K and eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln",
		   "*** and ***");
	expect("a risk-averse task-force; FAQ. Please",
		   "a risk-averse task-force; FAQ. Please");
	expect("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***");
	expect("BEARER\t\"abcdefgh\"", "BEARER \"***\"");
	expect("Bearer token is missing", "Bearer token is missing");
	expect("two\nlines\ttab\x7f" "del\x01", "two lines tab del ");
	expect("C1 \xc2\x85 next", "C1   next");
	expect("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\xa6\x8c",
		   "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\xa6\x8c");
	expect("bad \xc3( \xff \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82",
		   "bad ?( ? ?? ??? ???? ??");
}

/* Every head and tail of six or more, wherever it stands. */
static void
check_pieces(void)
{
	size_t		len = sizeof(key) - 1;

	for (size_t n = 6; n <= len; n++)
	{
		char		text[128];
		char		out[FAULT_MESSAGE_MAX + 1];

		snprintf(text, sizeof(text), "a%.*sy %s!", (int) n, key,
				 key + len - n);
		scrub_text(out, sizeof(out), text, secret_of(key));
		CHECK(strcmp(out, "a***y ***!") == 0, "head and tail of %zu", n);
	}
}

static void
check_limits(void)
{
	char		text[4000];
	char		out[FAULT_MESSAGE_MAX + 1];

	/* two bytes each: the cut is at a character */
	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[sizeof(text) - 2] = '\0';
	memmove(text + 1, text, sizeof(text) - 3);
	text[0] = 'a';
	scrub_text(out, sizeof(out), text, NULL);
	CHECK(strlen(out) == 499 && (out[498] & 0xc0) == 0x80,
		  "500 bytes at most, cut at a character");

	/* the cut saves no piece of a key */
	for (size_t at = 470; at <= 500; at++)
	{
		memset(text, '.', at);
		strcpy(text + at, key);
		scrub_text(out, sizeof(out), text, secret_of(key));
		CHECK(strlen(out) <= 500 && strstr(out, "Qm") == NULL,
			  "a key at %zu, around the cut", at);
	}
	scrub_text(out, sizeof(out), NULL, NULL);
	CHECK(out[0] == '\0', "no text is no text");
	scrub_text(out, sizeof(out), "a bc", secret_of("bc"));
	CHECK(strcmp(out, "a ***") == 0, "a short key is a key");
	scrub_text(out, sizeof(out), "a bc", secret_of(""));
	CHECK(strcmp(out, "a bc") == 0, "an empty key hides nothing");
	scrub_text(out, 6, "abcdefgh", NULL);
	CHECK(strcmp(out, "abcde") == 0, "a small buffer is not overrun");
}

/* Texts of pieces of the key and of noise: nothing of six survives. */
static void
check_noise(void)
{
	static const char noise[] = "\"'\\ \n=:*.,-_xQ7\xc3\xa4\xff";
	size_t		len = sizeof(key) - 1;
	char		head[7];
	const char *tail = key + len - 6;
	int			survivors = 0;

	memcpy(head, key, 6);
	head[6] = '\0';
	srand(1);
	for (int round = 0; round < 20000; round++)
	{
		char		text[256];
		char		out[FAULT_MESSAGE_MAX + 1];
		size_t		used = 0;

		while (used < sizeof(text) - 32)
		{
			size_t		n = (size_t) rand() % (len + 1);

			if (rand() % 2 == 0)
				text[used++] = noise[rand() % (sizeof(noise) - 1)];
			else if (rand() % 2 == 0)
			{
				memcpy(text + used, key, n);
				used += n;
			}
			else
			{
				memcpy(text + used, key + len - n, n);
				used += n;
			}
		}
		text[used] = '\0';
		scrub_text(out, sizeof(out), text, secret_of(key));
		if (strstr(out, head) != NULL || strstr(out, tail) != NULL)
			survivors++;
	}
	CHECK(survivors == 0, "20000 mixtures: %d with a piece left", survivors);
}

int
main(void)
{
	check_texts();
	check_pieces();
	check_limits();
	check_noise();
	return check_done();
}
