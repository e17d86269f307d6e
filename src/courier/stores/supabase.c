/*-------------------------------------------------------------------------
 *
 * supabase.c
 *		The image store in a bucket of Supabase Storage, through its own API.
 *
 * The user comes first in the path, so that a policy on storage.objects can
 * say (storage.foldername(name))[1] = auth.uid()::text.
 *
 * Refusals are HTTP 400, whatever they are; which status they mean stands in
 * the body: {"statusCode": "404", "error": "not_found", "message": "Object
 * not found"}.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../percent.h"
#include "../url.h"
#include "object.h"

#define API		"/storage/v1"

/* Of a path with a token, a JWT of the path and two times. */
#define MAX_SIGNED_PATH	8192

/* A hundred years; more overflows the arithmetic of the other side. */
#define MAX_EXPIRES		INT64_C(3153600000)

enum
{
	ASK,
	READ
};

/* What an answer that says no means. */
typedef struct Refusal
{
	long		status;
	const char *reason;			/* or NULL */
	bool		is_missing;		/* the object, not the bucket */
} Refusal;

static const char *
text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

static const char *
check(const json_t *settings)
{
	const char *url = text_of(settings, "supabase_url");
	const char *bucket = text_of(settings, "supabase_bucket");

	if (url[0] == '\0')
		return "bambi.supabase_url is not set";
	if (!url_is_base(url))
		return "bambi.supabase_url is no address such as "
			"\"https://abc.supabase.co\"";
	if (bucket[0] == '\0')
		return "bambi.supabase_bucket is not set";
	if (!object_is_bucket(bucket))
		return "bambi.supabase_bucket is no name of a bucket";
	return object_check(settings);
}

/* False with x->fault set. */
static bool
prepare(Exchange *x)
{
	const char *problem = check(x->settings);
	size_t		i;

	if (problem == NULL && (x->secret == NULL || x->secret->len == 0))
		problem = "the key of the image store is not there";
	for (i = 0; problem == NULL && i < x->secret->len; i++)
	{
		/* it becomes part of a header */
		if (x->secret->bytes[i] <= ' ' || x->secret->bytes[i] >= 0x7f)
			problem = "the file of bambi.supabase_key_file holds more than a "
				"key";
	}
	if (problem != NULL)
		object_fail_unprepared(x, problem);
	return problem == NULL;
}

/* what is "object/", "object/sign/", ... */
static char *
url_of(Exchange *x, const char *what, const char *location)
{
	return arena_printf(x->arena, "%s" API "/%s%s/%s",
						exchange_setting(x, "supabase_url"), what,
						exchange_setting(x, "supabase_bucket"),
						percent_encode(x->arena, location, true));
}

static Next
send_it(Exchange *x)
{
	exchange_bearer(x);
	exchange_secret_header(x, "apikey", "", x->secret);
	x->step = READ;
	return NEXT_SEND;
}

/* Whether it can be asked for; false with x->fault set. */
static bool
prepare_location(Exchange *x, const char *location)
{
	if (!prepare(x))
		return false;
	if (object_location_is_fine(location))
		return true;
	object_fail_location(x);
	return false;
}

static Refusal
read_refusal(Exchange *x)
{
	const json_t *body = exchange_json(x);
	const char *error = text_of(body, "error");
	const char *message = text_of(body, "message");
	long		said = strtol(text_of(body, "statusCode"), NULL, 10);
	Refusal		refusal = {.status = x->reply.status};

	if (said >= 400 && said <= 599)
		refusal.status = said;
	if (message[0] != '\0' || error[0] != '\0')
		refusal.reason = message[0] != '\0' ? message : error;

	/* the name of the error has changed once, its message has not */
	refusal.is_missing = refusal.status == 404 &&
		(strcmp(error, "NoSuchKey") == 0 ||
		 strcmp(message, "Object not found") == 0);
	return refusal;
}

static Next
fail(Exchange *x)
{
	Refusal		refusal = read_refusal(x);

	return object_fail(x, refusal.status, refusal.reason);
}

static Next
put_at(Exchange *x, const char *location, const Picture *picture,
	   const char *sha256)
{
	(void) sha256;
	if (x->step == ASK)
	{
		if (!prepare_location(x, location))
			return NEXT_FAIL;
		exchange_put(x, url_of(x, "object/", location),
					 object_media_type(x, location), picture->bytes,
					 picture->len);
		x->request.method = "POST"; /* with x-upsert it replaces as well */
		exchange_header(x, "x-upsert", "true");
		return send_it(x);
	}
	return object_is_done(x) ? NEXT_DONE : fail(x);
}

static Next
put(Exchange *x, const StoredImage *image, char **location)
{
	*location = object_location(x, image);
	return put_at(x, *location, image->picture, image->sha256);
}

static Next
erase(Exchange *x, const char *location, int64_t deleted_at_us)
{
	(void) deleted_at_us;		/* each generation has paths of its own */
	if (x->step == ASK)
	{
		if (!prepare_location(x, location))
			return NEXT_FAIL;
		exchange_method(x, "DELETE", url_of(x, "object/", location));
		return send_it(x);
	}
	if (object_is_done(x) || read_refusal(x).is_missing)
		return NEXT_DONE;
	return fail(x);
}

static Next
get(Exchange *x, const char *location, Picture *picture)
{
	memset(picture, 0, sizeof(*picture));
	if (x->step == ASK)
	{
		if (!prepare_location(x, location))
			return NEXT_FAIL;
		exchange_get(x, url_of(x, "object/authenticated/", location));
		x->request.is_picture = true;
		return send_it(x);
	}
	if (object_is_done(x) || x->reply.transport == TRANSPORT_TOO_LARGE)
		return object_take(x, picture);
	if (read_refusal(x).is_missing)
		return store_fail_missing(x);
	return fail(x);
}

/* ---- links ---- */

static Next
read_signed_path(Exchange *x, char **url)
{
	const char *path = text_of(exchange_json(x), "signedURL");
	size_t		len = strlen(path);
	size_t		i;

	for (i = 0; i < len; i++)
	{
		if (path[i] <= ' ' || path[i] >= 0x7f || strchr("\"<>\\^`{|}",
														path[i]) != NULL)
			len = 0;
	}
	if (len == 0 || len > MAX_SIGNED_PATH || path[0] != '/')
		return object_fail(x, x->reply.status, "no signed address");
	*url = arena_printf(x->arena, "%s" API "%s",
						exchange_setting(x, "supabase_url"), path);
	return NEXT_DONE;
}

/* For good: where the bucket is public, without asking. */
static Next
link_for_good(Exchange *x, const char *location, char **url)
{
	const char *problem = check(x->settings);

	if (text_of(x->settings, "store_public_url")[0] != '\0' ||
		strcmp(text_of(x->settings, "supabase_public"), "on") != 0)
		return object_public_link(x, location, url);
	if (problem != NULL)
		return object_fail_unprepared(x, problem);
	*url = url_of(x, "object/public/", location);
	return NEXT_DONE;
}

static Next
make_link(Exchange *x, const char *location, int64_t expires, char **url)
{
	if (x->step == ASK)
	{
		if (expires < 0 || expires > MAX_EXPIRES)
			return object_fail_request(x, "a link is not good for so long");
		if (expires == 0 && object_location_is_fine(location))
			return link_for_good(x, location, url);
		if (!prepare_location(x, location))
			return NEXT_FAIL;
		exchange_post(x, url_of(x, "object/sign/", location),
					  json_pack("{s:I}", "expiresIn", (json_int_t) expires));
		return send_it(x);
	}
	if (object_is_done(x))
		return read_signed_path(x, url);
	if (read_refusal(x).is_missing)
		return store_fail_missing(x);
	return fail(x);
}

const StoreAdapter store_supabase = {
	.name = "supabase",
	.credentials_setting = "supabase_key_file",
	.own_setting = "supabase_bucket",
	.check = check,
	.place = object_location,
	.put = put,
	.put_at = put_at,
	.erase = erase,
	.get = get,
	.link = make_link,
};
