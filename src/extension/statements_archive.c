/*-------------------------------------------------------------------------
 *
 * statements_archive.c
 *		The statements about the archive: what it does next is decided by
 *		functions, see sql/functions/87_archive.sql.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_archive.h"

/* Notes the months that are past their time. */
BambiStatement bambi_archive_look_for_due = {
	.sql = "SELECT bambi_internal.archive_look()",
	.is_generic = true,
};

/*
 * Does a piece of work, $1 names of objects that the courier is about.  Gives
 * task and errand (JSON text, NULL: none), payload, ms until the next piece or
 * NULL, name of the object.
 */
BambiStatement bambi_archive_step = {
	.sql =
	"SELECT s.task::text, s.errand::text, s.payload, s.again_ms,"
	"       s.task->>'name'"
	"  FROM bambi_internal.archive_step($1) s",
	.nargs = 1,
	.types = {TEXTARRAYOID},
	.is_generic = true,
};

/*
 * Takes the answer to task $1 (JSON text), $2 whether it is done, $3 answer
 * (JSON text), $4 what was read, or NULL.  Gives what a step gives, and never
 * a time.
 */
BambiStatement bambi_archive_answer = {
	.sql =
	"SELECT a.task::text, a.errand::text, a.payload, NULL::int,"
	"       a.task->>'name'"
	"  FROM bambi_internal.archive_answer($1::jsonb, $2, $3::jsonb, $4) a",
	.nargs = 4,
	.types = {TEXTOID, BOOLOID, TEXTOID, BYTEAOID},
	.is_generic = true,
};
