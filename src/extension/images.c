/*-------------------------------------------------------------------------
 *
 * images.c
 *		bambi_image, bambi_preview, bambi_image_by_link: the bytes of pictures
 *		that are on this machine.
 *
 * Over HTTP the SQL functions' result type, a domain named like the media
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
#include "image_file.h"
#include "links.h"
#include "picture.h"
#include "refuse.h"
#include "statements_pictures.h"
#include "web.h"

/* Columns of bambi_picture_image and bambi_picture_linked. */
enum
{
	FORMAT = 1,
	SHA256,
	DATA,
	STORE,
	STORAGE_PATH,
	LINK_SECRET,
	LINK_IS_GOOD
};

#define FOR_EVER	"private, max-age=31536000, immutable"

PG_FUNCTION_INFO_V1(bambi_image);
PG_FUNCTION_INFO_V1(bambi_preview);
PG_FUNCTION_INFO_V1(bambi_image_by_link);

static const char *
media_type(const char *format)
{
	static const char *const known[] = {"png", "jpeg", "webp", "gif"};

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
answer(const char *path, const char *format, const char *sha256,
	   const char *caching)
{
	StringInfoData headers;

	if (!bambi_web_request_is(path))
		return;
	initStringInfo(&headers);
	appendStringInfo(&headers, "[{\"Content-Type\": \"%s\"},"
					 " {\"Cache-Control\": \"%s\"},"
					 " {\"X-Content-Type-Options\": \"nosniff\"}",
					 media_type(format), caching);
	if (is_plain_hex(sha256))
		appendStringInfo(&headers, ", {\"ETag\": \"\\\"%s\\\"\"}", sha256);
	appendStringInfoChar(&headers, ']');
	bambi_web_answer(NULL, headers.data);
}

/* The picture of row 0, wherever on this machine it is. */
static Datum
bytes_of_row(void)
{
	const char *store = bambi_result_text(0, STORE);
	bool		is_null;
	Datum		data = bambi_result(0, DATA, &is_null);
	bytea	   *file = NULL;

	/* a long one stays a pointer until somebody reads it */
	if (!is_null)
		return SPI_datumTransfer(data, false, -1);
	if (strcmp(store, "filesystem") == 0)
		file = bambi_image_file_read(bambi_result_text(0, STORAGE_PATH));
	if (file == NULL)
		bambi_refuse(BAMBI_NOT_FOUND, "image is not in the database", NULL,
					 "bambi_image_url gives a link to it; see bambi_images for where it is.");
	return PointerGetDatum(file);
}

/* Arguments: id uuid (of the generation), position int. */
static Datum
image(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "id");
	pg_uuid_t	user;
	Datum		values[3];
	Datum		data;

	bambi_require_user(&user);
	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&user);
	values[2] = Int32GetDatum(PG_ARGISNULL(1) ? 1 : PG_GETARG_INT32(1));
	if (bambi_execute(&bambi_picture_image, values, NULL) == 0)
		bambi_refuse(BAMBI_NOT_FOUND, "image does not exist", NULL,
					 "See bambi_images for yours; positions count from 1.");
	data = bytes_of_row();
	answer("/rpc/bambi_image", bambi_result_text(0, FORMAT),
		   bambi_result_text(0, SHA256), FOR_EVER);
	return data;
}

Datum
bambi_image(PG_FUNCTION_ARGS)
{
	return bambi_client_call(image, fcinfo);
}

/* Arguments: id uuid (of the generation). */
static Datum
preview(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "id");
	pg_uuid_t	user;
	Datum		values[2];
	Datum		stored;
	bytea	   *data;
	PictureFacts facts;
	bool		is_null;

	bambi_require_user(&user);
	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&user);
	if (bambi_execute(&bambi_picture_preview, values, NULL) == 0)
		bambi_refuse(BAMBI_NOT_FOUND, "there is no preview", NULL,
					 "A generation has one while it runs, if its parameters ask for \"stream\" and \"partial_images\".");
	stored = SPI_datumTransfer(bambi_result(0, 1, &is_null), false, -1);
	data = DatumGetByteaPP(stored);
	(void) picture_sniff((const uint8 *) VARDATA_ANY(data),
						 VARSIZE_ANY_EXHDR(data), &facts);
	answer("/rpc/bambi_preview", facts.format, NULL, "no-store");
	return stored;
}

Datum
bambi_preview(PG_FUNCTION_ARGS)
{
	return bambi_client_call(preview, fcinfo);
}

static void
refuse_link(void)
{
	bambi_refuse(BAMBI_NOT_FOUND, "link is not valid", NULL,
				 "It has ended, or its picture is gone: ask for a new one with bambi_image_url.");
}

/* Arguments: token text.  Whoever has a link is nobody to us. */
static Datum
image_by_link(PG_FUNCTION_ARGS)
{
	char	   *token = text_to_cstring(bambi_text_argument(fcinfo, 0, "token"));
	BambiLink	link;
	Datum		values[2];
	Datum		secret;
	Datum		data;
	int64		left;
	bool		is_null;

	if (!bambi_link_parse(token, &link))
		refuse_link();
	values[0] = UUIDPGetDatum(&link.image);
	values[1] = UUIDPGetDatum(&link.user);
	(void) bambi_execute(&bambi_picture_linked, values, NULL);
	secret = bambi_result(0, LINK_SECRET, &is_null);
	left = link.until - (int64) time(NULL);
	if (!bambi_link_is_ours(token, DatumGetByteaPP(secret)) || left <= 0 ||
		!DatumGetBool(bambi_result(0, LINK_IS_GOOD, &is_null)))
		refuse_link();
	data = bytes_of_row();
	answer("/rpc/bambi_image_by_link", bambi_result_text(0, FORMAT),
		   bambi_result_text(0, SHA256),
		   psprintf("private, max-age=" INT64_FORMAT, left));
	return data;
}

Datum
bambi_image_by_link(PG_FUNCTION_ARGS)
{
	return bambi_client_call(image_by_link, fcinfo);
}
