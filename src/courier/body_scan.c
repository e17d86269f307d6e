/*-------------------------------------------------------------------------
 *
 * body_scan.c
 *		Where in the JSON of a body which string stands.
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
#include "body_scan.h"

#include <string.h>

#define MAX_PLAIN		1024

static const char *scan_between(Body *body, const char *p, const char *end);
static const char *scan_key(Body *body, const char *p, const char *end);
static const char *scan_string(Body *body, const char *p, const char *end);
static const char *scan_picture(Body *body, const char *p, const char *end);

/* "data[].b64_json" is: member "data", any element, member "b64_json". */
bool
body_scan_path(Body *body, const char *path)
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

/* Each scan_ function takes what is its own, and returns NULL if too much. */
bool
body_scan(Body *body, const char *p, const char *end)
{
	if (body->step_count == 0)
		return body_keep(body, p, end - p);

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
		body_begin_picture(body);
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
	return body_keep(body, start, p - start) ? p : NULL;
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
	return body_keep(body, start, p - start) ? p : NULL;
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
	return body_keep(body, start, p - start) ? p : NULL;
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
				fits = body_add_to_picture(body, &value, 1);
		}
		else if (*p == '"')
		{
			p++;
			body->place = BETWEEN;
			fits = body_end_picture(body);
		}
		else
		{
			size_t		len = plain_length(p, end);

			fits = body_add_to_picture(body, p, len);
			p += len;
		}
		if (!fits)
			return NULL;
	}
	return p;
}
