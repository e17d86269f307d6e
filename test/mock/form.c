/*-------------------------------------------------------------------------
 *
 * form.c
 *		Takes forms apart, strictly: what is not quite a form is none.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "form.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A parameter of a header line, with or without quotes. */
static bool
parameter(const char *line, size_t length, const char *name, char *value,
		  size_t size)
{
	size_t		name_length = strlen(name);
	const char *end = line + length;

	for (const char *at = line; at < end; at++)
	{
		const char *from = at + name_length + 1;
		const char *to;

		if (at == line || !strchr("; ", at[-1]) || from >= end ||
			strncasecmp(at, name, name_length) != 0 || from[-1] != '=')
			continue;
		if (*from == '"')
		{
			from++;
			to = memchr(from, '"', end - from);
		}
		else
			for (to = from; to < end && *to != ';' && *to != ' '; to++)
				;
		if (to == NULL || (size_t) (to - from) >= size)
			return false;
		memcpy(value, from, to - from);
		value[to - from] = '\0';
		return true;
	}
	return false;
}

/* The head of a part, up to the empty line; *at is moved behind it. */
static bool
read_part_head(const char **at, const char *end, Part *part)
{
	char		ignored[256];

	memset(part, 0, sizeof(*part));
	for (;;)
	{
		const char *eol = memmem(*at, end - *at, "\r\n", 2);
		const char *line = *at;
		size_t		length;

		if (eol == NULL)
			return false;
		length = eol - line;
		*at = eol + 2;
		if (length == 0)
			return part->name[0] != '\0';
		if (strncasecmp(line, "content-disposition:", 20) == 0)
		{
			if (!parameter(line, length, "name", part->name,
						   sizeof(part->name)))
				return false;
			part->is_file = parameter(line, length, "filename", ignored,
									  sizeof(ignored));
		}
		else if (strncasecmp(line, "content-type:", 13) == 0)
			snprintf(part->media_type, sizeof(part->media_type), "%.*s",
					 (int) (length - 13), line + 13);
	}
}

int
form_parse(const Request *request, Part parts[MAX_PARTS])
{
	const char *at = request->body;
	const char *end = at + request->body_length;
	char		boundary[80];
	char		delimiter[90];
	size_t		length;
	int			count = 0;

	if (!parameter(request->content_type, strlen(request->content_type),
				   "boundary", boundary, sizeof(boundary)))
		return -1;
	length = snprintf(delimiter, sizeof(delimiter), "\r\n--%s", boundary);
	if ((size_t) (end - at) < length ||
		memcmp(at, delimiter + 2, length - 2) != 0)
		return -1;
	at += length - 2;
	while (end - at >= 2 && memcmp(at, "\r\n", 2) == 0)
	{
		Part	   *part = &parts[count];
		const char *next;

		at += 2;
		if (count == MAX_PARTS || !read_part_head(&at, end, part))
			return -1;
		next = memmem(at, end - at, delimiter, length);
		if (next == NULL)
			return -1;
		part->bytes = at;
		part->length = next - at;
		at = next + length;
		count++;
	}
	return end - at >= 2 && memcmp(at, "--", 2) == 0 ? count : -1;
}

bool
percent_decode(char *text)
{
	char	   *to = text;

	for (; *text != '\0'; text++)
	{
		char		hex[3] = {0};

		if (*text != '%')
		{
			*to++ = *text;
			continue;
		}
		if (!isxdigit((unsigned char) text[1]) ||
			!isxdigit((unsigned char) text[2]))
			return false;
		memcpy(hex, text + 1, 2);
		*to++ = strtol(hex, NULL, 16);
		text += 2;
	}
	*to = '\0';
	return true;
}

void
form_value(const char *form, size_t length, const char *name, char *value,
		   size_t size)
{
	const char *end = form + length;
	size_t		name_length = strlen(name);

	value[0] = '\0';
	while (form < end)
	{
		const char *next = memchr(form, '&', end - form);
		size_t		n;

		if (next == NULL)
			next = end;
		n = next - form;
		if (n > name_length && form[name_length] == '=' &&
			strncmp(form, name, name_length) == 0 &&
			n - name_length - 1 < size)
		{
			n -= name_length + 1;
			memcpy(value, form + name_length + 1, n);
			value[n] = '\0';
			if (!percent_decode(value))
				value[0] = '\0';
			return;
		}
		form = next + 1;
	}
}
