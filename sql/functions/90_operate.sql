-- What operators call: setting up, pausing, looking.

CREATE FUNCTION @extschema@.bambi_setup()
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- makes what bambi_owner shall own, and schemas are the superuser's
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- what is there already is no news
SET client_min_messages = warning
-- nor may the caller's choice decide where the tables lie
SET default_tablespace = ''
-- nor what the text of its scripts means
SET standard_conforming_strings = on SET quote_all_identifiers = off
SET datestyle = 'ISO, MDY'
AS 'MODULE_PATHNAME', 'bambi_setup';
REVOKE ALL ON FUNCTION @extschema@.bambi_setup() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_setup() TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_setup() IS
    'Makes the tables of bambi, or brings existing ones to this version; may '
    'be called again at any time, and brings back what DROP EXTENSION ... '
    'CASCADE took of them. Says what it did. Refuses, with 55000, versions of '
    'library, extension and files that do not fit together.';

CREATE FUNCTION bambi_internal.worker_status(
    OUT worker text, OUT worker_pid int, OUT worker_started_at timestamptz,
    OUT courier_pid int, OUT courier_started_at timestamptz,
    OUT courier_starts int, OUT in_flight int, OUT calls bigint,
    OUT failures bigint, OUT retries bigint, OUT latency_ms float8,
    OUT last_error text, OUT last_error_at timestamptz)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_worker_status';
REVOKE ALL ON FUNCTION bambi_internal.worker_status() FROM PUBLIC;
ALTER FUNCTION bambi_internal.worker_status() OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.worker_status() IS
    'What shared memory knows of this database''s worker.';

CREATE FUNCTION bambi_internal.wake_worker()
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_wake_worker';
REVOKE ALL ON FUNCTION bambi_internal.wake_worker() FROM PUBLIC;
ALTER FUNCTION bambi_internal.wake_worker() OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.wake_worker() IS
    'At commit, has the worker read bambi_internal.instance anew.';

CREATE FUNCTION bambi_internal.void_catalogue_caches()
RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'bambi_void_catalogue_caches';
REVOKE ALL ON FUNCTION bambi_internal.void_catalogue_caches() FROM PUBLIC;
ALTER FUNCTION bambi_internal.void_catalogue_caches() OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.void_catalogue_caches() IS
    'Trigger of providers, models, prices and plans: has every session forget '
    'what it has read of them, once the change is committed.';

CREATE FUNCTION bambi_internal.tell_worker()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- who may change a limit need not be allowed to wake the worker otherwise
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM bambi_internal.wake_worker();
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.tell_worker() FROM PUBLIC;
ALTER FUNCTION bambi_internal.tell_worker() OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.tell_worker() IS
    'Trigger: limits of calls in flight have changed.';

CREATE FUNCTION bambi_internal.require_tables()
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_require_tables';
REVOKE ALL ON FUNCTION bambi_internal.require_tables() FROM PUBLIC;
ALTER FUNCTION bambi_internal.require_tables() OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.require_tables() IS
    'Raises 55000 "bambi is not set up" where the tables are missing.';

CREATE FUNCTION @extschema@.bambi_status(
    OUT worker text, OUT worker_pid int, OUT worker_started_at timestamptz,
    OUT courier_pid int, OUT courier_started_at timestamptz,
    OUT courier_starts int, OUT in_flight int, OUT calls bigint,
    OUT failures bigint, OUT retries bigint, OUT latency_ms float8,
    OUT last_error text, OUT last_error_at timestamptz,
    OUT version text, OUT is_paused boolean, OUT paused_reason text,
    OUT generations jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- counts everybody's generations
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT s.* INTO worker, worker_pid, worker_started_at, courier_pid,
           courier_started_at, courier_starts, in_flight, calls, failures,
           retries, latency_ms, last_error, last_error_at
      FROM bambi_internal.worker_status() AS s;
    IF to_regclass('bambi_internal.instance') IS NULL THEN
        RETURN;
    END IF;
    SELECT i.version, i.is_paused, i.paused_reason
      INTO version, is_paused, paused_reason
      FROM bambi_internal.instance AS i;
    SELECT jsonb_object_agg(c.state, c.count) INTO generations
      FROM (SELECT CASE WHEN q.claimed_by IS NOT NULL THEN 'running'
                        ELSE g.status END AS state,
                   count(*)
              FROM bambi.image_generations AS g
              LEFT JOIN bambi_internal.queue AS q
                ON q.id = g.id AND q.user_id = g.user_id
             GROUP BY 1) AS c;
    generations := coalesce(generations, '{}');
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_status() FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_status() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_status()
    TO bambi_admin, bambi_service;
COMMENT ON FUNCTION @extschema@.bambi_status() IS
    'State of worker and courier, calls and failures since the server''s '
    'start, mean latency of a call in ms, last error, and the number of '
    'generations in each state. Counts the whole history: for people, not '
    'for a probe that asks each second.';

CREATE FUNCTION @extschema@.bambi_pause(reason text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- the instance is the machinery's
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM bambi_internal.require_tables();
    UPDATE bambi_internal.instance AS i
       SET is_paused = true, paused_reason = reason, updated_at = now();
    PERFORM bambi_internal.wake_worker();
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_pause(text) FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_pause(text) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_pause(text) TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_pause(text) IS
    'From its commit on no generation is sent to a provider; those that were '
    'sent end as usual, and new ones are queued. reason is for bambi_status(). '
    'Error: 55000 "bambi is not set up".';

CREATE FUNCTION @extschema@.bambi_resume()
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- the instance is the machinery's
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM bambi_internal.require_tables();
    UPDATE bambi_internal.instance AS i
       SET is_paused = false, paused_reason = NULL, updated_at = now();
    PERFORM bambi_internal.wake_worker();
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_resume() FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_resume() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_resume() TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_resume() IS
    'Ends what bambi_pause() began. Error: 55000 "bambi is not set up".';

CREATE FUNCTION bambi_internal.timeline()
RETURNS integer
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'bambi_timeline';
REVOKE ALL ON FUNCTION bambi_internal.timeline() FROM PUBLIC;
ALTER FUNCTION bambi_internal.timeline() OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.timeline() IS
    'The server''s timeline, which a promotion changes; NULL on a standby.';

CREATE FUNCTION bambi_internal.adopt(system_identifier bigint, database_oid oid)
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held bigint;
BEGIN
    WITH pending AS (
        DELETE FROM bambi_internal.queue RETURNING id, user_id
    )
    UPDATE bambi.image_generations AS g
       SET status = 'held', updated_at = now(),
           held_reason = 'the database was copied while it was pending'
      FROM pending AS p
     WHERE g.id = p.id AND g.user_id = p.user_id;
    GET DIAGNOSTICS held = ROW_COUNT;
    UPDATE bambi_internal.instance AS i
       SET system_identifier = adopt.system_identifier,
           database_oid = adopt.database_oid, updated_at = now();
    RETURN held;
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.adopt(bigint, oid) FROM PUBLIC;
ALTER FUNCTION bambi_internal.adopt(bigint, oid) OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.adopt(bigint, oid) IS
    'Holds what was pending, and makes the instance the database named.';

CREATE FUNCTION @extschema@.bambi_adopt()
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- pg_control_system() is not everybody's
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here bigint := (SELECT c.system_identifier FROM pg_control_system() AS c);
    oid_here oid := (SELECT d.oid FROM pg_database AS d
                      WHERE d.datname = current_database());
    held bigint := 0;
BEGIN
    PERFORM bambi_internal.require_tables();
    IF EXISTS (SELECT FROM bambi_internal.instance AS i
                WHERE i.system_identifier <> here
                   OR i.database_oid <> oid_here) THEN
        held := bambi_internal.adopt(here, oid_here);
        PERFORM bambi_internal.wake_worker();
    END IF;
    RETURN held;
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_adopt() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_adopt() TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_adopt() IS
    'Makes a restored or copied database work: what was pending is held, '
    'since the original may have sent it, and its users decide with '
    'bambi_retry(). Gives the number held; 0 and no change where the database '
    'is the original. Error: 55000 "bambi is not set up".';

CREATE FUNCTION bambi_internal.ask_rotation()
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_ask_rotation';
REVOKE ALL ON FUNCTION bambi_internal.ask_rotation() FROM PUBLIC;
ALTER FUNCTION bambi_internal.ask_rotation() OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.ask_rotation() IS
    'Has the courier make a new version of the master key, and gives its '
    'name.';

CREATE FUNCTION @extschema@.bambi_rotate_keys()
RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- asks the courier, and writes down that it did
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    new_kid text;
BEGIN
    PERFORM bambi_internal.require_tables();
    new_kid := bambi_internal.ask_rotation();
    INSERT INTO bambi_internal.rotation AS r (asked_at, is_scheduled, kid)
    VALUES (clock_timestamp(), false, new_kid)
    ON CONFLICT (only_row) DO UPDATE
       SET asked_at = excluded.asked_at, is_scheduled = false,
           kid = excluded.kid, error = NULL, hint = NULL;
    RETURN new_kid;
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_rotate_keys() FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_rotate_keys() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_rotate_keys() TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_rotate_keys() IS
    'Has the key service make a new version of the master key, and gives its '
    'name. From then on keys are sealed to it, and the stored ones are sealed '
    'anew while generations run: see bambi_key_rotation.
The version stays also if the transaction is rolled back. '
    'Errors: 0A000 "this key service makes no new versions of a key", with '
    'what to do instead; 55000 "the master key could not be rotated"; 55000 '
    '"bambi is not set up"; PT503 without a courier.';

CREATE FUNCTION @extschema@.bambi_retire_key(kid text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- counts everybody's keys
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key    record;
    behind bigint;
BEGIN
    PERFORM bambi_internal.require_tables();
    -- waits for whoever is storing a key that is sealed to it
    SELECT e.is_current INTO key
      FROM bambi.encryption_keys AS e
     WHERE e.kid = bambi_retire_key.kid FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'master key is not known'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'See bambi_key_rotation for those that are.';
    END IF;
    IF key.is_current THEN
        RAISE EXCEPTION 'the current master key cannot be retired'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'See bambi_rotate_keys().';
    END IF;
    SELECT count(*) INTO behind
      FROM bambi.api_configurations AS c
     WHERE c.key_id = bambi_retire_key.kid AND c.encrypted_api_key <> '';
    IF behind > 0 THEN
        RAISE EXCEPTION 'keys are still sealed to this master key'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('There are %s of them.', behind),
                  HINT = 'Wait until bambi_key_rotation.keys_behind is 0; '
                         'what does not open has to be replaced or removed.';
    END IF;
    UPDATE bambi.encryption_keys AS e
       SET retired_at = coalesce(e.retired_at, now())
     WHERE e.kid = bambi_retire_key.kid;
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_retire_key(text) FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_retire_key(text) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_retire_key(text) TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_retire_key(text) IS
    'Notes that nothing needs a master key any more: what is sealed to it is '
    'refused from then on, and the key service may forget it.
Errors: 55000 "keys are still sealed to this master key", "the current master '
    'key cannot be retired", "bambi is not set up"; 22023 "master key is not '
    'known".';

CREATE FUNCTION bambi_internal.key_rotation()
RETURNS TABLE (
    kid text, service text, state text, created_at timestamptz,
    retired_at timestamptz, keys bigint, keys_behind bigint,
    keys_unreadable bigint, unreadable_reason text, asked_at timestamptz,
    asked_by text, error text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
-- counts everybody's keys
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT e.kid, e.service,
           CASE WHEN e.is_current THEN 'current'
                WHEN e.retired_at IS NULL THEN 'retiring'
                ELSE 'retired' END,
           e.created_at, e.retired_at, c.keys,
           CASE WHEN e.is_current THEN 0 ELSE c.keys END,
           n.keys, n.reason, r.asked_at,
           CASE WHEN r.is_scheduled THEN 'bambi.key_rotation_days'
                WHEN NOT r.is_scheduled THEN 'bambi_rotate_keys' END,
           r.error, r.hint
      FROM bambi.encryption_keys AS e
     CROSS JOIN LATERAL (
           SELECT count(*) AS keys
             FROM bambi.api_configurations AS c
            WHERE c.key_id = e.kid AND c.encrypted_api_key <> '') AS c
     CROSS JOIN LATERAL (
           SELECT count(*) AS keys,
                  (array_agg(u.reason ORDER BY u.tried_at DESC))[1] AS reason
             FROM bambi_internal.unreadable_keys AS u
             JOIN bambi.api_configurations AS c
               ON c.id = u.configuration_id AND c.user_id = u.user_id
              AND c.key_number = u.key_number
            WHERE c.key_id = e.kid) AS n
      LEFT JOIN bambi_internal.rotation AS r ON e.is_current
     ORDER BY e.created_at DESC, e.kid;
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.key_rotation() FROM PUBLIC;
ALTER FUNCTION bambi_internal.key_rotation() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.key_rotation() TO bambi_admin;
COMMENT ON FUNCTION bambi_internal.key_rotation() IS
    'What the view bambi_key_rotation shows.';
