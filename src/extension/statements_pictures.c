/*-------------------------------------------------------------------------
 *
 * statements_pictures.c
 *		The statements about pictures, before and after generations.
 *
 * They run as the owner of the tables, and so name the user as a value, as
 * those of statements_client.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_pictures.h"

/*
 * $1 generation, $2 user, $3 position.  Gives format, sha256, bytes, store,
 * storage_path.
 */
BambiStatement bambi_picture_image = {
	.sql =
	"SELECT i.format, i.sha256, d.data, i.store, i.storage_path"
	"  FROM bambi.images i"
	"  LEFT JOIN bambi.image_data d"
	"    ON d.image_id = i.id AND d.user_id = i.user_id"
	" WHERE i.generation_id = $1 AND i.user_id = $2 AND i.position = $3",
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, INT4OID},
	.is_read_only = true,
	.is_generic = true,
};

/* $1 generation, $2 user.  Gives the newest preview, or no row. */
BambiStatement bambi_picture_preview = {
	.sql =
	"SELECT data FROM bambi.previews"
	" WHERE generation_id = $1 AND user_id = $2",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_read_only = true,
	.is_generic = true,
};

/*
 * $1 id of an image, or of a generation, whose first one is meant; $2 user.
 * Gives id, store, storage_path, url, and the secret that links are signed
 * with.
 */
BambiStatement bambi_picture_to_link = {
	.sql =
	"SELECT i.id, i.store, i.storage_path, i.url, n.link_secret"
	"  FROM bambi_internal.instance n, ("
	"    SELECT * FROM bambi.images WHERE id = $1 AND user_id = $2"
	"    UNION ALL"
	"    SELECT * FROM bambi.images"
	"     WHERE generation_id = $1 AND user_id = $2 AND position = 1) i",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_read_only = true,
	.is_generic = true,
};

/* $1 image, $2 user, as a link names them.  Gives what bambi_picture_image
 * gives, and link_secret; one row at least, for the secret. */
BambiStatement bambi_picture_linked = {
	.sql =
	"SELECT i.format, i.sha256, d.data, i.store, i.storage_path,"
	"       n.link_secret, i.id IS NOT NULL"
	"  FROM bambi_internal.instance n"
	"  LEFT JOIN bambi.images i ON i.id = $1 AND i.user_id = $2"
	"  LEFT JOIN bambi.image_data d"
	"    ON d.image_id = i.id AND d.user_id = i.user_id",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_read_only = true,
	.is_generic = true,
};

/*
 * $1 user, $2 ids of images.  Gives for each, in this order, id, format,
 * width, height, bytes, and whether the database keeps it; all NULL for one
 * that is not the user's.
 */
BambiStatement bambi_picture_sources = {
	.sql =
	"SELECT i.id, i.format, i.width, i.height, i.bytes, i.store = 'database'"
	"  FROM unnest($2) WITH ORDINALITY s(id, place)"
	"  LEFT JOIN bambi.images i ON i.id = s.id AND i.user_id = $1"
	" ORDER BY s.place",
	.nargs = 2,
	.types = {UUIDOID, UUIDARRAYOID},
	.is_generic = true,
};

/*
 * $1 generation, $2 user, $3 position, $4 format, $5 width, $6 height,
 * $7 bytes, $8 data.
 */
BambiStatement bambi_picture_add_input = {
	.sql =
	"INSERT INTO bambi.generation_inputs (generation_id, user_id, position,"
	"       format, width, height, bytes, data)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	.nargs = 8,
	.types = {UUIDOID, UUIDOID, INT2OID, TEXTOID, INT4OID, INT4OID, INT8OID,
	BYTEAOID},
	.is_generic = true,
};

/*
 * $1 generation, $2 user, $3 position, $4 image.  A row, unless the image has
 * gone meanwhile.
 */
BambiStatement bambi_picture_add_source = {
	.sql =
	"INSERT INTO bambi.generation_inputs (generation_id, user_id, position,"
	"       image_id, format, width, height, bytes, data, store,"
	"       storage_path)"
	" SELECT $1, $2, $3, i.id, i.format, i.width, i.height, i.bytes, d.data,"
	"        CASE WHEN d.data IS NULL THEN i.store END,"
	"        CASE WHEN d.data IS NULL THEN i.storage_path END"
	"   FROM bambi.images i"
	"   LEFT JOIN bambi.image_data d"
	"     ON d.image_id = i.id AND d.user_id = i.user_id"
	"  WHERE i.id = $4 AND i.user_id = $2",
	.nargs = 4,
	.types = {UUIDOID, UUIDOID, INT2OID, UUIDOID},
	.is_generic = true,
};

/* $1 generation, $2 user.  One row if it was there. */
BambiStatement bambi_picture_delete = {
	.sql =
	"DELETE FROM bambi.image_generations WHERE id = $1 AND user_id = $2",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_generic = true,
};

/* $1 id, $2 user, $3 store, $4 place in it: to be erased after the commit. */
BambiStatement bambi_picture_erase_later = {
	.sql =
	"INSERT INTO bambi_internal.outbox (id, user_id, errand)"
	" VALUES ($1, $2, jsonb_build_object('kind', 'erase', 'store', $3,"
	"                                    'location', $4))",
	.nargs = 4,
	.types = {UUIDOID, UUIDOID, TEXTOID, TEXTOID},
	.is_generic = true,
};
