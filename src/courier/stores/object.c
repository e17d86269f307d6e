/*-------------------------------------------------------------------------
 *
 * object.c
 *		What the stores of objects have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "object.h"

#include <string.h>

#include "../percent.h"
#include "../retry.h"
#include "../url.h"

/* Of a key, in S3; ours has less than 100 bytes without its prefix. */
#define MAX_LOCATION	1024
#define MAX_PREFIX		256

/* S3 allows 63, Supabase 100. */
#define MAX_BUCKET		100

static const char *
text_of(const json_t *settings, const char *name)
{
	const char *text = json_string_value(json_object_get(settings, name));

	return text != NULL ? text : "";
}

/*
 * Whether every piece between slashes has a name that is not "." or "..".
 * The last may be empty: a prefix ends anywhere.
 */
static bool
is_plain_path(const char *path)
{
	while (*path != '\0')
	{
		size_t		len = strcspn(path, "/");

		if (len == 0 || (len == 1 && path[0] == '.') ||
			(len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += len + (path[len] == '/');
	}
	return true;
}

const char *
object_check(const json_t *settings)
{
	const char *prefix = text_of(settings, "store_prefix");
	const char *public_url = text_of(settings, "store_public_url");

	if (strlen(prefix) > MAX_PREFIX || url_has_control_character(prefix) ||
		!is_plain_path(prefix))
		return "bambi.store_prefix is no beginning of a path such as "
			"\"pictures/\"";
	if (public_url[0] != '\0' && !url_is_base(public_url))
		return "bambi.store_public_url is no address such as "
			"\"https://cdn.example.com/pictures\"";
	return NULL;
}

bool
object_is_bucket(const char *text)
{
	static const char allowed[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";

	return text[0] != '\0' && text[0] != '.' && strlen(text) <= MAX_BUCKET &&
		text[strspn(text, allowed)] == '\0';
}

char *
object_location(Exchange *x, const StoredImage *image)
{
	return arena_printf(x->arena, "%s%s/%s/%d.%s",
						text_of(x->settings, "store_prefix"), image->user,
						image->generation, image->position, image->format);
}

bool
object_location_is_fine(const char *location)
{
	size_t		len = strlen(location);

	return len > 0 && len <= MAX_LOCATION && location[len - 1] != '/' &&
		!url_has_control_character(location) && is_plain_path(location);
}

char *
object_media_type(Exchange *x, const char *location)
{
	const char *format = strrchr(location, '.');

	return arena_printf(x->arena, "image/%s",
						format != NULL ? format + 1 : "");
}

Next
object_public_link(Exchange *x, const char *location, char **url)
{
	const char *public_url = text_of(x->settings, "store_public_url");

	if (public_url[0] == '\0')
		return object_fail_request(x, "the image store has no addresses that "
								   "are good for ever");
	*url = arena_printf(x->arena, "%s/%s", public_url,
						percent_encode(x->arena, location, true));
	return NEXT_DONE;
}

bool
object_is_done(const Exchange *x)
{
	return x->reply.transport == TRANSPORT_OK && x->reply.status >= 200 &&
		x->reply.status <= 299;
}

static const char *
name_transport(const Exchange *x)
{
	const char *called = store_called(x);

	switch (x->reply.transport)
	{
		case TRANSPORT_DNS:
			return arena_printf(x->arena, "the name of the %s's host does not "
								"resolve", called);
		case TRANSPORT_TLS:
			return arena_printf(x->arena, "the %s's certificate or TLS "
								"handshake failed", called);
		case TRANSPORT_ADDRESS:
			return arena_printf(x->arena, "the address of the %s is neither "
								"public nor in bambi.store_networks", called);
		case TRANSPORT_TIMEOUT:
			return arena_printf(x->arena, "the %s did not answer in time",
								called);
		case TRANSPORT_RESET:
		case TRANSPORT_RESET_BODY:
			return arena_printf(x->arena, "the connection to the %s was lost",
								called);
		default:
			return arena_printf(x->arena, "the %s could not be reached",
								called);
	}
}

Next
object_fail(Exchange *x, long status, const char *reason)
{
	const char *message;

	if (x->reply.transport != TRANSPORT_OK && reason == NULL)
		message = name_transport(x);
	else
		message = arena_printf(x->arena, "the %s answered %ld%s%s",
							   store_called(x), status,
							   reason != NULL ? ": " : "",
							   reason != NULL ? reason : "");
	exchange_fail(x, FAULT_STORE_DOWN, message);
	x->fault.may_repeat = true;
	x->fault.retry_after_ms =
		retry_hint_ms(NULL, exchange_reply_header(x, "retry-after"),
					  exchange_reply_header(x, "date"));
	return NEXT_FAIL;
}

Next
object_fail_unprepared(Exchange *x, const char *problem)
{
	exchange_fail(x, FAULT_STORE_DOWN, problem);
	x->fault.may_repeat = true;
	return NEXT_FAIL;
}

Next
object_fail_location(Exchange *x)
{
	return object_fail_request(x, x->is_archive ?
							   "this is no name in the archive" :
							   "this is no location in the image store");
}

Next
object_fail_request(Exchange *x, const char *problem)
{
	return exchange_fail(x, FAULT_BAD_REQUEST, problem);
}

Next
object_take(Exchange *x, Picture *picture)
{
	if (x->reply.transport == TRANSPORT_TOO_LARGE)
		return exchange_fail(x, FAULT_RESPONSE_TOO_LARGE, x->is_archive ?
							 "the file in the archive is larger than "
							 "bambi.max_response_bytes allows" :
							 "the picture is larger than "
							 "bambi.max_response_bytes allows");
	if (x->reply.picture_count != 1 || x->reply.pictures[0].is_broken)
		return object_fail(x, x->reply.status, x->is_archive ? "no file" :
						   "no picture");
	*picture = x->reply.pictures[0];
	memset(&x->reply.pictures[0], 0, sizeof(Picture));
	x->reply.picture_count = 0;
	return NEXT_DONE;
}
