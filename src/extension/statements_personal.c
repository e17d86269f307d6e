/*-------------------------------------------------------------------------
 *
 * statements_personal.c
 *		The statements about people: copies, consent, erasure.
 *
 * What is long stands in functions of SQL, sql/functions/35_personal_data.sql
 * and those behind it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_personal.h"

/* $1 user, $2 purpose, $3 granted, $4 version, $5 now.  Gives id, or NULL. */
BambiStatement bambi_personal_consent = {
	.sql = "SELECT bambi_internal.note_consent($1, $2, $3, $4, $5)",
	.nargs = 5,
	.types = {UUIDOID, TEXTOID, BOOLOID, TEXTOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* $1 user, whose row is locked, $2 now.  Gives id of what is cancelled. */
BambiStatement bambi_personal_cancel_all = {
	.sql = "SELECT bambi_internal.cancel_all($1, $2)",
	.nargs = 2,
	.types = {UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * $1 user, $2 who asks, $3 now.  Locks the user's row.  Gives the request as
 * jsonb, NULL if there is no such user.
 */
BambiStatement bambi_personal_begin_erasure = {
	.sql = "SELECT bambi_internal.begin_erasure($1, $2, $3)",
	.nargs = 3,
	.types = {UUIDOID, TEXTOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* $1 user, $2 since or NULL, $3 until or NULL.  Gives jsonb, or NULL. */
BambiStatement bambi_personal_export = {
	.sql = "SELECT bambi_internal.export_user($1, $2, $3)",
	.nargs = 3,
	.types = {UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.is_read_only = true,
	.is_generic = true,
};

/* Whether something of an erased user has to be written off first. */
BambiStatement bambi_personal_has_uncertain = {
	.sql =
	"SELECT EXISTS ("
	"  SELECT FROM bambi.erasure_requests e"
	"    JOIN bambi.image_generations g ON g.user_id = e.user_id"
	"   WHERE e.state = 'waiting' AND g.held_reason IS NOT NULL"
	"     AND g.status = 'uncertain')",
	.is_generic = true,
};

/*
 * $1 now, $2 whether values are on their way to Redis, $3 whether it is away.
 * Gives whether there was anything to do, and when there is more: -infinity
 * for at once, NULL for never.
 */
BambiStatement bambi_personal_erasure_step = {
	.sql = "SELECT * FROM bambi_internal.erasure_step($1, $2, $3)",
	.nargs = 3,
	.types = {TIMESTAMPTZOID, BOOLOID, BOOLOID},
	.is_generic = true,
};

/*
 * Has the objects erased that an answer nobody wants brought: $1 user, $2
 * outcome (JSON text).  Of a user who is there, the next attempt may have put
 * its pictures in the same places.
 */
BambiStatement bambi_personal_forsake = {
	.sql =
	"INSERT INTO bambi_internal.outbox (id, user_id, errand)"
	" SELECT gen_random_uuid(), $1, jsonb_build_object('kind', 'erase',"
	"        'store', i.image->>'store', 'location', i.image->>'location')"
	"   FROM jsonb_array_elements($2::jsonb->'images') i(image)"
	"  WHERE i.image->>'location' IS NOT NULL"
	"    AND NOT EXISTS (SELECT FROM bambi.users u"
	"                     WHERE u.id = $1 AND u.erased_at IS NULL)",
	.nargs = 2,
	.types = {UUIDOID, TEXTOID},
	.is_generic = true,
};
