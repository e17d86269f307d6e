-- Adding up what was used, and what comes with the calendar.

CREATE FUNCTION @extschema@.bambi_rollup_usage(most integer DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- adds up everybody's
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- periods are those of UTC
SET timezone = 'UTC'
-- the fresh events are few and have an index, whatever the statistics say
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    moved bigint;
BEGIN
    PERFORM bambi_internal.require_tables();
    -- One statement: an event is marked if and only if it is in the sums.
    -- A user who is just being deleted is passed by, since the sums refer to
    -- the user; so are events that somebody else is adding up. Sums are taken
    -- in one order, or two that add up at a time could wait for each other.
    WITH fresh AS MATERIALIZED (
        SELECT e.user_id, e.id
          FROM bambi.usage_events AS e
          JOIN bambi.users AS u ON u.id = e.user_id
         WHERE NOT e.is_rolled_up
           AND EXISTS (SELECT FROM bambi.api_providers AS p
                        WHERE p.id = e.provider_id)
         ORDER BY e.user_id, e.id
         LIMIT greatest(coalesce(most, 100000), 0)
           FOR NO KEY UPDATE OF e SKIP LOCKED FOR KEY SHARE OF u SKIP LOCKED),
    moved AS (
        UPDATE bambi.usage_events AS e SET is_rolled_up = true
          FROM fresh AS f
         WHERE e.user_id = f.user_id AND e.id = f.id
        RETURNING e.*),
    by_hour AS (
        SELECT m.user_id, m.provider_id, c.id AS configuration_id,
               d.id AS model_id, m.request_type, m.currency,
               date_trunc('hour', m.created_at) AS hour,
               count(*) AS calls, sum(m.images) AS images,
               coalesce(sum(m.tokens_used), 0) AS tokens,
               coalesce(sum(m.cost), 0) AS cost,
               count(*) - count(m.cost) AS unknown_costs,
               bool_or(m.is_estimate) AS is_estimate
          FROM moved AS m
          LEFT JOIN bambi.api_configurations AS c
            ON c.id = m.configuration_id AND c.user_id = m.user_id
          LEFT JOIN bambi.models AS d ON d.id = m.model_id
         GROUP BY 1, 2, 3, 4, 5, 6, 7),
    sums AS (
        SELECT h.user_id, g.granularity,
               date_trunc(g.granularity, h.hour) AS start, h.provider_id,
               h.configuration_id, h.request_type, h.model_id, h.currency,
               sum(h.calls) AS calls, sum(h.images) AS images,
               sum(h.tokens) AS tokens, sum(h.cost) AS cost,
               sum(h.unknown_costs) AS unknown_costs,
               bool_or(h.is_estimate) AS is_estimate
          FROM by_hour AS h
         CROSS JOIN (VALUES ('hour'), ('day'), ('month')) AS g (granularity)
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
         ORDER BY 1, 2, 3, 4, 5, 6, 7, 8),
    added AS (
        INSERT INTO bambi.api_usage AS a
               (user_id, granularity, period_start, period_end, provider_id,
                configuration_id, request_type, model_id, currency,
                request_count, images, tokens_used, cost_estimate,
                unknown_costs, is_estimate)
        SELECT s.user_id, s.granularity, s.start,
               s.start + ('1 ' || s.granularity)::interval, s.provider_id,
               s.configuration_id, s.request_type, s.model_id, s.currency,
               s.calls, s.images, s.tokens, s.cost, s.unknown_costs,
               s.is_estimate
          FROM sums AS s
        ON CONFLICT ON CONSTRAINT one_sum_per_period DO UPDATE
           SET request_count = a.request_count + excluded.request_count,
               images = a.images + excluded.images,
               tokens_used = a.tokens_used + excluded.tokens_used,
               cost_estimate = a.cost_estimate + excluded.cost_estimate,
               unknown_costs = a.unknown_costs + excluded.unknown_costs,
               is_estimate = a.is_estimate OR excluded.is_estimate,
               updated_at = now())
    SELECT count(*) INTO moved FROM moved;
    RETURN moved;
EXCEPTION
    WHEN serialization_failure OR deadlock_detected THEN
        RAISE EXCEPTION 'try again later' USING ERRCODE = 'PT503';
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_rollup_usage(integer) FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_rollup_usage(integer) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_rollup_usage(integer)
    TO bambi_admin, bambi_service;
COMMENT ON FUNCTION @extschema@.bambi_rollup_usage(integer) IS
    'Adds fresh events of bambi.usage_events to bambi.api_usage, each once, '
    'and gives their number: most of them (100000) at the most. Whoever looks '
    'at bambi_usage sees the same before and after it. '
    'Errors: PT503 "try again later"; 55000 "bambi is not set up".';

CREATE FUNCTION bambi_internal.begin_period("user" uuid)
RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_begin_period';
REVOKE ALL ON FUNCTION bambi_internal.begin_period(uuid) FROM PUBLIC;
ALTER FUNCTION bambi_internal.begin_period(uuid) OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.begin_period(uuid) IS
    'Begins the period that a user is in now, if the last one is over.';

CREATE FUNCTION @extschema@.bambi_reset_quotas(most integer DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- everybody's counts
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reset bigint;
BEGIN
    PERFORM bambi_internal.require_tables();
    -- what somebody has locked is passed by: a generation is just being
    -- reserved there, which does the same, or given back
    WITH ended AS MATERIALIZED (
        SELECT u.id FROM bambi.users AS u
         WHERE u.usage_count > 0 AND u.reset_date <= now()
         LIMIT greatest(coalesce(most, 10000), 0)
           FOR NO KEY UPDATE SKIP LOCKED)
    SELECT count(*) FILTER (WHERE bambi_internal.begin_period(e.id))
      INTO reset
      FROM ended AS e;
    RETURN reset;
EXCEPTION
    WHEN serialization_failure OR deadlock_detected THEN
        RAISE EXCEPTION 'try again later' USING ERRCODE = 'PT503';
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_reset_quotas(integer) FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_reset_quotas(integer) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_reset_quotas(integer)
    TO bambi_admin, bambi_service;
COMMENT ON FUNCTION @extschema@.bambi_reset_quotas(integer) IS
    'Begins the next period of users whose last one is over and in which '
    'something was used, and gives their number: most of them (10000) at the '
    'most. Nobody''s quota depends on it: a reservation does the same for its '
    'user. '
    'Errors: PT503 "try again later"; 55000 "bambi is not set up".';

CREATE FUNCTION @extschema@.bambi_revalidate_keys()
RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- looks at everybody's keys
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_revalidate_keys';
REVOKE ALL ON FUNCTION @extschema@.bambi_revalidate_keys() FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_revalidate_keys() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_revalidate_keys()
    TO bambi_admin, bambi_service;
COMMENT ON FUNCTION @extschema@.bambi_revalidate_keys() IS
    'Has keys checked of which nothing was heard for '
    'bambi.key_validation_days, and gives their number: 8 at the most, the '
    'oldest first, so that no provider is asked about all keys at once. The '
    'worker does so by itself, too. '
    'Errors: PT503 "try again later"; 55000 "bambi is not set up".';

CREATE FUNCTION @extschema@.bambi_maintain()
RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- ends everybody's generations
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_maintain_now';
REVOKE ALL ON FUNCTION @extschema@.bambi_maintain() FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_maintain() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_maintain() TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_maintain() IS
    'Does now what the worker does once a day: makes the months ahead, and '
    'writes off what has been uncertain for a day, of which it gives the '
    'number. At its commit the worker looks after the rest: keys to be '
    'checked, what they hold, the master key, what is past its time. '
    'Errors: PT503 "try again later"; 55000 "bambi is not set up".';

CREATE FUNCTION @extschema@.bambi_refresh_reports()
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- reads everybody's usage; its owner's are the reports
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    report record;
BEGIN
    PERFORM bambi_internal.require_tables();
    FOR report IN
        SELECT c.oid::regclass AS name,
               -- what was never filled, as after a dump without data, has
               -- nobody to wait for; and what is changed while others read
               -- is put into a temporary table first
               c.relispopulated AND has_database_privilege(
                   c.relowner, d.oid, 'TEMPORARY') AS can_share
          FROM pg_class AS c, pg_database AS d
         WHERE c.relkind = 'm' AND c.relname LIKE 'report\_%'
           AND c.relnamespace = 'bambi'::regnamespace
           AND d.datname = current_database()
         ORDER BY c.relname
    LOOP
        EXECUTE format('REFRESH MATERIALIZED VIEW %s %s',
                       CASE WHEN report.can_share THEN 'CONCURRENTLY' END,
                       report.name);
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_refresh_reports() FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_refresh_reports() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_refresh_reports() TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_refresh_reports() IS
    'Brings bambi_report_spend, bambi_report_failures, bambi_report_latency '
    'and bambi_report_active_users up to date, while others read them. '
    'Error: 55000 "bambi is not set up".';
