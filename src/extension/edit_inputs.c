/*-------------------------------------------------------------------------
 *
 * edit_inputs.c
 *		The pictures that bambi_edit is given: bytes, or images of the user.
 *
 * What a picture is, its header says, and no pixel is decoded.  Bytes that the
 * database has are kept beside the generation, since the image they came from
 * may be deleted before the request is sent; what another store keeps is
 * referred to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "client.h"
#include "edit_inputs.h"
#include "picture.h"
#include "refuse.h"
#include "settings.h"
#include "statements_pictures.h"

/* Columns of bambi_picture_sources. */
enum
{
	SOURCE_ID = 1,
	SOURCE_FORMAT,
	SOURCE_WIDTH,
	SOURCE_HEIGHT,
	SOURCE_BYTES,
	SOURCE_IS_KEPT
};

static void
refuse(const char *message, const char *detail, const char *hint)
{
	bambi_refuse(BAMBI_BAD_VALUE, message, detail, hint);
}

/* The name of a picture in messages. */
static char *
name_of(int position)
{
	return position == 0 ? "The mask" : psprintf("Picture %d", position);
}

static BambiInput
look_at(const bytea *data, int position)
{
	PictureFacts facts;
	BambiInput	input;
	size_t		length = VARSIZE_ANY_EXHDR(data);

	switch (picture_sniff((const uint8 *) VARDATA_ANY(data), length, &facts))
	{
		case PICTURE_OK:
			break;
		case PICTURE_TOO_LARGE:
			refuse("a picture has too many pixels",
				   psprintf("%s may have sides of %d, and %d pixels.",
							name_of(position), PICTURE_MAX_SIDE,
							PICTURE_MAX_AREA),
				   NULL);
			break;
		default:
			refuse("not a picture",
				   psprintf("%s is no png, jpeg, webp or gif.",
							name_of(position)),
				   "Give the bytes of the file, not base64 of them.");
	}
	input.format = facts.format;
	input.width = facts.width;
	input.height = facts.height;
	input.bytes = (int64) length;
	return input;
}

static void
keep(BambiEditInputs *inputs, int64 bytes)
{
	if (inputs->kept_bytes + bytes > bambi_max_input_bytes * INT64CONST(1024))
		refuse("the pictures are too large together",
			   psprintf("bambi.max_input_bytes allows %d kB.",
						bambi_max_input_bytes),
			   "Send fewer or smaller ones.");
	inputs->kept_bytes += (int32) bytes;
}

static void
require_place(const BambiEditInputs *inputs)
{
	if (inputs->count == BAMBI_MAX_INPUTS)
		refuse("there are too many pictures",
			   psprintf("A generation edits at most %d.", BAMBI_MAX_INPUTS),
			   NULL);
}

static void
take_bytes(BambiEditInputs *inputs, ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, BYTEAOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		require_place(inputs);
		if (nulls[i])
			refuse("not a picture",
				   psprintf("Element %d of \"images\" is null.", i + 1), NULL);
		inputs->data[inputs->count] = DatumGetByteaPP(elements[i]);
		inputs->facts[inputs->count] =
			look_at(inputs->data[inputs->count], inputs->count + 1);
		keep(inputs, inputs->facts[inputs->count].bytes);
		inputs->count++;
	}
}

/* Rows that did not come from here may say less of a picture. */
static bool
is_described(uint64 row)
{
	bool		is_null = false;

	for (int column = SOURCE_FORMAT; column <= SOURCE_BYTES && !is_null;
		 column++)
		(void) bambi_result(row, column, &is_null);
	return !is_null;
}

static void
take_source(BambiEditInputs *inputs, uint64 row)
{
	BambiInput *facts = &inputs->facts[inputs->count];
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	bool		is_null;
	Datum		found = bambi_result(row, SOURCE_ID, &is_null);

	require_place(inputs);
	if (is_null)
		bambi_refuse(BAMBI_NOT_FOUND, "image does not exist", NULL,
					 "\"sources\" are ids of bambi_images; see there for yours.");
	*id = *DatumGetUUIDP(found);
	if (!is_described(row))
		refuse("image cannot be edited",
			   psprintf("%s has no format or no size in bambi_images.",
						name_of(inputs->count + 1)),
			   "Give its bytes in \"images\".");
	inputs->images[inputs->count] = id;
	facts->format = bambi_result_text(row, SOURCE_FORMAT);
	facts->width = DatumGetInt32(bambi_result(row, SOURCE_WIDTH, &is_null));
	facts->height = DatumGetInt32(bambi_result(row, SOURCE_HEIGHT, &is_null));
	facts->bytes = DatumGetInt64(bambi_result(row, SOURCE_BYTES, &is_null));
	if (DatumGetBool(bambi_result(row, SOURCE_IS_KEPT, &is_null)))
		keep(inputs, facts->bytes);
	inputs->count++;
}

static void
take_sources(BambiEditInputs *inputs, ArrayType *sources,
			 const pg_uuid_t *user)
{
	Datum		values[] = {UUIDPGetDatum(user), PointerGetDatum(sources)};
	uint64		rows = bambi_execute(&bambi_picture_sources, values, NULL);

	for (uint64 row = 0; row < rows; row++)
		take_source(inputs, row);
}

void
bambi_edit_inputs_take(BambiEditInputs *inputs, FunctionCallInfo fcinfo,
					   int n, int sources, const pg_uuid_t *user)
{
	memset(inputs, 0, sizeof(*inputs));
	if (!PG_ARGISNULL(n))
		take_bytes(inputs, PG_GETARG_ARRAYTYPE_P(n));
	if (!PG_ARGISNULL(sources))
		take_sources(inputs, PG_GETARG_ARRAYTYPE_P(sources), user);
	if (inputs->count == 0)
		refuse("there is no picture to edit", NULL,
			   "Give bytes in \"images\", or ids of bambi_images in \"sources\".");
	if (!PG_ARGISNULL(n + 1))
	{
		inputs->has_mask = true;
		inputs->mask = PG_GETARG_BYTEA_PP(n + 1);
		inputs->mask_facts = look_at(inputs->mask, 0);
		keep(inputs, inputs->mask_facts.bytes);
	}
}

static void
add_to_hash(pg_cryptohash_ctx *hash, int position, const void *data,
			uint32 length)
{
	if (pg_cryptohash_update(hash, (const uint8 *) &position,
							 sizeof(position)) < 0 ||
		pg_cryptohash_update(hash, (const uint8 *) &length,
							 sizeof(length)) < 0 ||
		pg_cryptohash_update(hash, data, length) < 0)
		elog(ERROR, "could not hash a request");
}

void
bambi_edit_inputs_hash(const BambiEditInputs *inputs, pg_cryptohash_ctx *hash)
{
	for (int i = 0; i < inputs->count; i++)
	{
		if (inputs->data[i])
			add_to_hash(hash, i + 1, VARDATA_ANY(inputs->data[i]),
						VARSIZE_ANY_EXHDR(inputs->data[i]));
		else
			add_to_hash(hash, i + 1, inputs->images[i], UUID_LEN);
	}
	if (inputs->has_mask)
		add_to_hash(hash, 0, VARDATA_ANY(inputs->mask),
					VARSIZE_ANY_EXHDR(inputs->mask));
}

static void
store_bytes(Datum generation, Datum user, int position,
			const BambiInput *facts, bytea *data)
{
	Datum		values[] = {
		generation, user, Int16GetDatum(position),
		CStringGetTextDatum(facts->format), Int32GetDatum(facts->width),
		Int32GetDatum(facts->height), Int64GetDatum(facts->bytes),
		PointerGetDatum(data)
	};

	bambi_execute(&bambi_picture_add_input, values, NULL);
}

void
bambi_edit_inputs_store(const BambiEditInputs *inputs, const pg_uuid_t *user,
						const pg_uuid_t *generation)
{
	Datum		id = UUIDPGetDatum(generation);
	Datum		owner = UUIDPGetDatum(user);

	for (int i = 0; i < inputs->count; i++)
	{
		Datum		values[] = {
			id, owner, Int16GetDatum(i + 1), UUIDPGetDatum(inputs->images[i])
		};

		if (inputs->data[i])
			store_bytes(id, owner, i + 1, &inputs->facts[i], inputs->data[i]);
		else if (bambi_execute(&bambi_picture_add_source, values, NULL) == 0)
			bambi_refuse(BAMBI_TRY_LATER, NULL,
						 "An image was deleted at this moment.", NULL);
	}
	if (inputs->has_mask)
		store_bytes(id, owner, 0, &inputs->mask_facts, inputs->mask);
}
