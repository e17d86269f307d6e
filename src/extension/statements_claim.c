/*-------------------------------------------------------------------------
 *
 * statements_claim.c
 *		The worker's statements that claim.
 *
 * What a client's transaction may hold locked is passed by (rule D12).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_claim.h"

/*
 * What may be claimed at all: $1 incarnation; $2 now; $3 version, $4 system
 * identifier, $5 database oid that the instance must have; $6 whether to look
 * at edits; $7 users to pass by, or NULL.
 */
#define MAY_BE_CLAIMED \
	"claimed_by IS NULL" \
	"     AND (not_before IS NULL OR not_before <= $2)" \
	"     AND timeline = bambi_internal.timeline()" \
	"     AND ($6 OR input_bytes = 0)" \
	"     AND ($7 IS NULL OR user_id <> ALL ($7))" \
	"     AND EXISTS (SELECT FROM bambi_internal.instance i" \
	"                  WHERE NOT i.is_paused AND i.version = $3" \
	"                    AND i.system_identifier = $4" \
	"                    AND i.database_oid = $5)"
#define IN_LINE(position, most) \
	"SELECT * FROM bambi_internal.queue" \
	"   WHERE (turn, id) > (" position ") AND waits_for IS NULL" \
	"     AND " MAY_BE_CLAIMED \
	"   ORDER BY turn, id LIMIT " most " FOR UPDATE SKIP LOCKED"
#define FILTER_TYPES \
	UUIDOID, TIMESTAMPTZOID, TEXTOID, INT8OID, OIDOID, BOOLOID, UUIDARRAYOID

/* Claims f (id, user_id). */
#define CLAIM_F \
	" u AS (" \
	"  UPDATE bambi_internal.queue q" \
	"     SET claimed_by = $1, claimed_at = $2, attempt = q.attempt + 1" \
	"    FROM f" \
	"   WHERE q.id = f.id AND q.user_id = f.user_id AND q.claimed_by IS NULL" \
	"  RETURNING q.id, q.user_id, q.configuration_id, q.provider_id," \
	"            q.attempt, q.turn, q.tries, q.store, q.inputs," \
	"            q.input_bytes)"

/*
 * What the courier is told of u; $8 is the store of those whose plan names
 * none.  Gives id, user_id, attempt, turn, key, job, key_is_valid,
 * input_bytes, key_number, configuration_id, provider_id.
 */
#define JOBS_OF_U \
	" SELECT u.id, u.user_id, u.attempt, u.turn," \
	"        coalesce(k.encrypted_api_key, '')," \
	"        json_build_object(" \
	"          'user', u.user_id, 'tries', u.tries + 1," \
	"          'provider', p.slug, 'adapter', p.adapter," \
	"          'base_url', p.api_base_url," \
	"          'networks', CASE WHEN p.allowed_networks <> '{}' THEN" \
	"                        to_json(p.allowed_networks) END," \
	"          'settings', CASE WHEN k.settings <> '{}' THEN" \
	"                        p.settings || k.settings ELSE p.settings END," \
	"          'operator_settings', p.settings," \
	"          'model', m.model_id, 'prompt', g.prompt," \
	"          'parameters', g.parameters, 'store', coalesce(u.store, $8)," \
	"          'inputs', CASE WHEN u.inputs > 0 THEN (" \
	"             SELECT json_agg(json_build_object(" \
	"                      'position', i.position, 'store', i.store," \
	"                      'location', i.storage_path))" \
	"               FROM bambi.generation_inputs i" \
	"              WHERE i.generation_id = u.id AND i.user_id = u.user_id" \
	"                AND i.storage_path IS NOT NULL) END)::text," \
	"        coalesce(k.status = 'valid', true), u.input_bytes," \
	"        coalesce(k.key_number, 0), u.configuration_id, u.provider_id" \
	"   FROM u" \
	"   JOIN bambi.image_generations g" \
	"     ON g.id = u.id AND g.user_id = u.user_id" \
	"   JOIN bambi.models m ON m.id = g.model_id" \
	"   JOIN bambi.api_providers p ON p.id = m.provider_id" \
	"   LEFT JOIN bambi.api_configurations k" \
	"     ON k.id = g.configuration_id AND k.user_id = g.user_id"

/*
 * Claims for free places, from a position in the line on.  $1 to $8 as above;
 * $9, $10 position (turn, id); $11 how many; $12 how many bytes of pictures to
 * edit there is room for, $13 whether one generation may have more than that.
 */
BambiStatement bambi_claim_line = {
	.sql =
	"WITH c AS MATERIALIZED (" IN_LINE("$9, $10", "$11") "),"
	" f AS ("
	"  SELECT id, user_id FROM ("
	"         SELECT id, user_id, input_bytes,"
	"                sum(input_bytes) OVER (ORDER BY turn, id) AS so_far"
	"           FROM c) w"
	"   WHERE input_bytes = 0 OR so_far <= $12"
	"      OR $13 AND so_far = input_bytes),"
	CLAIM_F
	JOBS_OF_U,
	.nargs = 13,
	.types = {FILTER_TYPES, TEXTOID, INT8OID, UUIDOID, INT4OID, INT8OID,
	BOOLOID},
	.is_generic = true,
};

/*
 * What could be claimed, locked: in the line, $1 to $7 and $9 to $11 as above;
 * and in lanes, $12 parties, $13 users, $14 from which id on, $15 how many.
 * Gives id, user_id, configuration_id, provider_id, turn, input_bytes, number
 * of the lane or NULL, weight of the plan, then the limits of user, key and
 * provider.
 */
#define LIMITS_OF_Q \
	" JOIN bambi.users u ON u.id = q.user_id" \
	BAMBI_PLAN_OF_USER("$2") \
	" JOIN bambi.api_providers p ON p.id = q.provider_id" \
	" LEFT JOIN bambi.api_configurations k" \
	"   ON k.id = q.configuration_id AND k.user_id = q.user_id"
#define CANDIDATE(lane) \
	"SELECT q.id, q.user_id, q.configuration_id, q.provider_id, q.turn," \
	"       q.input_bytes, " lane ", pl.weight, pl.max_in_flight," \
	"       coalesce(k.max_in_flight, p.max_in_flight_per_key)," \
	"       p.max_in_flight"

BambiStatement bambi_claim_look = {
	.sql =
	CANDIDATE("NULL::int")
	"  FROM (" IN_LINE("$9, $10", "$11") ") q" LIMITS_OF_Q
	" UNION ALL "
	CANDIDATE("l.number::int")
	"  FROM unnest($12, $13, $14, $15) WITH ORDINALITY"
	"       l(party, user_id, first, most, number)"
	" CROSS JOIN LATERAL ("
	"  SELECT * FROM bambi_internal.queue w"
	"   WHERE w.waits_for = l.party AND w.user_id = l.user_id"
	"     AND w.id >= l.first AND " MAY_BE_CLAIMED
	"   ORDER BY w.id LIMIT l.most FOR UPDATE SKIP LOCKED) q"
	LIMITS_OF_Q,
	.nargs = 15,
	.types = {FILTER_TYPES, TEXTOID, INT8OID, UUIDOID, INT4OID,
	UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID, INT4ARRAYOID},
	.is_generic = true,
};

/* Lets those wait, $1 ids and $2 users, for $3 parties. */
BambiStatement bambi_claim_keep_back = {
	.sql =
	"UPDATE bambi_internal.queue q SET waits_for = l.party"
	"  FROM unnest($1, $2, $3) l(id, user_id, party)"
	" WHERE q.id = l.id AND q.user_id = l.user_id AND q.claimed_by IS NULL",
	.nargs = 3,
	.types = {UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID},
	.is_generic = true,
};

/* Claims those, $9 ids and $10 users, which we hold locked. */
BambiStatement bambi_claim_these = {
	.sql =
	"WITH f AS MATERIALIZED ("
	"  SELECT * FROM unnest($9, $10) f(id, user_id)),"
	CLAIM_F
	JOBS_OF_U,
	.nargs = 10,
	.types = {FILTER_TYPES, TEXTOID, UUIDARRAYOID, UUIDARRAYOID},
	.is_generic = true,
};

/* Whether anybody has a limit of calls in flight. */
BambiStatement bambi_claim_has_limits = {
	.sql =
	"SELECT EXISTS (SELECT FROM bambi.plans"
	"                WHERE max_in_flight IS NOT NULL)"
	"    OR EXISTS (SELECT FROM bambi.api_providers"
	"                WHERE max_in_flight IS NOT NULL"
	"                   OR max_in_flight_per_key IS NOT NULL)"
	"    OR EXISTS (SELECT FROM bambi.api_configurations"
	"                WHERE max_in_flight IS NOT NULL)",
	.is_generic = true,
};

/* The lanes that something waits in: party, user. */
BambiStatement bambi_claim_lanes = {
	.sql =
	"WITH RECURSIVE l AS ("
	"  (SELECT waits_for, user_id FROM bambi_internal.queue"
	"    WHERE waits_for IS NOT NULL ORDER BY waits_for, user_id LIMIT 1)"
	"  UNION ALL"
	"  SELECT n.waits_for, n.user_id FROM l CROSS JOIN LATERAL ("
	"    SELECT q.waits_for, q.user_id FROM bambi_internal.queue q"
	"     WHERE q.waits_for IS NOT NULL"
	"       AND (q.waits_for, q.user_id) > (l.waits_for, l.user_id)"
	"     ORDER BY q.waits_for, q.user_id LIMIT 1) n)"
	" SELECT waits_for, user_id FROM l",
	.is_generic = true,
};

/*
 * A batch of what waits and was queued on an earlier timeline.
 */
#define OLDER_L \
	"WITH l AS MATERIALIZED (" \
	"  SELECT id, user_id FROM bambi_internal.queue" \
	"   WHERE timeline <> bambi_internal.timeline() AND claimed_by IS NULL" \
	"   LIMIT 1000 FOR UPDATE SKIP LOCKED)"

/* Holds it, $1 now.  Gives id, one a row. */
BambiStatement bambi_claim_hold_older = {
	.sql =
	OLDER_L ","
	" d AS ("
	"  DELETE FROM bambi_internal.queue q USING l"
	"   WHERE q.id = l.id AND q.user_id = l.user_id"
	"  RETURNING q.id, q.user_id)"
	" UPDATE bambi.image_generations g"
	"    SET status = 'held', updated_at = $1,"
	"        held_reason = 'the server was promoted while it was queued'"
	"   FROM d WHERE g.id = d.id AND g.user_id = d.user_id"
	" RETURNING g.id",
	.nargs = 1,
	.types = {TIMESTAMPTZOID},
	.is_generic = true,
};

/* Lets it run.  Gives id, one a row. */
BambiStatement bambi_claim_renew_older = {
	.sql =
	OLDER_L
	" UPDATE bambi_internal.queue q SET timeline = bambi_internal.timeline()"
	"   FROM l WHERE q.id = l.id AND q.user_id = l.user_id"
	" RETURNING q.id",
	.is_generic = true,
};

/* Whether any is left, claimed or not. */
BambiStatement bambi_claim_has_older = {
	.sql =
	"SELECT EXISTS (SELECT FROM bambi_internal.queue"
	"                WHERE timeline <> bambi_internal.timeline())",
	.is_generic = true,
};
