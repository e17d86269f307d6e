/*-------------------------------------------------------------------------
 *
 * body.c
 *		Receives the body of an answer, and cuts the pictures out of it while
 *		it arrives.
 *
 * The scanner knows as much of JSON as is needed to tell where a string
 * stands: objects and arrays in one another, keys, strings and their
 * escapes.  It does not judge.  For every text that a JSON parser accepts
 * the two agree about the place of each string, so that a prompt which comes
 * back with "b64_json":" in it is just a string; a text that the parser does
 * not accept is refused as a whole, later.
 *
 * How far the way into the text fits on the path is one number: "matched"
 * steps lead to a container that is open now, and the innermost container
 * stands on the path if it is as deep as that.
 *
 *-------------------------------------------------------------------------
 */
#include "body.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"

/* Adapters' paths are much shorter. */
#define MAX_STEPS		16
#define MAX_KEY			63

#define MAX_PLAIN		1024

/* Without a hint. */
#define FIRST_PICTURE	(64 * 1024)
#define FIRST_TEXT		1024

/* What is left over at a picture's end is given back from this size on. */
#define WORTH_SHRINKING	4096

/* Some servers send "data:image/png;base64," first. */
#define DATA_PREFIX		"data:"
#define MAX_DATA_PREFIX	100

#define MAX(a, b)	((a) > (b) ? (a) : (b))
#define MIN(a, b)	((a) < (b) ? (a) : (b))

/* A member of this name, or any element of an array if name is NULL. */
typedef struct Step
{
	const char *name;
	size_t		len;
} Step;

typedef enum Place
{
	BETWEEN,					/* the strings */
	IN_KEY,
	IN_STRING,
	IN_PICTURE
} Place;

typedef enum Lead
{
	LEAD_MAY_COME,				/* what came so far could be DATA_PREFIX */
	LEAD_IS_SKIPPED,			/* it was; up to the comma */
	LEAD_IS_OVER				/* from here on it is base64 */
} Lead;

struct Body
{
	Step		steps[MAX_STEPS];
	int			step_count;
	size_t		max_bytes;
	size_t		max_text;
	size_t		expected;
	size_t		received;
	bool		is_full;		/* a limit was passed */

	char	   *text;
	size_t		text_len;
	size_t		text_size;

	/* where in the JSON */
	Place		place;
	bool		after_backslash;
	int			hex_digits;		/* still to come, of \u0000 */
	unsigned int hex_value;
	int			depth;			/* open containers */
	uint64_t	arrays;			/* bit depth - 1: it is an array */
	int			matched;
	bool		expects_key;
	bool		is_too_deep;
	char		key[MAX_KEY + 1];	/* the last one of the innermost object */
	size_t		key_len;		/* MAX_KEY + 1 if it is longer */

	/* the picture that arrives now is the last one */
	Picture		pictures[MAX_PICTURES];
	size_t		sizes[MAX_PICTURES];
	int			picture_count;
	int			index;			/* of the next one */
	int			number_from;	/* what the text makes of index 0 */
	Base64		decoder;
	Lead		lead;
	size_t		lead_len;
};

static bool parse_path(Body *body, const char *path);
static bool scan(Body *body, const char *p, const char *end);
static const char *scan_between(Body *body, const char *p, const char *end);
static const char *scan_key(Body *body, const char *p, const char *end);
static const char *scan_string(Body *body, const char *p, const char *end);
static const char *scan_picture(Body *body, const char *p, const char *end);

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
	if (body->text == NULL || !parse_path(body, picture_path))
	{
		body_destroy(body);
		return NULL;
	}
	return body;
}

/* "data[].b64_json" is: member "data", any element, member "b64_json". */
static bool
parse_path(Body *body, const char *path)
{
	while (path != NULL && *path != '\0')
	{
		size_t		len = strcspn(path, ".[");
		Step	   *step = &body->steps[body->step_count];

		if (body->step_count == MAX_STEPS || len > MAX_KEY)
			return false;
		if (len == 0 && strncmp(path, "[]", 2) != 0)
			return false;
		if (len > 0)
		{
			step->name = path;
			step->len = len;
		}
		path += len > 0 ? len : 2;
		body->step_count++;
		if (*path == '.')
			path++;
	}
	return true;
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
		if (!scan(body, bytes, bytes + len))
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

bool
body_depth_is_fine(const char *text, size_t len)
{
	bool		in_string = false;
	int			depth = 0;

	for (size_t i = 0; i < len; i++)
	{
		if (in_string)
		{
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
		}
		else if (text[i] == '"')
			in_string = true;
		else if (text[i] == '{' || text[i] == '[')
		{
			if (++depth > BODY_MAX_DEPTH)
				return false;
		}
		else if ((text[i] == '}' || text[i] == ']') && depth > 0)
			depth--;
	}
	return true;
}

/* Adds to the text.  One byte is always left for the terminator. */
static bool
keep(Body *body, const char *bytes, size_t len)
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

/* Each scan_ function takes what is its own, and returns NULL if too much. */
static bool
scan(Body *body, const char *p, const char *end)
{
	if (body->step_count == 0)
		return keep(body, p, end - p);

	while (p != NULL && p < end && !body->is_too_deep)
	{
		switch (body->place)
		{
			case BETWEEN:
				p = scan_between(body, p, end);
				break;
			case IN_KEY:
				p = scan_key(body, p, end);
				break;
			case IN_STRING:
				p = scan_string(body, p, end);
				break;
			case IN_PICTURE:
				p = scan_picture(body, p, end);
				break;
		}
	}
	return p != NULL;
}

static bool
in_array(const Body *body)
{
	return body->depth > 0 && (body->arrays >> (body->depth - 1) & 1) != 0;
}

/* Whether the value that begins here is one step further on the path. */
static bool
is_on_path(const Body *body)
{
	const Step *step;

	if (body->depth == 0 || body->depth > body->step_count ||
		body->matched != body->depth - 1)
		return false;
	step = &body->steps[body->depth - 1];
	if (in_array(body))
		return step->name == NULL;
	return step->name != NULL && step->len == body->key_len &&
		memcmp(step->name, body->key, step->len) == 0;
}

static void
open_container(Body *body, bool is_array)
{
	if (body->depth == BODY_MAX_DEPTH)
	{
		/* what is kept ends here, and so is no JSON */
		body->is_too_deep = true;
		return;
	}
	if (is_on_path(body))
		body->matched = body->depth;
	body->depth++;
	if (is_array)
		body->arrays |= UINT64_C(1) << (body->depth - 1);
	else
		body->arrays &= ~(UINT64_C(1) << (body->depth - 1));
	body->expects_key = !is_array;
}

static void
close_container(Body *body)
{
	if (body->depth > 0)
		body->depth--;
	body->matched = MIN(body->matched, MAX(body->depth - 1, 0));
	body->expects_key = false;
}

static void
open_string(Body *body)
{
	if (body->expects_key)
	{
		body->place = IN_KEY;
		body->key_len = 0;
	}
	else if (body->depth == body->step_count && is_on_path(body))
	{
		body->place = IN_PICTURE;
		memset(&body->decoder, 0, sizeof(body->decoder));
		body->lead = LEAD_MAY_COME;
		body->lead_len = 0;
		if (body->index < MAX_PICTURES)
			body->picture_count = body->index + 1;
	}
	else
		body->place = IN_STRING;
}

static const char *
scan_between(Body *body, const char *p, const char *end)
{
	const char *start = p;

	while (p < end && body->place == BETWEEN && !body->is_too_deep)
	{
		switch (*p++)
		{
			case '{':
				open_container(body, false);
				break;
			case '[':
				open_container(body, true);
				break;
			case '}':
			case ']':
				close_container(body);
				break;
			case ',':
				body->expects_key = body->depth > 0 && !in_array(body);
				break;
			case ':':
				body->expects_key = false;
				break;
			case '"':
				open_string(body);
				break;
			default:
				break;
		}
	}
	return keep(body, start, p - start) ? p : NULL;
}

/*
 * The length up to the next quote or backslash, or up to the end.  It looks
 * no further than MAX_PLAIN, or a text full of escapes would be searched to
 * its end at each of them.
 */
static size_t
plain_length(const char *p, const char *end)
{
	const char *quote;
	const char *backslash;

	if (end - p > MAX_PLAIN)
		end = p + MAX_PLAIN;
	quote = memchr(p, '"', end - p);
	if (quote != NULL)
		end = quote;
	backslash = memchr(p, '\\', end - p);
	return (backslash != NULL ? backslash : end) - p;
}

/*
 * Takes a character of an escape, from the backslash on.  True if it was the
 * last one, and then *value is what the escape stands for; a character
 * outside ASCII is given as DEL, which is in no name and in no base64.
 */
static bool
unescape(Body *body, char c, char *value)
{
	if (body->hex_digits > 0)
	{
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		const char *digit = memchr(digits, c, sizeof(digits) - 1);

		/* a wrong digit gives something that is not ASCII */
		body->hex_value = body->hex_value << 4 |
			(digit != NULL ? (unsigned int) ((digit - digits) % 16) : 0x10000);
		if (--body->hex_digits > 0)
			return false;
		*value = body->hex_value < 0x7f ? (char) body->hex_value : 0x7f;
		body->after_backslash = false;
		return true;
	}
	if (!body->after_backslash)
	{
		body->after_backslash = true;
		return false;
	}
	if (c == 'u')
	{
		body->hex_digits = 4;
		body->hex_value = 0;
		return false;
	}
	body->after_backslash = false;
	if (c == '"' || c == '\\' || c == '/')
		*value = c;
	else
		*value = 0x7f;			/* \n and the like: nowhere of use here */
	return true;
}

static void
add_to_key(Body *body, const char *p, size_t len)
{
	if (len > MAX_KEY - MIN(body->key_len, MAX_KEY))
		body->key_len = MAX_KEY + 1;
	else
	{
		memcpy(body->key + body->key_len, p, len);
		body->key_len += len;
	}
}

static const char *
scan_key(Body *body, const char *p, const char *end)
{
	const char *start = p;

	while (p < end && body->place == IN_KEY)
	{
		char		value;

		if (body->after_backslash || *p == '\\')
		{
			if (unescape(body, *p++, &value))
				add_to_key(body, &value, 1);
		}
		else if (*p == '"')
		{
			p++;
			body->place = BETWEEN;
		}
		else
		{
			size_t		len = plain_length(p, end);

			add_to_key(body, p, len);
			p += len;
		}
	}
	return keep(body, start, p - start) ? p : NULL;
}

static const char *
scan_string(Body *body, const char *p, const char *end)
{
	const char *start = p;

	while (p < end && body->place == IN_STRING)
	{
		if (body->after_backslash)
		{
			p++;
			body->after_backslash = false;
		}
		else if (*p == '\\')
		{
			p++;
			body->after_backslash = true;
		}
		else if (*p == '"')
		{
			p++;
			body->place = BETWEEN;
		}
		else
			p += plain_length(p, end);
	}
	return keep(body, start, p - start) ? p : NULL;
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
static bool
add_to_picture(Body *body, const char *p, size_t len)
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
static bool
end_picture(Body *body)
{
	char		index[16];
	int			len;

	body->place = BETWEEN;
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
	return keep(body, index, len);
}

static const char *
scan_picture(Body *body, const char *p, const char *end)
{
	while (p < end && body->place == IN_PICTURE)
	{
		bool		fits = true;
		char		value;

		if (body->after_backslash || *p == '\\')
		{
			if (unescape(body, *p++, &value))
				fits = add_to_picture(body, &value, 1);
		}
		else if (*p == '"')
		{
			p++;
			fits = end_picture(body);
		}
		else
		{
			size_t		len = plain_length(p, end);

			fits = add_to_picture(body, p, len);
			p += len;
		}
		if (!fits)
			return NULL;
	}
	return p;
}
