/*-------------------------------------------------------------------------
 *
 * event_stream_test.c
 *		A stream of events is the same however it is cut and its lines end;
 *		what is taken leaves no trace, and what is kept is one JSON array with
 *		its pictures numbered through.
 *
 *-------------------------------------------------------------------------
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/courier/event_stream.h"
#include "check.h"

#define PATH	"b64_json"

/* An event with the picture "\0\0\0", "\1\4\20" or so many bytes. */
#define PICTURE(text) "data: {\"b64_json\":\"" text "\"}\n\n"

/* What the owner of a stream was told. */
typedef struct Told
{
	const char *wanted;			/* takes events with this in them */
	bool		keeps_bytes;	/* of the preview */
	int			count;
	size_t		preview_len;	/* of the last one taken */
	uint8_t    *preview;
	char		last[200];
} Told;

static bool
take(void *owner, const char *text, size_t len, Picture *picture)
{
	Told	   *told = owner;

	told->count++;
	snprintf(told->last, sizeof(told->last), "%.*s", (int) len, text);
	if (told->wanted == NULL || strstr(text, told->wanted) == NULL)
		return false;
	told->preview_len = picture != NULL ? picture->len : 0;
	if (told->keeps_bytes && picture != NULL)
	{
		told->preview = picture->bytes;
		picture->bytes = NULL;
	}
	return true;
}

/* The whole stream, in pieces; NULL if it does not fit. */
static EventStream *
receive(Told *told, const char *text, size_t piece)
{
	EventStream *stream = event_stream_create(PATH, 4096, 1024, take, told);
	size_t		len = strlen(text);

	for (size_t at = 0; at < len; at += piece)
	{
		if (!event_stream_add(stream, text + at,
							  len - at < piece ? len - at : piece))
		{
			event_stream_destroy(stream);
			return NULL;
		}
	}
	return stream;
}

static bool
has_text(EventStream *stream, const char *expected)
{
	size_t		len;
	const char *text = event_stream_text(stream, &len);

	if (strlen(text) == len && strcmp(text, expected) == 0)
		return true;
	printf("# %s\n", text);
	return false;
}

/* The array without the white space that lines leave in it. */
static bool
has_json(EventStream *stream, const char *expected)
{
	size_t		len;
	const char *text = event_stream_text(stream, &len);
	json_t	   *ours = json_loadb(text, len, 0, NULL);
	json_t	   *theirs = json_loads(expected, 0, NULL);
	bool		is_same = ours != NULL && json_equal(ours, theirs);

	if (!is_same)
		printf("# %s\n", text);
	json_decref(ours);
	json_decref(theirs);
	return is_same;
}

/* The stream's own lines end in \n; here they end otherwise. */
static char *
with_ends(const char *text, const char *end)
{
	char	   *out = calloc(strlen(text) + 1, strlen(end) + 1);

	for (; *text != '\0'; text++)
		strncat(out, *text == '\n' ? end : text,
				*text == '\n' ? strlen(end) : 1);
	return out;
}

/* ---- the format ---- */

static void
check_cuts(void)
{
	static const char stream[] =
	": hello\n\nevent: image\nid: 7\nretry\ndata: {\"type\":\"a\",\n"
	"data:\"b64_json\":\ndata: \"AAAA\"}\n: in between\n\n"
	"data:{\"type\":\"b\"}\nevent: x\n\n\n\n"
	PICTURE("AQQQ") "data: [DONE]\n\n";
	static const char expected[] =
	"[{\"type\":\"a\",\"b64_json\":\"0\"},{\"type\":\"b\"},"
	"{\"b64_json\":\"1\"}]";
	static const char *const ends[] = {"\n", "\r", "\r\n"};
	static const char *const names[] = {"LF", "CR", "CRLF"};

	for (int i = 0; i < 3; i++)
	{
		char	   *text = with_ends(stream, ends[i]);
		size_t		len = strlen(text);
		size_t		wrong = 0;

		for (size_t cut = 1; cut <= len; cut++)
		{
			Told		told = {0};
			EventStream *events = event_stream_create(PATH, 4096, 1024, take,
													  &told);
			Picture		pictures[MAX_PICTURES];
			int			count;

			event_stream_add(events, text, cut);
			event_stream_add(events, text + cut, len - cut);
			count = event_stream_take_pictures(events, pictures);
			if (!has_json(events, expected) || told.count != 3 ||
				count != 2 || pictures[0].is_broken || pictures[1].is_broken ||
				memcmp(pictures[0].bytes, "\0\0\0", 3) != 0 ||
				memcmp(pictures[1].bytes, "\1\4\20", 3) != 0)
				wrong++;
			while (count > 0)
				free(pictures[--count].bytes);
			event_stream_destroy(events);
		}
		CHECK(wrong == 0, "cut at any place, with %s: %zu wrong of %zu",
			  names[i], wrong, len);

		for (size_t piece = 1; piece <= 3; piece++)
		{
			Told		told = {0};
			EventStream *events = receive(&told, text, piece);

			CHECK(events != NULL && has_json(events, expected),
				  "in pieces of %zu, with %s", piece, names[i]);
			event_stream_destroy(events);
		}
		free(text);
	}
}

static void
check_one(const char *fact, const char *text, const char *expected)
{
	Told		told = {0};
	EventStream *stream = receive(&told, text, 5);

	CHECK(stream != NULL && has_text(stream, expected), "%s", fact);
	event_stream_destroy(stream);
}

static void
check_lines(void)
{
	check_one("nothing is nothing", "", "");
	check_one("comments and other fields are nothing",
			  ": data: {}\n\nevent: data: {}\n\ndat: {}\n\ndatas: {}\n\n"
			  "Data: {}\n\n data: {}\n\n", "");
	check_one("a field without a colon has no value", "data\n\n", "");
	check_one("only one space before the value is not part of it",
			  "data:  {}\n\n", "[ {}\n]");
	check_one("the lines of an event are joined by a line feed",
			  "data: {\ndata: }\n\n", "[{\n}\n]");
	check_one("an event that is no object is left out",
			  "data: [DONE]\n\ndata: 1\n\ndata: {}\n\ndata: \"{\"\n\n",
			  "[{}\n]");
	check_one("empty lines are no events", "\n\n\r\n\r\rdata: {}\n\n\n\n",
			  "[{}\n]");
	check_one("an event without its empty line is not there",
			  "data: {\"a\":1}\n\ndata: {\"b\":2}\n", "[{\"a\":1}\n]");
	check_one("nor one that breaks off inside",
			  "data: {\"a\":1}\n\ndata: {\"b", "[{\"a\":1}\n]");
}

/* ---- what is taken, and what is kept ---- */

static void
check_taking(void)
{
	static const char text[] =
	"data: {\"type\":\"partial\",\"b64_json\":\"AAAAAAAA\"}\n\n"
	"data: {\"type\":\"partial\"}\n\n"
	PICTURE("AQQQ")
	"data: {\"type\":\"partial\",\"b64_json\":\"AAAA\"}\n\n"
	PICTURE("AAAA");
	Told		told = {.wanted = "partial"};
	EventStream *stream = receive(&told, text, 7);
	Picture		pictures[MAX_PICTURES];
	int			count;

	CHECK(told.count == 5 && strstr(told.last, "\"1\"") != NULL,
		  "each event is offered, its picture numbered on from those kept");
	CHECK(told.preview_len == 3, "a preview is offered with its event");
	CHECK(event_stream_held(stream) == 6,
		  "of previews that were taken nothing is held");
	CHECK(has_text(stream, "[{\"b64_json\":\"0\"}\n,{\"b64_json\":\"1\"}\n]"),
		  "what was taken leaves no trace in the text");
	count = event_stream_take_pictures(stream, pictures);
	CHECK(count == 2 && pictures[0].len == 3 &&
		  memcmp(pictures[0].bytes, "\1\4\20", 3) == 0 &&
		  memcmp(pictures[1].bytes, "\0\0\0", 3) == 0,
		  "nor among the pictures");
	while (count > 0)
		free(pictures[--count].bytes);
	CHECK(event_stream_held(stream) == 0 &&
		  event_stream_take_pictures(stream, pictures) == 0,
		  "pictures are given away once");
	event_stream_destroy(stream);

	told.keeps_bytes = true;
	stream = receive(&told, PICTURE("AAAA") "data: {\"type\":\"partial\","
					 "\"b64_json\":\"AQQQ\"}\n\n", 9);
	event_stream_destroy(stream);
	CHECK(told.preview != NULL && told.preview_len == 3 &&
		  memcmp(told.preview, "\1\4\20", 3) == 0,
		  "the bytes of a preview may be kept, and outlive the stream");
	free(told.preview);
}

static void
check_many(void)
{
	Told		told = {0};
	EventStream *stream = event_stream_create(PATH, 4096, 1024, take, &told);
	Picture		pictures[MAX_PICTURES];
	int			count;
	size_t		len;

	for (int i = 0; i < MAX_PICTURES + 3; i++)
		event_stream_add(stream, PICTURE("AAAA"), strlen(PICTURE("AAAA")));
	CHECK(strstr(event_stream_text(stream, &len), "\"10\"") != NULL,
		  "pictures over their limit have numbers that lead nowhere");
	count = event_stream_take_pictures(stream, pictures);
	CHECK(count == MAX_PICTURES, "and are not kept");
	while (count > 0)
		free(pictures[--count].bytes);
	event_stream_destroy(stream);

	stream = receive(&told, PICTURE("A") "data: {\"b64_json\":\"AAAA\"}\n\n",
					 8);
	count = event_stream_take_pictures(stream, pictures);
	CHECK(count == 2 && pictures[0].is_broken && !pictures[1].is_broken,
		  "a picture that is no base64 is broken, the next one is not");
	while (count > 0)
		free(pictures[--count].bytes);
	event_stream_destroy(stream);
}

/* ---- limits ---- */

static bool
fits(const char *text, size_t max_bytes, size_t max_text)
{
	Told		told = {0};
	EventStream *stream = event_stream_create(PATH, max_bytes, max_text, take,
											  &told);
	size_t		len = strlen(text);
	bool		ok = true;

	for (size_t at = 0; ok && at < len; at += 10)
		ok = event_stream_add(stream, text + at,
							  len - at < 10 ? len - at : 10);
	event_stream_destroy(stream);
	return ok;
}

static void
check_limits(void)
{
	static const char event[] = "data: {\"a\":1}\n\n";
	static const char comment[] = ": a comment of some length\n\n";
	static const char picture[] = PICTURE("AAAAAAAAAAAAAAAAAAAA");

	CHECK(fits(event, strlen(event), 100) &&
		  !fits(event, strlen(event) - 1, 100),
		  "the whole stream has a limit");
	CHECK(!fits(comment, strlen(comment) - 1, 100),
		  "also if it holds nothing");
	CHECK(fits(event, 1000, 9) && !fits(event, 1000, 8),
		  "what is kept has a limit");
	CHECK(fits("data: {\"a\":1}\n\ndata: {\"a\":1}\n\n", 1000, 18) &&
		  !fits("data: {\"a\":1}\n\ndata: {\"a\":1}\n\n", 1000, 17),
		  "which is that of all events together");
	CHECK(fits(picture, 1000, 20), "pictures do not count as text");
}

int
main(void)
{
	check_cuts();
	check_lines();
	check_taking();
	check_many();
	check_limits();
	return check_done();
}
