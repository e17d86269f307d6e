/*-------------------------------------------------------------------------
 *
 * statements_client.c
 *		The statements of functions that clients call.
 *
 * All run as the owner of the tables, who sees every user's rows: so each
 * names the user, as a value, wherever it touches what belongs to one.  None
 * calls a volatile function in an UPDATE; the time is a parameter.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_client.h"

/* What bambi_quota_read reads. */
#define QUOTA_COLUMNS(at) \
	"u.is_active, u.reset_date, " BAMBI_PLAN_IN_FORCE(at) "," \
	" s.current_period_start, s.current_period_end," \
	" u.processing_withdrawn_at IS NOT NULL"

/* Whether the user or a key has a budget, for bambi_budget_require. */
#define HAS_OWN_BUDGET \
	"EXISTS (SELECT FROM bambi.budgets b WHERE b.user_id = u.id)"

/*
 * Whether c is the key that a user names, or one of those that may pay a
 * provider, of which one is needed and two are too many to choose from.  Its
 * columns come a row for each: an aggregate costs more than these few rows.
 */
#define KEY_COLUMNS(provider) \
	"c.id, c.status, c.provider_id = " provider
#define IS_KEY(user, configuration, provider) \
	"c.user_id = " user \
	"   AND CASE WHEN " configuration " IS NOT NULL" \
	"            THEN c.id = " configuration \
	"            ELSE c.provider_id = " provider \
	"             AND c.status IN ('pending', 'valid', 'failing'," \
	"                              'unknown') END"

/*
 * Takes one generation of the quota, in one conditional UPDATE of the user's
 * row: $1 user, $2 now, $3 end of the period if another begins, $4 limit or
 * NULL, start of the subscription's period or NULL, limit in a minute or NULL.
 * Where the last two are NULL in the text, all that is about them is planned
 * away.
 *
 * A period is known by its end, and several of subscriptions may end in the
 * same second: so they are numbered by its microseconds, on from those of the
 * period before.  Periods without a subscription keep the number of the one
 * that they follow.
 *
 * Of the latest starts as many are kept as a minute may have: there is room if
 * the first of them is a minute ago.  That of a session that waited for the
 * lock is not before the one that it waited for.
 */
#define IN_PERIOD(subscription) \
	"bambi_internal.is_in_period(u.reset_date, u.period_start, " \
	subscription ", $2)"
#define NEXT_RESET(subscription) \
	"CASE WHEN " subscription " IS NULL THEN $3" \
	"     ELSE $3 + interval '1 microsecond' * coalesce((" \
	"       extract(microseconds FROM u.reset_date)::int + 1)" \
	"       % 1000000, 0) END"
#define STARTS	"coalesce(cardinality(u.recent_starts), 0)"
#define RESERVE(subscription, per_minute) \
	"UPDATE bambi.users u" \
	"   SET usage_count = CASE WHEN " IN_PERIOD(subscription) \
	"         THEN u.usage_count + 1 ELSE 1 END," \
	"       reset_date = CASE WHEN " IN_PERIOD(subscription) \
	"         THEN u.reset_date ELSE " NEXT_RESET(subscription) " END," \
	"       period_start = CASE WHEN " IN_PERIOD(subscription) \
	"         THEN u.period_start ELSE " subscription " END," \
	"       recent_starts = CASE WHEN " per_minute " IS NULL" \
	"         THEN u.recent_starts" \
	"         ELSE (u.recent_starts ||" \
	"               greatest($2, u.recent_starts[" STARTS "]))" \
	"              [" STARTS " + 2 - " per_minute ":] END" \
	" WHERE u.id = $1 AND u.is_active" \
	"   AND u.processing_withdrawn_at IS NULL" \
	"   AND ($4::int IS NULL OR $4 > CASE WHEN " IN_PERIOD(subscription) \
	"         THEN u.usage_count ELSE 0 END)" \
	"   AND (" per_minute "::int IS NULL OR " STARTS " < " per_minute \
	"        OR u.recent_starts[" STARTS " + 1 - " per_minute "]" \
	"           <= $2 - interval '1 minute')" \
	" RETURNING u.reset_date"

/*
 * The place in the queue of the next generation of a user, whose row is
 * locked: read before, it would be that of another session's, too.  It lies
 * not before v, the virtual time, and a step after the user's last one.
 */
#define NEXT_TURN(user, v, step) \
	"greatest(" v ", " BAMBI_LAST_TURN(user) " + " step ")"

#define INSERT_GENERATION \
	"INSERT INTO bambi.image_generations (id, user_id, configuration_id," \
	"       model_id, prompt, parameters, cost_estimate, quota_period)"

#define INSERT_QUEUED \
	"INSERT INTO bambi_internal.queue (id, user_id, configuration_id," \
	"       provider_id, turn, store, inputs, input_bytes, cost_estimate)" \
	" SELECT $2, $1, $6, $14, " NEXT_TURN("$1", "$12", "$13") ", $11," \
	"        $15, $16, $10 FROM g RETURNING turn"

#define QUEUE_TYPES \
	UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID, BYTEAOID, UUIDOID, UUIDOID, \
	TEXTOID, JSONBOID, NUMERICOID, TEXTOID, INT8OID, INT8OID, UUIDOID, \
	INT2OID, INT4OID

/* $1 user.  A row if there is such an active user. */
BambiStatement bambi_client_active_user = {
	.sql = "SELECT FROM bambi.users WHERE id = $1 AND is_active",
	.nargs = 1,
	.types = {UUIDOID},
	.is_read_only = true,
	.is_generic = true,
};

/*
 * The same, and the row locked: for whoever goes on to rows of the queue or of
 * generations that somebody else wants together with the user's.
 */
BambiStatement bambi_client_lock_user = {
	.sql =
	"SELECT FROM bambi.users WHERE id = $1 AND is_active FOR NO KEY UPDATE",
	.nargs = 1,
	.types = {UUIDOID},
	.is_generic = true,
};

/* The same, for whoever only does not want it removed meanwhile. */
BambiStatement bambi_client_keep_user = {
	.sql =
	"SELECT FROM bambi.users WHERE id = $1 AND is_active FOR KEY SHARE",
	.nargs = 1,
	.types = {UUIDOID},
	.is_generic = true,
};

/*
 * Why nothing could be reserved: $1 user, $2 now.  Gives the columns of
 * bambi_quota_read, then what is used of the period, and when the minute has
 * room again, NULL if it has.
 */
BambiStatement bambi_client_quota = {
	.sql =
	"SELECT " QUOTA_COLUMNS("$2") ","
	"       CASE WHEN bambi_internal.is_in_period(u.reset_date,"
	"                   u.period_start, lower("
	"                     bambi_internal.subscription_period(pl.plan_type,"
	"                       s.current_period_start, s.current_period_end,"
	"                       pl.period, $2)), $2)"
	"         THEN u.usage_count ELSE 0 END,"
	"       u.recent_starts[" STARTS " + 1 - pl.generations_per_minute]"
	"         + interval '1 minute'"
	"  FROM bambi.users u" BAMBI_PLAN_OF_USER("$2")
	" WHERE u.id = $1",
	.nargs = 2,
	.types = {UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * Takes one generation of a user without a subscription and without a limit in
 * a minute: $1 user, $2 now, $3 end of a new period, $4 limit.  Gives the
 * period.
 */
BambiStatement bambi_client_reserve = {
	.sql = RESERVE("NULL::timestamptz", "NULL::int"),
	.nargs = 4,
	.types = {UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID},
	.is_generic = true,
};

/* The same for all users: $5 start of the subscription's period, $6 limit in a
 * minute. */
BambiStatement bambi_client_reserve_limited = {
	.sql = RESERVE("$5", "$6"),
	.nargs = 6,
	.types = {UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID,
	TIMESTAMPTZOID, INT4OID},
	.is_generic = true,
};

/* Begins the period that runs, in which nothing is used yet: $1 to $5 likewise. */
BambiStatement bambi_client_begin_period = {
	.sql =
	"UPDATE bambi.users u"
	"   SET usage_count = 0, reset_date = " NEXT_RESET("$5") ","
	"       period_start = $5"
	" WHERE u.id = $1 AND " IN_PERIOD("$5") " IS NOT TRUE",
	.nargs = 5,
	.types = {UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID,
	TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * Takes back what this transaction has just reserved for $1 user; $2 whether
 * it counts in the minute.
 */
BambiStatement bambi_client_unreserve = {
	.sql =
	"UPDATE bambi.users SET usage_count = usage_count - 1,"
	"       recent_starts = CASE WHEN $2 THEN trim_array(recent_starts, 1)"
	"                       ELSE recent_starts END"
	" WHERE id = $1",
	.nargs = 2,
	.types = {UUIDOID, BOOLOID},
	.is_generic = true,
};

/* $1 user, $2 period that the generation was taken from. */
BambiStatement bambi_client_release = {
	.sql =
	"UPDATE bambi.users SET usage_count = usage_count - 1"
	" WHERE id = $1 AND reset_date = $2 AND usage_count > 0",
	.nargs = 2,
	.types = {UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * Everything that decides about a request and is the user's: $1 user,
 * $2 configuration or NULL, $3 provider, or NULL while that is not known,
 * $4 now.  Gives the columns of bambi_quota_read, then those of request.c:
 * a row for each key, or one without a key.
 */
BambiStatement bambi_client_look = {
	.sql =
	"SELECT " QUOTA_COLUMNS("$4") ", " HAS_OWN_BUDGET ","
	"       " KEY_COLUMNS("$3")
	"  FROM bambi.users u" BAMBI_SUBSCRIPTION_OF_USER
	"  LEFT JOIN bambi.api_configurations c"
	"    ON " IS_KEY("$1", "$2", "$3")
	" WHERE u.id = $1",
	.nargs = 4,
	.types = {UUIDOID, UUIDOID, UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* $1, $2, $3 likewise.  Gives the last three of its columns for each key. */
BambiStatement bambi_client_keys = {
	.sql =
	"SELECT " KEY_COLUMNS("$3")
	"  FROM bambi.api_configurations c"
	" WHERE " IS_KEY("$1", "$2", "$3"),
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, UUIDOID},
	.is_generic = true,
};

/* $1 user.  Gives how many of the user's wait or run. */
BambiStatement bambi_client_waiting = {
	.sql =
	"SELECT count(*)::int FROM bambi_internal.queue"
	" WHERE user_id = $1 AND " BAMBI_ANY_USER("user_id"),
	.nargs = 1,
	.types = {UUIDOID},
	.is_generic = true,
};

/* $1 model.  Gives the full name of its successor, or no row. */
BambiStatement bambi_client_successor = {
	.sql =
	"SELECT p.slug || '/' || n.model_id"
	"  FROM bambi.models m"
	"  JOIN bambi.models n ON n.id = m.successor_id"
	"  JOIN bambi.api_providers p ON p.id = n.provider_id"
	" WHERE m.id = $1",
	.nargs = 1,
	.types = {UUIDOID},
	.is_generic = true,
};

/* $1 user, $2 provider's slug.  Gives the names of what may pay. */
BambiStatement bambi_client_usable_keys = {
	.sql =
	"SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.id)"
	"  FROM bambi.api_configurations c"
	"  JOIN bambi.api_providers p ON p.id = c.provider_id"
	" WHERE c.user_id = $1 AND p.slug = $2"
	"   AND c.status IN ('pending', 'valid', 'failing', 'unknown')",
	.nargs = 2,
	.types = {UUIDOID, TEXTOID},
	.is_generic = true,
};

/*
 * Queues what was reserved: $1 user, $2 id, $3 period of the reservation;
 * $4, $5 are of the other statement; $6 configuration, $7 model, $8 prompt,
 * $9 parameters, $10 estimate, $11 store, $12 virtual time, $13 step between
 * the user's turns, $14 provider, $15 pictures to edit, $16 bytes of those
 * that the database keeps.  Gives turn.
 */
BambiStatement bambi_client_queue = {
	.sql =
	"WITH g AS ("
	"  " INSERT_GENERATION
	"  VALUES ($2, $1, $6, $7, $8, $9, $10, $3) RETURNING id)"
	" " INSERT_QUEUED,
	.nargs = 16,
	.types = {QUEUE_TYPES},
	.is_generic = true,
};

/*
 * The same under idempotency key $4, $5 hash of the request.  First the key,
 * which waits for another session that inserts the same.  No row if the key
 * is there already.
 */
BambiStatement bambi_client_queue_once = {
	.sql =
	"WITH q AS ("
	"  INSERT INTO bambi_internal.idempotency_keys"
	"         (user_id, key, generation_id, request_hash)"
	"  VALUES ($1, $4, $2, $5) ON CONFLICT DO NOTHING RETURNING user_id),"
	" g AS ("
	"  " INSERT_GENERATION
	"  SELECT $2, $1, $6, $7, $8, $9, $10, $3 FROM q RETURNING id)"
	" " INSERT_QUEUED,
	.nargs = 16,
	.types = {QUEUE_TYPES},
	.is_generic = true,
};

/* $1 user, $2 idempotency key.  Gives generation, hash. */
BambiStatement bambi_client_find_request = {
	.sql =
	"SELECT generation_id, request_hash FROM bambi_internal.idempotency_keys"
	" WHERE user_id = $1 AND key = $2",
	.nargs = 2,
	.types = {UUIDOID, TEXTOID},
	.is_generic = true,
};

/*
 * Locks the queue row, the mutex of a generation that is pending: $1 id,
 * $2 user.  Gives whether it is claimed.
 */
BambiStatement bambi_client_lock_queued = {
	.sql =
	"SELECT claimed_by IS NOT NULL FROM bambi_internal.queue"
	" WHERE id = $1 AND user_id = $2 FOR UPDATE",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_generic = true,
};

/* $1 id, $2 user.  Gives status, quota_period. */
BambiStatement bambi_client_lock_generation = {
	.sql =
	"SELECT status, quota_period FROM bambi.image_generations"
	" WHERE id = $1 AND user_id = $2 FOR NO KEY UPDATE",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_generic = true,
};

/* $1 id, $2 user, $3 now: never sent, and will not be. */
BambiStatement bambi_client_cancel_queued = {
	.sql =
	"WITH d AS (DELETE FROM bambi_internal.queue"
	"            WHERE id = $1 AND user_id = $2),"
	" i AS (" BAMBI_EMPTY_INPUTS
	"        WHERE generation_id = $1 AND user_id = $2)"
	" UPDATE bambi.image_generations g"
	"    SET status = 'cancelled', cancel_requested_at = $3,"
	"        " BAMBI_FORGET_PROMPT("g", BAMBI_FORGETS_PROMPTS("$2")) ","
	"        finished_at = $3, updated_at = $3, quota_period = NULL"
	"  WHERE id = $1 AND user_id = $2",
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* $1 id, $2 user, $3 now: the worker is to see what can be done. */
BambiStatement bambi_client_cancel_claimed = {
	.sql =
	"WITH q AS (UPDATE bambi_internal.queue SET cancel_requested = true"
	"            WHERE id = $1 AND user_id = $2 AND NOT cancel_requested)"
	" UPDATE bambi.image_generations"
	"    SET cancel_requested_at = $3, updated_at = $3"
	"  WHERE id = $1 AND user_id = $2 AND cancel_requested_at IS NULL",
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * Books the estimate of an attempt of which nobody knows whether it was
 * charged: $1 id, $2 user, $3 now.
 */
#define BOOK_UNKNOWN \
	"INSERT INTO bambi.usage_events (user_id, generation_id, attempt," \
	"       configuration_id, provider_id, model_id, request_type, images," \
	"       cost, cost_source, is_estimate, charged, created_at)" \
	" SELECT g.user_id, g.id, g.attempts, g.configuration_id, m.provider_id," \
	"        g.model_id, CASE WHEN EXISTS (" \
	"          SELECT FROM bambi.generation_inputs n" \
	"           WHERE n.generation_id = g.id AND n.user_id = g.user_id)" \
	"          THEN 'edit' ELSE 'generate' END," \
	"        0, g.cost_estimate, " BAMBI_SOURCE_OF("g.cost_estimate") "," \
	"        true, 'unknown', $3" \
	"   FROM bambi.image_generations g JOIN bambi.models m ON m.id = g.model_id" \
	"  WHERE g.id = $1 AND g.user_id = $2 AND g.status = 'uncertain'"

/* $1 id, $2 user, $3 now: as the worker writes off after a day. */
BambiStatement bambi_client_write_off = {
	.sql =
	"WITH e AS (" BOOK_UNKNOWN "),"
	" i AS (" BAMBI_EMPTY_INPUTS
	"        WHERE generation_id = $1 AND user_id = $2"
	"          AND " BAMBI_FORGETS_PROMPTS("$2") ")"
	" UPDATE bambi.image_generations g"
	"    SET status = 'failed', cost = cost_estimate, updated_at = $3,"
	"        " BAMBI_FORGET_PROMPT("g", BAMBI_FORGETS_PROMPTS("$2")) ","
	"        cost_source = " BAMBI_SOURCE_OF("cost_estimate") ","
	"        error_code = 'written_off', quota_period = NULL,"
	"        held_reason = NULL"
	"  WHERE id = $1 AND user_id = $2",
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * Locks a generation that is to be tried again, and its user, among whose
 * others it gets a place: $1 id, $2 user, $3 now.
 * Gives the columns of bambi_quota_read, then those of retry.c.
 */
BambiStatement bambi_client_lock_for_retry = {
	.sql =
	"SELECT " QUOTA_COLUMNS("$3") ","
	"       g.status, g.quota_period,"
	"       bambi_internal.is_offered(m, p, $3),"
	"       p.slug || '/' || m.model_id, m.capabilities, g.parameters,"
	"       NOT p.needs_key OR coalesce(c.status, '') IN"
	"         ('pending', 'valid', 'failing', 'unknown'),"
	"       g.configuration_id, " HAS_OWN_BUDGET ", g.prompt = ''"
	"  FROM bambi.image_generations g"
	"  JOIN bambi.users u ON u.id = g.user_id" BAMBI_SUBSCRIPTION_OF_USER
	"  JOIN bambi.models m ON m.id = g.model_id"
	"  JOIN bambi.api_providers p ON p.id = m.provider_id"
	"  LEFT JOIN bambi.api_configurations c"
	"    ON c.id = g.configuration_id AND c.user_id = g.user_id"
	" WHERE g.id = $1 AND g.user_id = $2"
	"   FOR NO KEY UPDATE OF g, u",
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/*
 * Queues a generation once more: $1 id, $2 user, $3 now, $4 virtual time,
 * $5 period of its reservation, $6 store, $7 step between the user's turns,
 * $8 new estimate or NULL.  Claims are numbered on from the last one, since the
 * number tells attempts apart; a courier that died over it is remembered.
 * Gives turn.
 */
BambiStatement bambi_client_requeue = {
	.sql =
	"WITH e AS (" BOOK_UNKNOWN "),"
	" g AS ("
	"  UPDATE bambi.image_generations"
	"     SET status = 'queued', progress = 0, quota_period = $5,"
	"         cost_estimate = coalesce($8, cost_estimate),"
	"         error_code = NULL, error_message = NULL, held_reason = NULL,"
	"         cancel_requested_at = NULL, started_at = NULL,"
	"         finished_at = NULL, updated_at = $3"
	"   WHERE id = $1 AND user_id = $2"
	"  RETURNING id, user_id, configuration_id, model_id, attempts,"
	"            cost_estimate)"
	" INSERT INTO bambi_internal.queue (id, user_id, configuration_id,"
	"        provider_id, turn, attempt, deaths, store, inputs, input_bytes,"
	"        cost_estimate)"
	" SELECT g.id, g.user_id, g.configuration_id,"
	"        (SELECT provider_id FROM bambi.models WHERE id = g.model_id),"
	"        " NEXT_TURN("$2", "$4", "$7") ", g.attempts, coalesce(("
	"          SELECT (o.error_code = 'courier_died')::int"
	"            FROM bambi.image_generations o"
	"           WHERE o.id = $1 AND o.user_id = $2), 0),"
	"        $6,"
	"        n.count, n.bytes, g.cost_estimate"
	"   FROM g, (SELECT count(*) AS count, coalesce(sum(bytes)"
	"                     FILTER (WHERE data IS NOT NULL), 0) AS bytes"
	"              FROM bambi.generation_inputs"
	"             WHERE generation_id = $1 AND user_id = $2) n"
	" RETURNING turn",
	.nargs = 8,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID,
	TEXTOID, INT8OID, NUMERICOID},
	.is_generic = true,
};

/*
 * $1 id, $2 user.  Gives status, error_code, error_message, cost, and the
 * transaction that last changed the queue row, NULL if there is none.
 */
BambiStatement bambi_client_state = {
	.sql =
	"SELECT CASE WHEN g.status = 'queued' AND q.claimed_by IS NOT NULL"
	"            THEN 'running' ELSE g.status END,"
	"       g.error_code, g.error_message, g.cost, q.xmin"
	"  FROM bambi.image_generations g"
	"  LEFT JOIN bambi_internal.queue q"
	"    ON q.id = g.id AND q.user_id = g.user_id"
	" WHERE g.id = $1 AND g.user_id = $2",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_generic = true,
};

/* $1 id, $2 user.  Gives the generation's images as a JSON array. */
BambiStatement bambi_client_images = {
	.sql =
	"SELECT coalesce(jsonb_agg(jsonb_build_object("
	"         'id', i.id, 'position', i.position, 'format', i.format,"
	"         'width', i.width, 'height', i.height, 'bytes', i.bytes,"
	"         'sha256', i.sha256, 'url', i.url,"
	"         'revised_prompt', i.revised_prompt)"
	"         ORDER BY i.position), '[]')"
	"  FROM bambi.images i WHERE i.generation_id = $1 AND i.user_id = $2",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_generic = true,
};

/* The functions crypt(text, text) and gen_salt(text, int) of pgcrypto. */
BambiStatement bambi_client_pgcrypto = {
	.sql =
	"SELECT max(p.oid) FILTER (WHERE p.proname = 'crypt'),"
	"       max(p.oid) FILTER (WHERE p.proname = 'gen_salt')"
	"  FROM pg_catalog.pg_extension e"
	"  JOIN pg_catalog.pg_depend d ON d.refobjid = e.oid"
	"   AND d.refclassid = 'pg_catalog.pg_extension'::regclass"
	"   AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'"
	"  JOIN pg_catalog.pg_proc p ON p.oid = d.objid AND p.pronargs = 2"
	" WHERE e.extname = 'pgcrypto'",
	.is_generic = true,
};

/*
 * $1 id, $2 email, $3 hash of the password, $4 now.  A row, unless the email
 * is in use.
 */
BambiStatement bambi_client_add_user = {
	.sql =
	"WITH u AS ("
	"  INSERT INTO bambi.users (id, email, password_hash, reset_date)"
	"  SELECT $1, $2, $3, ($4 AT TIME ZONE 'UTC' + period) AT TIME ZONE 'UTC'"
	"    FROM bambi.plans WHERE plan_type = 'free'"
	"  ON CONFLICT DO NOTHING RETURNING id)"
	" INSERT INTO bambi.subscriptions (user_id, plan_type, status)"
	" SELECT id, 'free', 'active' FROM u",
	.nargs = 4,
	.types = {UUIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* $1 an event of Stripe's whose signature is good, $2 bambi.stripe_livemode */
BambiStatement bambi_client_stripe_event = {
	.sql = "SELECT bambi_internal.stripe_receive($1, $2)",
	.nargs = 2,
	.types = {TEXTOID, BOOLOID},
	.is_generic = true,
};
