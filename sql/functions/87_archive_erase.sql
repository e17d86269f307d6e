-- Taking a user out of what is archived.
--
-- A chunk is read, written without that user's lines under a new name, and
-- named by a new manifest; only then is the old one erased.  Several users of
-- a chunk are taken out at a time.

CREATE FUNCTION bambi_internal.erase_from_archives(user_id uuid)
RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    left_over bigint;
BEGIN
    -- the user's id in the ledger tells of nobody once the user is erased
    INSERT INTO bambi_internal.archive_erasures (user_id, object_id)
    SELECT erase_from_archives.user_id, o.id
      FROM bambi.archives AS a
      JOIN bambi_internal.archive_objects AS o ON o.archive_id = a.id
     WHERE a.table_name <> 'usage_events'
       AND a.state IN ('archived', 'restored', 'failed')
       AND o.kind = 'lines' AND o.state = 'written'
       AND bambi_internal.uuid_range(o.first_user, o.last_user, '[]')
           @> erase_from_archives.user_id
    ON CONFLICT DO NOTHING;

    SELECT count(*) INTO left_over
      FROM bambi.archives AS a
      JOIN bambi_internal.archive_objects AS o ON o.archive_id = a.id
     WHERE a.table_name <> 'usage_events' AND o.kind = 'lines'
       AND bambi_internal.uuid_range(o.first_user, o.last_user, '[]')
           @> erase_from_archives.user_id
       AND CASE WHEN o.state IN ('superseded', 'old') THEN true
                WHEN a.state IN ('archived', 'restored', 'failed')
                THEN EXISTS (SELECT FROM bambi_internal.archive_erasures AS e
                              WHERE e.object_id = o.id AND NOT e.is_done
                                AND e.user_id = erase_from_archives.user_id)
                WHEN a.state IN ('writing', 'verified')
                THEN o.state <> 'written'
                ELSE true END;
    left_over := left_over + (
        SELECT count(*) FROM bambi_internal.archive_objects AS o
         WHERE o.state = 'superseded' AND o.kind = 'picture'
           AND o.first_user = erase_from_archives.user_id) + (
        SELECT count(*) FROM bambi_internal.archive_touches AS t
         WHERE t.user_id = erase_from_archives.user_id);
    IF left_over > 0 THEN
        PERFORM bambi_internal.wake_archive();
    END IF;
    RETURN left_over;
END
$$;
COMMENT ON FUNCTION bambi_internal.erase_from_archives(uuid) IS
    'Has a user taken out of the archive, but for the ledger, and gives how '
    'many objects may still have something of that user: ask again until '
    'there is none.';

CREATE FUNCTION bambi_internal.archive_is_being_rewritten(archive uuid)
RETURNS boolean
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM bambi.archives AS r
         WHERE r.id = archive AND NOT r.is_planned
           AND (r.is_stale
                OR EXISTS (SELECT FROM bambi_internal.archive_erasures AS e
                             JOIN bambi_internal.archive_objects AS o
                               ON o.id = e.object_id
                            WHERE o.archive_id = r.id AND o.state = 'written'
                              AND NOT e.is_done)));
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_is_being_rewritten(uuid) IS
    'Of a month that is to be restored: whether users are still to be taken '
    'out of it, or its manifest names what they were in.';

CREATE FUNCTION bambi_internal.archive_rewrite_next(
    archive uuid, busy text[], OUT task jsonb, OUT errand jsonb,
    OUT payload bytea, OUT again_ms integer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a record;
    o record;
BEGIN
    SELECT * INTO a FROM bambi.archives AS r WHERE r.id = archive;
    SELECT c.* INTO o
      FROM bambi_internal.archive_erasures AS e
      JOIN bambi_internal.archive_objects AS c ON c.id = e.object_id
     WHERE NOT e.is_done AND c.archive_id = archive AND c.state = 'written'
     LIMIT 1;
    IF FOUND THEN
        -- one at a time: its name is busy from reading to writing
        IF o.name <> ALL (busy) THEN
            SELECT k.task, k.errand_out, 0 INTO task, errand, again_ms
              FROM bambi_internal.archive_ask(
                       archive, 'rewrite', o.id, o.version,
                       jsonb_build_object('kind', 'archive_get',
                                          'name', o.name,
                                          'sha256', o.sha256,
                                          'is_raw', false)) AS k;
        END IF;
    ELSIF a.is_stale THEN
        SELECT * INTO task, errand, payload, again_ms
          FROM bambi_internal.archive_manifest_next(archive, busy);
    ELSE
        SELECT e.task, e.errand, CASE WHEN e.task IS NOT NULL THEN 0 END
          INTO task, errand, again_ms
          FROM bambi_internal.archive_erase_next(archive, busy) AS e;
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_rewrite_next(uuid, text[]) IS
    'The next step of a month out of which users are taken.';

CREATE FUNCTION bambi_internal.archive_rewrite(
    object uuid, content bytea, OUT task jsonb, OUT errand jsonb,
    OUT payload bytea)
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o     record;
    users uuid[];
    gone  jsonb[];
    kept  text;
    rows  bigint;
    range uuid[];
BEGIN
    SELECT c.*, bambi_internal.archive_chunk_name(
                    a.table_name, a.month, c.number, c.version + 1)
                    AS next_name
      INTO o
      FROM bambi_internal.archive_objects AS c
      JOIN bambi.archives AS a ON a.id = c.archive_id
     WHERE c.id = object AND c.state = 'written';
    users := ARRAY(SELECT e.user_id FROM bambi_internal.archive_erasures AS e
                    WHERE e.object_id = object AND NOT e.is_done);
    IF o.id IS NULL OR cardinality(users) = 0 THEN
        RETURN;
    END IF;
    WITH l AS MATERIALIZED (
        SELECT s.line, s.place, u.id AS user_id,
               coalesce(u.id = ANY (users), false) AS is_gone
          FROM string_to_table(convert_from(content, 'UTF8'), E'\n')
               WITH ORDINALITY AS s (line, place)
         CROSS JOIN LATERAL (
               SELECT (nullif(s.line, '')::jsonb -> 'row'
                       ->> 'user_id')::uuid AS id) AS u
         WHERE s.line <> '')
    SELECT array_agg(l.line::jsonb) FILTER (WHERE l.is_gone),
           string_agg(l.line || E'\n', '' ORDER BY l.place)
               FILTER (WHERE NOT l.is_gone),
           count(*) FILTER (WHERE NOT l.is_gone),
           array_agg(l.user_id ORDER BY l.user_id)
               FILTER (WHERE NOT l.is_gone)
      INTO gone, kept, rows, range
      FROM l;
    IF gone IS NULL THEN
        UPDATE bambi_internal.archive_erasures AS e SET is_done = true
         WHERE e.object_id = object AND e.user_id = ANY (users);
        RETURN;
    END IF;
    task := jsonb_build_object(
        'archive', o.archive_id, 'do', 'rewritten', 'object', object,
        'version', o.version, 'name', o.name, 'users', to_jsonb(users),
        'rows', rows, 'next_name', o.next_name,
        -- nor does a bound of the chunk name who is gone
        'first_user', range[1], 'last_user', range[cardinality(range)],
        'files', (SELECT coalesce(jsonb_agg(to_jsonb(f)), '[]')
                    FROM bambi_internal.archive_files(gone) AS f
                   WHERE f.object IS NOT NULL OR f.location IS NOT NULL));
    IF kept IS NULL THEN
        PERFORM bambi_internal.archive_replace(task, NULL);
        task := NULL;
        RETURN;
    END IF;
    payload := convert_to(kept, 'UTF8');
    task := task || jsonb_build_object('sha256',
                                       encode(sha256(payload), 'hex'));
    errand := jsonb_build_object('kind', 'archive_put', 'name', o.next_name,
                                 'is_raw', false);
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_rewrite(uuid, bytea) IS
    'A chunk without the users who are to be taken out of it.';

CREATE FUNCTION bambi_internal.archive_replace(task jsonb, answer jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o     record;
    users CONSTANT uuid[] := ARRAY(
        SELECT jsonb_array_elements_text(task -> 'users'));
    new_id uuid;
BEGIN
    UPDATE bambi_internal.archive_objects AS c SET state = 'superseded'
     WHERE c.id = (task ->> 'object')::uuid AND c.state = 'written'
    RETURNING * INTO o;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF answer IS NOT NULL THEN
        INSERT INTO bambi_internal.archive_objects
               (archive_id, kind, state, name, number, version, first_user,
                last_user, first_id, last_id, row_count, bytes, sha256,
                content_sha256)
        VALUES (o.archive_id, 'lines', 'written', task ->> 'next_name',
                o.number, o.version + 1,
                coalesce((task ->> 'first_user')::uuid, o.first_user),
                coalesce((task ->> 'last_user')::uuid, o.last_user),
                o.first_id, o.last_id, (task ->> 'rows')::bigint,
                (answer ->> 'bytes')::bigint, answer ->> 'sha256',
                answer ->> 'content_sha256')
        RETURNING id INTO new_id;
        INSERT INTO bambi_internal.archive_erasures
               (user_id, object_id, is_done)
        SELECT e.user_id, new_id, e.is_done OR e.user_id = ANY (users)
          FROM bambi_internal.archive_erasures AS e
         WHERE e.object_id = o.id;
        UPDATE bambi_internal.archive_objects AS c SET object_id = new_id
         WHERE c.object_id = o.id AND c.first_user <> ALL (users);
    END IF;
    -- what the image store has of a user who is gone goes by an errand
    INSERT INTO bambi_internal.outbox (id, user_id, errand)
    SELECT gen_random_uuid(), f.user_id,
           jsonb_build_object('kind', 'erase', 'store', f.store,
                              'location', f.location)
      FROM jsonb_to_recordset(task -> 'files') AS f (
               user_id uuid, object text, store text, location text)
     WHERE f.object IS NULL AND f.store IS NOT NULL
       AND NOT EXISTS (SELECT FROM bambi.images AS i
                        WHERE i.user_id = f.user_id
                          AND i.storage_path = f.location);
    DELETE FROM bambi_internal.archive_objects AS c
     WHERE c.object_id = o.id AND c.kind = 'reference';
    INSERT INTO bambi_internal.archive_objects
           (archive_id, kind, state, name, first_user, last_user)
    SELECT o.archive_id, 'picture', 'superseded', f.object, f.user_id,
           f.user_id
      FROM jsonb_to_recordset(task -> 'files') AS f (
               user_id uuid, object text)
     WHERE f.object IS NOT NULL
    ON CONFLICT (archive_id, name) DO UPDATE SET state = 'superseded';
    UPDATE bambi.archives AS r
       SET is_stale = true, manifest_sha256 = NULL,
           revision = r.revision + 1, updated_at = now(),
           picture_count = r.picture_count - f.files,
           bytes = r.bytes - o.bytes - f.bytes
                   + coalesce((answer ->> 'bytes')::bigint, 0)
      FROM (SELECT count(*) AS files, coalesce(sum(f.bytes), 0) AS bytes
              FROM jsonb_to_recordset(task -> 'files') AS f (
                       object text, bytes bigint)
             WHERE f.object IS NOT NULL) AS f
     WHERE r.id = o.archive_id;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_replace(jsonb, jsonb) IS
    'Has a chunk replaced by the one that was put, or by none.';
