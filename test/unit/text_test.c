/*-------------------------------------------------------------------------
 *
 * text_test.c
 *		Whatever a string holds, what is printed of it is JSON, and in UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "../../src/courier/text.h"
#include "check.h"

static bool
prints(const char *string, size_t max, const char *expected)
{
	Text		text = {NULL, 0, 0};
	bool		ok;

	text_add_string(&text, string, max);
	ok = text.len == strlen(expected) &&
		memcmp(text.bytes, expected, text.len) == 0;
	if (!ok)
		printf("# %.*s\n", (int) text.len, text.bytes);
	free(text.bytes);
	return ok;
}

static void
check_strings(void)
{
	CHECK(prints(NULL, 9, "null"), "no string is null");
	CHECK(prints("", 9, "\"\""), "an empty one is empty");
	CHECK(prints("a\"b\\c/", 9, "\"a\\\"b\\\\c/\""), "quotes are escaped");
	CHECK(prints("\n\t\x01\x7f", 9, "\"\\u000a\\u0009\\u0001\\u007f\""),
		  "so are control characters");
	CHECK(prints("h\xc3\xa9\xe2\x82\xac\xf0\x9f\xa6\x8c", 20,
				 "\"h\xc3\xa9\xe2\x82\xac\xf0\x9f\xa6\x8c\""),
		  "UTF-8 stays as it is");
	CHECK(prints("\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80\xff\x80", 20,
				 "\"???????????\""), "what is not UTF-8 does not");
	CHECK(prints("\xe2\x82", 20, "\"??\""), "nor what ends too early");
	CHECK(prints("abcdef", 3, "\"abc\""), "a long one is cut");
	CHECK(prints("ab\xe2\x82\xac", 4, "\"ab\""), "at a character");
}

/* Strings of every byte pair come back from a JSON parser. */
static void
check_all_pairs(void)
{
	int			bad = 0;
	int			a;
	int			b;

	for (a = 1; a < 256; a++)
	{
		for (b = 1; b < 256; b++)
		{
			char		string[] = {'x', (char) a, (char) b, 'y', '\0'};
			Text		text = {NULL, 0, 0};
			json_t	   *json;

			text_add_string(&text, string, 9);
			json = json_loadb(text.bytes, text.len, JSON_DECODE_ANY, NULL);
			bad += !json_is_string(json);
			json_decref(json);
			free(text.bytes);
		}
	}
	CHECK(bad == 0, "every pair of bytes becomes a JSON string");
}

static void
check_growth(void)
{
	Text		text = {NULL, 0, 0};
	json_t	   *json;
	int			i;

	text_add(&text, "[");
	for (i = 0; i < 10000; i++)
	{
		if (i > 0)
			text_add(&text, ",");
		text_add_number(&text, i % 2 ? -i : i);
	}
	text_add(&text, "]");
	json = json_loadb(text.bytes, text.len, 0, NULL);
	CHECK(json_array_size(json) == 10000 &&
		  json_integer_value(json_array_get(json, 9999)) == -9999,
		  "a text grows with what is added");
	json_decref(json);
	free(text.bytes);
}

int
main(void)
{
	check_strings();
	check_all_pairs();
	check_growth();
	return check_done();
}
