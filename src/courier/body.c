/*-------------------------------------------------------------------------
 *
 * body.c
 *		Receives the body of an answer, and cuts the pictures out of it while
 *		it arrives.
 *
 *-------------------------------------------------------------------------
 */
#include "body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body_scan.h"

/* Without a hint. */
#define FIRST_PICTURE	(64 * 1024)
#define FIRST_TEXT		1024

/* What is left over at a picture's end is given back from this size on. */
#define WORTH_SHRINKING	4096

/* Some servers send "data:image/png;base64," first. */
#define DATA_PREFIX		"data:"
#define MAX_DATA_PREFIX	100

Body *
body_create(const char *picture_path, size_t max_bytes, size_t max_text)
{
	Body	   *body = calloc(1, sizeof(Body));

	if (body == NULL)
		return NULL;
	body->max_bytes = max_bytes;
	body->max_text = max_text;
	body->text_size = MIN(FIRST_TEXT, max_text + 1);
	body->text = malloc(body->text_size);
	if (body->text == NULL || !body_scan_path(body, picture_path))
	{
		body_destroy(body);
		return NULL;
	}
	return body;
}

void
body_expect(Body *body, size_t len)
{
	body->expected = MIN(len, body->max_bytes);
}

bool
body_add(Body *body, const char *bytes, size_t len)
{
	if (body->is_full || len > body->max_bytes - body->received)
		body->is_full = true;
	else
	{
		if (!body_scan(body, bytes, bytes + len))
			body->is_full = true;
		body->received += len;
	}
	return !body->is_full;
}

void
body_number_from(Body *body, int first)
{
	body->number_from = first;
}

size_t
body_held(const Body *body)
{
	size_t		held = 0;

	for (int i = 0; i < body->picture_count; i++)
		held += body->sizes[i];
	return held;
}

const char *
body_text(const Body *body, size_t *len)
{
	body->text[body->text_len] = '\0';
	*len = body->text_len;
	return body->text;
}

void
body_take_text(Body *body, Picture *picture)
{
	memset(picture, 0, sizeof(*picture));
	picture->bytes = (uint8_t *) body->text;
	picture->len = body->text_len;
	body->text = NULL;
	body->text_len = body->text_size = 0;
}

int
body_take_pictures(Body *body, Picture pictures[MAX_PICTURES])
{
	int			count = body->picture_count;

	if (body->place == IN_PICTURE && body->index < count)
		body->pictures[body->index].is_broken = true;
	memcpy(pictures, body->pictures, count * sizeof(Picture));
	body->picture_count = 0;
	return count;
}

void
body_destroy(Body *body)
{
	if (body == NULL)
		return;
	for (int i = 0; i < body->picture_count; i++)
		free(body->pictures[i].bytes);
	free(body->text);
	free(body);
}

/* ---- the text ---- */

/* One byte is always left for the terminator. */
bool
body_keep(Body *body, const char *bytes, size_t len)
{
	size_t		needed = body->text_len + len + 1;

	if (len > body->max_text - body->text_len)
		return false;
	if (needed > body->text_size)
	{
		size_t		size = MIN(MAX(needed, body->text_size * 2),
							   body->max_text + 1);
		char	   *text = realloc(body->text, size);

		if (text == NULL)
			return false;
		body->text = text;
		body->text_size = size;
	}
	memcpy(body->text + body->text_len, bytes, len);
	body->text_len += len;
	return true;
}

/* ---- pictures ---- */

void
body_begin_picture(Body *body)
{
	memset(&body->decoder, 0, sizeof(body->decoder));
	body->lead = LEAD_MAY_COME;
	body->lead_len = 0;
	if (body->index < MAX_PICTURES)
		body->picture_count = body->index + 1;
}

/* Room for len more characters of base64, of remaining that may come. */
static bool
make_room(Body *body, size_t len, size_t remaining)
{
	Picture    *picture = &body->pictures[body->index];
	size_t	   *size = &body->sizes[body->index];
	size_t		needed = picture->len + BASE64_DECODED_MAX(len);
	size_t		wanted;
	uint8_t    *bytes;

	if (needed <= *size)
		return true;
	if (remaining > len)
		wanted = picture->len + BASE64_DECODED_MAX(remaining);
	else
		wanted = MAX(*size * 2, FIRST_PICTURE);
	wanted = MAX(needed, MIN(wanted, BASE64_DECODED_MAX(body->max_bytes)));
	bytes = realloc(picture->bytes, wanted);
	if (bytes == NULL)
		return false;
	picture->bytes = bytes;
	*size = wanted;
	return true;
}

static bool
decode(Body *body, const char *p, size_t len)
{
	Picture    *picture;
	size_t		remaining = body->expected - MIN(body->expected,
												 body->received);

	if (len == 0 || body->index >= MAX_PICTURES || body->decoder.is_broken)
		return true;
	if (!make_room(body, len, remaining))
		return false;
	picture = &body->pictures[body->index];
	picture->len += base64_decode(&body->decoder, p, len,
								  picture->bytes + picture->len);
	return true;
}

/*
 * Unescaped characters of a picture.  The "data:" prefix holds a colon,
 * which base64 does not; what only begins like it is given back to base64.
 */
bool
body_add_to_picture(Body *body, const char *p, size_t len)
{
	static const char prefix[] = DATA_PREFIX;

	while (len > 0 && body->lead == LEAD_MAY_COME)
	{
		if (*p == prefix[body->lead_len])
		{
			p++;
			len--;
			if (++body->lead_len == sizeof(prefix) - 1)
				body->lead = LEAD_IS_SKIPPED;
		}
		else
		{
			body->lead = LEAD_IS_OVER;
			if (!decode(body, prefix, body->lead_len))
				return false;
		}
	}
	while (len > 0 && body->lead == LEAD_IS_SKIPPED)
	{
		if (*p++ == ',')
			body->lead = LEAD_IS_OVER;
		else if (++body->lead_len > MAX_DATA_PREFIX)
		{
			body->lead = LEAD_IS_OVER;
			body->decoder.is_broken = true;
		}
		len--;
	}
	return len == 0 || decode(body, p, len);
}

/* At the quote: the index takes the picture's place. */
bool
body_end_picture(Body *body)
{
	char		index[16];
	int			len;

	if (body->lead == LEAD_MAY_COME &&
		!decode(body, DATA_PREFIX, body->lead_len))
		return false;
	if (body->index < MAX_PICTURES)
	{
		Picture    *picture = &body->pictures[body->index];
		size_t	   *size = &body->sizes[body->index];

		picture->is_broken = body->lead == LEAD_IS_SKIPPED ||
			!base64_is_whole(&body->decoder);
		if (picture->len > 0 && *size - picture->len >= WORTH_SHRINKING)
		{
			uint8_t    *bytes = realloc(picture->bytes, picture->len);

			if (bytes != NULL)
			{
				picture->bytes = bytes;
				*size = picture->len;
			}
		}
	}
	len = snprintf(index, sizeof(index), "%d\"",
				   body->number_from + body->index++);
	return body_keep(body, index, len);
}
