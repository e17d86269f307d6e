/*-------------------------------------------------------------------------
 *
 * aws_credentials.c
 *		Credentials of AWS as its own programs share them.
 *
 *-------------------------------------------------------------------------
 */
#include "aws_credentials.h"

#include <stdlib.h>
#include <string.h>

/* Without the spaces around it. */
static void
trim(const char **text, size_t *len)
{
	while (*len > 0 && strchr(" \t\r", (*text)[0]) != NULL)
	{
		(*text)++;
		(*len)--;
	}
	while (*len > 0 && strchr(" \t\r", (*text)[*len - 1]) != NULL)
		(*len)--;
}

static bool
is(const char *text, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(text, name, len) == 0;
}

bool
aws_credentials_is_printable(const char *text, size_t len)
{
	size_t		left = len;

	while (left > 0 && text[left - 1] > ' ' && text[left - 1] < 0x7f)
		left--;
	return left == 0 && len > 0;
}

static void
take_line(Arena *arena, SigV4 *signer, const char *line, size_t len)
{
	const char *equals = memchr(line, '=', len);
	const char *value;
	size_t		name_len;
	size_t		value_len;

	if (equals == NULL || line[0] == '#' || line[0] == ';')
		return;
	name_len = (size_t) (equals - line);
	value = equals + 1;
	value_len = len - name_len - 1;
	trim(&line, &name_len);
	trim(&value, &value_len);
	if (!aws_credentials_is_printable(value, value_len))
		return;

	if (is(line, name_len, "aws_access_key_id"))
		signer->access_key = arena_strndup(arena, value, value_len);
	else if (is(line, name_len, "aws_secret_access_key"))
		signer->secret_key = secret_create(arena, (const uint8_t *) value,
										   value_len);
	else if (is(line, name_len, "aws_session_token"))
		signer->session_token = secret_create(arena, (const uint8_t *) value,
											  value_len);
}

bool
aws_credentials_read(Arena *arena, const Secret *file, SigV4 *signer)
{
	const char *text = (const char *) file->bytes;
	const char *end = text + file->len;
	bool		is_default = false;

	while (text < end)
	{
		const char *newline = memchr(text, '\n', (size_t) (end - text));
		const char *line = text;
		size_t		len = (size_t) ((newline != NULL ? newline : end) - text);

		text += len + 1;
		trim(&line, &len);
		if (len > 0 && line[0] == '[')
			is_default = is(line, len, "[default]");
		else if (len > 0 && is_default)
			take_line(arena, signer, line, len);
	}
	return signer->access_key != NULL && signer->secret_key != NULL;
}

static Secret *
secret_of_variable(Arena *arena, const char *name)
{
	const char *value = getenv(name);
	size_t		len = value != NULL ? strlen(value) : 0;

	return len > 0 && aws_credentials_is_printable(value, len) ?
		secret_create(arena, (const uint8_t *) value, len) : NULL;
}

bool
aws_credentials_from_environment(Arena *arena, SigV4 *signer)
{
	const char *key = getenv("AWS_ACCESS_KEY_ID");

	if (key == NULL || key[0] == '\0' ||
		!aws_credentials_is_printable(key, strlen(key)))
		return false;
	signer->access_key = arena_strdup(arena, key);
	signer->secret_key = secret_of_variable(arena, "AWS_SECRET_ACCESS_KEY");
	signer->session_token = secret_of_variable(arena, "AWS_SESSION_TOKEN");
	return signer->secret_key != NULL;
}
