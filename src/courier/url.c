/*-------------------------------------------------------------------------
 *
 * url.c
 *		Takes an address apart, by libcurl's own reading of it.
 *
 *-------------------------------------------------------------------------
 */
#include "url.h"

#include <string.h>
#include <strings.h>

#include <curl/curl.h>

/* A part of it in the arena, or NULL. */
static const char *
part_of(Arena *arena, CURLU * url, CURLUPart what, unsigned int flags)
{
	char	   *value = NULL;
	const char *copy = NULL;

	if (curl_url_get(url, what, &value, flags) == CURLUE_OK)
		copy = arena_strdup(arena, value);
	curl_free(value);
	return copy;
}

bool
url_read(Arena *arena, const char *text, Url *url)
{
	CURLU	   *parsed = curl_url();
	bool		ok;

	memset(url, 0, sizeof(*url));
	if (parsed == NULL)
		return false;
	ok = strlen(text) <= MAX_URL &&
		curl_url_set(parsed, CURLUPART_URL, text, 0) == CURLUE_OK &&
		part_of(arena, parsed, CURLUPART_USER, 0) == NULL;
	if (ok)
	{
		url->scheme = part_of(arena, parsed, CURLUPART_SCHEME, 0);
		url->host = part_of(arena, parsed, CURLUPART_HOST, 0);
		url->port = part_of(arena, parsed, CURLUPART_PORT,
							CURLU_DEFAULT_PORT);
	}
	curl_url_cleanup(parsed);
	return url->scheme != NULL && url->host != NULL && url->port != NULL;
}

const char *
url_join(Arena *arena, const char *base, const char *location)
{
	CURLU	   *url = curl_url();
	const char *joined = NULL;

	if (url == NULL)
		return NULL;
	if (strlen(location) <= MAX_URL &&
		curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
		curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK)
		joined = part_of(arena, url, CURLUPART_URL, 0);
	curl_url_cleanup(url);
	return joined;
}

bool
url_has_control_character(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if ((unsigned char) *text < ' ' || *text == 0x7f)
			return true;
	}
	return false;
}

bool
url_is_base(const char *text)
{
	static const char host[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]";
	size_t		len;

	if (strncasecmp(text, "https://", 8) == 0)
		text += 8;
	else if (strncasecmp(text, "http://", 7) == 0)
		text += 7;
	else
		return false;
	len = strspn(text, host);
	if (len == 0 || (text[len] != '\0' && text[len] != '/'))
		return false;
	text += len;

	/* as it stands: what needs encoding comes encoded */
	return strpbrk(text, " \"<>?#\\^`{|}") == NULL &&
		!url_has_control_character(text) && strstr(text, "//") == NULL &&
		strstr(text, "/.") == NULL &&
		(text[0] == '\0' || text[strlen(text) - 1] != '/');
}
