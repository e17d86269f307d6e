/*-------------------------------------------------------------------------
 *
 * statements_keys.c
 *		The statements about the life of a key: having it checked, and what
 *		follows from what its provider says of it.
 *
 * A configuration's lock is the right to change its key or its status, and
 * who has it may hold and release what waits for the key.  The worker takes
 * locks with SKIP LOCKED, as ever (rule D12).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_keys.h"

/* Generations that are held because configuration $1 of user $2 was refused. */
#define ARE_HELD(g) \
	g ".configuration_id = $1 AND " g ".user_id = $2" \
	" AND " g ".held_reason IS NOT NULL AND " g ".status = 'held'" \
	" AND " g ".error_code = 'invalid_key'"

/* ---- having it checked ---- */

/*
 * $1 user, $2 now.  Gives the most checks in a minute and in an hour, NULL for
 * any.
 */
BambiStatement bambi_key_limits = {
	.sql =
	"SELECT pl.key_checks_per_minute, pl.key_checks_per_hour"
	"  FROM bambi.users u" BAMBI_PLAN_OF_USER("$2")
	" WHERE u.id = $1",
	.nargs = 2,
	.types = {UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * Counts a check of user $1 at $2, in one conditional statement; $3 limit in
 * a minute, $4 in an hour, or NULL.  One row, or none if that were too many.
 */
BambiStatement bambi_key_count = {
	.sql =
	"INSERT INTO bambi_internal.key_checks AS k (user_id, times)"
	" VALUES ($1, ARRAY[$2])"
	" ON CONFLICT (user_id) DO UPDATE"
	"    SET times = (SELECT array_agg(t ORDER BY t) FROM unnest(k.times) t"
	"                  WHERE t > $2 - interval '1 hour') || $2"
	"  WHERE (SELECT coalesce(count(*) < $4, true)"
	"            AND coalesce(count(*) FILTER"
	"                  (WHERE t > $2 - interval '1 minute') < $3, true)"
	"           FROM unnest(k.times) t WHERE t > $2 - interval '1 hour')"
	" RETURNING user_id",
	.nargs = 4,
	.types = {UUIDOID, TIMESTAMPTZOID, INT4OID, INT4OID},
	.is_generic = true,
};

/* The same arguments.  Gives the seconds until there is room again. */
BambiStatement bambi_key_next = {
	.sql =
	"SELECT ceil(extract(epoch FROM greatest("
	"         CASE WHEN $3::int IS NOT NULL THEN ("
	"           SELECT t FROM unnest(k.times) t"
	"            ORDER BY t DESC OFFSET $3 - 1 LIMIT 1) END"
	"           + interval '1 minute',"
	"         CASE WHEN $4::int IS NOT NULL THEN ("
	"           SELECT t FROM unnest(k.times) t"
	"            ORDER BY t DESC OFFSET $4 - 1 LIMIT 1) END"
	"           + interval '1 hour') - $2))::int"
	"  FROM bambi_internal.key_checks k WHERE k.user_id = $1",
	.nargs = 4,
	.types = {UUIDOID, TIMESTAMPTZOID, INT4OID, INT4OID},
	.is_generic = true,
};

/*
 * Queues a check, $1 its id, of configuration $3 of user $2, in the place of
 * those before: without its errand an answer to them is not taken.
 */
BambiStatement bambi_key_queue = {
	.sql =
	"WITH d AS ("
	"  DELETE FROM bambi_internal.outbox"
	"   WHERE errand->>'kind' = 'validate'"
	"     AND errand->>'configuration' = $3::text AND user_id = $2)"
	" INSERT INTO bambi_internal.outbox (id, user_id, errand)"
	" VALUES ($1, $2, jsonb_build_object('kind', 'validate',"
	"                                    'configuration', $3))",
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, UUIDOID},
	.is_generic = true,
};

/*
 * Keys of which nothing was heard since $1, the oldest first, $2 of them at
 * the most, that are not to be checked already: id, user_id.
 */
BambiStatement bambi_key_due = {
	.sql =
	"SELECT c.id, c.user_id FROM bambi.api_configurations c"
	"  JOIN bambi.api_providers p ON p.id = c.provider_id"
	" WHERE c.last_validated_at <= $1"
	"   AND c.status IN ('valid', 'failing', 'unknown')"
	"   AND p.is_active AND p.needs_key"
	"   AND NOT EXISTS ("
	"         SELECT FROM bambi_internal.outbox o"
	"          WHERE o.errand->>'kind' = 'validate'"
	"            AND o.errand->>'configuration' = c.id::text)"
	" ORDER BY c.last_validated_at LIMIT $2",
	.nargs = 2,
	.types = {TIMESTAMPTZOID, INT4OID},
	.is_generic = true,
};

/* ---- what is said of it ---- */

/*
 * What the answer to a call said of the key of generation $1 of user $2:
 * outcome $3 (JSON text), $4 now, $5 number of the key that was used.
 * Gives a verdict, configuration, message: "nothing" was said; the row is
 * "locked"; the key has been "removed", or "replaced" since; or what was
 * said: "valid", "failing", "rejected".  A picture that comes after a refusal
 * does not make the key good again: it was begun before.
 */
BambiStatement bambi_key_judge_call = {
	.sql =
	"WITH x AS MATERIALIZED ("
	"  SELECT * FROM jsonb_to_record($3::jsonb) x(key text, message text)),"
	" g AS MATERIALIZED ("
	"  SELECT configuration_id FROM bambi.image_generations"
	"   WHERE id = $1 AND user_id = $2),"
	" k AS MATERIALIZED ("
	"  SELECT k.id, k.status, k.key_number"
	"    FROM x, g, bambi.api_configurations k"
	"   WHERE x.key IS NOT NULL AND k.id = g.configuration_id"
	"     AND k.user_id = $2"
	"     FOR NO KEY UPDATE OF k SKIP LOCKED),"
	" u AS ("
	"  UPDATE bambi.api_configurations c"
	"     SET status = CASE WHEN x.key <> 'rejected' THEN x.key"
	"                       WHEN c.status IN ('valid', 'failing') THEN 'dead'"
	"                       ELSE 'rejected' END,"
	"         is_valid = x.key <> 'rejected',"
	"         last_validated_at = $4, updated_at = $4,"
	"         last_error = CASE WHEN x.key <> 'valid' THEN x.message END"
	"    FROM x, k"
	"   WHERE c.id = k.id AND c.user_id = $2 AND k.key_number = $5"
	"     AND k.status IN ('pending', 'valid', 'unknown', 'failing')"
	"     AND k.status <> x.key)"
	" SELECT CASE WHEN x.key IS NULL OR g.configuration_id IS NULL"
	"               THEN 'nothing'"
	"             WHEN k.id IS NULL THEN 'locked'"
	"             WHEN k.status = 'revoked' THEN 'removed'"
	"             WHEN k.key_number <> $5 THEN 'replaced'"
	"             ELSE x.key END, g.configuration_id, x.message"
	"   FROM x CROSS JOIN g LEFT JOIN k ON true",
	.nargs = 5,
	.types = {UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID, INT4OID},
	.is_generic = true,
};

/*
 * The answer to a check: errand $1 of user $2, answer $3 (JSON text), $4 now.
 * A free call proves the key, but no money: a failing one stays so.  What is
 * not known takes nothing from what is.  Gives the verdict as above, or
 * "unknown", configuration, message; no row where the errand is not due any
 * more, or somebody holds one of the rows: then it stands, and is done again.
 */
BambiStatement bambi_key_judge_check = {
	.sql =
	"WITH x AS MATERIALIZED ("
	"  SELECT coalesce(state, 'unknown') AS state,"
	"         coalesce(message, error) AS message"
	"    FROM jsonb_to_record($3::jsonb)"
	"         x(state text, message text, error text)),"
	" o AS MATERIALIZED ("
	"  SELECT (errand->>'configuration')::uuid AS configuration"
	"    FROM bambi_internal.outbox WHERE id = $1 AND user_id = $2"
	"     FOR UPDATE SKIP LOCKED),"
	" k AS MATERIALIZED ("
	"  SELECT k.id, k.status, k.provider_id"
	"    FROM o JOIN bambi.api_configurations k ON k.id = o.configuration"
	"   WHERE k.user_id = $2 FOR NO KEY UPDATE OF k SKIP LOCKED),"
	" u AS ("
	"  UPDATE bambi.api_configurations c"
	"     SET status = CASE x.state"
	"           WHEN 'valid' THEN CASE c.status WHEN 'failing' THEN 'failing'"
	"                                           ELSE 'valid' END"
	"           WHEN 'failing' THEN 'failing'"
	"           WHEN 'rejected' THEN"
	"             CASE WHEN c.status IN ('valid', 'failing', 'dead')"
	"                  THEN 'dead' ELSE 'rejected' END"
	"           ELSE CASE c.status WHEN 'pending' THEN 'unknown'"
	"                              ELSE c.status END END,"
	"         is_valid = CASE x.state WHEN 'valid' THEN true"
	"                                 WHEN 'failing' THEN true"
	"                                 WHEN 'rejected' THEN false"
	"                                 ELSE c.is_valid END,"
	"         last_error = CASE"
	"           WHEN x.state IN ('rejected', 'failing') THEN x.message"
	"           WHEN x.state = 'valid' AND c.status <> 'failing' THEN NULL"
	"           WHEN c.status IN ('pending', 'unknown') THEN x.message"
	"           ELSE c.last_error END,"
	"         last_validated_at = $4, updated_at = $4"
	"    FROM x, k"
	"   WHERE c.id = k.id AND c.user_id = $2 AND k.status <> 'revoked'),"
	" e AS ("
	"  INSERT INTO bambi.usage_events (user_id, configuration_id,"
	"         provider_id, request_type, cost, charged, created_at)"
	"  SELECT $2, k.id, k.provider_id, 'validate', 0, 'no', $4"
	"    FROM k),"
	" d AS ("
	"  DELETE FROM bambi_internal.outbox o USING k"
	"   WHERE o.id = $1 AND o.user_id = $2)"
	" SELECT CASE WHEN k.status = 'revoked' THEN 'removed'"
	"             ELSE x.state END, k.id, x.message"
	"   FROM k, x",
	.nargs = 4,
	.types = {UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* ---- what follows ---- */

/*
 * $1 configuration, $2 user, $3 how many calls with it may run, or NULL.  A row
 * if it is there.
 */
BambiStatement bambi_key_set_limit = {
	.sql =
	"UPDATE bambi.api_configurations SET max_in_flight = $3"
	" WHERE id = $1 AND user_id = $2 AND status <> 'revoked'",
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, INT4OID},
	.is_generic = true,
};

/*
 * Holds what waits with configuration $1 of user $2: $3 now, $4 what the
 * provider said, $5 what is to be decided.  Its places in the quota stay
 * taken.  Gives id.
 */
BambiStatement bambi_key_hold = {
	.sql =
	"WITH q AS MATERIALIZED ("
	"  SELECT q.id, q.user_id, q.attempt FROM bambi_internal.queue q"
	"    JOIN bambi.image_generations g"
	"      ON g.id = q.id AND g.user_id = q.user_id"
	"   WHERE q.user_id = $2 AND g.configuration_id = $1"
	"     AND q.claimed_by IS NULL"
	"     FOR UPDATE OF q SKIP LOCKED),"
	" d AS ("
	"  DELETE FROM bambi_internal.queue w USING q"
	"   WHERE w.id = q.id AND w.user_id = q.user_id)"
	" UPDATE bambi.image_generations g"
	"    SET status = 'held', error_code = 'invalid_key', error_message = $4,"
	"        held_reason = $5, attempts = q.attempt, updated_at = $3"
	"   FROM q WHERE g.id = q.id AND g.user_id = q.user_id"
	" RETURNING g.id",
	.nargs = 5,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID, TEXTOID},
	.is_generic = true,
};

/*
 * Queues what was held so, if the key is usable: $1 configuration, $2 user, $3
 * now, $4 lowest turn there may be, $5 distance of turns at weight 1.  What
 * somebody holds locked is passed by.  Gives id, turn.
 */
BambiStatement bambi_key_release = {
	.sql =
	"WITH p AS MATERIALIZED ("
	"  SELECT pl.store, $5 / pl.weight AS step,"
	"         greatest($4, " BAMBI_LAST_TURN("$2") " + $5 / pl.weight) AS turn"
	"    FROM bambi.users u" BAMBI_PLAN_OF_USER("$3")
	"   WHERE u.id = $2),"
	" h AS MATERIALIZED ("
	"  SELECT g.id, g.user_id, g.attempts, g.configuration_id,"
	"         g.cost_estimate"
	"    FROM bambi.image_generations g"
	"   WHERE " ARE_HELD("g")
	"     AND EXISTS ("
	"           SELECT FROM bambi.api_configurations c"
	"            WHERE c.id = $1 AND c.user_id = $2 AND c.status IN"
	"                  ('pending', 'valid', 'unknown', 'failing'))"
	"     FOR NO KEY UPDATE SKIP LOCKED),"
	" n AS MATERIALIZED ("
	"  SELECT h.*, row_number() OVER (ORDER BY h.id) - 1 AS place FROM h),"
	" g AS ("
	"  UPDATE bambi.image_generations g"
	"     SET status = 'queued', progress = 0, error_code = NULL,"
	"         error_message = NULL, held_reason = NULL, started_at = NULL,"
	"         finished_at = NULL, updated_at = $3"
	"    FROM n WHERE g.id = n.id AND g.user_id = n.user_id)"
	" INSERT INTO bambi_internal.queue (id, user_id, configuration_id,"
	"        provider_id, turn, attempt, store, inputs, input_bytes,"
	"        cost_estimate)"
	" SELECT n.id, n.user_id, $1, c.provider_id, p.turn + n.place * p.step,"
	"        n.attempts, p.store, i.count, i.bytes, n.cost_estimate"
	"   FROM n CROSS JOIN p JOIN bambi.api_configurations c"
	"          ON c.id = $1 AND c.user_id = $2 CROSS JOIN LATERAL ("
	"          SELECT count(*) AS count, coalesce(sum(bytes)"
	"                   FILTER (WHERE data IS NOT NULL), 0) AS bytes"
	"            FROM bambi.generation_inputs"
	"           WHERE generation_id = n.id AND user_id = n.user_id) i"
	" RETURNING id, turn",
	.nargs = 5,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID, INT8OID, INT8OID},
	.is_generic = true,
};

/*
 * What was passed by, and is held by a key that has been replaced or removed
 * since, $1 keys at the most: configuration, user, whether it is removed.
 */
BambiStatement bambi_key_left_held = {
	.sql =
	"SELECT DISTINCT c.id, c.user_id, c.status = 'revoked'"
	"  FROM bambi.image_generations g"
	"  JOIN bambi.api_configurations c"
	"    ON c.id = g.configuration_id AND c.user_id = g.user_id"
	" WHERE g.held_reason IS NOT NULL AND g.status = 'held'"
	"   AND g.error_code = 'invalid_key'"
	"   AND c.status NOT IN ('rejected', 'dead')"
	" LIMIT $1",
	.nargs = 1,
	.types = {INT4OID},
	.is_generic = true,
};

/*
 * Ends what was held so, since the key is removed: $1 configuration, $2 user,
 * $3 now.  A place in the quota goes back only to the period that it was
 * taken from.  Gives id.
 */
BambiStatement bambi_key_give_up = {
	.sql =
	"WITH h AS MATERIALIZED ("
	"  SELECT g.id, g.user_id, g.quota_period"
	"    FROM bambi.image_generations g"
	"   WHERE " ARE_HELD("g") " FOR NO KEY UPDATE),"
	" r AS ("
	"  UPDATE bambi.users u"
	"     SET usage_count = greatest(0, u.usage_count - n.count)"
	"    FROM (SELECT quota_period, count(*)::int FROM h"
	"           GROUP BY quota_period) n"
	"   WHERE u.id = $2 AND u.reset_date = n.quota_period),"
	" i AS ("
	"  " BAMBI_EMPTY_INPUTS
	"    FROM h WHERE " BAMBI_FORGETS_PROMPTS("$2")
	"     AND i.generation_id = h.id AND i.user_id = h.user_id)"
	" UPDATE bambi.image_generations g"
	"    SET status = 'failed', error_code = 'key_removed',"
	"        " BAMBI_FORGET_PROMPT("g", BAMBI_FORGETS_PROMPTS("$2")) ","
	"        error_message = 'the key of this generation is gone',"
	"        held_reason = NULL, quota_period = NULL, finished_at = $3,"
	"        updated_at = $3"
	"   FROM h WHERE g.id = h.id AND g.user_id = h.user_id"
	" RETURNING g.id",
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};
