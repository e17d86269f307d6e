-- The worker's two doors into the archive, and what operators call.

CREATE FUNCTION bambi_internal.archive_look()
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    due bigint;
BEGIN
    INSERT INTO bambi.archives (table_name, month)
    SELECT m.table_name, m.month
      FROM (SELECT p.relname::text AS table_name,
                   to_date(right(c.relname, 7), 'YYYY_MM') AS month
              FROM bambi_internal.monthly_tables() AS t
              JOIN pg_class AS p ON p.oid = t.parent
              JOIN pg_inherits AS i ON i.inhparent = t.parent
              JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE c.relname
                   ~ ('^' || p.relname || '_[0-9]{4}_[0-9]{2}$')) AS m
     CROSS JOIN LATERAL bambi_internal.retention_of(
               bambi_internal.archive_kind(m.table_name)) AS r
     WHERE (m.month + interval '1 month' + r.keep) AT TIME ZONE 'UTC'
           <= now()
     ORDER BY m.month, m.table_name
    ON CONFLICT (table_name, month) DO NOTHING;
    GET DIAGNOSTICS due = ROW_COUNT;
    RETURN due;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_look() IS
    'Notes months that are past their time, and gives their number. One that '
    'was restored is not noted again.';

CREATE FUNCTION bambi_internal.archive_wait_next(archive uuid)
RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a      record;
    p      record;
    reason text;
BEGIN
    SELECT * INTO a FROM bambi.archives AS r WHERE r.id = archive;
    SELECT * INTO p FROM bambi_internal.retention_of(
                             bambi_internal.archive_kind(a.table_name));
    IF to_regclass(bambi_internal.archive_leaf(a.table_name, a.month)) IS NULL
       OR NOT a.is_asked AND ((a.month + interval '1 month' + p.keep)
                              AT TIME ZONE 'UTC' <= now()) IS NOT TRUE THEN
        DELETE FROM bambi.archives AS r WHERE r.id = archive;
        RETURN 0;
    END IF;
    reason := CASE WHEN p.ends_as = 'archive'
                    AND NOT bambi_internal.archive_is_set()
                   THEN 'there is no archive: set bambi.archive_store'
              ELSE bambi_internal.archive_unfinished(a.table_name, a.month)
              END;
    IF reason IS NOT NULL THEN
        RETURN bambi_internal.archive_wait(archive, reason);
    END IF;
    RETURN CASE WHEN bambi_internal.archive_begin(archive) THEN 0
                ELSE 1000 END;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_wait_next(uuid) IS
    'Begins with a month, or says what it waits for; one that is not due any '
    'more is forgotten.';

CREATE FUNCTION bambi_internal.archive_next(
    archive uuid, state text, busy text[], OUT task jsonb, OUT errand jsonb,
    OUT payload bytea, OUT again_ms integer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CASE state
    WHEN 'waiting' THEN
        again_ms := bambi_internal.archive_wait_next(archive);
    WHEN 'writing' THEN
        SELECT * INTO task, errand, payload, again_ms
          FROM bambi_internal.archive_write_next(archive, busy);
    WHEN 'verified' THEN
        UPDATE bambi.archives AS r
           SET state = CASE WHEN EXISTS (
                   SELECT FROM bambi_internal.archive_touches AS t
                    WHERE t.archive_id = archive)
               OR bambi_internal.archive_unfinished(r.table_name, r.month)
                  IS NOT NULL
               THEN 'writing' ELSE 'removing' END
         WHERE r.id = archive;
        -- nothing needs the edition before any more
        DELETE FROM bambi_internal.archive_objects AS o
         WHERE o.kind = 'reference' AND o.object_id IN (
               SELECT c.id FROM bambi_internal.archive_objects AS c
                WHERE c.archive_id = archive AND c.state = 'old')
           AND (SELECT r.state = 'removing' FROM bambi.archives AS r
                 WHERE r.id = archive);
        UPDATE bambi_internal.archive_objects AS o SET state = 'superseded'
         WHERE o.archive_id = archive AND o.state = 'old'
           AND (SELECT r.state = 'removing' FROM bambi.archives AS r
                 WHERE r.id = archive);
        again_ms := 0;
    WHEN 'removing' THEN
        again_ms := bambi_internal.archive_remove_next(archive);
    WHEN 'restoring' THEN
        IF bambi_internal.archive_is_being_rewritten(archive) THEN
            SELECT * INTO task, errand, payload, again_ms
              FROM bambi_internal.archive_rewrite_next(archive, busy);
        ELSE
            SELECT * INTO task, errand, again_ms
              FROM bambi_internal.archive_restore_next(archive, busy);
        END IF;
    WHEN 'cancelling' THEN
        again_ms := bambi_internal.archive_cancel_next(archive, busy);
    ELSE
        SELECT * INTO task, errand, payload, again_ms
          FROM bambi_internal.archive_rewrite_next(archive, busy);
    END CASE;
EXCEPTION
    WHEN OTHERS THEN
        PERFORM bambi_internal.archive_failed(archive, SQLERRM);
        task := NULL;
        errand := NULL;
        payload := NULL;
        again_ms := 0;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_next(uuid, text, text[]) IS
    'The next step of a month in a state; what goes wrong is noted.';

CREATE FUNCTION bambi_internal.archive_failed(archive uuid, reason text)
RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE bambi.archives AS r
       SET last_error = left(reason, 500), attempts = r.attempts + 1,
           not_before = clock_timestamp()
                        + interval '1 s' * 2 ^ least(r.attempts, 10),
           updated_at = now()
     WHERE r.id = archive
$$;
COMMENT ON FUNCTION bambi_internal.archive_failed(uuid, text) IS
    'Puts a month off, for longer each time.';

CREATE FUNCTION bambi_internal.archive_step(
    busy text[], OUT task jsonb, OUT errand jsonb, OUT payload bytea,
    OUT again_ms integer)
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a    record;
    soon integer;
BEGIN
    FOR a IN
        SELECT r.id, r.state,
               ceil(extract(epoch FROM r.not_before - clock_timestamp())
                    * 1000)::integer AS put_off_ms
          FROM bambi.archives AS r
         WHERE r.state IN ('waiting', 'writing', 'verified', 'removing',
                           'restoring', 'cancelling')
            OR r.is_stale
            OR EXISTS (SELECT FROM bambi_internal.archive_objects AS o
                        WHERE o.archive_id = r.id AND o.state = 'superseded')
            OR r.id IN (SELECT o.archive_id
                          FROM bambi_internal.archive_erasures AS e
                          JOIN bambi_internal.archive_objects AS o
                            ON o.id = e.object_id
                         WHERE NOT e.is_done)
         ORDER BY r.state = 'waiting', r.month, r.table_name
    LOOP
        IF a.put_off_ms > 0 THEN
            soon := least(soon, a.put_off_ms);
            CONTINUE;
        END IF;
        PERFORM FROM bambi.archives AS r
          WHERE r.id = a.id AND r.state = a.state
            FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            soon := least(soon, 1000);
            CONTINUE;
        END IF;
        SELECT * INTO task, errand, payload, again_ms
          FROM bambi_internal.archive_next(a.id, a.state, busy);
        IF errand IS NOT NULL OR again_ms = 0 THEN
            RETURN;
        END IF;
        soon := least(soon, again_ms);
    END LOOP;
    again_ms := soon;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_step(text[]) IS
    'The next step of the archive: an errand for the courier with its task '
    'and payload, or how many ms until there may be one; NULL: not before an '
    'answer, or somebody asks for something.';

-- What the courier wrote is what it was given; an answer about a version that
-- is not the chunk's any more counts for nothing.
CREATE FUNCTION bambi_internal.archive_take_put(task jsonb, answer jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o        record;
    expected text := task ->> 'sha256';
BEGIN
    SELECT c.* INTO o FROM bambi_internal.archive_objects AS c
     WHERE c.id = (task ->> 'object')::uuid;
    IF o.kind = 'picture' THEN
        expected := coalesce(expected,
                             (SELECT i.sha256 FROM bambi.images AS i
                               WHERE i.id = o.item_id
                                 AND i.user_id = o.first_user));
    END IF;
    IF expected <> answer ->> 'content_sha256' THEN
        RAISE EXCEPTION 'object "%" is not what it should be',
            task ->> 'name' USING ERRCODE = 'data_corrupted';
    END IF;
    UPDATE bambi_internal.archive_objects AS c
       SET state = 'written', bytes = (answer ->> 'bytes')::bigint,
           sha256 = answer ->> 'sha256',
           content_sha256 = answer ->> 'content_sha256',
           row_count = (task ->> 'rows')::bigint
     WHERE c.id = o.id
       AND (c.kind = 'lines' AND c.state = 'filling'
            AND c.version = (task ->> 'version')::integer
            OR c.kind = 'picture' AND c.state = 'planned');
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_take_put(jsonb, jsonb) IS
    'Notes that a chunk or picture is written. Error: XX001 where it is not '
    'what was to be written.';

CREATE FUNCTION bambi_internal.archive_take_manifest(
    archive uuid, content bytea)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF content IS DISTINCT FROM bambi_internal.archive_manifest(archive) THEN
        UPDATE bambi.archives AS r SET manifest_sha256 = NULL
         WHERE r.id = archive;
        RETURN;
    END IF;
    UPDATE bambi.archives AS r
       SET state = CASE r.state WHEN 'writing' THEN 'verified'
                                ELSE r.state END,
           is_stale = false, verified_at = now(), updated_at = now(),
           last_error = NULL,
           row_count = o.rows,
           bytes = CASE r.state WHEN 'writing' THEN o.bytes ELSE r.bytes END,
           picture_count = CASE r.state WHEN 'writing' THEN o.pictures
                                        ELSE r.picture_count END
      FROM (SELECT coalesce(sum(c.row_count) FILTER (WHERE c.kind = 'lines'),
                            0) AS rows,
                   coalesce(sum(c.bytes), 0) AS bytes,
                   count(*) FILTER (WHERE c.kind = 'picture') AS pictures
              FROM bambi_internal.archive_objects AS c
             WHERE c.archive_id = archive AND c.state = 'written') AS o
     WHERE r.id = archive AND (r.state = 'writing' OR r.is_stale);
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_take_manifest(uuid, bytea) IS
    'Compares the manifest that was read back with what is to be in it.';

CREATE FUNCTION bambi_internal.archive_take_object(
    task jsonb, content bytea)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    archive CONSTANT uuid := (task ->> 'archive')::uuid;
    object  CONSTANT uuid := (task ->> 'object')::uuid;
    now_in  CONSTANT text := (
        SELECT o.state FROM bambi_internal.archive_objects AS o
          JOIN bambi.archives AS a ON a.id = o.archive_id
         WHERE o.id = object AND a.state = 'restoring');
    reason  text;
BEGIN
    IF task ->> 'do' = 'check' AND now_in = 'unchecked' THEN
        reason := bambi_internal.archive_check(object, content);
        IF reason IS NOT NULL THEN
            PERFORM bambi_internal.archive_give_up(archive, reason);
        END IF;
    ELSIF task ->> 'do' = 'load' AND now_in = 'checked' THEN
        PERFORM bambi_internal.archive_load(object, content);
    ELSIF task ->> 'do' = 'load_picture' AND now_in = 'checked' THEN
        PERFORM bambi_internal.archive_load_picture(object, content);
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_take_object(jsonb, bytea) IS
    'What an object that is brought back is for.';

CREATE FUNCTION bambi_internal.archive_refused(task jsonb, answer jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    archive CONSTANT uuid := (task ->> 'archive')::uuid;
    reason  CONSTANT text := (task ->> 'name') || ': '
                             || coalesce(answer ->> 'error', 'unknown');
    is_bad  CONSTANT boolean :=
        coalesce((answer ->> 'is_damaged')::boolean, false)
        OR coalesce((answer ->> 'is_absent')::boolean, false);
BEGIN
    IF is_bad AND task ->> 'do' IN ('manifest_read', 'check', 'rewrite')
       AND (SELECT r.state = 'restoring' FROM bambi.archives AS r
             WHERE r.id = archive) THEN
        PERFORM bambi_internal.archive_give_up(archive, reason);
    ELSIF is_bad AND task ->> 'do' = 'picture' THEN
        UPDATE bambi_internal.archive_objects AS o SET state = 'absent'
         WHERE o.id = (task ->> 'object')::uuid AND o.state = 'planned';
    ELSIF NOT (is_bad
               AND bambi_internal.archive_reject(task, NULL, reason)) THEN
        UPDATE bambi.archives AS r SET manifest_sha256 = NULL
         WHERE r.id = archive AND is_bad
           AND task ->> 'do' = 'manifest_check';
        PERFORM bambi_internal.archive_failed(archive, reason);
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_refused(jsonb, jsonb) IS
    'What becomes of what the courier could not do.';

CREATE FUNCTION bambi_internal.archive_answer(
    done_task jsonb, is_done boolean, answer jsonb, content bytea,
    OUT task jsonb, OUT errand jsonb, OUT payload bytea)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    archive CONSTANT uuid := (done_task ->> 'archive')::uuid;
    object  CONSTANT uuid := (done_task ->> 'object')::uuid;
    now_in  text;
BEGIN
    SELECT r.state INTO now_in FROM bambi.archives AS r WHERE r.id = archive
       FOR NO KEY UPDATE SKIP LOCKED;
    -- one that is locked is asked again; what is cancelled asks nothing
    IF now_in IS NULL OR now_in = 'cancelling' THEN
        RETURN;
    ELSIF NOT is_done THEN
        PERFORM bambi_internal.archive_refused(done_task, answer);
        RETURN;
    END IF;
    UPDATE bambi.archives AS r
       SET attempts = 0, not_before = NULL, last_error = NULL
     WHERE r.id = archive AND r.attempts > 0;
    CASE done_task ->> 'do'
    WHEN 'lines', 'picture' THEN
        PERFORM bambi_internal.archive_take_put(done_task, answer);
    WHEN 'erase' THEN
        -- what the chunk named, and nothing newer has taken over
        UPDATE bambi_internal.archive_objects AS o SET state = 'superseded'
         WHERE o.object_id = object AND o.kind = 'picture'
           AND o.state <> 'superseded';
        DELETE FROM bambi_internal.archive_objects AS o
         WHERE o.object_id = object AND o.kind = 'reference';
        DELETE FROM bambi_internal.archive_objects AS o
         WHERE o.id IN (SELECT s.id FROM bambi_internal.archive_objects AS s
                         WHERE s.id = object AND s.state = 'superseded'
                           FOR UPDATE SKIP LOCKED);
    WHEN 'manifest' THEN
        UPDATE bambi.archives AS r
           SET manifest_sha256 = answer ->> 'content_sha256'
         WHERE r.id = archive AND (r.state = 'writing' OR r.is_stale);
    WHEN 'manifest_check' THEN
        PERFORM bambi_internal.archive_take_manifest(archive, content);
    WHEN 'manifest_read' THEN
        IF EXISTS (SELECT FROM bambi.archives AS r
                    WHERE r.id = archive AND r.state = 'restoring'
                      AND NOT r.is_planned) THEN
            PERFORM bambi_internal.archive_read_manifest(archive, content);
        END IF;
    WHEN 'rewrite' THEN
        SELECT * INTO task, errand, payload
          FROM bambi_internal.archive_rewrite(object, content);
    WHEN 'rewritten' THEN
        IF done_task ->> 'sha256' = answer ->> 'content_sha256' THEN
            PERFORM bambi_internal.archive_replace(done_task, answer);
        END IF;
    ELSE
        PERFORM bambi_internal.archive_take_object(done_task, content);
    END CASE;
EXCEPTION
    WHEN OTHERS THEN
        IF NOT bambi_internal.archive_reject(done_task, SQLSTATE,
                                                 SQLERRM) THEN
            PERFORM bambi_internal.archive_failed(archive, SQLERRM);
        END IF;
        task := NULL;
        errand := NULL;
        payload := NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_answer(
    jsonb, boolean, jsonb, bytea) IS
    'Takes the courier''s answer about a task, and what it read; gives an '
    'errand that follows at once, or NULL.';

-- ---- for operators

CREATE FUNCTION @extschema@.bambi_archive_month(table_name text, month date)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- the archive is the machinery's
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first_day CONSTANT date := date_trunc('month', month::timestamp);
    now_in    text;
BEGIN
    PERFORM bambi_internal.require_tables();
    IF bambi_internal.archive_kind(table_name) IS NULL OR month IS NULL THEN
        RAISE EXCEPTION 'table is not archived'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Archived is what bambi_internal.monthly_tables() '
                         'has.';
    END IF;
    IF NOT bambi_internal.has_month(('bambi.' || table_name)::regclass,
                                    first_day::timestamp) THEN
        RAISE EXCEPTION 'month does not exist'
            USING ERRCODE = 'PT404',
                  DETAIL = 'The table has no such month, or no more.',
                  HINT = 'See bambi_archives.';
    END IF;
    IF (first_day + interval '1 month') AT TIME ZONE 'UTC' > now() THEN
        RAISE EXCEPTION 'month has not ended'
            USING ERRCODE = 'PT409',
                  HINT = 'Only whole months are archived.';
    END IF;
    IF NOT bambi_internal.archive_is_set()
       AND EXISTS (SELECT FROM bambi_internal.retention_of(
                       bambi_internal.archive_kind(table_name)) AS p
                    WHERE p.ends_as = 'archive') THEN
        RAISE EXCEPTION 'there is no archive'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Set bambi.archive_store.';
    END IF;
    INSERT INTO bambi.archives AS r (table_name, month, is_asked)
    VALUES (bambi_archive_month.table_name, first_day, true)
    ON CONFLICT ON CONSTRAINT one_archive_per_month DO UPDATE
       SET is_asked = true, not_before = NULL, updated_at = now(),
           state = CASE WHEN r.state IN ('restored', 'deleted', 'failed')
                        THEN 'waiting' ELSE r.state END
    RETURNING r.state INTO now_in;
    IF now_in IN ('restoring', 'cancelling') THEN
        RAISE EXCEPTION 'month is being restored'
            USING ERRCODE = 'PT409', HINT = 'See bambi_archives.';
    ELSIF now_in = 'archived' THEN
        -- somebody made it again: what the archive has would be lost
        RAISE EXCEPTION 'month is archived'
            USING ERRCODE = 'PT409',
                  DETAIL = 'What the table has of it now was made since.',
                  HINT = 'Detach it, restore the archive, and insert its rows '
                         'again.';
    END IF;
    PERFORM bambi_internal.wake_archive();
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_archive_month(text, date)
    FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_archive_month(text, date)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_archive_month(text, date)
    TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_archive_month(text, date) IS
    'Has the worker archive a month (UTC) now, whatever bambi.retention says '
    'of the time; or look again at one that waits. How far it is says '
    'bambi_archives. '
    'Errors: 22023 "table is not archived"; PT404 "month does not exist"; '
    'PT409 "month has not ended", "month is being restored", "month is '
    'archived"; 55000 "there is no archive", "bambi is not set up".';

CREATE FUNCTION @extschema@.bambi_restore_archive(manifest text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- the archive is the machinery's
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    named CONSTANT text[] := regexp_match(manifest,
        '^([a-z_]+)/([0-9]{4}-(?:0[1-9]|1[0-2]))/manifest[.]json$');
    a     record;
BEGIN
    PERFORM bambi_internal.require_tables();
    IF bambi_internal.archive_kind(named[1]) IS NULL THEN
        RAISE EXCEPTION 'name is not that of a manifest'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'See bambi_archives.manifest: '
                         'image_generations/2024-05/manifest.json.';
    END IF;
    IF NOT bambi_internal.archive_is_set() THEN
        RAISE EXCEPTION 'there is no archive'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Set bambi.archive_store.';
    END IF;
    INSERT INTO bambi.archives AS r (table_name, month, state, manifest)
    VALUES (named[1], to_date(named[2], 'YYYY-MM'), 'failed',
            bambi_restore_archive.manifest)
    ON CONFLICT ON CONSTRAINT one_archive_per_month DO NOTHING;
    SELECT * INTO a FROM bambi.archives AS r
     WHERE r.table_name = named[1] AND r.month = to_date(named[2], 'YYYY-MM')
       FOR UPDATE;
    IF a.state = 'restoring' THEN
        UPDATE bambi.archives AS r SET not_before = NULL WHERE r.id = a.id;
    ELSIF a.state NOT IN ('archived', 'failed')
       OR bambi_internal.has_month(('bambi.' || named[1])::regclass,
                                   a.month::timestamp) THEN
        RAISE EXCEPTION 'month is there'
            USING ERRCODE = 'PT409',
                  DETAIL = format('It is %s.', a.state),
                  HINT = 'See bambi_archives.';
    ELSE
        UPDATE bambi.archives AS r
           SET state = 'restoring', is_planned = false, attempts = 0,
               manifest = bambi_restore_archive.manifest,
               not_before = NULL, last_error = NULL, rows_left_out = 0,
               updated_at = now()
         WHERE r.id = a.id;
        IF a.state = 'failed'
           AND NOT bambi_internal.archive_is_being_rewritten(a.id) THEN
            DELETE FROM bambi_internal.archive_objects AS o
             WHERE o.archive_id = a.id AND o.state <> 'superseded';
            UPDATE bambi.archives AS r SET manifest_sha256 = NULL
             WHERE r.id = a.id;
        END IF;
    END IF;
    PERFORM bambi_internal.wake_archive();
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_restore_archive(text) FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_restore_archive(text) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_restore_archive(text)
    TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_restore_archive(text) IS
    'Has the worker bring an archived month back, by the name of its '
    'manifest, also into a database that never had it. Of a damaged archive '
    'nothing comes back. What is restored is not archived again before '
    'bambi_archive_month() says so. How far it is says bambi_archives. '
    'Errors: 22023 "name is not that of a manifest"; PT409 "month is there"; '
    '55000 "there is no archive", "bambi is not set up".';

DO $$
DECLARE
    routine pg_catalog.regprocedure;
BEGIN
    FOR routine IN
        SELECT p.oid FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = 'bambi_internal'::pg_catalog.regnamespace
           AND (p.proname ~ '^archive_'
                OR p.proname IN ('wake_archive', 'erase_from_archives'))
    LOOP
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO bambi_owner',
                                  routine);
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC',
                                  routine);
    END LOOP;
END
$$;
