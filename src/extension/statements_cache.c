/*-------------------------------------------------------------------------
 *
 * statements_cache.c
 *		The statements about values in Redis.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_cache.h"

/* $1 kind, $2 name, $3 whether a row changed. */
BambiStatement bambi_cache_note = {
	.sql =
	"INSERT INTO bambi_internal.cache_outbox (kind, name, is_change)"
	" VALUES ($1, $2, $3)",
	.nargs = 3,
	.types = {TEXTOID, TEXTOID, BOOLOID},
	.is_generic = true,
};

/* All providers and models, which are few; nothing of them changed. */
BambiStatement bambi_cache_note_catalogue = {
	.sql =
	"INSERT INTO bambi_internal.cache_outbox (kind, name, is_change)"
	" SELECT 'provider', p.slug, false FROM bambi.api_providers p"
	" UNION ALL"
	" SELECT 'model', p.slug || '/' || m.model_id, false"
	"   FROM bambi.models m JOIN bambi.api_providers p"
	"     ON p.id = m.provider_id",
	.is_generic = true,
};

/* Begins a series of versions: its number.  $1 now. */
BambiStatement bambi_cache_next_series = {
	.sql =
	"UPDATE bambi_internal.cache_series"
	"   SET series = greatest(series + 1, extract(epoch FROM $1)::bigint)"
	" RETURNING series",
	.nargs = 1,
	.types = {TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * Whether all transactions have ended that ran at a moment, which is $1 or,
 * if that is NULL, now; and that moment.
 */
BambiStatement bambi_cache_is_settled = {
	.sql =
	"SELECT pg_snapshot_xmin(s) >= coalesce($1, pg_snapshot_xmax(s)),"
	"       coalesce($1, pg_snapshot_xmax(s))"
	"  FROM pg_current_snapshot() s",
	.nargs = 1,
	.types = {XID8OID},
	.is_generic = true,
};

/*
 * Takes up to $1 notes; $2 is the longest life of a value in milliseconds.
 * Gives key (NULL: all values are void), whether a row changed, value (NULL:
 * there is no such thing), its life, and how many notes were taken.
 *
 * All is one snapshot: the value shows every change whose note was taken, and
 * the note of a later change is still there.
 */
BambiStatement bambi_cache_take = {
	.sql =
	"WITH t AS ("
	"  DELETE FROM bambi_internal.cache_outbox"
	"   WHERE ctid = ANY (ARRAY("
	"           SELECT o.ctid FROM bambi_internal.cache_outbox o LIMIT $1))"
	"  RETURNING kind, name, is_change),"
	" k AS MATERIALIZED ("
	"  SELECT kind, name, bool_or(is_change) AS is_change, count(*) AS notes"
	"    FROM t GROUP BY kind, name)"
	" SELECT CASE WHEN k.kind <> 'all' THEN k.kind || ':' || k.name END,"
	"        k.is_change, v.value::text,"
	"        least($2, coalesce(ceil(extract(epoch FROM"
	"          v.until - clock_timestamp()) * 1000)::bigint, $2)),"
	"        sum(k.notes) OVER ()::bigint"
	"   FROM k LEFT JOIN LATERAL bambi_internal.cached(k.kind, k.name) v"
	"     ON true",
	.nargs = 2,
	.types = {INT4OID, INT8OID},
	.is_generic = true,
};

/* Whether more than $1 notes wait. */
BambiStatement bambi_cache_has_more_than = {
	.sql =
	"SELECT count(*) > $1 FROM ("
	"  SELECT FROM bambi_internal.cache_outbox LIMIT $1 + 1) o",
	.nargs = 1,
	.types = {INT4OID},
	.is_generic = true,
};

BambiStatement bambi_cache_clear = {
	.sql =
	"DELETE FROM bambi_internal.cache_outbox",
	.is_generic = true,
};
