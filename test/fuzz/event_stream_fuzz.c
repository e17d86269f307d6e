/*-------------------------------------------------------------------------
 *
 * event_stream_fuzz.c
 *		A stream of events in pieces of any length gives the same as in one
 *		piece; what is kept is one text whose pictures have their numbers, and
 *		no limit is passed.
 *
 * The first byte is the length of the pieces.  An event with a "t" at its end
 * is taken, and its picture with it.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "../../src/courier/event_stream.h"
#include "fuzz.h"

#define MAX_BYTES	(1 << 16)
#define MAX_TEXT	(1 << 10)

/* A picture begins with a buffer of 64 kB, and doubles it. */
#define MAX_HELD	((1 << 16) * 2 * 2 * MAX_PICTURES)

typedef struct Received
{
	bool		fits;
	char	   *text;
	size_t		len;
	Picture		pictures[MAX_PICTURES];
	int			count;
	int			taken;
} Received;

static bool
take(void *owner, const char *text, size_t len, Picture *picture)
{
	Received   *received = owner;

	insist(text[len] == '\0' && len <= MAX_TEXT);
	if (strstr(text, "\"t\"") == NULL)
		return false;
	received->taken++;
	if (picture != NULL)
	{
		free(picture->bytes);
		picture->bytes = NULL;
	}
	return true;
}

static void
receive(const char *bytes, size_t len, size_t piece, Received *received)
{
	EventStream *stream;
	const char *text;

	memset(received, 0, sizeof(*received));
	stream = event_stream_create("data.b64_json", MAX_BYTES, MAX_TEXT, take,
								 received);
	received->fits = true;
	for (size_t at = 0; received->fits && at < len; at += piece)
	{
		/* a copy, so that no piece can be read beyond its end */
		size_t		part = len - at < piece ? len - at : piece;
		char	   *copy = malloc(part);

		memcpy(copy, bytes + at, part);
		received->fits = event_stream_add(stream, copy, part);
		free(copy);
		insist(event_stream_held(stream) <= MAX_HELD);
	}
	text = event_stream_text(stream, &received->len);
	insist(received->len <= MAX_TEXT + 1 && text[received->len] == '\0');
	received->text = malloc(received->len + 1);
	memcpy(received->text, text, received->len + 1);
	received->count = event_stream_take_pictures(stream, received->pictures);
	insist(event_stream_take_pictures(stream, received->pictures) == 0);
	event_stream_destroy(stream);
}

static void
release(Received *received)
{
	for (int i = 0; i < received->count; i++)
		free(received->pictures[i].bytes);
	free(received->text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *) data + 1;
	Received	a;
	Received	b;

	if (size < 2)
		return 0;
	receive(bytes, size - 1, size, &a);
	receive(bytes, size - 1, data[0] % 16 + 1, &b);
	insist(a.fits == b.fits);
	insist(!a.fits || a.len < 1 ||
		   (a.text[0] == '[' && a.text[a.len - 1] == ']'));
	if (a.fits)
	{
		insist(a.taken == b.taken);
		insist(a.len == b.len && memcmp(a.text, b.text, a.len) == 0);
		insist(a.count == b.count);
		for (int i = 0; i < a.count; i++)
		{
			insist(a.pictures[i].len == b.pictures[i].len);
			insist(a.pictures[i].is_broken == b.pictures[i].is_broken);
			insist(a.pictures[i].len == 0 ||
				   memcmp(a.pictures[i].bytes, b.pictures[i].bytes,
						  a.pictures[i].len) == 0);
		}
	}
	release(&a);
	release(&b);
	return 0;
}
