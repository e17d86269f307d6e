/*-------------------------------------------------------------------------
 *
 * images.c
 *		bambi_image: the bytes of a picture that the database keeps.
 *
 * Over HTTP the SQL function's result type, a domain named like the media
 * type of everything, makes PostgREST hand out the bytes as they are; the
 * headers say what they are, and that no shared cache may keep them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/datum.h"

#include "client.h"
#include "identity.h"
#include "refuse.h"
#include "statements_client.h"
#include "web.h"

PG_FUNCTION_INFO_V1(bambi_image);

static const char *
media_type(const char *format)
{
	static const char *const known[] = {"png", "jpeg", "webp"};

	for (size_t i = 0; format != NULL && i < lengthof(known); i++)
	{
		if (strcmp(format, known[i]) == 0)
			return psprintf("image/%s", known[i]);
	}
	return "application/octet-stream";
}

static bool
is_plain_hex(const char *digest)
{
	return digest != NULL &&
		strspn(digest, "0123456789abcdef") == strlen(digest);
}

static void
answer(const char *format, const char *sha256)
{
	StringInfoData headers;

	if (!bambi_web_request_is("/rpc/bambi_image"))
		return;
	initStringInfo(&headers);
	appendStringInfo(&headers, "[{\"Content-Type\": \"%s\"},"
					 " {\"Cache-Control\": \"private, max-age=31536000, immutable\"},"
					 " {\"X-Content-Type-Options\": \"nosniff\"}",
					 media_type(format));
	if (is_plain_hex(sha256))
		appendStringInfo(&headers, ", {\"ETag\": \"\\\"%s\\\"\"}", sha256);
	appendStringInfoChar(&headers, ']');
	bambi_web_answer(NULL, headers.data);
}

/* Arguments: id uuid (of the generation), position int. */
static Datum
image(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "id");
	pg_uuid_t	user;
	Datum		values[3];
	Datum		data;
	bool		is_null;

	bambi_require_user(&user);
	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&user);
	values[2] = Int32GetDatum(PG_ARGISNULL(1) ? 1 : PG_GETARG_INT32(1));
	if (bambi_execute(&bambi_client_picture, values, NULL) == 0)
		bambi_refuse(BAMBI_NOT_FOUND, "image does not exist", NULL,
					 "See bambi_images for yours; positions count from 1.");

	data = bambi_result(0, 3, &is_null);
	if (is_null)
		bambi_refuse(BAMBI_NOT_FOUND, "image is not in the database", NULL,
					 "See bambi_images for where it is.");
	answer(bambi_result_text(0, 1), bambi_result_text(0, 2));
	/* a long one stays a pointer until somebody reads it */
	return SPI_datumTransfer(data, false, -1);
}

Datum
bambi_image(PG_FUNCTION_ARGS)
{
	return bambi_client_call(image, fcinfo);
}
