/*-------------------------------------------------------------------------
 *
 * event_stream.c
 *		Receives an answer that is a stream of events.
 *
 * Of the format this much is needed: lines end with CR, LF or both; a line
 * "data: ..." adds to the event's data, with a line feed between two of them;
 * an empty line ends the event; all else (other fields, comments) is skipped.
 * A line may be a picture of megabytes, so it is never gathered, but handed
 * on as it comes.
 *
 *-------------------------------------------------------------------------
 */
#include "event_stream.h"

#include <stdlib.h>
#include <string.h>

#include "body.h"

static const char data_field[] = "data";

#define DATA_LEN	(sizeof(data_field) - 1)

typedef enum Place
{
	LINE_START,
	IN_FIELD,					/* of its name, field_len bytes were "data" */
	BEFORE_VALUE,				/* a space here is no part of it */
	IN_VALUE,
	IN_OTHER					/* the rest of a line that is skipped */
} Place;

struct EventStream
{
	const char *picture_path;
	size_t		max_bytes;
	size_t		max_text;
	size_t		received;
	EventTake	take;
	void	   *owner;

	Place		place;
	size_t		field_len;
	bool		after_cr;
	Body	   *event;			/* the one that comes; NULL if it has no data */

	char	   *text;			/* "[...", for the kept ones */
	size_t		text_len;
	size_t		text_size;
	Picture		pictures[MAX_PICTURES];
	int			picture_count;
	size_t		held;			/* by pictures */
};

EventStream *
event_stream_create(const char *picture_path, size_t max_bytes,
					size_t max_text, EventTake take, void *owner)
{
	EventStream *stream = calloc(1, sizeof(EventStream));

	if (stream == NULL)
		return NULL;
	stream->picture_path = picture_path;
	stream->max_bytes = max_bytes;
	stream->max_text = max_text;
	stream->take = take;
	stream->owner = owner;
	return stream;
}

/* Adds to the array; room is left for its end. */
static bool
keep(EventStream *stream, const char *bytes, size_t len)
{
	size_t		needed = stream->text_len + len + sizeof("]");

	if (len > stream->max_text - stream->text_len)
		return false;
	if (needed > stream->text_size)
	{
		char	   *text = realloc(stream->text, needed * 2);

		if (text == NULL)
			return false;
		stream->text = text;
		stream->text_size = needed * 2;
	}
	memcpy(stream->text + stream->text_len, bytes, len);
	stream->text_len += len;
	return true;
}

/* Frees what nobody has taken of them. */
static void
drop_pictures(Picture *pictures, int count)
{
	for (int i = 0; i < count; i++)
		free(pictures[i].bytes);
}

/* Some end with "[DONE]", which is no JSON and would spoil the array. */
static bool
is_object(const char *text)
{
	return text[strspn(text, " \t\n")] == '{';
}

static bool
keep_event(EventStream *stream, const char *text, size_t len,
		   Picture *pictures, int count)
{
	if (!keep(stream, stream->text_len == 0 ? "[" : ",", 1) ||
		!keep(stream, text, len))
	{
		drop_pictures(pictures, count);
		return false;
	}
	for (int i = 0; i < count; i++)
	{
		if (stream->picture_count == MAX_PICTURES)
		{
			free(pictures[i].bytes);
			continue;
		}
		stream->held += pictures[i].len;
		stream->pictures[stream->picture_count++] = pictures[i];
	}
	return true;
}

static bool
end_event(EventStream *stream)
{
	Picture		pictures[MAX_PICTURES];
	Body	   *event = stream->event;
	const char *text;
	size_t		len;
	int			count;
	bool		ok = true;

	stream->event = NULL;
	if (event == NULL)
		return true;
	text = body_text(event, &len);
	count = body_take_pictures(event, pictures);
	if (!is_object(text) ||
		stream->take(stream->owner, text, len, count > 0 ? pictures : NULL))
		drop_pictures(pictures, count);
	else
		ok = keep_event(stream, text, len, pictures, count);
	body_destroy(event);
	return ok;
}

static bool
add_data(EventStream *stream, const char *bytes, size_t len)
{
	if (stream->event == NULL)
	{
		stream->event = body_create(stream->picture_path, stream->max_bytes,
									stream->max_text);
		if (stream->event == NULL)
			return false;
		body_number_from(stream->event, stream->picture_count);
	}
	return body_add(stream->event, bytes, len);
}

/* The line is over. */
static bool
end_line(EventStream *stream)
{
	Place		place = stream->place;

	stream->place = LINE_START;
	if (place == LINE_START)
		return end_event(stream);
	/* the line feed after the last line does not matter to JSON */
	if (place == IN_VALUE || place == BEFORE_VALUE)
		return add_data(stream, "\n", 1);
	return true;
}

/* A character at which the line is not over. */
static void
read_field(EventStream *stream, char c)
{
	if (stream->place == LINE_START)
	{
		stream->place = IN_FIELD;
		stream->field_len = 0;
	}
	if (c == ':')
		stream->place = stream->field_len == DATA_LEN ? BEFORE_VALUE :
			IN_OTHER;
	else if (stream->field_len < DATA_LEN &&
			 c == data_field[stream->field_len])
		stream->field_len++;
	else
		stream->place = IN_OTHER;
}

/* The length up to the line's end, or up to the end. */
static size_t
length_of_line(const char *p, const char *end)
{
	const char *feed = memchr(p, '\n', (size_t) (end - p));
	const char *cr;

	if (feed != NULL)
		end = feed;
	cr = memchr(p, '\r', (size_t) (end - p));
	return (size_t) ((cr != NULL ? cr : end) - p);
}

bool
event_stream_add(EventStream *stream, const char *bytes, size_t len)
{
	const char *p = bytes;
	const char *end = bytes + len;

	if (len > stream->max_bytes - stream->received)
		return false;
	stream->received += len;
	while (p < end)
	{
		bool		is_second = stream->after_cr && *p == '\n';

		stream->after_cr = false;
		if (is_second)
			p++;
		else if (*p == '\n' || *p == '\r')
		{
			stream->after_cr = *p++ == '\r';
			if (!end_line(stream))
				return false;
		}
		else if (stream->place == IN_VALUE)
		{
			size_t		part = length_of_line(p, end);

			if (!add_data(stream, p, part))
				return false;
			p += part;
		}
		else if (stream->place == IN_OTHER)
			p += length_of_line(p, end);
		else if (stream->place == BEFORE_VALUE)
		{
			stream->place = IN_VALUE;
			if (*p == ' ')
				p++;
		}
		else
			read_field(stream, *p++);
	}
	return true;
}

size_t
event_stream_held(const EventStream *stream)
{
	return stream->held +
		(stream->event != NULL ? body_held(stream->event) : 0);
}

const char *
event_stream_text(EventStream *stream, size_t *len)
{
	if (stream->text_len == 0)
	{
		*len = 0;
		return "";
	}
	memcpy(stream->text + stream->text_len, "]", sizeof("]"));
	*len = stream->text_len + 1;
	return stream->text;
}

int
event_stream_take_pictures(EventStream *stream,
						   Picture pictures[MAX_PICTURES])
{
	int			count = stream->picture_count;

	memcpy(pictures, stream->pictures, count * sizeof(Picture));
	stream->picture_count = 0;
	stream->held = 0;
	return count;
}

void
event_stream_destroy(EventStream *stream)
{
	if (stream == NULL)
		return;
	drop_pictures(stream->pictures, stream->picture_count);
	body_destroy(stream->event);
	free(stream->text);
	free(stream);
}
