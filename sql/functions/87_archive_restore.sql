-- The way back: a month from the archive into its table.
--
-- All objects are read and compared before the first row comes back, so that
-- of a damaged archive nothing does.

CREATE FUNCTION bambi_internal.archive_give_up(archive uuid, reason text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM bambi_internal.archive_objects AS o
     WHERE o.archive_id = archive AND o.kind = 'picture'
       AND o.state <> 'superseded';
    UPDATE bambi_internal.archive_objects AS o SET state = 'written'
     WHERE o.archive_id = archive AND o.kind = 'lines'
       AND o.state <> 'superseded';
    UPDATE bambi.archives AS r
       SET state = CASE WHEN r.archived_at IS NULL THEN 'failed'
                        ELSE 'archived' END,
           last_error = reason, attempts = 0, not_before = NULL,
           is_planned = true, rows_left_out = 0, updated_at = now()
     WHERE r.id = archive;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_give_up(uuid, text) IS
    'What was to be restored cannot be, or is not to be: nothing of it is '
    'there.';

CREATE FUNCTION bambi_internal.archive_reject(
    task jsonb, code text, reason text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    archive CONSTANT uuid := (task ->> 'archive')::uuid;
BEGIN
    -- what it was may have passed: a user who went, a disk that was away
    IF task ->> 'do' NOT IN ('load', 'load_picture')
       OR left(code, 2) NOT IN ('21', '22', '23', '54')
       OR (SELECT r.state <> 'restoring' OR r.attempts < 2
             FROM bambi.archives AS r WHERE r.id = archive) THEN
        RETURN false;
    END IF;
    UPDATE bambi.archives AS r
       SET state = 'cancelling', last_error = left(reason, 500), attempts = 0,
           not_before = NULL, updated_at = now()
     WHERE r.id = archive;
    RETURN true;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_reject(jsonb, text, text) IS
    'Cancels a restore of which an object cannot be stored (SQLSTATE) or read '
    '(NULL); false: it is to be tried again first.';

-- is_planned: whether the manifest has been read.
CREATE FUNCTION bambi_internal.archive_read_manifest(
    archive uuid, content bytea)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a      record;
    m      jsonb;
    sha256 CONSTANT text := encode(sha256(content), 'hex');
BEGIN
    SELECT * INTO a FROM bambi.archives AS r WHERE r.id = archive;
    IF a.manifest_sha256 <> sha256 THEN
        PERFORM bambi_internal.archive_give_up(archive,
            'the manifest is not the one that was written');
        RETURN;
    END IF;
    BEGIN
        m := convert_from(content, 'UTF8')::jsonb;
        IF (m ->> 'format' = '1' AND m ->> 'table' = a.table_name
            AND m ->> 'month' = to_char(a.month, 'YYYY-MM')) IS NOT TRUE THEN
            PERFORM bambi_internal.archive_give_up(archive,
                'the manifest is not one of this month, or of a later '
                'version of bambi');
            RETURN;
        END IF;
        IF EXISTS (SELECT FROM jsonb_array_elements(m -> 'objects') AS j (o)
                    WHERE starts_with(j.o ->> 'name',
                                      bambi_internal.archive_place(
                                          a.table_name, a.month))
                          IS NOT TRUE) THEN
            PERFORM bambi_internal.archive_give_up(archive,
                'the manifest names objects that are not of this month');
            RETURN;
        END IF;
        INSERT INTO bambi_internal.archive_objects AS o
               (archive_id, kind, state, name, number, version, first_user,
                last_user, first_id, last_id, row_count, bytes, sha256,
                content_sha256)
        SELECT archive, 'lines', 'unchecked', j.name, j.number, j.version,
               j.first_user, j.last_user, j.first_id, j.last_id, j.rows,
               j.bytes, j.sha256, j.content_sha256
          FROM jsonb_to_recordset(m -> 'objects') AS j (
                   name text, number integer, version integer,
                   first_user uuid, last_user uuid, first_id uuid,
                   last_id uuid, rows bigint, bytes bigint, sha256 text,
                   content_sha256 text)
        ON CONFLICT (archive_id, name) DO UPDATE SET state = 'unchecked';
        UPDATE bambi.archives AS r
           SET is_planned = true, manifest_sha256 = sha256,
               revision = (m ->> 'revision')::integer,
               pictures = m ->> 'pictures',
               row_count = (m ->> 'rows')::bigint,
               next_number = (
                   SELECT coalesce(max(o.number), 0) + 1
                     FROM bambi_internal.archive_objects AS o
                    WHERE o.archive_id = archive),
               updated_at = now()
         WHERE r.id = archive;
    EXCEPTION
        WHEN data_exception OR integrity_constraint_violation
             OR cardinality_violation OR program_limit_exceeded THEN
            PERFORM bambi_internal.archive_give_up(archive,
                'the manifest cannot be read');
            RETURN;
    END;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_read_manifest(uuid, bytea) IS
    'Notes what a manifest names, to be checked.';

CREATE FUNCTION bambi_internal.archive_read_lines(content bytea)
RETURNS jsonb[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(l.line::jsonb ORDER BY l.place), '{}')
      FROM string_to_table(convert_from(content, 'UTF8'), E'\n')
           WITH ORDINALITY AS l (line, place)
     WHERE l.line <> '';
END;
COMMENT ON FUNCTION bambi_internal.archive_read_lines(bytea) IS
    'A chunk''s lines.';

CREATE FUNCTION bambi_internal.archive_check(object uuid, content bytea)
RETURNS text
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o     record;
    lines jsonb[];
BEGIN
    SELECT c.*,
           bambi_internal.archive_place(a.table_name, a.month) AS place,
           @extschema@.bambi_uuid_floor(
               a.month::timestamp AT TIME ZONE 'UTC') AS floor,
           @extschema@.bambi_uuid_floor(
               (a.month + interval '1 month') AT TIME ZONE 'UTC') AS ceiling
      INTO o
      FROM bambi_internal.archive_objects AS c
      JOIN bambi.archives AS a ON a.id = c.archive_id
     WHERE c.id = object;
    IF encode(sha256(content), 'hex')
       <> coalesce(o.content_sha256, o.sha256) THEN
        RETURN 'object "' || o.name || '" is damaged';
    END IF;
    IF o.kind = 'lines' THEN
        lines := bambi_internal.archive_read_lines(content);
        IF cardinality(lines) <> o.row_count THEN
            RETURN 'object "' || o.name || '" has not the rows that the '
                   'manifest says';
        END IF;
        IF EXISTS (SELECT FROM unnest(lines) AS l (line)
                    WHERE ((l.line -> 'row' ->> 'id')::uuid >= o.floor
                           AND (l.line -> 'row' ->> 'id')::uuid < o.ceiling)
                          IS NOT TRUE)
           OR EXISTS (SELECT FROM bambi_internal.archive_files(lines) AS f
                       WHERE NOT starts_with(f.object, o.place)) THEN
            RETURN 'object "' || o.name || '" has what is not of this month';
        END IF;
        -- who is erased, and what is removed again, is found by these bounds
        IF EXISTS (SELECT FROM unnest(lines) AS l (line)
                    CROSS JOIN LATERAL (
                          SELECT coalesce((l.line -> 'row' ->> 'user_id')::uuid,
                                          '00000000-0000-0000-0000-000000000000'
                                         ) AS user_id,
                                 (l.line -> 'row' ->> 'id')::uuid AS id) AS r
                    WHERE r.user_id NOT BETWEEN o.first_user AND o.last_user
                       OR r.id NOT BETWEEN o.first_id AND o.last_id) THEN
            RETURN 'object "' || o.name || '" has rows that are out of its '
                   'bounds in the manifest';
        END IF;
        IF EXISTS (SELECT FROM unnest(lines) AS l (line)
                    WHERE l.line -> 'images' IS NOT NULL
                      AND NOT EXISTS (
                          SELECT FROM bambi.models AS m
                           WHERE m.id = (l.line -> 'row' ->> 'model_id')::uuid
                      )) THEN
            RETURN 'object "' || o.name || '" has generations of a model '
                   'that is not in bambi.models';
        END IF;
        INSERT INTO bambi_internal.archive_objects AS p
               (archive_id, kind, state, name, first_user, last_user,
                object_id, item_id, position, store, location, bytes, sha256)
        SELECT o.archive_id, 'picture', 'unchecked', f.object, f.user_id,
               f.user_id, o.id, f.item_id, f.position, f.store, f.location,
               f.bytes, f.sha256
          FROM bambi_internal.archive_files(lines) AS f
         WHERE f.object IS NOT NULL
        ON CONFLICT (archive_id, name) DO UPDATE
           SET state = 'unchecked', object_id = excluded.object_id;
        INSERT INTO bambi_internal.archive_objects
               (archive_id, kind, state, first_user, last_user, object_id,
                store, location)
        SELECT o.archive_id, 'reference', 'kept', f.user_id, f.user_id, o.id,
               f.store, f.location
          FROM bambi_internal.archive_files(lines) AS f
         WHERE f.object IS NULL AND f.store = 'filesystem'
           AND f.location IS NOT NULL
           AND NOT EXISTS (
               SELECT FROM bambi_internal.archive_objects AS r
                WHERE r.kind = 'reference' AND r.object_id = o.id);
    END IF;
    UPDATE bambi_internal.archive_objects AS c SET state = 'checked'
     WHERE c.id = object;
    RETURN NULL;
EXCEPTION
    WHEN data_exception OR integrity_constraint_violation
         OR cardinality_violation OR program_limit_exceeded THEN
        RETURN 'object "' || o.name || '" cannot be read';
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_check(uuid, bytea) IS
    'What is wrong with an object, or NULL: it is as the manifest says.';

CREATE FUNCTION bambi_internal.archive_files(lines jsonb[])
RETURNS TABLE (user_id uuid, item_id uuid, "position" smallint, object text,
               bytes bigint, sha256 text, store text, location text)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT (i.image -> 'row' ->> 'user_id')::uuid,
           (i.image -> 'row' ->> 'id')::uuid, NULL::smallint,
           i.image ->> 'object', (i.image ->> 'bytes')::bigint,
           i.image ->> 'sha256',
           nullif(i.image -> 'row' ->> 'store', 'database'),
           i.image -> 'row' ->> 'storage_path'
      FROM unnest(lines) AS l (line)
     CROSS JOIN LATERAL jsonb_array_elements(
               nullif(l.line -> 'images', 'null')) AS i (image)
     UNION ALL
    SELECT (n.input -> 'row' ->> 'user_id')::uuid,
           (n.input -> 'row' ->> 'generation_id')::uuid,
           (n.input -> 'row' ->> 'position')::smallint,
           n.input ->> 'object', (n.input ->> 'bytes')::bigint,
           n.input ->> 'sha256', NULL, NULL
      FROM unnest(lines) AS l (line)
     CROSS JOIN LATERAL jsonb_array_elements(
               nullif(l.line -> 'inputs', 'null')) AS n (input);
END;
COMMENT ON FUNCTION bambi_internal.archive_files(jsonb[]) IS
    'The files of pictures that lines name.';

CREATE FUNCTION bambi_internal.archive_insert(table_name text, rows jsonb[])
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text[] := (
        SELECT array_agg(t.attname ORDER BY t.attnum)
          FROM pg_attribute AS t
         WHERE t.attrelid = ('bambi.' || table_name)::regclass
           AND t.attnum > 0 AND NOT t.attisdropped AND t.attgenerated = ''
           AND rows[1] ? t.attname);
BEGIN
    IF cardinality(rows) > 0 THEN
        EXECUTE format(
            'INSERT INTO bambi.%1$I (%2$s) SELECT %3$s
               FROM unnest($1) j (line),
                    jsonb_populate_record(NULL::bambi.%1$I, j.line) r',
            table_name,
            (SELECT string_agg(quote_ident(c), ', ' ORDER BY n)
               FROM unnest(columns) WITH ORDINALITY u (c, n)),
            (SELECT string_agg(
                        CASE WHEN table_name = 'image_generations'
                              AND c = 'configuration_id'
                             -- a key that is gone
                             THEN '(SELECT k.id FROM bambi.api_configurations '
                                  'k WHERE k.id = r.configuration_id '
                                  'AND k.user_id = r.user_id)'
                             ELSE format('r.%I', c) END, ', ' ORDER BY n)
               FROM unnest(columns) WITH ORDINALITY u (c, n)))
          USING rows;
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_insert(text, jsonb[]) IS
    'Inserts rows; columns that they do not have get their defaults, and what '
    'is generated is made anew.';

CREATE FUNCTION bambi_internal.archive_load(object uuid, content bytea)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o     record;
    lines CONSTANT jsonb[] := bambi_internal.archive_read_lines(content);
    here  jsonb[];
BEGIN
    SELECT c.*, a.table_name, a.month INTO o
      FROM bambi_internal.archive_objects AS c
      JOIN bambi.archives AS a ON a.id = c.archive_id
     WHERE c.id = object;
    -- Money stays with who was erased, and that somebody is gone is a change
    -- that the log keeps; else, who is erased or gone does not come back.
    here := ARRAY(
        SELECT l.line FROM unnest(lines) WITH ORDINALITY AS l (line, place)
          LEFT JOIN bambi.users AS u
            ON u.id = (l.line -> 'row' ->> 'user_id')::uuid
         WHERE CASE o.table_name
               WHEN 'usage_events' THEN u.id IS NOT NULL
               WHEN 'change_log' THEN to_jsonb(u) ->> 'erased_at' IS NULL
               ELSE u.id IS NOT NULL
                    AND to_jsonb(u) ->> 'erased_at' IS NULL END
         ORDER BY l.place);
    PERFORM bambi_internal.archive_insert(
                o.table_name,
                ARRAY(SELECT h.line -> 'row' FROM unnest(here) AS h (line)));
    IF o.table_name = 'image_generations' THEN
        PERFORM bambi_internal.archive_insert('images', ARRAY(
            SELECT i.image -> 'row' FROM unnest(here) AS h (line)
             CROSS JOIN LATERAL jsonb_array_elements(
                       nullif(h.line -> 'images', 'null')) AS i (image)));
        PERFORM bambi_internal.archive_insert('generation_inputs', ARRAY(
            SELECT n.input -> 'row' FROM unnest(here) AS h (line)
             CROSS JOIN LATERAL jsonb_array_elements(
                       nullif(h.line -> 'inputs', 'null')) AS n (input)));
        -- whose content is past its time by now has it removed again
        UPDATE bambi_internal.content_removals AS c SET removed_to = p.floor
          FROM (SELECT DISTINCT (h.line -> 'row' ->> 'user_id')::uuid AS id
                  FROM unnest(here) AS h (line)) AS u,
               (SELECT @extschema@.bambi_uuid_floor(
                           o.month::timestamp AT TIME ZONE 'UTC')) AS p (floor)
         WHERE c.user_id = u.id AND c.removed_to > p.floor;
    ELSIF o.table_name = 'usage_events' THEN
        -- the rows count again
        DELETE FROM bambi_internal.carried_costs AS c
         WHERE c.archive_id = o.archive_id AND c.object_id = o.id;
    END IF;
    UPDATE bambi_internal.archive_objects AS c SET state = 'loaded'
     WHERE c.id = object;
    UPDATE bambi.archives AS r
       SET rows_left_out = r.rows_left_out
                           + cardinality(lines) - cardinality(here)
     WHERE r.id = o.archive_id AND cardinality(lines) > cardinality(here);
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_load(uuid, bytea) IS
    'Inserts the rows of a chunk.';

CREATE FUNCTION bambi_internal.archive_load_picture(
    object uuid, content bytea)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p record;
BEGIN
    UPDATE bambi_internal.archive_objects AS c SET state = 'loaded'
     WHERE c.id = object AND c.state = 'checked'
    RETURNING * INTO p;
    IF p.store IS NULL AND p.position IS NULL THEN
        INSERT INTO bambi.image_data (image_id, user_id, data)
        SELECT i.id, i.user_id, content FROM bambi.images AS i
         WHERE i.id = p.item_id AND i.user_id = p.first_user
        ON CONFLICT DO NOTHING;
    ELSIF p.store IS NULL THEN
        UPDATE bambi.generation_inputs AS n SET data = content
         WHERE n.generation_id = p.item_id AND n.user_id = p.first_user
           AND n.position = p.position;
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_load_picture(uuid, bytea) IS
    'Puts a picture back into the database; one that the image store has '
    'again is only noted.';

-- Of users who are gone no picture comes back.
CREATE FUNCTION bambi_internal.archive_load_next(
    archive uuid, busy text[], OUT task jsonb, OUT errand jsonb,
    OUT again_ms integer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a record;
    o record;
    monthly record;
BEGIN
    SELECT * INTO a FROM bambi.archives AS r WHERE r.id = archive;
    SELECT m.* INTO monthly FROM bambi_internal.monthly_tables() AS m
     WHERE m.parent = ('bambi.' || a.table_name)::regclass;
    IF NOT bambi_internal.has_month(monthly.parent, a.month) THEN
        again_ms := CASE WHEN bambi_internal.make_month(
                                  monthly.parent, a.month, monthly.settings)
                         THEN 0 ELSE 1000 END;
        RETURN;
    END IF;
    SELECT c.*, c.kind = 'picture' AND NOT EXISTS (
               SELECT FROM bambi.images AS i
                WHERE i.id = c.item_id AND i.user_id = c.first_user
                UNION ALL
               SELECT FROM bambi.generation_inputs AS n
                WHERE n.generation_id = c.item_id
                  AND n.user_id = c.first_user) AS is_left_out
      INTO o
      FROM bambi_internal.archive_objects AS c
     WHERE c.archive_id = archive AND c.state = 'checked'
       AND c.name <> ALL (busy)
     ORDER BY c.kind, c.number LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    again_ms := 0;
    -- rows come first, since pictures belong to them
    IF o.kind = 'picture' AND EXISTS (
           SELECT FROM bambi_internal.archive_objects AS c
            WHERE c.id = o.object_id AND c.state <> 'loaded') THEN
        again_ms := NULL;
    ELSIF o.store IS NOT NULL AND EXISTS (
              SELECT FROM bambi_internal.outbox AS e
               WHERE e.user_id = o.first_user
                 AND e.errand ->> 'location' = o.location) THEN
        -- its original is still to be erased
        again_ms := 1000;
    ELSIF o.is_left_out THEN
        UPDATE bambi_internal.archive_objects AS c SET state = 'loaded'
         WHERE c.id = o.id;
    ELSE
        SELECT k.task, k.errand_out INTO task, errand
          FROM bambi_internal.archive_ask(
                   archive, CASE o.kind WHEN 'lines' THEN 'load'
                                        ELSE 'load_picture' END,
                   o.id, o.version,
                   CASE WHEN o.store IS NULL
                        THEN jsonb_build_object(
                                 'kind', 'archive_get', 'name', o.name,
                                 'sha256', o.sha256,
                                 'is_raw', o.kind = 'picture')
                        ELSE jsonb_build_object(
                                 'kind', 'archive_return', 'name', o.name,
                                 'sha256', o.sha256, 'store', o.store,
                                 'location', o.location) END) AS k;
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_load_next(uuid, text[]) IS
    'The next object that is to come back into the tables.';

CREATE FUNCTION bambi_internal.archive_restore_next(
    archive uuid, busy text[], OUT task jsonb, OUT errand jsonb,
    OUT again_ms integer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a record;
    o record;
BEGIN
    SELECT * INTO a FROM bambi.archives AS r WHERE r.id = archive;
    IF NOT a.is_planned THEN
        IF a.manifest <> ALL (busy) THEN
            SELECT k.task, k.errand_out, 0 INTO task, errand, again_ms
              FROM bambi_internal.archive_ask(
                       archive, 'manifest_read', NULL, NULL,
                       jsonb_build_object('kind', 'archive_get',
                                          'name', a.manifest,
                                          'is_raw', true)) AS k;
        END IF;
        RETURN;
    END IF;
    SELECT * INTO o FROM bambi_internal.archive_objects AS c
     WHERE c.archive_id = archive AND c.state = 'unchecked'
       AND c.name <> ALL (busy)
     ORDER BY c.kind, c.number LIMIT 1;
    IF FOUND THEN
        SELECT k.task, k.errand_out, 0 INTO task, errand, again_ms
          FROM bambi_internal.archive_ask(
                   archive, 'check', o.id, o.version,
                   jsonb_build_object('kind', 'archive_get', 'name', o.name,
                                      'sha256', o.sha256,
                                      'is_raw', o.kind = 'picture'))
               AS k;
        RETURN;
    ELSIF EXISTS (SELECT FROM bambi_internal.archive_objects AS c
                   WHERE c.archive_id = archive AND c.state = 'unchecked')
    THEN
        RETURN;
    END IF;
    SELECT * INTO task, errand, again_ms
      FROM bambi_internal.archive_load_next(archive, busy);
    IF again_ms IS NULL AND NOT EXISTS (
           SELECT FROM bambi_internal.archive_objects AS c
            WHERE c.archive_id = archive AND c.state = 'checked') THEN
        SELECT count(*) FILTER (WHERE c.kind = 'picture') AS pictures,
               sum(c.bytes) AS bytes
          INTO o
          FROM bambi_internal.archive_objects AS c
         WHERE c.archive_id = archive AND c.state = 'loaded';
        UPDATE bambi_internal.archive_objects AS c SET state = 'written'
         WHERE c.archive_id = archive AND c.state = 'loaded';
        DELETE FROM bambi_internal.carried_months AS m
         WHERE m.archive_id = archive;
        UPDATE bambi.archives AS r
           SET state = 'restored', restored_at = now(), last_error = NULL,
               picture_count = o.pictures, bytes = o.bytes,
               updated_at = now()
         WHERE r.id = archive;
        again_ms := 0;
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_restore_next(uuid, text[]) IS
    'The next step of a month that is brought back.';
