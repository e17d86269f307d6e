-- The archive: from a month that is past its time to objects outside the
-- database, and back.
--
-- archive_step() says what the worker has the courier do next, and
-- archive_answer() takes the answer; either may do a bounded piece of work in
-- the tables, too.  All that they know stands in these tables, so that both
-- may be called again after any death.  A row of bambi.archives is locked for
-- each piece, with SKIP LOCKED: whoever changes a row of that month holds it
-- shared until the change is committed.

CREATE FUNCTION bambi_internal.wake_archive()
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_wake_archive';
COMMENT ON FUNCTION bambi_internal.wake_archive() IS
    'At commit, has the worker look what is to be archived.';

CREATE FUNCTION bambi_internal.archive_is_set()
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(current_setting('bambi.archive_store', true), '') <> '';
END;
COMMENT ON FUNCTION bambi_internal.archive_is_set() IS
    'Whether there is an archive.';

CREATE FUNCTION bambi_internal.archive_leaf(table_name text, month date)
RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format('bambi.%I', table_name || to_char(month, '_YYYY_MM'));
END;
COMMENT ON FUNCTION bambi_internal.archive_leaf(text, date) IS
    'The partition of a month, as bambi_internal.month_name() calls it.';

CREATE FUNCTION bambi_internal.archive_place(table_name text, month date)
RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT table_name || '/' || to_char(month, 'YYYY-MM') || '/';
END;
COMMENT ON FUNCTION bambi_internal.archive_place(text, date) IS
    'Where the objects of a month are, below the archive.';

CREATE FUNCTION bambi_internal.archive_range(
    first_user uuid, last_user uuid, first_id uuid, last_id uuid)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN first_id IS NULL
                THEN format('t.user_id BETWEEN %L AND %L', first_user,
                            last_user)
                WHEN first_user = '00000000-0000-0000-0000-000000000000'
                THEN format('t.user_id IS NULL AND t.id BETWEEN %L AND %L',
                            first_id, last_id)
                ELSE format('t.user_id = %L AND t.id BETWEEN %L AND %L',
                            first_user, first_id, last_id) END;
END;
COMMENT ON FUNCTION bambi_internal.archive_range(uuid, uuid, uuid, uuid) IS
    'A chunk as a condition on rows t.';

CREATE FUNCTION bambi_internal.archive_unfinished(
    table_name text, month date)
RETURNS text
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    leaf CONSTANT text := bambi_internal.archive_leaf(table_name, month);
    found boolean;
BEGIN
    IF table_name = 'usage_events' THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %s t '
                       'WHERE NOT t.is_rolled_up)', leaf) INTO found;
        RETURN CASE WHEN found THEN 'events of it are not summed up yet: '
                    'bambi_rollup_usage() does that' END;
    ELSIF table_name = 'image_generations' THEN
        IF EXISTS (SELECT FROM bambi_internal.queue AS q
                    WHERE q.id >= @extschema@.bambi_uuid_floor(
                              month::timestamp AT TIME ZONE 'UTC')
                      AND q.id < @extschema@.bambi_uuid_floor(
                              (month + interval '1 month')
                              AT TIME ZONE 'UTC')) THEN
            RETURN 'a generation of it is queued or runs';
        END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM %s t '
                       'WHERE t.held_reason IS NOT NULL)', leaf) INTO found;
        RETURN CASE WHEN found THEN 'a generation of it is held or uncertain: '
                    'its user has to decide about it' END;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_unfinished(text, date) IS
    'What keeps a month from being archived; NULL: nothing.';

-- ---- writing

CREATE FUNCTION bambi_internal.archive_begin(archive uuid)
RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $$
DECLARE
    a record;
BEGIN
    SELECT * INTO a FROM bambi.archives AS r WHERE r.id = archive;
    -- waits for all who have changed a row of it, so from here on each change
    -- is noted
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER touch_row AFTER INSERT OR UPDATE OR DELETE '
        'ON %s FOR EACH ROW EXECUTE FUNCTION bambi_internal.touch_row(%L)',
        bambi_internal.archive_leaf(a.table_name, a.month), archive);
    UPDATE bambi_internal.archive_objects AS o SET state = 'old'
     WHERE o.archive_id = archive AND o.kind = 'lines'
       AND o.state <> 'superseded';
    -- what is deleted this time must not be restored from another time
    INSERT INTO bambi_internal.archive_objects
           (archive_id, kind, state, name, first_user, last_user)
    SELECT archive, 'lines', 'old', a.manifest, u.nobody, u.nobody
      FROM bambi_internal.retention_of(
               bambi_internal.archive_kind(a.table_name)) AS p,
           (SELECT '00000000-0000-0000-0000-000000000000'::uuid) u (nobody)
     WHERE p.ends_as = 'delete' AND a.manifest IS NOT NULL
    ON CONFLICT (archive_id, name) DO NOTHING;
    UPDATE bambi.archives AS r
       SET state = 'writing', revision = r.revision + 1,
           ends_as = p.ends_as, pictures = coalesce(p.pictures, 'copy'),
           manifest = CASE p.ends_as WHEN 'archive'
               THEN bambi_internal.archive_place(r.table_name, r.month)
                    || 'manifest.json' END,
           manifest_sha256 = NULL, is_stale = false, verified_at = NULL,
           archived_at = NULL, restored_at = NULL, rows_left_out = 0,
           after_user = NULL, after_id = NULL, is_planned = false,
           begun_by = pg_current_xact_id(), attempts = 0, not_before = NULL,
           last_error = NULL, updated_at = now()
      FROM bambi_internal.retention_of(
               bambi_internal.archive_kind(a.table_name)) AS p
     WHERE r.id = archive;
    RETURN true;
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_begin(uuid) IS
    'From here on changes of rows of the month are noted. False if a lock was '
    'not to be had at once.';

CREATE FUNCTION bambi_internal.archive_kind(table_name text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE table_name WHEN 'image_generations' THEN 'content'
                           WHEN 'usage_events' THEN 'usage'
                           WHEN 'change_log' THEN 'audit' END;
END;
COMMENT ON FUNCTION bambi_internal.archive_kind(text) IS
    'What a table''s rows are in bambi.retention_policies; NULL: they are not '
    'archived.';

-- A chunk is all rows of some users, or a part of one user's.
CREATE FUNCTION bambi_internal.archive_cut(archive uuid)
RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    nobody     CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    most_bytes CONSTANT integer := 1000000;
    most       integer;
    leaf       text;
    a          record;
    low        uuid;
    high       uuid;
BEGIN
    SELECT * INTO a FROM bambi.archives AS r WHERE r.id = archive;
    leaf := bambi_internal.archive_leaf(a.table_name, a.month);
    most := CASE a.table_name WHEN 'image_generations' THEN 200
                              ELSE 1500 END;
    IF a.after_user IS NULL AND a.table_name = 'change_log' THEN
        a.after_user := nobody;
        a.after_id := nobody;
    END IF;
    IF a.after_id IS NOT NULL THEN
        EXECUTE format(
            'SELECT (array_agg(id ORDER BY id))[1],
                    (array_agg(id ORDER BY id DESC))[1]
               FROM (SELECT id, sum(size) OVER w AS total,
                            row_number() OVER w AS place
                       FROM (SELECT t.id, octet_length(t::text) AS size
                               FROM %s t WHERE %s AND t.id > $1
                              ORDER BY t.id LIMIT $2) r
                     WINDOW w AS (ORDER BY id)) s
              WHERE place = 1 OR total <= $3', leaf,
            CASE WHEN a.after_user = nobody THEN 't.user_id IS NULL'
                 ELSE format('t.user_id = %L', a.after_user) END)
           INTO low, high USING a.after_id, most, most_bytes;
        IF low IS NOT NULL THEN
            PERFORM bambi_internal.archive_add_chunk(
                        archive, a.after_user, a.after_user, low, high);
            UPDATE bambi.archives AS r
               SET after_user = a.after_user, after_id = high
             WHERE r.id = archive;
            RETURN true;
        END IF;
    END IF;

    EXECUTE format(
        'WITH r AS MATERIALIZED (
             SELECT t.user_id, octet_length(t::text) AS size
               FROM %s t WHERE t.user_id > $1
              ORDER BY t.user_id LIMIT $2 + 1),
         u AS (
             SELECT user_id, sum(sum(size)) OVER (ORDER BY user_id) AS total,
                    -- the last one may have more rows
                    row_number() OVER (ORDER BY user_id DESC) = 1
                    AND (SELECT count(*) > $2 FROM r) AS is_cut
               FROM r GROUP BY user_id)
         SELECT (SELECT user_id FROM r ORDER BY user_id LIMIT 1),
                (SELECT user_id FROM u WHERE NOT is_cut AND total <= $3
                  ORDER BY user_id DESC LIMIT 1)', leaf)
       INTO low, high USING coalesce(a.after_user, nobody), most, most_bytes;
    UPDATE bambi.archives AS r
       SET after_user = coalesce(high, low, r.after_user),
           after_id = CASE WHEN low IS NOT NULL AND high IS NULL
                           THEN nobody END,
           is_planned = low IS NULL
     WHERE r.id = archive;
    IF low IS NOT NULL AND high IS NULL THEN
        RETURN bambi_internal.archive_cut(archive);
    ELSIF low IS NOT NULL THEN
        PERFORM bambi_internal.archive_add_chunk(archive, low, high, NULL,
                                                 NULL);
    END IF;
    RETURN low IS NOT NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_cut(uuid) IS
    'Plans the next chunk of a month; false: there is none any more.';

CREATE FUNCTION bambi_internal.archive_add_chunk(
    archive uuid, first_user uuid, last_user uuid, first_id uuid,
    last_id uuid)
RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH a AS (
        UPDATE bambi.archives AS r SET next_number = r.next_number + 1
         WHERE r.id = archive
        RETURNING r.id, r.table_name, r.month, r.next_number - 1 AS number)
    INSERT INTO bambi_internal.archive_objects
           (archive_id, kind, state, number, name, first_user, last_user,
            first_id, last_id)
    SELECT a.id, 'lines', 'planned', a.number,
           bambi_internal.archive_chunk_name(a.table_name, a.month, a.number,
                                             1),
           archive_add_chunk.first_user, archive_add_chunk.last_user,
           archive_add_chunk.first_id, archive_add_chunk.last_id
      FROM a
$$;
COMMENT ON FUNCTION bambi_internal.archive_add_chunk(
    uuid, uuid, uuid, uuid, uuid) IS
    'Adds a chunk to a month.';

CREATE FUNCTION bambi_internal.archive_chunk_name(
    table_name text, month date, number integer, version integer)
RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT bambi_internal.archive_place(table_name, month)
           || lpad(number::text, 6, '0') || '-' || version || '.jsonl.zst';
END;
COMMENT ON FUNCTION bambi_internal.archive_chunk_name(
    text, date, integer, integer) IS
    'What a version of a chunk is called.';

CREATE FUNCTION bambi_internal.archive_take_touches(archive uuid)
RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a     record;
    o     record;
    touch record;
    taken bigint := 0;
BEGIN
    SELECT * INTO a FROM bambi.archives AS r WHERE r.id = archive;
    FOR touch IN
        WITH t AS (
            DELETE FROM bambi_internal.archive_touches AS t
             WHERE t.id IN (SELECT s.id FROM bambi_internal.archive_touches s
                             WHERE s.archive_id = archive LIMIT 200)
            RETURNING t.user_id, t.row_id)
        SELECT DISTINCT t.user_id, t.row_id FROM t
    LOOP
        taken := taken + 1;
        SELECT * INTO o FROM bambi_internal.archive_objects AS c
         WHERE c.archive_id = archive AND c.kind = 'lines'
           AND c.state IN ('planned', 'filling', 'written')
           AND touch.user_id BETWEEN c.first_user AND c.last_user
           AND (c.first_id IS NULL
                OR touch.row_id BETWEEN c.first_id AND c.last_id)
         LIMIT 1;
        IF FOUND AND o.state <> 'planned' THEN
            UPDATE bambi_internal.archive_objects AS c
               SET state = 'planned', version = c.version + 1,
                   name = bambi_internal.archive_chunk_name(
                              a.table_name, a.month, c.number, c.version + 1)
             WHERE c.id = o.id;
            -- which was put, or is on its way
            INSERT INTO bambi_internal.archive_objects
                   (archive_id, kind, state, name, first_user, last_user)
            VALUES (archive, 'lines', 'superseded', o.name, o.first_user,
                    o.last_user);
        ELSIF NOT FOUND AND a.is_planned THEN
            PERFORM bambi_internal.archive_add_chunk(
                        archive, touch.user_id, touch.user_id, touch.row_id,
                        touch.row_id);
        END IF;
    END LOOP;
    IF taken > 0 THEN
        UPDATE bambi.archives AS r
           SET manifest_sha256 = NULL, verified_at = NULL
         WHERE r.id = archive;
    END IF;
    RETURN taken;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_take_touches(uuid) IS
    'Has the chunks written again whose rows have changed.';

-- Of a picture that is in the database, or is to be copied, the archive has a
-- file.
CREATE FUNCTION bambi_internal.archive_list_pictures(object uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o record;
BEGIN
    SELECT c.*, a.pictures, a.table_name, a.month,
           bambi_internal.archive_leaf(a.table_name, a.month) AS leaf,
           bambi_internal.archive_place(a.table_name, a.month) AS place
      INTO o
      FROM bambi_internal.archive_objects AS c
      JOIN bambi.archives AS a ON a.id = c.archive_id
     WHERE c.id = object;
    EXECUTE format(
        'INSERT INTO bambi_internal.archive_objects AS p
                (archive_id, kind, state, name, version, first_user,
                 last_user, object_id, item_id, position, store, location)
         SELECT $1, ''picture'', ''planned'',
                $2 || ''pictures/'' || i.id || ''.''
                || coalesce(i.format, ''bin''),
                $4, i.user_id, i.user_id, $3, i.id, NULL,
                nullif(i.store, ''database''), i.storage_path
           FROM %1$s t
           JOIN bambi.images i
             ON i.generation_id = t.id AND i.user_id = t.user_id
          WHERE %2$s AND (i.store = ''database'' OR $5)
          UNION ALL
         SELECT $1, ''picture'', ''planned'',
                $2 || ''inputs/'' || n.generation_id || ''-'' || n.position,
                $4, n.user_id, n.user_id, $3, n.generation_id, n.position,
                NULL, NULL
           FROM %1$s t
           JOIN bambi.generation_inputs n
             ON n.generation_id = t.id AND n.user_id = t.user_id
          WHERE %2$s AND n.data IS NOT NULL
         ON CONFLICT (archive_id, name) DO UPDATE
            SET object_id = excluded.object_id, version = excluded.version,
                store = excluded.store, location = excluded.location,
                state = CASE WHEN p.state IN (''written'', ''absent'')
                             THEN p.state ELSE ''planned'' END', o.leaf,
        bambi_internal.archive_range(o.first_user, o.last_user, o.first_id,
                                     o.last_id))
      USING o.archive_id, o.place, o.id, o.version, o.pictures = 'copy';
    IF o.pictures = 'reference' THEN
        EXECUTE format(
            'INSERT INTO bambi_internal.archive_objects
                    (archive_id, kind, state, version, first_user, last_user,
                     object_id, store, location)
             SELECT $1, ''reference'', ''kept'', $3, i.user_id, i.user_id,
                    $2, i.store, i.storage_path
               FROM %s t
               JOIN bambi.images i
                 ON i.generation_id = t.id AND i.user_id = t.user_id
              WHERE %s AND i.store = ''filesystem''', o.leaf,
            bambi_internal.archive_range(o.first_user, o.last_user,
                                         o.first_id, o.last_id))
          USING o.archive_id, o.id, o.version;
    END IF;
    -- of images that are gone since an earlier version
    UPDATE bambi_internal.archive_objects AS p SET state = 'superseded'
     WHERE p.object_id = object AND p.kind = 'picture'
       AND p.version <> o.version AND p.state <> 'superseded';
    DELETE FROM bambi_internal.archive_objects AS p
     WHERE p.object_id = object AND p.kind = 'reference'
       AND p.version <> o.version;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_list_pictures(uuid) IS
    'Notes the files that go with a chunk of generations.';

CREATE FUNCTION bambi_internal.archive_lines(
    object uuid, OUT content bytea, OUT row_count bigint)
LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- times are written with the zone
SET timezone = 'UTC'
AS $$
DECLARE
    o record;
BEGIN
    SELECT c.*, a.table_name,
           bambi_internal.archive_leaf(a.table_name, a.month) AS leaf
      INTO o
      FROM bambi_internal.archive_objects AS c
      JOIN bambi.archives AS a ON a.id = c.archive_id
     WHERE c.id = object;
    EXECUTE format(
        'SELECT convert_to(string_agg(line || E''\n'', '''' ORDER BY user_id,
                                      id), ''UTF8''), count(*)
           FROM (SELECT t.user_id, t.id, json_build_object(
                            ''row'', row_to_json(t)%s)::text AS line
                   FROM %s t WHERE %s) l',
        CASE o.table_name WHEN 'image_generations' THEN
        ', ''images'', (
             SELECT json_agg(json_build_object(
                        ''row'', row_to_json(i), ''object'', p.name,
                        ''bytes'', p.bytes, ''sha256'', p.sha256)
                        ORDER BY i.position)
               FROM bambi.images i
               LEFT JOIN bambi_internal.archive_objects p
                 ON p.item_id = i.id AND p.kind = ''picture''
                AND p.object_id = $1 AND p.state = ''written''
              WHERE i.generation_id = t.id AND i.user_id = t.user_id),
           ''inputs'', (
             SELECT json_agg(json_build_object(
                        ''row'', row_to_json(n), ''object'', p.name,
                        ''bytes'', p.bytes, ''sha256'', p.sha256)
                        ORDER BY n.position)
               FROM (SELECT s.generation_id, s.user_id, s.position,
                            s.image_id, s.format, s.width, s.height, s.bytes,
                            s.store, s.storage_path
                       FROM bambi.generation_inputs s
                      WHERE s.generation_id = t.id
                        AND s.user_id = t.user_id) n
               LEFT JOIN bambi_internal.archive_objects p
                 ON p.item_id = n.generation_id AND p.kind = ''picture''
                AND p.object_id = $1 AND p.position = n.position
                AND p.state = ''written'')' ELSE '' END,
        o.leaf, bambi_internal.archive_range(o.first_user, o.last_user,
                                             o.first_id, o.last_id))
       INTO content, row_count USING object;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_lines(uuid) IS
    'A chunk as JSON Lines, and how many; NULL if it has no row.';

CREATE FUNCTION bambi_internal.archive_manifest(archive uuid)
RETURNS bytea
LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT convert_to(json_build_object(
                   'format', 1,
                   'bambi', (SELECT i.version FROM bambi_internal.instance i),
                   'table', a.table_name,
                   'month', to_char(a.month, 'YYYY-MM'),
                   'revision', a.revision,
                   'pictures', a.pictures,
                   'columns', (
                       SELECT json_agg(t.attname ORDER BY t.attnum)
                         FROM pg_attribute t
                        WHERE t.attrelid = ('bambi.' || a.table_name)::regclass
                          AND t.attnum > 0 AND NOT t.attisdropped),
                   'rows', (sum(o.row_count))::bigint,
                   'bytes', (sum(o.bytes))::bigint,
                   'objects', coalesce(json_agg(json_build_object(
                       'name', o.name, 'number', o.number,
                       'version', o.version, 'first_user', o.first_user,
                       'last_user', o.last_user, 'first_id', o.first_id,
                       'last_id', o.last_id, 'rows', o.row_count,
                       'bytes', o.bytes, 'sha256', o.sha256,
                       'content_sha256', o.content_sha256)
                       ORDER BY o.number) FILTER (WHERE o.id IS NOT NULL),
                       '[]'))::text, 'UTF8')
          FROM bambi.archives AS a
          LEFT JOIN bambi_internal.archive_objects AS o
            ON o.archive_id = a.id AND o.kind = 'lines'
           AND o.state IN ('written', 'removed') AND o.row_count > 0
         WHERE a.id = archive
         GROUP BY a.id);
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_manifest(uuid) IS
    'The manifest of a month, as its chunks are now.';
