/*-------------------------------------------------------------------------
 *
 * statements_worker.c
 *		The worker's statements.
 *
 * Two rules hold for all that change rows.  What a client's transaction may
 * hold locked is taken with SKIP LOCKED before it is changed, so that nobody
 * can stall the worker (rule D12).  And a claimed generation is changed only
 * with the number of its claim and the incarnation that made it, so that
 * repeating a settle changes nothing (rule D9).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_worker.h"

/* What generation $1 of user $2 edits and the database keeps: position, data. */
BambiStatement bambi_worker_inputs = {
	.sql =
	"SELECT position, data FROM bambi.generation_inputs"
	" WHERE generation_id = $1 AND user_id = $2 AND data IS NOT NULL"
	" ORDER BY position",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_generic = true,
};

/* When the next delayed one is due: not_before, or NULL. */
BambiStatement bambi_worker_next_not_before = {
	.sql =
	"SELECT min(not_before) FROM bambi_internal.queue"
	" WHERE not_before IS NOT NULL AND claimed_by IS NULL",
	.is_generic = true,
};

/* Where virtual time begins after a start. */
BambiStatement bambi_worker_lowest_turn = {
	.sql =
	"SELECT turn FROM bambi_internal.queue WHERE waits_for IS NULL"
	" ORDER BY turn, id LIMIT 1",
	.is_generic = true,
};

/* Claims of $1 whose owner wants them cancelled: id, attempt. */
BambiStatement bambi_worker_cancels = {
	.sql =
	"SELECT id, attempt FROM bambi_internal.queue"
	" WHERE cancel_requested AND claimed_by = $1",
	.nargs = 1,
	.types = {UUIDOID},
	.is_generic = true,
};

/* Request types of the ledger. */
#define REQUEST_TYPE(is_edit) \
	"CASE WHEN " is_edit " THEN 'edit' ELSE 'generate' END"
#define HAS_INPUTS(id, user) \
	"EXISTS (SELECT FROM bambi.generation_inputs n" \
	"  WHERE n.generation_id = " id " AND n.user_id = " user ")"

/*
 * The tokens of an answer: columns of s, of a row u of what the courier says
 * of them; and the columns of t, what a million of each costs a model at the
 * moment.
 */
#define USAGE_RECORD \
	"u(total bigint, text_input bigint, text_input_cached bigint," \
	"  image_input bigint, image_input_cached bigint," \
	"  image_output bigint, text_output bigint)"
#define USAGE_COLUMNS \
	"u.total AS tokens, coalesce(u.text_input, 0) AS text_input," \
	" coalesce(u.text_input_cached, 0) AS text_cached," \
	" coalesce(u.image_input, 0) AS image_input," \
	" coalesce(u.image_input_cached, 0) AS image_cached," \
	" coalesce(u.image_output, 0) AS image_output," \
	" coalesce(u.text_output, 0) AS text_output"
#define TOKEN_PRICE(unit) \
	"max(price) FILTER (WHERE unit = '1M " unit " tokens')"
#define TOKEN_PRICES(now) \
	"SELECT model_id," \
	TOKEN_PRICE("text input") " AS text_input," \
	TOKEN_PRICE("cached text input") " AS text_cached," \
	TOKEN_PRICE("image input") " AS image_input," \
	TOKEN_PRICE("cached image input") " AS image_cached," \
	TOKEN_PRICE("image output") " AS image_output," \
	TOKEN_PRICE("text output") " AS text_output" \
	"  FROM bambi.model_prices" \
	" WHERE currency = 'USD' AND valid_from <= " now " AND valid_to > " now \
	" GROUP BY model_id"

/*
 * What they cost, or NULL.  A kind of token without a price makes the cost
 * unknown, not zero, and so do tokens of which nothing says what kind they
 * are; what came from the provider's cache counts among the input.
 */
#define TOKENS(count, price) \
	"CASE WHEN " count " > 0 THEN (" count ") * " price " ELSE 0 END"
#define TOKEN_COST(model) \
	"CASE WHEN s.tokens > 0 AND s.tokens <= s.text_input + s.image_input" \
	"            + s.image_output + s.text_output THEN (SELECT round((" \
	TOKENS("s.text_input - s.text_cached", "t.text_input") " + " \
	TOKENS("s.text_cached", "coalesce(t.text_cached, t.text_input)") " + " \
	TOKENS("s.image_input - s.image_cached", "t.image_input") " + " \
	TOKENS("s.image_cached", "coalesce(t.image_cached, t.image_input)") " + " \
	TOKENS("s.image_output", "t.image_output") " + " \
	TOKENS("s.text_output", "t.text_output") \
	") / 1000000, 6) FROM t WHERE t.model_id = " model ") END"

/*
 * Cost and its source: what the provider says, else its tokens, else what the
 * price list made of the request when it was queued.
 */
#define COST_AND_SOURCE(said, by_tokens, by_table) \
	"SELECT coalesce(" said ", k.by_tokens, k.by_table) AS cost," \
	"       CASE WHEN " said " IS NOT NULL THEN 'provider'" \
	"            WHEN k.by_tokens IS NOT NULL THEN 'tokens'" \
	"            WHEN k.by_table IS NOT NULL THEN 'table' END AS source" \
	"  FROM (SELECT " by_tokens " AS by_tokens," \
	"               " by_table " AS by_table OFFSET 0) k"
#define IS_ESTIMATE(source) "coalesce(" source ", 'table') = 'table'"

/*
 * Settles what succeeded, a batch in one statement.  $1 ids, $2 users,
 * $3 attempts, $4 incarnations, $5 outcomes (JSON text), $6 ids for the
 * first images, $7 first pictures (NULL where big), $8 now.
 * Gives id, image_id, position for each image of what was settled.
 *
 * What l has locked is ours, and d deletes just that.  The rows that are
 * deleted and updated are joined to s, without the pictures, because the
 * executor copies such a row whole; and nothing is joined to l a second time,
 * because that would take the square of the batch.
 */
BambiStatement bambi_worker_settle_succeeded = {
	.sql =
	"WITH l AS MATERIALIZED ("
	"  SELECT o.*, q.claimed_at, q.inputs, x.request_id, x.usage, x.cost,"
	"         x.billed, x.note, x.charged, x.images, x.leftovers,"
	"         " BAMBI_FORGETS_PROMPTS("o.user_id") " AS forgets"
	"    FROM unnest($1, $2, $3, $4, $5, $6, $7)"
	"         o(id, user_id, attempt, incarnation, outcome, image_id, picture),"
	"         jsonb_to_record(o.outcome::jsonb)"
	"         x(request_id text, usage jsonb, cost numeric, billed int,"
	"           note text, charged text, images jsonb, leftovers jsonb),"
	"         bambi_internal.queue q"
	"   WHERE q.id = o.id AND q.user_id = o.user_id"
	"     AND q.attempt = o.attempt AND q.claimed_by = o.incarnation"
	"     FOR UPDATE OF q SKIP LOCKED),"
	" t AS MATERIALIZED ("
	TOKEN_PRICES("$8") "),"
	" s AS MATERIALIZED ("
	"  SELECT l.id, l.user_id, l.attempt, l.incarnation, l.claimed_at,"
	"         l.inputs, l.request_id, l.usage, l.cost, l.note, l.charged,"
	"         l.forgets,"
	"         jsonb_array_length(l.images) AS images,"
	"         coalesce(l.billed, jsonb_array_length(l.images)) AS billed,"
	USAGE_COLUMNS
	"    FROM l, jsonb_to_record(coalesce(l.usage, '{}')) " USAGE_RECORD "),"
	" d AS ("
	"  DELETE FROM bambi_internal.queue q USING s"
	"   WHERE q.id = s.id AND q.user_id = s.user_id"
	"     AND q.attempt = s.attempt AND q.claimed_by = s.incarnation),"
	" g AS ("
	"  UPDATE bambi.image_generations g"
	"     SET status = 'succeeded', progress = 100, attempts = s.attempt,"
	"         started_at = s.claimed_at, finished_at = $8, updated_at = $8,"
	"         error_code = NULL, error_message = s.note,"
	"         " BAMBI_FORGET_PROMPT("g", "s.forgets") ","
	"         provider_request_id = s.request_id, tokens_used = s.tokens,"
	"         (cost, cost_source) = ("
	COST_AND_SOURCE("s.cost", TOKEN_COST("g.model_id"),
					"g.cost_estimate * s.billed"
					" / coalesce((g.parameters->>'n')::int, 1)") ")"
	"    FROM s WHERE g.id = s.id AND g.user_id = s.user_id"
	"  RETURNING g.id, g.user_id, g.configuration_id, g.model_id, g.cost,"
	"            g.cost_source, g.tokens_used, s.attempt, s.usage, s.charged,"
	"            s.images, s.inputs),"
	" r AS ("
	"  " BAMBI_EMPTY_INPUTS
	"    FROM s WHERE s.inputs > 0"
	"     AND i.generation_id = s.id AND i.user_id = s.user_id),"
	" i AS ("
	"  INSERT INTO bambi.images (id, generation_id, user_id, position,"
	"         storage_path, url, width, height, format, bytes, sha256, store,"
	"         revised_prompt)"
	"  SELECT l.image_id, l.id, l.user_id, x.position, x.location, x.url,"
	"         x.width, x.height, x.format, x.bytes, x.sha256, x.store,"
	"         CASE WHEN l.forgets THEN NULL ELSE x.revised_prompt END"
	"    FROM l, jsonb_to_record(l.images->0) x(position smallint,"
	"         location text, url text, width int, height int, format text,"
	"         bytes bigint, sha256 text, store text, revised_prompt text)),"
	" n AS ("
	"  INSERT INTO bambi.images (generation_id, user_id, position,"
	"         storage_path, url, width, height, format, bytes, sha256, store,"
	"         revised_prompt)"
	"  SELECT l.id, l.user_id, x.position, x.location, x.url, x.width,"
	"         x.height, x.format, x.bytes, x.sha256, x.store,"
	"         CASE WHEN l.forgets THEN NULL ELSE x.revised_prompt END"
	"    FROM l, jsonb_to_recordset(l.images - 0) x(position smallint,"
	"         location text, url text, width int, height int, format text,"
	"         bytes bigint, sha256 text, store text, revised_prompt text)"
	"   WHERE jsonb_array_length(l.images) > 1"
	"  RETURNING id, generation_id, position),"
	" b AS ("
	"  INSERT INTO bambi.image_data (image_id, user_id, data)"
	"  SELECT l.image_id, l.user_id, l.picture FROM l"
	"   WHERE l.picture IS NOT NULL),"
	" z AS ("
	"  INSERT INTO bambi_internal.outbox (id, user_id, errand)"
	"  SELECT gen_random_uuid(), l.user_id, x.errand"
	"    FROM l, jsonb_array_elements(l.leftovers) x(errand)"
	"   WHERE l.leftovers IS NOT NULL),"
	" e AS ("
	"  INSERT INTO bambi.usage_events (user_id, generation_id, attempt,"
	"         configuration_id, provider_id, model_id, request_type, images,"
	"         tokens_used, usage, cost, cost_source, is_estimate, charged,"
	"         created_at)"
	"  SELECT g.user_id, g.id, g.attempt, g.configuration_id, m.provider_id,"
	"         g.model_id, " REQUEST_TYPE("g.inputs > 0") ", g.images,"
	"         g.tokens_used, g.usage, g.cost, g.cost_source,"
	"         " IS_ESTIMATE("g.cost_source") ","
	"         coalesce(g.charged, 'yes'), $8"
	"    FROM g JOIN bambi.models m ON m.id = g.model_id)"
	" SELECT id, image_id, 1::smallint FROM l"
	" UNION ALL SELECT generation_id, id, position FROM n",
	.nargs = 8,
	.types = {UUIDARRAYOID, UUIDARRAYOID, INT4ARRAYOID, UUIDARRAYOID,
		TEXTARRAYOID, UUIDARRAYOID, BYTEAARRAYOID, TIMESTAMPTZOID
	},
	.is_generic = true,
};

/*
 * Of the claims $1 ids, $2 users, $3 attempts, $4 incarnations: the ids of
 * those that still stand, because somebody holds them locked.
 */
BambiStatement bambi_worker_still_claimed = {
	.sql =
	"SELECT q.id FROM unnest($1, $2, $3, $4)"
	"       o(id, user_id, attempt, incarnation)"
	"  JOIN bambi_internal.queue q ON q.id = o.id AND q.user_id = o.user_id"
	" WHERE q.attempt = o.attempt AND q.claimed_by = o.incarnation",
	.nargs = 4,
	.types = {UUIDARRAYOID, UUIDARRAYOID, INT4ARRAYOID, UUIDARRAYOID},
	.is_generic = true,
};

/* Bytes $3 of image $1 of user $2. */
BambiStatement bambi_worker_insert_picture = {
	.sql =
	"INSERT INTO bambi.image_data (image_id, user_id, data)"
	" VALUES ($1, $2, $3)",
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, BYTEAOID},
	.is_generic = true,
};

/*
 * Takes one claim ($1 id, $2 user, $3 attempt, $4 incarnation) and its user's
 * quota; no row if either is locked or the claim is over.
 * Gives deaths, cancel_requested.
 */
BambiStatement bambi_worker_lock_one = {
	.sql =
	"SELECT q.deaths, q.cancel_requested"
	"  FROM bambi_internal.queue q JOIN bambi.users u ON u.id = q.user_id"
	" WHERE q.id = $1 AND q.user_id = $2 AND q.attempt = $3"
	"   AND q.claimed_by = $4"
	"   FOR UPDATE OF q SKIP LOCKED FOR NO KEY UPDATE OF u SKIP LOCKED",
	.nargs = 4,
	.types = {UUIDOID, UUIDOID, INT4OID, UUIDOID},
	.is_generic = true,
};

/*
 * Puts a locked claim back: $1 id, $2 user, $3 now, $4 tries to add, $5
 * outcome (JSON text), which says how long to wait.  Its turn was long ago
 * then; so it waits in the user's lane, or all that a provider puts off at a
 * time would go before everybody else's.
 */
BambiStatement bambi_worker_requeue = {
	.sql =
	"UPDATE bambi_internal.queue"
	"   SET claimed_by = NULL, claimed_at = NULL, tries = tries + $4,"
	"       waits_for = user_id,"
	"       not_before = $3 + interval '1 ms' *"
	"         coalesce(($5::jsonb->>'retry_after_ms')::float8, 0)"
	" WHERE id = $1 AND user_id = $2",
	.nargs = 5,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID, INT4OID, TEXTOID},
	.is_generic = true,
};

/*
 * Ends a locked claim without a picture: $1 id, $2 user, $3 status,
 * $4 outcome (JSON text), $5 whether the reserved count goes back,
 * $6 held_reason or NULL, $7 now.  A count is given back only to the period
 * that it was taken from.  What was charged all the same, or may have been, is
 * booked; what is uncertain is when that ends.  (c has a row only where it is.)
 * Where no prompt is kept, nor is what a provider says about one.
 */
BambiStatement bambi_worker_end = {
	.sql =
	"WITH x AS MATERIALIZED ("
	"  SELECT *, $3 IN ('failed', 'cancelled') AND " BAMBI_FORGETS_PROMPTS("$2")
	"            AS forgets"
	"    FROM jsonb_to_record($4::jsonb)"
	"         x(code text, message text, request_id text, charged text,"
	"           usage jsonb, cost numeric)),"
	" p AS MATERIALIZED ("
	"  SELECT quota_period, configuration_id, model_id, cost_estimate"
	"    FROM bambi.image_generations WHERE id = $1 AND user_id = $2),"
	" s AS MATERIALIZED (SELECT " USAGE_COLUMNS
	"  FROM x, jsonb_to_record(coalesce(x.usage, '{}')) " USAGE_RECORD "),"
	" t AS (" TOKEN_PRICES("$7") "),"
	" c AS MATERIALIZED ("
	"  SELECT k.* FROM x, p, s CROSS JOIN LATERAL ("
	COST_AND_SOURCE("x.cost", TOKEN_COST("p.model_id"), "p.cost_estimate")
	"  ) k WHERE x.charged IN ('yes', 'unknown') AND $3 <> 'uncertain'),"
	" d AS ("
	"  DELETE FROM bambi_internal.queue WHERE id = $1 AND user_id = $2"
	"  RETURNING attempt, tries, claimed_at, inputs),"
	" i AS ("
	"  " BAMBI_EMPTY_INPUTS
	"    FROM d, x WHERE d.inputs > 0 AND ($3 = 'cancelled' OR x.forgets)"
	"     AND i.generation_id = $1 AND i.user_id = $2),"
	" g AS ("
	"  UPDATE bambi.image_generations g"
	"     SET status = $3, error_code = x.code,"
	"         error_message = CASE WHEN x.forgets AND x.code IN"
	"           ('content_blocked', 'bad_request', 'unknown') THEN NULL"
	"           ELSE x.message END,"
	"         " BAMBI_FORGET_PROMPT("g", "x.forgets") ","
	"         held_reason = $6, provider_request_id = x.request_id,"
	"         attempts = d.attempt, started_at = d.claimed_at,"
	"         finished_at = $7, updated_at = $7,"
	"         tokens_used = s.tokens, cost = c.cost, cost_source = c.source,"
	"         quota_period = CASE WHEN NOT $5 THEN g.quota_period END"
	"    FROM x CROSS JOIN d CROSS JOIN s LEFT JOIN c ON true"
	"   WHERE g.id = $1 AND g.user_id = $2),"
	" r AS ("
	"  UPDATE bambi.users u SET usage_count = u.usage_count - 1"
	"    FROM p WHERE u.id = $2 AND $5 AND u.reset_date = p.quota_period"
	"     AND u.usage_count > 0)"
	" INSERT INTO bambi.usage_events (user_id, generation_id, attempt,"
	"        configuration_id, provider_id, model_id, request_type, images,"
	"        tokens_used, usage, cost, cost_source, is_estimate, charged,"
	"        created_at)"
	" SELECT $2, $1, d.attempt, p.configuration_id, m.provider_id,"
	"        p.model_id, " REQUEST_TYPE("d.inputs > 0") ", 0, s.tokens,"
	"        x.usage, c.cost, c.source, " IS_ESTIMATE("c.source") ","
	"        x.charged, $7"
	"   FROM x, p, s, c, d, bambi.models m"
	"  WHERE m.id = p.model_id",
	.nargs = 7,
	.types = {UUIDOID, UUIDOID, TEXTOID, TEXTOID, BOOLOID, TEXTOID,
	TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * Claims of other incarnations than $1: id, user_id, attempt, claimed_by,
 * configuration_id, provider_id.
 */
BambiStatement bambi_worker_orphans = {
	.sql =
	"SELECT id, user_id, attempt, claimed_by, configuration_id, provider_id"
	"  FROM bambi_internal.queue"
	" WHERE claimed_by IS NOT NULL AND claimed_by <> $1",
	.nargs = 1,
	.types = {UUIDOID},
	.is_generic = true,
};

/*
 * The courier's word about its master key ($1 JSON text): from now on
 * backends seal to it.  Gives error: why there is none, or NULL.
 */
BambiStatement bambi_worker_sealing_key = {
	.sql =
	"WITH x AS MATERIALIZED ("
	"  SELECT * FROM jsonb_to_record($1::jsonb)"
	"         x(kid text, service text, public_key text, error text)),"
	" o AS ("
	"  UPDATE bambi.encryption_keys e SET is_current = false"
	"    FROM x WHERE e.is_current AND e.kid <> x.kid RETURNING e.kid),"
	" n AS ("
	"  INSERT INTO bambi.encryption_keys"
	"         (kid, service, public_key, is_current)"
	"  SELECT x.kid, x.service, x.public_key, true"
	"    FROM x, (SELECT count(*) FROM o) AS after_o"
	"   WHERE x.kid IS NOT NULL"
	"  ON CONFLICT (kid) DO UPDATE"
	"     SET is_current = true, public_key = excluded.public_key,"
	"         service = excluded.service, retired_at = NULL)"
	" SELECT error FROM x",
	.nargs = 1,
	.types = {TEXTOID},
	.is_generic = true,
};

/* Whether anything is there to be claimed, $1 now. */
BambiStatement bambi_worker_is_waiting = {
	.sql =
	"SELECT EXISTS (SELECT FROM bambi_internal.queue"
	"                WHERE claimed_by IS NULL"
	"                  AND timeline = bambi_internal.timeline()"
	"                  AND (not_before IS NULL OR not_before <= $1))",
	.nargs = 1,
	.types = {TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * $1 system identifier, $2 database oid of ours.
 * Gives is_paused, is_this_database.
 */
BambiStatement bambi_worker_instance = {
	.sql =
	"SELECT is_paused, system_identifier = $1 AND database_oid = $2"
	"  FROM bambi_internal.instance",
	.nargs = 2,
	.types = {INT8OID, OIDOID},
	.is_generic = true,
};

/* Months ahead, as many as $1.  Gives how many could not be made yet. */
BambiStatement bambi_worker_ensure_months = {
	.sql = "SELECT bambi_internal.ensure_months($1)",
	.nargs = 1,
	.types = {INT4OID},
	.is_generic = true,
};

/*
 * Writes off what has been uncertain since before $1, or is an erased user's: the count goes back,
 * the cost keeps its estimate.  $2 now.  Gives id, one a row.
 */
BambiStatement bambi_worker_write_off = {
	.sql =
	"WITH l AS MATERIALIZED ("
	"  SELECT g.id, g.user_id, g.quota_period, g.configuration_id, g.model_id,"
	"         g.cost_estimate, g.attempts"
	"    FROM bambi.image_generations g JOIN bambi.users u ON u.id = g.user_id"
	"   WHERE g.status = 'uncertain' AND g.held_reason IS NOT NULL"
	"     AND (g.finished_at <= $1 OR u.erased_at IS NOT NULL)"
	"   LIMIT 200"
	"     FOR UPDATE OF g SKIP LOCKED FOR NO KEY UPDATE OF u SKIP LOCKED),"
	" r AS ("
	"  UPDATE bambi.users u"
	"     SET usage_count = greatest(0, u.usage_count - n.count)"
	"    FROM (SELECT user_id, quota_period, count(*)::int FROM l"
	"           GROUP BY user_id, quota_period) n"
	"   WHERE u.id = n.user_id AND u.reset_date = n.quota_period),"
	" e AS ("
	"  INSERT INTO bambi.usage_events (user_id, generation_id, attempt,"
	"         configuration_id, provider_id, model_id, request_type, images,"
	"         cost, cost_source, is_estimate, charged, created_at)"
	"  SELECT l.user_id, l.id, l.attempts, l.configuration_id, m.provider_id,"
	"         l.model_id, " REQUEST_TYPE(HAS_INPUTS("l.id", "l.user_id"))
	"         , 0, l.cost_estimate, " BAMBI_SOURCE_OF("l.cost_estimate")
	"         , true, 'unknown', $2"
	"    FROM l JOIN bambi.models m ON m.id = l.model_id),"
	" i AS ("
	"  " BAMBI_EMPTY_INPUTS
	"    FROM l WHERE " BAMBI_FORGETS_PROMPTS("l.user_id")
	"     AND i.generation_id = l.id AND i.user_id = l.user_id)"
	" UPDATE bambi.image_generations g"
	"    SET status = 'failed', cost = g.cost_estimate,"
	"        " BAMBI_FORGET_PROMPT("g", BAMBI_FORGETS_PROMPTS("g.user_id")) ","
	"        cost_source = " BAMBI_SOURCE_OF("g.cost_estimate") ","
	"        updated_at = $2,"
	"        error_code = 'written_off', quota_period = NULL,"
	"        held_reason = NULL"
	"   FROM l WHERE g.id = l.id AND g.user_id = l.user_id"
	" RETURNING g.id",
	.nargs = 2,
	.types = {TIMESTAMPTZOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* Since when the oldest uncertain one is so, or NULL. */
BambiStatement bambi_worker_next_write_off = {
	.sql =
	"SELECT min(finished_at) FROM bambi.image_generations"
	" WHERE status = 'uncertain' AND held_reason IS NOT NULL",
	.is_generic = true,
};

/*
 * How far a claim is, $5 percent: $1 id, $2 user, $3 attempt, $4 incarnation,
 * $6 preview or NULL, $7 now.  A courtesy: what somebody holds is passed by.
 */
BambiStatement bambi_worker_progress = {
	.sql =
	"WITH q AS MATERIALIZED ("
	"  SELECT id, user_id FROM bambi_internal.queue"
	"   WHERE id = $1 AND user_id = $2 AND attempt = $3 AND claimed_by = $4"
	"     FOR UPDATE SKIP LOCKED),"
	" g AS ("
	"  UPDATE bambi.image_generations g SET progress = $5, updated_at = $7"
	"    FROM q WHERE g.id = $1 AND g.user_id = $2)"
	" INSERT INTO bambi.previews (generation_id, user_id, data, updated_at)"
	" SELECT q.id, q.user_id, $6, $7 FROM q WHERE $6 IS NOT NULL"
	" ON CONFLICT (generation_id, user_id) DO UPDATE"
	"    SET data = excluded.data, updated_at = excluded.updated_at",
	.nargs = 7,
	.types = {UUIDOID, UUIDOID, INT4OID, UUIDOID, INT2OID, BYTEAOID,
	TIMESTAMPTZOID},
	.is_generic = true,
};

/* The preview of a generation that is over: $1 id, $2 user. */
BambiStatement bambi_worker_forget_preview = {
	.sql =
	"DELETE FROM bambi.previews WHERE generation_id = $1 AND user_id = $2",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_generic = true,
};

/*
 * Takes errands that are due, $1 now, $2 how many at the most, but for those
 * that the courier has ($4, their ids), and puts each off until $3: then it is
 * tried again, unless it was removed by then.
 * Gives id, user_id, errand (JSON text), is_needed, key, attempts; key is
 * NULL unless one is to be checked.
 *
 * The store "filesystem" keeps one file for equal pictures of a user.  It is
 * not erased while an image has it; nor while a claim runs that is older than
 * the deletion, and may have put the same picture before it.  (One that is
 * younger dates the file anew, and the courier sees that.)
 */
BambiStatement bambi_worker_take_errands = {
	.sql =
	"WITH l AS MATERIALIZED ("
	"  SELECT o.id, o.user_id FROM bambi_internal.outbox o"
	"   WHERE (o.not_before IS NULL OR o.not_before <= $1)"
	"     AND o.id <> ALL ($4)"
	"     AND (o.errand->>'store' IS DISTINCT FROM 'filesystem'"
	"          OR NOT EXISTS ("
	"            SELECT FROM bambi_internal.queue q"
	"             WHERE q.claimed_at <= o.created_at))"
	"   ORDER BY o.not_before NULLS FIRST, o.id LIMIT $2"
	"     FOR UPDATE SKIP LOCKED),"
	" u AS ("
	"  UPDATE bambi_internal.outbox o"
	"     SET not_before = $3, attempts = o.attempts + 1"
	"    FROM l WHERE o.id = l.id AND o.user_id = l.user_id"
	"  RETURNING o.id, o.user_id, o.errand, o.created_at, o.attempts,"
	"            o.errand->>'kind' = 'validate' AS is_check)"
	" SELECT u.id, u.user_id,"
	"        CASE WHEN u.is_check THEN k.errand"
	"             ELSE (u.errand || jsonb_build_object('deleted_at_us',"
	"               (extract(epoch FROM u.created_at) * 1000000)::bigint))::text"
	"             END,"
	"        CASE WHEN u.is_check THEN k.errand IS NOT NULL"
	"             ELSE u.errand->>'store' IS DISTINCT FROM 'filesystem'"
	"               OR NOT EXISTS ("
	"                 SELECT FROM bambi.images i"
	"                  WHERE i.user_id = u.user_id AND i.store = 'filesystem'"
	"                    AND i.storage_path = u.errand->>'location'"
	"                 UNION ALL"
	"                 SELECT FROM bambi_internal.archive_objects r"
	"                  WHERE r.kind = 'reference' AND r.first_user = u.user_id"
	"                    AND r.location = u.errand->>'location') END,"
	"        k.key, u.attempts"
	"   FROM u LEFT JOIN LATERAL ("
	"     SELECT c.encrypted_api_key AS key, json_build_object("
	"              'kind', 'validate', 'user', c.user_id,"
	"              'provider', p.slug, 'adapter', p.adapter,"
	"              'base_url', p.api_base_url,"
	"              'networks', to_json(p.allowed_networks),"
	"              'settings', p.settings || c.settings,"
	"              'operator_settings', p.settings,"
	"              'model', ("
	"                SELECT m.model_id FROM bambi.models m"
	"                 WHERE m.provider_id = p.id"
	"                   AND bambi_internal.is_offered(m, p, $1)"
	"                 ORDER BY m.deprecated_at NULLS FIRST, m.id"
	"                 LIMIT 1))::text AS errand"
	"       FROM bambi.api_configurations c"
	"       JOIN bambi.api_providers p ON p.id = c.provider_id"
	"      WHERE u.is_check AND c.user_id = u.user_id"
	"        AND c.id = (u.errand->>'configuration')::uuid"
	"        AND c.status <> 'revoked' AND p.is_active) k ON true",
	.nargs = 4,
	.types = {TIMESTAMPTZOID, INT4OID, TIMESTAMPTZOID, UUIDARRAYOID},
	.is_generic = true,
};

/* When the next errand is due: a time, -infinity for at once, or NULL. */
BambiStatement bambi_worker_next_errand = {
	.sql =
	"SELECT coalesce(not_before, '-infinity') FROM bambi_internal.outbox"
	" ORDER BY not_before NULLS FIRST, id LIMIT 1",
	.is_generic = true,
};

/*
 * Errand $1 of user $2 is done.  One that is locked is being replaced by
 * another.
 */
BambiStatement bambi_worker_errand_done = {
	.sql =
	"WITH l AS MATERIALIZED ("
	"  SELECT id, user_id FROM bambi_internal.outbox"
	"   WHERE id = $1 AND user_id = $2 FOR UPDATE SKIP LOCKED)"
	" DELETE FROM bambi_internal.outbox o USING l"
	"  WHERE o.id = l.id AND o.user_id = l.user_id",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_generic = true,
};

/*
 * Errand $1 of user $2 failed because of $3 (JSON text): once more after a
 * while from $4 on, which doubles up to about an hour.
 */
BambiStatement bambi_worker_errand_failed = {
	.sql =
	"WITH l AS MATERIALIZED ("
	"  SELECT id, user_id FROM bambi_internal.outbox"
	"   WHERE id = $1 AND user_id = $2 FOR UPDATE SKIP LOCKED)"
	" UPDATE bambi_internal.outbox o"
	"    SET last_error = $3::jsonb->>'error',"
	"        not_before = $4 + interval '1 s' * 2 ^ least(o.attempts, 12)"
	"   FROM l WHERE o.id = l.id AND o.user_id = l.user_id",
	.nargs = 4,
	.types = {UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID},
	.is_generic = true,
};
