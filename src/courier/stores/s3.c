/*-------------------------------------------------------------------------
 *
 * s3.c
 *		The image store in a bucket of Amazon S3, or of anything that speaks
 *		as it does.
 *
 * As in the Amazon S3 API reference: PutObject, GetObject, DeleteObject, and
 * "Error responses".
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "../aws_credentials.h"
#include "../percent.h"
#include "../sigv4.h"
#include "../url.h"
#include "object.h"

#define DEFAULT_REGION	"us-east-1"

/* The longest code has 45 letters. */
#define MAX_CODE	64

enum
{
	ASK,
	READ
};

static const char *
setting(const json_t *settings, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(settings, name));

	return text != NULL && text[0] != '\0' ? text : otherwise;
}

/* The archive has a bucket of its own, or lies with the pictures. */
static const char *
bucket_of(const json_t *settings, bool is_archive)
{
	const char *bucket = setting(settings, "s3_bucket", NULL);

	return is_archive ? setting(settings, "archive_bucket", bucket) : bucket;
}

static const char *
check_service(const json_t *settings)
{
	static const char allowed[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *endpoint = setting(settings, "s3_endpoint", NULL);
	const char *region = setting(settings, "s3_region", DEFAULT_REGION);
	const char *style = setting(settings, "s3_address_style", "path");

	if (endpoint == NULL)
		return "bambi.s3_endpoint is not set";
	if (!url_is_base(endpoint))
		return "bambi.s3_endpoint is no address such as "
			"\"https://s3.eu-central-1.amazonaws.com\"";
	if (region[strspn(region, allowed)] != '\0')
		return "bambi.s3_region is no name of a region";
	if (strcmp(style, "path") != 0 && strcmp(style, "host") != 0)
		return "bambi.s3_address_style is neither \"path\" nor \"host\"";
	return NULL;
}

static const char *
check(const json_t *settings)
{
	const char *bucket = bucket_of(settings, false);
	const char *problem = check_service(settings);

	if (problem != NULL)
		return problem;
	if (bucket == NULL)
		return "bambi.s3_bucket is not set";
	if (!object_is_bucket(bucket))
		return "bambi.s3_bucket is no name of a bucket";
	return object_check(settings);
}

static const char *
check_archive(const json_t *settings)
{
	const char *bucket = bucket_of(settings, true);
	const char *problem = check_service(settings);

	if (problem != NULL)
		return problem;
	if (bucket == NULL)
		return "neither bambi.archive_bucket nor bambi.s3_bucket is set";
	if (!object_is_bucket(bucket))
		return "the archive's bucket (bambi.archive_bucket, or else "
			"bambi.s3_bucket) is no name of a bucket";
	return NULL;
}

/* Sets signer; false with x->fault set. */
static bool
prepare(Exchange *x, SigV4 *signer)
{
	const char *problem = x->is_archive ? check_archive(x->settings) :
	check(x->settings);

	memset(signer, 0, sizeof(*signer));
	if (problem == NULL && x->secret == NULL)
		problem = arena_printf(x->arena, "the credentials of the %s are not "
							   "there", store_called(x));
	if (problem == NULL &&
		!aws_credentials_read(x->arena, x->secret, signer))
		problem = "the file of bambi.s3_credentials_file has no "
			"aws_access_key_id and aws_secret_access_key for the default "
			"profile";
	if (problem != NULL)
	{
		object_fail_unprepared(x, problem);
		return false;
	}
	signer->service = "s3";
	signer->region = setting(x->settings, "s3_region", DEFAULT_REGION);
	signer->now = x->now;
	return true;
}

static const char *
url_of(Exchange *x, const char *location)
{
	const char *endpoint = exchange_setting(x, "s3_endpoint");
	const char *bucket = bucket_of(x->settings, x->is_archive);
	const char *style = setting(x->settings, "s3_address_style", "path");
	const char *key = percent_encode(x->arena, location, true);
	const char *host = strstr(endpoint, "://") + 3;

	if (strcmp(style, "path") == 0)
		return arena_printf(x->arena, "%s/%s/%s", endpoint, bucket, key);
	return arena_printf(x->arena, "%.*s%s.%s/%s", (int) (host - endpoint),
						endpoint, bucket, host, key);
}

/* The answer's "<Code>NoSuchKey</Code>", or NULL. */
static const char *
read_code(Exchange *x)
{
	static const char letters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.";
	const char *code = x->reply.body != NULL ?
	strstr(x->reply.body, "<Code>") : NULL;
	size_t		len;

	if (code == NULL)
		return NULL;
	code += strlen("<Code>");
	len = strspn(code, letters);
	if (len == 0 || len > MAX_CODE || strncmp(code + len, "</Code>", 7) != 0)
		return NULL;
	return arena_strndup(x->arena, code, len);
}

/*
 * Only a key that is missing: a missing bucket is 404 too, and so is a web
 * server that knows nothing of S3.
 */
static bool
is_missing(Exchange *x)
{
	const char *code = read_code(x);

	return x->reply.status == 404 && code != NULL &&
		strcmp(code, "NoSuchKey") == 0;
}

static Next
put_object(Exchange *x, const char *location, const char *media_type,
		   const Picture *content, const char *sha256)
{
	SigV4		signer;

	if (x->step != ASK)
		return object_is_done(x) ? NEXT_DONE :
			object_fail(x, x->reply.status, read_code(x));
	if (!prepare(x, &signer))
		return NEXT_FAIL;
	if (!object_location_is_fine(location))
		return object_fail_location(x);
	exchange_put(x, url_of(x, location), media_type, content->bytes,
				 content->len);
	sigv4_sign(x, &signer, sha256);
	x->step = READ;
	return NEXT_SEND;
}

static Next
put_at(Exchange *x, const char *location, const Picture *picture,
	   const char *sha256)
{
	return put_object(x, location, object_media_type(x, location), picture,
					  sha256);
}

static Next
put(Exchange *x, const StoredImage *image, char **location)
{
	*location = object_location(x, image);
	return put_at(x, *location, image->picture, image->sha256);
}

static Next
put_file(Exchange *x, const char *name, const Picture *content,
		 const char *sha256)
{
	return put_object(x, name, "application/octet-stream", content, sha256);
}

/* A request for what was put, without a body. */
static Next
ask(Exchange *x, const char *method, const char *location)
{
	SigV4		signer;

	if (!object_location_is_fine(location))
		return object_fail_location(x);
	if (!prepare(x, &signer))
		return NEXT_FAIL;
	exchange_method(x, method, url_of(x, location));
	sigv4_sign(x, &signer, SIGV4_EMPTY);
	x->step = READ;
	return NEXT_SEND;
}

static Next
erase_object(Exchange *x, const char *location)
{
	if (x->step == ASK)
		return ask(x, "DELETE", location);
	if (object_is_done(x) || is_missing(x))
		return NEXT_DONE;
	return object_fail(x, x->reply.status, read_code(x));
}

static Next
erase(Exchange *x, const char *location, int64_t deleted_at_us)
{
	(void) deleted_at_us;		/* each generation has keys of its own */
	return erase_object(x, location);
}

static Next
get(Exchange *x, const char *location, Picture *picture)
{
	Next		next;

	memset(picture, 0, sizeof(*picture));
	if (x->step == ASK)
	{
		next = ask(x, "GET", location);
		x->request.is_picture = true;
		return next;
	}
	if (object_is_done(x) || x->reply.transport == TRANSPORT_TOO_LARGE)
		return object_take(x, picture);
	if (is_missing(x))
		return store_fail_missing(x);
	return object_fail(x, x->reply.status, read_code(x));
}

static Next
make_link(Exchange *x, const char *location, int64_t expires, char **url)
{
	SigV4		signer;

	if (!object_location_is_fine(location))
		return object_fail_location(x);
	if (expires == 0)
		return object_public_link(x, location, url);
	if (expires < 0 || expires > SIGV4_MAX_EXPIRES)
		return object_fail_request(x, "a link into this image store is good "
								   "for 7 days at most");
	if (!prepare(x, &signer))
		return NEXT_FAIL;
	*url = sigv4_presign(x->arena, &signer, "GET", url_of(x, location),
						 SIGV4_UNSIGNED, expires);
	return NEXT_DONE;
}

static const ArchiveAdapter archive = {
	.check = check_archive,
	.put = put_file,
	.get = get,
	.erase = erase_object,
};

const StoreAdapter store_s3 = {
	.name = "s3",
	.credentials_setting = "s3_credentials_file",
	.own_setting = "s3_bucket",
	.check = check,
	.place = object_location,
	.put = put,
	.put_at = put_at,
	.erase = erase,
	.get = get,
	.link = make_link,
	.archive = &archive,
};
