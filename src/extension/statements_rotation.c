/*-------------------------------------------------------------------------
 *
 * statements_rotation.c
 *		The statements about master keys and what is sealed to them.
 *
 * A configuration is read without a lock, and nobody waits while the courier
 * has it: what has become of it meanwhile, the row itself tells.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_rotation.h"

/* kid and created_at of what is sealed to now. */
BambiStatement bambi_rotation_age = {
	.sql =
	"SELECT kid, created_at FROM bambi.encryption_keys WHERE is_current",
	.is_generic = true,
};

/*
 * What came of a rotation by the calendar: $1 asked at, $2 answer (JSON text).
 * Gives whether it is another answer than the one before.
 */
BambiStatement bambi_rotation_note = {
	.sql =
	"WITH x AS MATERIALIZED ("
	"  SELECT * FROM jsonb_to_record($2::jsonb) x(kid text, error text,"
	"                                             how text)),"
	" o AS MATERIALIZED ("
	"  SELECT error FROM bambi_internal.rotation),"
	" n AS ("
	"  INSERT INTO bambi_internal.rotation AS r"
	"         (asked_at, is_scheduled, kid, error, hint)"
	"  SELECT $1, true, x.kid, x.error, x.how FROM x"
	"  ON CONFLICT (only_row) DO UPDATE"
	"     SET asked_at = excluded.asked_at, is_scheduled = true,"
	"         kid = excluded.kid, error = excluded.error,"
	"         hint = excluded.hint)"
	" SELECT x.error IS NOT NULL"
	"        AND x.error IS DISTINCT FROM (SELECT error FROM o),"
	"        x.error, x.how FROM x",
	.nargs = 2,
	.types = {TIMESTAMPTZOID, TEXTOID},
	.is_generic = true,
};

/*
 * Keys that are sealed to another master key than the current one: behind $1
 * in the order of their ids, $2 of them at the most.  Those that did not open
 * since $3 are passed by.  Gives the current kid, id, user_id, slug of the
 * provider, sealed key.
 */
BambiStatement bambi_reseal_take = {
	.sql =
	"WITH t AS MATERIALIZED ("
	"  SELECT kid FROM bambi.encryption_keys WHERE is_current)"
	" SELECT t.kid, c.id, c.user_id, p.slug, c.encrypted_api_key"
	"   FROM t JOIN bambi.encryption_keys e ON NOT e.is_current"
	"  CROSS JOIN LATERAL ("
	"    SELECT k.id, k.user_id, k.provider_id, k.encrypted_api_key"
	"      FROM bambi.api_configurations k"
	"     WHERE k.key_id = e.kid AND k.id > $1"
	"       AND k.encrypted_api_key <> ''"
	"       AND NOT EXISTS ("
	"             SELECT FROM bambi_internal.unreadable_keys n"
	"              WHERE n.configuration_id = k.id AND n.user_id = k.user_id"
	"                AND n.key_number = k.key_number AND n.target = t.kid"
	"                AND n.tried_at > $3)"
	"     ORDER BY k.id LIMIT $2) c"
	"   JOIN bambi.api_providers p ON p.id = c.provider_id"
	"  ORDER BY c.id LIMIT $2",
	.nargs = 3,
	.types = {UUIDOID, INT4OID, TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * Configuration $1 of user $2 was sealed as $3, and is now as $4 (JSON text)
 * says, to master key $5, if that is still the current one.  A key that was
 * put in its place meanwhile stays.  A row if it is done.  Nothing else of
 * the row changes: for its owner nothing has happened.
 */
BambiStatement bambi_reseal_replace = {
	.sql =
	"WITH t AS MATERIALIZED ("
	"  SELECT kid FROM bambi.encryption_keys"
	"   WHERE kid = $5 AND is_current FOR KEY SHARE SKIP LOCKED),"
	" k AS MATERIALIZED ("
	"  SELECT c.id, t.kid FROM t, bambi.api_configurations c"
	"   WHERE c.id = $1 AND c.user_id = $2 AND c.encrypted_api_key = $3"
	"     FOR NO KEY UPDATE OF c SKIP LOCKED),"
	" n AS ("
	"  DELETE FROM bambi_internal.unreadable_keys n USING k"
	"   WHERE n.configuration_id = k.id AND n.user_id = $2)"
	" UPDATE bambi.api_configurations c"
	"    SET encrypted_api_key = $4::jsonb->>'key', key_id = k.kid"
	"   FROM k WHERE c.id = k.id AND c.user_id = $2",
	.nargs = 5,
	.types = {UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID},
	.is_generic = true,
};

/*
 * The same, and it did not open: $4 says why, $6 now.  A row that is locked is
 * tried again.
 */
BambiStatement bambi_reseal_fail = {
	.sql =
	"INSERT INTO bambi_internal.unreadable_keys"
	"       (configuration_id, user_id, key_number, target, reason, tried_at)"
	" SELECT k.id, $2, k.key_number, $5, $4::jsonb->>'error', $6"
	"   FROM (SELECT c.id, c.key_number FROM bambi.api_configurations c"
	"          WHERE c.id = $1 AND c.user_id = $2 AND c.encrypted_api_key = $3"
	"            FOR KEY SHARE SKIP LOCKED) k"
	" ON CONFLICT (configuration_id, user_id) DO UPDATE"
	"    SET key_number = excluded.key_number, target = excluded.target,"
	"        reason = excluded.reason, tried_at = excluded.tried_at",
	.nargs = 6,
	.types = {UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID},
	.is_generic = true,
};
