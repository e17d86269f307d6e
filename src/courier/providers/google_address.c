/*-------------------------------------------------------------------------
 *
 * google_address.c
 *		Where a model of Google is called.
 *
 *-------------------------------------------------------------------------
 */
#include "google_address.h"

#include <string.h>

#define OFFICIAL_BASE	"https://aiplatform.googleapis.com"

/* A label of a host name (RFC 1035); projects are shorter. */
#define MAX_PLAIN	63
/* Names in use have about 40. */
#define MAX_MODEL	128

static bool
is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool
google_address_is_plain(const char *name)
{
	size_t		len = strlen(name);

	if (len == 0 || len > MAX_PLAIN ||
		!is_letter_or_digit(name[0]) || !is_letter_or_digit(name[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (!is_letter_or_digit(name[i]) && name[i] != '-')
			return false;
	}
	return true;
}

const char *
google_address_base(Exchange *x, const char *location)
{
	if (strcmp(x->base_url, OFFICIAL_BASE) != 0 ||
		strcmp(location, "global") == 0)
		return x->base_url;
	if (strcmp(location, "us") == 0 || strcmp(location, "eu") == 0)
		return arena_printf(x->arena,
							"https://aiplatform.%s.rep.googleapis.com",
							location);
	return arena_printf(x->arena, "https://%s-aiplatform.googleapis.com",
						location);
}

/* RFC 3986 section 2.3 */
static bool
is_unreserved(char c)
{
	return is_letter_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' ||
		c == '.' || c == '_' || c == '~';
}

const char *
google_address_model(Exchange *x, const char *model, const char *method)
{
	static const char digits[] = "0123456789ABCDEF";
	char		encoded[3 * MAX_MODEL + 1];
	size_t		len = strlen(model);
	size_t		n = 0;

	/* "." and ".." would be taken for steps of the path */
	if (len == 0 || len > MAX_MODEL || strspn(model, ".") == len)
		return NULL;
	for (size_t i = 0; i < len; i++)
	{
		if (is_unreserved(model[i]))
			encoded[n++] = model[i];
		else
		{
			encoded[n++] = '%';
			encoded[n++] = digits[(unsigned char) model[i] >> 4];
			encoded[n++] = digits[model[i] & 15];
		}
	}
	encoded[n] = '\0';
	return arena_printf(x->arena, "models/%s:%s", encoded, method);
}
