-- What a person may ask of what is stored: a copy, consent, erasure.

CREATE FUNCTION bambi_internal.consent(
    purpose text, granted boolean, version text)
RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- writes where users may only read
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_consent';
REVOKE ALL ON FUNCTION bambi_internal.consent(text, boolean, text)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.consent(text, boolean, text)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.consent(text, boolean, text)
    TO bambi_user;
COMMENT ON FUNCTION bambi_internal.consent(text, boolean, text) IS
    'What bambi_consent calls.';

CREATE FUNCTION @extschema@.bambi_consent(
    purpose text, granted boolean, version text)
RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.consent($1, $2, $3);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_consent(text, boolean, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_consent(text, boolean, text)
    TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_consent(text, boolean, text) IS
    'Notes that you agree to something, or do not any more; bambi_consents '
    'has all that was ever said. Gives the id of the row.
purpose is a name of lower-case letters, digits and _ . : -, such as '
    'processing or newsletter; version is which text it was. Withdrawing '
    'processing cancels what waits, lets what was sent end, and lets no '
    'generation begin until it is granted again. '
    'Errors: PT401; 22023 for a bad purpose or version.';

CREATE FUNCTION bambi_internal.erase_me()
RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- as above
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_erase_me';
REVOKE ALL ON FUNCTION bambi_internal.erase_me() FROM PUBLIC;
ALTER FUNCTION bambi_internal.erase_me() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.erase_me() TO bambi_user;
COMMENT ON FUNCTION bambi_internal.erase_me() IS
    'What bambi_erase_me calls.';

CREATE FUNCTION @extschema@.bambi_erase_me()
RETURNS jsonb
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.erase_me();
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_erase_me() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_erase_me() TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_erase_me() IS
    'Erases you: account, keys, prompts, pictures and all else. It cannot be '
    'taken back.
At once your account is closed and what waits is cancelled; what was sent '
    'ends first, then the worker removes everything from the tables, the '
    'stores and archives. Gives {"id", "state"} of the request, also when it '
    'is asked again; bambi_erasure shows how far it is. What was paid stays '
    'under your id, which names nobody any more. '
    'Error: PT401.';

CREATE FUNCTION bambi_internal.erase_user(user_id uuid)
RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- operators do not write users
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_erase_user';
REVOKE ALL ON FUNCTION bambi_internal.erase_user(uuid) FROM PUBLIC;
ALTER FUNCTION bambi_internal.erase_user(uuid) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.erase_user(uuid) TO bambi_admin;
COMMENT ON FUNCTION bambi_internal.erase_user(uuid) IS
    'What bambi_erase_user calls.';

CREATE FUNCTION @extschema@.bambi_erase_user(user_id uuid)
RETURNS jsonb
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.erase_user($1);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_erase_user(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_erase_user(uuid) TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_erase_user(uuid) IS
    'Erases a user as bambi_erase_me() does, for operators. '
    'Errors: 22023 "user is not known"; 55000 "bambi is not set up".';

CREATE FUNCTION bambi_internal.export_my_data(
    since timestamptz, until timestamptz)
RETURNS jsonb
LANGUAGE c STABLE PARALLEL UNSAFE
-- reads what users see only in part
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_export_my_data';
REVOKE ALL ON FUNCTION
    bambi_internal.export_my_data(timestamptz, timestamptz) FROM PUBLIC;
ALTER FUNCTION bambi_internal.export_my_data(timestamptz, timestamptz)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION
    bambi_internal.export_my_data(timestamptz, timestamptz) TO bambi_user;
COMMENT ON FUNCTION
    bambi_internal.export_my_data(timestamptz, timestamptz) IS
    'What bambi_export_my_data calls.';

CREATE FUNCTION @extschema@.bambi_export_my_data(
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS jsonb
LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.export_my_data($1, $2);
END;
REVOKE ALL ON FUNCTION
    @extschema@.bambi_export_my_data(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    @extschema@.bambi_export_my_data(timestamptz, timestamptz)
    TO bambi_user;
COMMENT ON FUNCTION
    @extschema@.bambi_export_my_data(timestamptz, timestamptz) IS
    'All that is stored of you, as JSON: under "data" the rows of each table, '
    'without secrets.
Pictures come as links, which end at "links_end_at". since and until, NULL '
    'for all, choose generations, pictures, usage and changes by when they '
    'were made (until is not included); the rest comes whole each time. "left_out" '
    'names the tables that a standby does not have. Users who are not active '
    'may ask, too. '
    'Errors: PT401; 54000 "export is too large", with what to do.';

-- ---- what these do

-- Whoever calls it has locked the user's row first, as all do who go on to
-- rows of the queue.
CREATE FUNCTION bambi_internal.cancel_all("user" uuid, at timestamptz)
RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- what the worker puts back after this is cancelled by what it finds here
    PERFORM FROM bambi_internal.queue AS q
      WHERE q.user_id = "user" ORDER BY q.id FOR UPDATE;
    WITH q AS (
        UPDATE bambi_internal.queue AS q SET cancel_requested = true
         WHERE q.user_id = "user" AND q.claimed_by IS NOT NULL
           AND NOT q.cancel_requested
        RETURNING q.id)
    UPDATE bambi.image_generations AS g
       SET cancel_requested_at = at, updated_at = at
      FROM q WHERE g.id = q.id AND g.user_id = "user";

    RETURN QUERY
    WITH q AS (
        DELETE FROM bambi_internal.queue AS q
         WHERE q.user_id = "user" AND q.claimed_by IS NULL
        RETURNING q.id),
    w AS (
        SELECT g.id, g.quota_period
          FROM bambi.image_generations AS g
         WHERE g.user_id = "user"
           AND (g.id IN (SELECT q.id FROM q)
                OR g.held_reason IS NOT NULL AND g.status = 'held')
           FOR NO KEY UPDATE),
    u AS (
        UPDATE bambi.users AS u
           SET usage_count = greatest(0, u.usage_count - n.count)
          FROM (SELECT w.quota_period, count(*)::int FROM w
                 GROUP BY w.quota_period) AS n
         WHERE u.id = "user" AND u.reset_date = n.quota_period),
    i AS (
        UPDATE bambi.generation_inputs AS i
           SET data = NULL, store = NULL, storage_path = NULL
          FROM w WHERE i.generation_id = w.id AND i.user_id = "user")
    UPDATE bambi.image_generations AS g
       SET status = 'cancelled', cancel_requested_at = at, finished_at = at,
           updated_at = at, quota_period = NULL, held_reason = NULL
      FROM w WHERE g.id = w.id AND g.user_id = "user"
    RETURNING g.id;
END
$$;
COMMENT ON FUNCTION bambi_internal.cancel_all(uuid, timestamptz) IS
    'Cancels all of a user that was not sent; what was, ends. Gives what it '
    'cancelled.';

CREATE FUNCTION bambi_internal.note_consent(
    "user" uuid, purpose text, granted boolean, version text, at timestamptz)
RETURNS uuid
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id uuid;
BEGIN
    -- also makes the last row of two sessions that of the last one to come
    UPDATE bambi.users AS u
       SET processing_withdrawn_at = CASE
               WHEN purpose <> 'processing' THEN u.processing_withdrawn_at
               WHEN NOT granted THEN coalesce(u.processing_withdrawn_at, at)
               END
     WHERE u.id = "user" AND u.is_active;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO bambi.consents AS c (user_id, purpose, granted, version,
           created_at)
    VALUES ("user", purpose, granted, version, at) RETURNING c.id INTO id;
    RETURN id;
END
$$;
COMMENT ON FUNCTION bambi_internal.note_consent(
    uuid, text, boolean, text, timestamptz) IS
    'A row of consents, and what it means for generations; NULL if there is '
    'no such active user.';

CREATE FUNCTION bambi_internal.begin_erasure(
    "user" uuid, asked_by text, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE bambi.users AS u
       SET is_active = false, email = NULL, password_hash = NULL,
           auth_provider = 'none', auth_provider_id = NULL,
           last_login_at = NULL, usage_count = 0, reset_date = NULL,
           period_start = NULL, recent_starts = NULL,
           processing_withdrawn_at = NULL, erased_at = at, updated_at = at
     WHERE u.id = "user" AND u.erased_at IS NULL;
    IF FOUND THEN
        INSERT INTO bambi.erasure_requests
               (user_id, requested_by, requested_at)
        VALUES ("user", asked_by, at);
    END IF;
    RETURN (SELECT jsonb_build_object('id', e.id, 'state', e.state)
              FROM bambi.erasure_requests AS e WHERE e.user_id = "user");
END
$$;
COMMENT ON FUNCTION bambi_internal.begin_erasure(uuid, text, timestamptz) IS
    'Makes a user an empty row that stays, and leaves the rest to the worker. '
    'Gives the request; NULL if there is no such user.';

CREATE FUNCTION bambi_internal.refuse_erased()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- whoever inserts need not be allowed to read users
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone timestamptz;
BEGIN
    -- the lock is for REPEATABLE READ, which would not see it
    SELECT u.erased_at INTO gone
      FROM bambi.users AS u WHERE u.id = NEW.user_id FOR KEY SHARE;
    IF gone IS NOT NULL THEN
        RAISE EXCEPTION 'user has been erased'
            USING ERRCODE = 'PT409',
                  HINT = 'Nothing can be stored for this id any more.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION bambi_internal.refuse_erased() IS
    'Trigger: nothing of a person comes back after the erasure.';

CREATE FUNCTION bambi_internal.stay_erased()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.erased_at IS DISTINCT FROM OLD.erased_at THEN
        RAISE EXCEPTION 'user has been erased'
            USING ERRCODE = 'PT409',
                  HINT = 'Nothing can be stored for this id any more.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION bambi_internal.stay_erased() IS
    'Trigger of users: who is erased stays so.';

-- Nobody else calls these.
DO $$
DECLARE
    routine pg_catalog.regprocedure;
BEGIN
    FOR routine IN
        SELECT p.oid FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = 'bambi_internal'::pg_catalog.regnamespace
           AND p.proname IN (
               'cancel_all', 'note_consent', 'begin_erasure',
               'refuse_erased', 'stay_erased')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC',
                                  routine);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO bambi_owner',
                                  routine);
    END LOOP;
END
$$;
