/*-------------------------------------------------------------------------
 *
 * body_test.c
 *		Pictures are cut out of an answer at their exact place, however the
 *		answer is cut into pieces, and whatever it echoes.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/courier/body.h"
#include "check.h"

#define PATH "data[].b64_json"

/* What a body came to. */
typedef struct Result
{
	bool		fits;
	char	   *text;
	Picture		pictures[MAX_PICTURES];
	int			count;
} Result;

static Result
finish(Body *body, bool fits)
{
	Result		result = {.fits = fits};
	size_t		len;

	result.text = strdup(body_text(body, &len));
	result.count = body_take_pictures(body, result.pictures);
	body_destroy(body);
	return result;
}

static void
release(Result *result)
{
	for (int i = 0; i < result->count; i++)
		free(result->pictures[i].bytes);
	free(result->text);
}

/* A body in two pieces, or byte by byte if cut is past its end. */
static Result
receive(const char *path, const char *text, size_t cut)
{
	Body	   *body = body_create(path, 1 << 20, 1 << 16);
	size_t		len = strlen(text);
	bool		fits = true;

	if (cut <= len)
		fits = body_add(body, text, cut) &&
			body_add(body, text + cut, len - cut);
	else
		for (size_t i = 0; fits && i < len; i++)
			fits = body_add(body, text + i, 1);
	return finish(body, fits);
}

/* pictures are separated by "|"; a broken one is "!". */
static bool
is_as_expected(const Result *result, const char *text, const char *pictures)
{
	char		found[256] = "";

	for (int i = 0; i < result->count; i++)
	{
		const Picture *picture = &result->pictures[i];

		if (i > 0)
			strcat(found, "|");
		if (picture->is_broken)
			strcat(found, "!");
		else if (picture->len > 0)
			strncat(found, (const char *) picture->bytes, picture->len);
	}
	return result->fits && strcmp(result->text, text) == 0 &&
		strcmp(found, pictures) == 0;
}

static void
expect(const char *path, const char *body, const char *text,
	   const char *pictures)
{
	size_t		wrong = 0;

	for (size_t cut = 0; cut <= strlen(body) + 1; cut++)
	{
		Result		result = receive(path, body, cut);

		if (!is_as_expected(&result, text, pictures))
		{
			if (wrong++ == 0)
				printf("# cut at %zu: %s\n", cut, result.text);
		}
		release(&result);
	}
	CHECK(wrong == 0, "%s, wherever it is cut", body);
}

static void
check_places(void)
{
	expect(PATH, "{\"data\":[{\"b64_json\":\"Zm9v\"}]}",
		   "{\"data\":[{\"b64_json\":\"0\"}]}", "foo");
	expect(PATH, "{\"data\":[{\"b64_json\":\"Zm9v\",\"x\":1},{\"x\":[],"
		   "\"b64_json\":\"YmFy\"},{\"b64_json\":\"\"}],\"n\":\"Zm9v\"}",
		   "{\"data\":[{\"b64_json\":\"0\",\"x\":1},{\"x\":[],"
		   "\"b64_json\":\"1\"},{\"b64_json\":\"2\"}],\"n\":\"Zm9v\"}",
		   "foo|bar|");
	expect(PATH, " { \"data\" : [ { \"b64_json\" :\t\"Zm9v\" } ] } ",
		   " { \"data\" : [ { \"b64_json\" :\t\"0\" } ] } ", "foo");
	/* escapes in the value and in the keys */
	expect(PATH, "{\"data\":[{\"b64_json\":\"\\u002b\\/\\u002B\\/Zm\\u0039v\"}]}",
		   "{\"data\":[{\"b64_json\":\"0\"}]}", "\xfb\xff\xbf" "foo");
	expect(PATH, "{\"d\\u0061ta\":[{\"b64\\u005fjson\":\"Zm9v\"}]}",
		   "{\"d\\u0061ta\":[{\"b64\\u005fjson\":\"0\"}]}", "foo");
	/* twice in one object: a parser takes the last */
	expect(PATH, "{\"data\":[{\"b64_json\":\"Zm9v\",\"b64_json\":\"YmFy\"}]}",
		   "{\"data\":[{\"b64_json\":\"0\",\"b64_json\":\"1\"}]}", "foo|bar");
	/* a prefix that some servers send, and what only looks like it */
	expect(PATH, "{\"data\":[{\"b64_json\":\"data:image/png;base64,Zm9v\"}]}",
		   "{\"data\":[{\"b64_json\":\"0\"}]}", "foo");
	expect(PATH, "{\"data\":[{\"b64_json\":\"data\"},{\"b64_json\":"
		   "\"dat0\"},{\"b64_json\":\"dQ==\"}]}",
		   "{\"data\":[{\"b64_json\":\"0\"},{\"b64_json\":\"1\"},"
		   "{\"b64_json\":\"2\"}]}",
		   "u\xab\x5a|u\xab\x74|u");
	/* other paths */
	expect("candidates[].content.parts[].inlineData.data",
		   "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"data\"},"
		   "{\"inlineData\":{\"mimeType\":\"a\",\"data\":\"Zm9v\"}}]}}]}",
		   "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"data\"},"
		   "{\"inlineData\":{\"mimeType\":\"a\",\"data\":\"0\"}}]}}]}", "foo");
	expect("[]", "[\"Zm9v\",[\"Zm9v\"],{\"a\":\"Zm9v\"},\"YmFy\"]",
		   "[\"0\",[\"Zm9v\"],{\"a\":\"Zm9v\"},\"1\"]", "foo|bar");
	expect("a[][]", "{\"a\":[[\"Zm9v\"],\"x\",[\"YmFy\"]],\"b\":[[\"x\"]]}",
		   "{\"a\":[[\"0\"],\"x\",[\"1\"]],\"b\":[[\"x\"]]}", "foo|bar");
}

/* What must come out as it went in. */
static void
check_echoes(void)
{
	static const char *const bodies[] = {
		"",
		"<html>502 \"data\":[{\"b64_json\":\"Zm9v\"}]</html>",
		"{\"b64_json\":\"Zm9v\"}",
		"{\"data\":{\"b64_json\":\"Zm9v\"}}",
		"{\"data\":[\"b64_json\",\"Zm9v\"]}",
		"{\"data\":[[{\"b64_json\":\"Zm9v\"}]]}",
		"{\"data\":[{\"x\":{\"b64_json\":\"Zm9v\"}}]}",
		"{\"x\":{\"data\":[{\"b64_json\":\"Zm9v\"}]}}",
		"[{\"data\":[{\"b64_json\":\"Zm9v\"}]}]",
		"{\"Data\":[{\"b64_json\":\"Zm9v\"}]}",
		"{\"data\":[{\"b64_jso\":\"Zm9v\",\"b64_json2\":\"Zm9v\"}]}",
		"{\"data\":[{\"b64_json\\u0000\":\"Zm9v\"}]}",
		"{\"data\":[{\"b64\\u015fjson\":\"Zm9v\",\"b64\\njson\":\"Zm9v\"}]}",
		"{\"data\":[{\"b64_json\":null,\"x\":\"Zm9v\"},{\"b64_json\":7}]}",
		"{\"data\":[{\"b64_json\":[\"Zm9v\"]}]}",
		"{\"data\":[{\"b64_json\":{\"b64_json\":\"Zm9v\"}}]}",
		"{\"prompt\":\"\\\"data\\\":[{\\\"b64_json\\\":\\\"Zm9v\\\"}]\"}",
		"{\"data\":[{\"revised_prompt\":\"\\\"b64_json\\\":\\\"Zm9v\"}]}",
		"{\"data\":[{\"revised_prompt\":\"\\\\\",\"x\":\"b64_json\"}]}",
		"{\"data\":[{\"x\":\"b64_json\",\"y\":\"Zm9v\"}]}",
		"{\"data\":\"[{\\\"b64_json\\\":\\\"Zm9v\\\"}]\"}",
		"]]]}}}{\"x\":\"Zm9v\"}",
	};
	char		long_key[400];

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		expect(PATH, bodies[i], bodies[i], "");

	/* a key longer than any path has room for */
	snprintf(long_key, sizeof(long_key), "{\"data\":[{\"%0300d\":\"Zm9v\"}]}",
			 0);
	expect(PATH, long_key, long_key, "");
	expect(NULL, "{\"data\":[{\"b64_json\":\"Zm9v\"}]}",
		   "{\"data\":[{\"b64_json\":\"Zm9v\"}]}", "");
}

static void
check_broken(void)
{
	static const char *const values[] = {
		"Zm9", "Zm9v=", "***", "Zm\\n9v", "Zm\\u20acv", "Zm\\u00zzv", "Zm 9v",
		"data:image/png;base64", "dat:", "Zm-_",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
	{
		char		body[128];

		snprintf(body, sizeof(body), "{\"data\":[{\"b64_json\":\"%s\"},"
				 "{\"b64_json\":\"Zm9v\"}]}", values[i]);
		expect(PATH, body, "{\"data\":[{\"b64_json\":\"0\"},"
			   "{\"b64_json\":\"1\"}]}", "!|foo");
	}
	/* an answer that ends in the middle of a picture */
	expect(PATH, "{\"data\":[{\"b64_json\":\"Zm9v",
		   "{\"data\":[{\"b64_json\":\"", "!");
	expect(PATH, "{\"data\":[{\"b64_json\":\"Zm9v\\",
		   "{\"data\":[{\"b64_json\":\"", "!");
}

/* A body whose only picture has len characters. */
static char *
big_body(size_t len)
{
	char	   *text = malloc(len + 64);
	size_t		at = (size_t) sprintf(text, "{\"data\":[{\"b64_json\":\"");

	memset(text + at, 'A', len);
	strcpy(text + at + len, "\"}]}");
	return text;
}

static void
check_limits(void)
{
	char	   *text = big_body(400000);
	size_t		len = strlen(text);
	Body	   *body;
	Result		result;

	for (size_t hint = 0; hint <= len * 4; hint += len / 2)
	{
		body = body_create(PATH, len, 100);
		body_expect(body, hint);
		for (size_t at = 0; at < len; at += 1000)
			body_add(body, text + at, len - at < 1000 ? len - at : 1000);
		CHECK(body_held(body) >= 300000 && body_held(body) < 310000,
			  "with a hint of %zu nothing is left over", hint);
		result = finish(body, true);
		CHECK(result.count == 1 && result.pictures[0].len == 300000 &&
			  !result.pictures[0].is_broken, "the picture is whole");
		release(&result);
	}

	body = body_create(PATH, len - 1, 100);
	CHECK(!body_add(body, text, len) && !body_add(body, "", 0),
		  "a body over its limit is refused, and stays so");
	body_destroy(body);
	free(text);

	body = body_create(PATH, 1000, 10);
	CHECK(body_add(body, "[12345678]", 10) && !body_add(body, " ", 1),
		  "text over its limit is refused");
	result = finish(body, true);
	CHECK(strcmp(result.text, "[12345678]") == 0, "what was in time is there");
	release(&result);
	body = body_create(NULL, 1000, 10);
	CHECK(body_add(body, "0123456789", 10) && !body_add(body, "0", 1),
		  "so is text without a path");
	body_destroy(body);
	body = body_create(NULL, 1000, 0);
	CHECK(!body_add(body, "0", 1), "no text is a limit too");
	body_destroy(body);
	CHECK(body_create("a[", 10, 10) == NULL &&
		  body_create("[x]", 10, 10) == NULL &&
		  body_create("[][][][][][][][][][][][][][][][][]", 10, 10) == NULL,
		  "a path that makes no sense is refused");
}

static void
check_many(void)
{
	char		text[1024] = "{\"data\":[";
	Result		result;

	for (int i = 0; i < 12; i++)
		strcat(text, i > 0 ? ",{\"b64_json\":\"Zm9v\"}" :
			   "{\"b64_json\":\"Zm9v\"}");
	strcat(text, "]}");
	result = receive(PATH, text, 0);
	CHECK(result.count == MAX_PICTURES && result.fits &&
		  strstr(result.text, "\"11\"") != NULL,
		  "pictures past the tenth keep their number, not their bytes");
	release(&result);
}

static void
check_depth(void)
{
	char		text[300];
	Result		result;

	for (int depth = 62; depth <= 66; depth++)
	{
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		text[depth * 2] = '\0';
		CHECK(body_depth_is_fine(text, strlen(text)) == (depth <= 64),
			  "depth %d is %s", depth, depth <= 64 ? "fine" : "too much");
		result = receive(PATH, text, 3);
		CHECK((strchr(result.text, ']') != NULL) == (depth <= 64),
			  "of depth %d the parser sees %s", depth,
			  depth <= 64 ? "all" : "no end");
		release(&result);
	}
	memset(text, '[', 100);
	text[0] = '"';
	text[50] = '\\';
	text[51] = '"';
	text[99] = '"';
	CHECK(body_depth_is_fine(text, 100), "brackets in a string do not count");
}

int
main(void)
{
	check_places();
	check_echoes();
	check_broken();
	check_limits();
	check_many();
	check_depth();
	return check_done();
}
