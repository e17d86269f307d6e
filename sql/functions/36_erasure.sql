-- How the worker erases a person: a step at a time, each a short transaction
-- that may be repeated.
--
-- Who may still have something uncommitted was there before the request was
-- committed: so the rows go only when all transactions have ended that ran
-- when the worker first saw it.  What others hold locked is passed by, and
-- found again by the count that comes before the end.

CREATE FUNCTION bambi_internal.report_place(
    report jsonb, place text, removed bigint, remaining bigint)
RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT report || jsonb_build_object(place, jsonb_build_object(
               'found', r.removed + coalesce(remaining, 0),
               'removed', r.removed,
               'remaining', coalesce(remaining, 0)))
      FROM (SELECT coalesce((report #>> ARRAY[place, 'removed'])::bigint, 0)
                   + coalesce(removed, 0) AS removed) AS r;
END;
COMMENT ON FUNCTION bambi_internal.report_place(
    jsonb, text, bigint, bigint) IS
    'A report in which so much more is removed from a place, and so much '
    'remains there.';

-- Of the others something stays, or is found by something else.
CREATE FUNCTION bambi_internal.erased_tables()
RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT ARRAY['bambi.budgets', 'bambi.prompts_not_kept',
                 'bambi.subscriptions', 'bambi_internal.content_removals',
                 'bambi_internal.key_checks', 'bambi_internal.stripe_users',
                 'bambi_internal.unreadable_keys'];
END;
COMMENT ON FUNCTION bambi_internal.erased_tables() IS
    'The tables of which all rows of a user go at once.';

CREATE FUNCTION bambi_internal.erase_rows(
    place text, condition text, "user" uuid, ids uuid[], INOUT report jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone bigint;
BEGIN
    EXECUTE format('DELETE FROM %s AS t WHERE t.user_id = $1 AND (%s)',
                   place, condition) USING "user", ids;
    GET DIAGNOSTICS gone = ROW_COUNT;
    report := bambi_internal.report_place(report, split_part(place, '.', 2),
                                          gone, 0);
END
$$;
COMMENT ON FUNCTION bambi_internal.erase_rows(
    text, text, uuid, uuid[], jsonb) IS
    'Removes the rows of a user from a table, alias t, for which a condition '
    'holds, $2 being the ids, and reports how many.';

CREATE FUNCTION bambi_internal.erase_generations(
    "user" uuid, most integer, INOUT report jsonb, OUT is_all boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ids     CONSTANT uuid[] := ARRAY(
        SELECT g.id FROM bambi.image_generations AS g
         WHERE g.user_id = "user" ORDER BY g.id LIMIT most
           FOR UPDATE SKIP LOCKED);
    pieces  uuid[];
    objects bigint;
    place   text;
BEGIN
    SELECT array_agg(i.id), count(i.storage_path) INTO pieces, objects
      FROM bambi.images AS i
     WHERE i.user_id = "user" AND i.generation_id = ANY (ids);
    report := bambi_internal.erase_rows(
        'bambi.image_data', 't.image_id = ANY ($2)', "user", pieces, report);
    -- a trigger leaves an errand for each object
    report := bambi_internal.erase_rows(
        'bambi.images', 't.id = ANY ($2)', "user", pieces, report);
    report := bambi_internal.report_place(report, 'objects', objects, 0);
    FOREACH place IN ARRAY ARRAY['bambi.generation_inputs', 'bambi.previews',
                                 'bambi_internal.idempotency_keys']
    LOOP
        report := bambi_internal.erase_rows(
            place, 't.generation_id = ANY ($2)', "user", ids, report);
    END LOOP;
    report := bambi_internal.erase_rows(
        'bambi.image_generations', 't.id = ANY ($2)', "user", ids, report);
    is_all := cardinality(ids) < most;
END
$$;
COMMENT ON FUNCTION bambi_internal.erase_generations(
    uuid, integer, jsonb) IS
    'Removes generations of a user, so many at most, with all that hangs on '
    'them.';

CREATE FUNCTION bambi_internal.erase_stripe("user" uuid, INOUT report jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM bambi.stripe_events AS e
     WHERE e.event_id IN (
               SELECT l.event_id FROM bambi.stripe_events AS l
                WHERE l.user_id = "user"
                   OR l.customer_id IN (
                          SELECT c.customer_id
                            FROM bambi_internal.stripe_customers AS c
                           WHERE c.user_id = "user")
                  FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT;
    report := bambi_internal.report_place(report, 'stripe_events', gone, 0);
    -- by its digest a later event of the customer is known, and ignored
    UPDATE bambi_internal.stripe_customers AS c
       SET customer_id = bambi_internal.digest_of(c.customer_id)
     WHERE c.user_id = "user" AND c.customer_id NOT LIKE 'sha256:%';
    GET DIAGNOSTICS gone = ROW_COUNT;
    report := bambi_internal.report_place(report, 'stripe_customers', gone,
                                          0);
END
$$;
COMMENT ON FUNCTION bambi_internal.erase_stripe(uuid, jsonb) IS
    'Removes what Stripe told of a user.';

CREATE FUNCTION bambi_internal.digest_of(word text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'sha256:' || encode(sha256(convert_to(word, 'UTF8')), 'hex');
END;
COMMENT ON FUNCTION bambi_internal.digest_of(text) IS
    'What shows only to who knows a word that it was this one.';

CREATE FUNCTION bambi_internal.erase_account(
    "user" uuid, at timestamptz, INOUT report jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone  bigint;
    place text;
BEGIN
    FOREACH place IN ARRAY bambi_internal.erased_tables()
    LOOP
        report := bambi_internal.erase_rows(place, 'true', "user", NULL,
                                            report);
    END LOOP;
    report := bambi_internal.erase_rows(
        'bambi_internal.outbox', 't.errand ->> ''kind'' = ''validate''',
        "user", NULL, report);
    -- sums of money name them: so their rows stay, as those of removed keys do
    UPDATE bambi.api_configurations AS c
       SET name = '', settings = '{}', encrypted_api_key = '',
           key_hint = NULL, key_fingerprint = NULL, key_id = NULL,
           last_error = NULL, last_validated_at = NULL, max_in_flight = NULL,
           status = 'revoked', is_valid = false, updated_at = at
     WHERE c.user_id = "user" AND bambi_internal.configuration_tells(c);
    GET DIAGNOSTICS gone = ROW_COUNT;
    report := bambi_internal.report_place(report, 'api_configurations', gone,
                                          0);
    UPDATE bambi.consents AS c
       SET version = CASE WHEN c.version ~ '^sha256:[0-9a-f]{64}$'
                          THEN c.version
                          ELSE bambi_internal.digest_of(c.version) END,
           purpose = CASE WHEN c.purpose = 'processing'
                            OR c.purpose ~ '^sha256:[0-9a-f]{64}$'
                          THEN c.purpose
                          ELSE bambi_internal.digest_of(c.purpose) END
     WHERE c.user_id = "user" AND bambi_internal.consent_tells(c);
    GET DIAGNOSTICS gone = ROW_COUNT;
    report := bambi_internal.report_place(report, 'consents', gone, 0);
END
$$;
COMMENT ON FUNCTION bambi_internal.erase_account(uuid, timestamptz, jsonb) IS
    'Removes keys, budgets, subscription, and what the consents say.';

CREATE FUNCTION bambi_internal.erase_changes(
    "user" uuid, most integer, INOUT report jsonb, OUT is_all boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ids uuid[];
BEGIN
    ids := ARRAY(SELECT l.id FROM bambi.change_log AS l
                  WHERE l.user_id = "user" ORDER BY l.id DESC LIMIT most
                    FOR UPDATE SKIP LOCKED);
    DELETE FROM bambi.change_log AS l WHERE l.id = ANY (ids);
    report := bambi_internal.report_place(report, 'change_log',
                                          cardinality(ids), 0);
    is_all := cardinality(ids) < most;
END
$$;
COMMENT ON FUNCTION bambi_internal.erase_changes(uuid, integer, jsonb) IS
    'Removes the log of a user''s changes, so many rows at most. The only '
    'thing that ever does.';

-- Whoever takes a month off its table by hand has its rows in one of its own.
CREATE FUNCTION bambi_internal.detached_months()
RETURNS SETOF regclass
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.oid::regclass
      FROM bambi_internal.monthly_tables() AS m
           JOIN pg_class AS p ON p.oid = m.parent
           JOIN pg_class AS c
             ON c.relnamespace = p.relnamespace
            AND c.relname ~ ('^' || p.relname || '_[0-9]{4}_[0-9]{2}$')
     -- what was paid stays; and a table of somebody else is not this one's
     WHERE m.parent <> to_regclass('bambi.usage_events')
       AND c.relkind = 'r' AND NOT c.relispartition
       AND c.relowner = p.relowner
       AND EXISTS (SELECT FROM pg_attribute AS a
                    WHERE a.attrelid = c.oid AND a.attname = 'user_id')
     ORDER BY c.relname
$$;
COMMENT ON FUNCTION bambi_internal.detached_months() IS
    'The months of generations and of the change log that are tables by '
    'themselves.';

CREATE FUNCTION bambi_internal.erase_detached(
    "user" uuid, most integer, INOUT report jsonb, OUT is_all boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    month regclass;
    gone  bigint;
BEGIN
    is_all := true;
    FOR month IN SELECT bambi_internal.detached_months()
    LOOP
        EXECUTE format(
            'DELETE FROM %1$s AS t WHERE t.id IN (SELECT l.id FROM %1$s AS l '
            'WHERE l.user_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED)', month)
          USING "user", most;
        GET DIAGNOSTICS gone = ROW_COUNT;
        report := bambi_internal.report_place(report, 'detached_months', gone,
                                              0);
        is_all := is_all AND gone < most;
    END LOOP;
END
$$;
COMMENT ON FUNCTION bambi_internal.erase_detached(uuid, integer, jsonb) IS
    'Removes rows of a user from months that are tables by themselves, so '
    'many at most of each.';

-- What hangs on generations is found by them: there is nothing of it without,
-- by its foreign keys, and no index for it.
CREATE FUNCTION bambi_internal.erasure_left("user" uuid)
RETURNS TABLE (place text, remaining bigint)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    month regclass;
    found bigint;
BEGIN
    place := 'detached_months';
    remaining := 0;
    FOR month IN SELECT bambi_internal.detached_months()
    LOOP
        EXECUTE format('SELECT count(*) FROM %s AS t WHERE t.user_id = $1',
                       month) INTO found USING "user";
        remaining := remaining + found;
    END LOOP;
    RETURN NEXT;
    FOREACH place IN ARRAY bambi_internal.erased_tables()
    LOOP
        EXECUTE format('SELECT count(*) FROM %s AS t WHERE t.user_id = $1',
                       place) INTO remaining USING "user";
        place := split_part(place, '.', 2);
        RETURN NEXT;
    END LOOP;
    RETURN QUERY
    WITH g AS MATERIALIZED (
        SELECT g.id FROM bambi.image_generations AS g
         WHERE g.user_id = "user"),
    i AS MATERIALIZED (
        SELECT i.id FROM bambi.images AS i WHERE i.user_id = "user")
    SELECT 'image_generations', count(*) FROM g
    UNION ALL
    SELECT 'images', count(*) FROM i
    UNION ALL
    SELECT 'image_data', count(*) FROM i
      JOIN bambi.image_data AS d ON d.image_id = i.id AND d.user_id = "user"
    UNION ALL
    SELECT 'generation_inputs', count(*) FROM g
      JOIN bambi.generation_inputs AS n
        ON n.generation_id = g.id AND n.user_id = "user"
    UNION ALL
    SELECT 'previews', count(*) FROM g
      JOIN bambi.previews AS p
        ON p.generation_id = g.id AND p.user_id = "user"
    UNION ALL
    SELECT 'idempotency_keys', count(*)
      FROM bambi_internal.idempotency_keys AS k WHERE k.user_id = "user"
    UNION ALL
    SELECT 'queue', count(*)
      FROM bambi_internal.queue AS q WHERE q.user_id = "user"
    UNION ALL
    SELECT 'api_configurations', count(*)
      FROM bambi.api_configurations AS c
     WHERE c.user_id = "user" AND bambi_internal.configuration_tells(c)
    UNION ALL
    SELECT 'consents', count(*) FROM bambi.consents AS c
     WHERE c.user_id = "user" AND bambi_internal.consent_tells(c)
    UNION ALL
    SELECT 'outbox', count(*) FROM bambi_internal.outbox AS o
     WHERE o.user_id = "user" AND o.errand ->> 'kind' = 'validate'
    UNION ALL
    SELECT 'stripe_events', count(*) FROM bambi.stripe_events AS e
     WHERE e.user_id = "user"
    UNION ALL
    SELECT 'stripe_customers', count(*)
      FROM bambi_internal.stripe_customers AS c
     WHERE c.user_id = "user" AND c.customer_id NOT LIKE 'sha256:%'
    UNION ALL
    SELECT 'change_log', count(*)
      FROM bambi.change_log AS l WHERE l.user_id = "user";
END
$$;
COMMENT ON FUNCTION bambi_internal.erasure_left(uuid) IS
    'What there still is of a user in the tables, by place.';

CREATE FUNCTION bambi_internal.erasure_outside(
    "user" uuid, is_writing boolean)
RETURNS TABLE (place text, remaining bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'objects', count(*) FROM bambi_internal.outbox AS o
     WHERE o.user_id = "user"
    UNION ALL
    SELECT 'cache', greatest(count(*), is_writing::integer)
      FROM bambi_internal.cache_outbox AS c
     WHERE c.kind = 'user' AND c.name = "user"::text
    UNION ALL
    SELECT 'archives', bambi_internal.erase_from_archives("user");
END
$$;
COMMENT ON FUNCTION bambi_internal.erasure_outside(uuid, boolean) IS
    'What there still is of a user outside the tables, and has others remove '
    'it: objects of pictures, Redis, archives.';

-- Of a Redis that is away nothing is known; when it comes back, it may have
-- what it had.
CREATE FUNCTION bambi_internal.erasure_is_cached(
    "user" uuid, at timestamptz, said jsonb, INOUT is_away boolean,
    OUT may_be boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    may_be := bambi_internal.cache_is_on()
        AND (said IS NULL OR said ? 'is_away');
    IF may_be THEN
        PERFORM bambi_internal.note_for_cache('user', "user"::text, true);
    END IF;
    is_away := is_away
        AND at < (SELECT u.erased_at + interval '1 minute'
                         + current_setting('bambi.redis_ttl')::interval
                    FROM bambi.users AS u WHERE u.id = "user");
    may_be := may_be OR is_away;
END
$$;
COMMENT ON FUNCTION bambi_internal.erasure_is_cached(
    uuid, timestamptz, jsonb, boolean) IS
    'Whether Redis may still have something of a user, by what the report '
    'said of it. Has it told when it is there, and waits for it no longer '
    'than values live.';

-- ---- the states

CREATE FUNCTION bambi_internal.erasure_may_begin(
    request uuid, "user" uuid, INOUT report jsonb, OUT may_begin boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    before  xid8 := (
        SELECT coalesce(e.horizon, pg_snapshot_xmax(pg_current_snapshot()))
          FROM bambi.erasure_requests AS e
         WHERE e.id = request AND e.user_id = "user");
    answers CONSTANT uuid[] := bambi_internal.spooled();
    calls   bigint;
    spooled bigint;
BEGIN
    -- nobody cancelled these: they were put back in that moment
    DELETE FROM bambi_internal.queue AS q
     USING (SELECT l.id FROM bambi_internal.queue AS l
             WHERE l.user_id = "user" AND l.claimed_by IS NULL
               FOR UPDATE SKIP LOCKED) AS l
     WHERE q.id = l.id AND q.user_id = "user";
    SELECT count(*) INTO calls
      FROM bambi_internal.queue AS q WHERE q.user_id = "user";
    SELECT count(*) INTO spooled
      FROM bambi.image_generations AS g
     WHERE g.id = ANY (answers) AND g.user_id = "user";
    report := bambi_internal.report_place(
        report, 'queue',
        coalesce((report #>> '{queue,remaining}')::bigint, calls) - calls,
        calls);
    report := bambi_internal.report_place(
        report, 'spool',
        coalesce((report #>> '{spool,remaining}')::bigint, spooled) - spooled,
        spooled);
    -- of another cluster, after a restore
    IF before > pg_snapshot_xmax(pg_current_snapshot()) THEN
        before := pg_snapshot_xmax(pg_current_snapshot());
    END IF;
    UPDATE bambi.erasure_requests AS e SET horizon = before
     WHERE e.id = request AND e.user_id = "user"
       AND e.horizon IS DISTINCT FROM before;
    may_begin := calls = 0 AND spooled = 0
        AND pg_snapshot_xmin(pg_current_snapshot()) >= before
        -- the worker writes those off, and books them
        AND NOT EXISTS (
            SELECT FROM bambi.image_generations AS g
             WHERE g.user_id = "user" AND g.held_reason IS NOT NULL
               AND g.status = 'uncertain');
END
$$;
COMMENT ON FUNCTION bambi_internal.erasure_may_begin(uuid, uuid, jsonb) IS
    'Whether all that ran for a user has ended: calls, their answers in the '
    'spool, and transactions that may have looked before the request.';

CREATE FUNCTION bambi_internal.erasure_remove(
    "user" uuid, at timestamptz, INOUT report jsonb, OUT is_all boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- a picture is 2 MB or so
    SELECT g.report, g.is_all INTO report, is_all
      FROM bambi_internal.erase_generations("user", 50, report) AS g;
    IF NOT is_all THEN
        RETURN;
    END IF;
    SELECT d.report, d.is_all INTO report, is_all
      FROM bambi_internal.erase_detached("user", 500, report) AS d;
    IF NOT is_all THEN
        RETURN;
    END IF;
    report := bambi_internal.erase_stripe("user", report);
    report := bambi_internal.erase_account("user", at, report);
    -- last, since the log has what was just changed
    SELECT l.report, l.is_all INTO report, is_all
      FROM bambi_internal.erase_changes("user", 500, report) AS l;
END
$$;
COMMENT ON FUNCTION bambi_internal.erasure_remove(uuid, timestamptz, jsonb) IS
    'Removes some of a user''s rows; is_all: there are no more.';

CREATE FUNCTION bambi_internal.erasure_ends(
    "user" uuid, is_writing boolean, INOUT report jsonb,
    OUT left_outside bigint, OUT left_inside bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    left_outside := 0;
    left_inside := 0;
    FOR found IN
        SELECT o.place, o.remaining
          FROM bambi_internal.erasure_outside("user", is_writing) AS o
    LOOP
        left_outside := left_outside + found.remaining;
        report := jsonb_set(
            bambi_internal.report_place(report, found.place, 0,
                                        found.remaining),
            ARRAY[found.place, 'found'],
            to_jsonb(greatest(
                coalesce((report #>> ARRAY[found.place, 'found'])::bigint, 0),
                found.remaining)));
        report := jsonb_set(
            report, ARRAY[found.place, 'removed'],
            to_jsonb((report #>> ARRAY[found.place, 'found'])::bigint
                     - found.remaining));
    END LOOP;
    IF left_outside > 0 THEN
        RETURN;
    END IF;
    FOR found IN
        SELECT l.place, l.remaining
          FROM bambi_internal.erasure_left("user") AS l
    LOOP
        left_inside := left_inside + found.remaining;
        report := bambi_internal.report_place(report, found.place, 0,
                                              found.remaining);
    END LOOP;
END
$$;
COMMENT ON FUNCTION bambi_internal.erasure_ends(uuid, boolean, jsonb) IS
    'What is left of a user outside the tables, and, if that is nothing, in '
    'them.';

CREATE FUNCTION bambi_internal.erasure_kept("user" uuid)
RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object(
        'users', 1,
        'api_configurations', (
            SELECT count(*) FROM bambi.api_configurations AS c
             WHERE c.user_id = "user"),
        'consents', (SELECT count(*) FROM bambi.consents AS c
                      WHERE c.user_id = "user"),
        'stripe_customers', (
            SELECT count(*) FROM bambi_internal.stripe_customers AS c
             WHERE c.user_id = "user"),
        'usage_events', (SELECT count(*) FROM bambi.usage_events AS e
                          WHERE e.user_id = "user"),
        'api_usage', (SELECT count(*) FROM bambi.api_usage AS a
                       WHERE a.user_id = "user"),
        'carried_costs', (
            SELECT count(*) FROM bambi_internal.carried_costs AS c
             WHERE c.user_id = "user"));
END
$$;
COMMENT ON FUNCTION bambi_internal.erasure_kept(uuid) IS
    'How many rows stay under the id of an erased user, which tell of nobody.';

CREATE FUNCTION bambi_internal.erasure_advance(
    "user" uuid, at timestamptz, is_writing boolean, is_away boolean,
    request uuid,
    INOUT state text, INOUT report jsonb, OUT not_before timestamptz)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    done   record;
    cached record;
BEGIN
    IF state = 'waiting' THEN
        SELECT * INTO done
          FROM bambi_internal.erasure_may_begin(request, "user", report);
        IF done.may_begin THEN
            state := 'erasing';
        ELSE
            not_before := at + interval '1 s';
        END IF;
    ELSIF state = 'erasing' THEN
        SELECT * INTO done
          FROM bambi_internal.erasure_remove("user", at, report);
        IF done.is_all THEN
            state := 'outside';
        END IF;
    ELSE
        SELECT * INTO cached
          FROM bambi_internal.erasure_is_cached(
                   "user", at, report -> 'cache', is_away);
        SELECT * INTO done
          FROM bambi_internal.erasure_ends(
                   "user", is_writing OR cached.may_be, report);
        IF cached.is_away THEN
            done.report := jsonb_set(done.report, '{cache,is_away}', 'true');
        END IF;
        IF done.left_outside > 0 THEN
            not_before := at + interval '1 s';
        ELSIF done.left_inside > 0 THEN
            state := 'erasing';
            not_before := at + interval '1 s';
        ELSE
            state := 'done';
        END IF;
    END IF;
    report := done.report;
    IF state = 'done' THEN
        report := report || jsonb_build_object(
            'kept', bambi_internal.erasure_kept("user"));
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.erasure_advance(
    uuid, timestamptz, boolean, boolean, uuid, text, jsonb) IS
    'One step of an erasure.';

CREATE FUNCTION bambi_internal.erasure_step(
    at timestamptz, is_writing boolean, is_away boolean,
    OUT did_any boolean, OUT next timestamptz)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    asked record;
    now_is record;
BEGIN
    SELECT e.id, e.user_id, e.state, e.report INTO asked
      FROM bambi.erasure_requests AS e
     WHERE e.state <> 'done'
       AND (e.not_before IS NULL OR e.not_before <= at)
     ORDER BY e.not_before NULLS FIRST, e.id LIMIT 1
       FOR UPDATE SKIP LOCKED;
    did_any := FOUND;
    IF did_any THEN
        -- one that fails must not keep the others from being done
        BEGIN
            SELECT * INTO now_is
              FROM bambi_internal.erasure_advance(
                       asked.user_id, at, is_writing, is_away, asked.id,
                       asked.state, asked.report);
            UPDATE bambi.erasure_requests AS e
               SET state = now_is.state, report = now_is.report,
                   not_before = now_is.not_before, attempts = 0,
                   last_error = NULL,
                   finished_at = CASE WHEN now_is.state = 'done'
                                      THEN at END
             WHERE e.id = asked.id AND e.user_id = asked.user_id;
        EXCEPTION WHEN OTHERS THEN
            UPDATE bambi.erasure_requests AS e
               SET attempts = e.attempts + 1, last_error = SQLSTATE,
                   not_before = at + interval '1 s'
                                * 2 ^ least(e.attempts, 8)
             WHERE e.id = asked.id AND e.user_id = asked.user_id;
        END;
    END IF;
    SELECT coalesce(e.not_before, '-infinity') INTO next
      FROM bambi.erasure_requests AS e
     WHERE e.state <> 'done'
     ORDER BY e.not_before NULLS FIRST, e.id LIMIT 1;
END
$$;
COMMENT ON FUNCTION bambi_internal.erasure_step(
    timestamptz, boolean, boolean) IS
    'One step of the erasure that is due first; next is when there is more to '
    'do: -infinity for at once, NULL for never.';

CREATE FUNCTION bambi_internal.spooled()
RETURNS uuid[]
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_spooled';
COMMENT ON FUNCTION bambi_internal.spooled() IS
    'The generations of which an answer lies in this database''s spool.';

-- Nobody else calls these.
DO $$
DECLARE
    routine pg_catalog.regprocedure;
BEGIN
    FOR routine IN
        SELECT p.oid FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = 'bambi_internal'::pg_catalog.regnamespace
           AND (p.proname ~ '^erasure_'
                OR p.proname IN (
                    'report_place', 'digest_of', 'spooled',
                    'erased_tables', 'erase_rows', 'erase_generations',
                    'erase_stripe', 'erase_account', 'erase_changes',
                    'detached_months', 'erase_detached'))
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC',
                                  routine);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO bambi_owner',
                                  routine);
    END LOOP;
END
$$;
