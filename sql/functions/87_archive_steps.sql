-- What the worker does next about months on their way to the archive.
--
-- A step gives an errand for the courier, its payload, and the task that it
-- is for, with which the answer comes back; or how long until the next look:
-- 0 after a piece of work was done, NULL where nothing is left to do.  busy
-- has the names of objects that the courier is about.

CREATE FUNCTION bambi_internal.archive_ask(
    archive uuid, "do" text, object uuid, version integer, errand jsonb,
    OUT task jsonb, OUT errand_out jsonb)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT jsonb_build_object('archive', archive, 'do', "do",
                              'object', object, 'version', version,
                              'name', errand ->> 'name'),
           errand;
END;
COMMENT ON FUNCTION bambi_internal.archive_ask(
    uuid, text, uuid, integer, jsonb) IS
    'An errand and its task.';

CREATE FUNCTION bambi_internal.archive_erase_next(
    archive uuid, busy text[], OUT task jsonb, OUT errand jsonb,
    OUT payload bytea)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o record;
BEGIN
    SELECT c.id, c.version, c.name INTO o
      FROM bambi_internal.archive_objects AS c
     WHERE c.archive_id = archive AND c.kind IN ('lines', 'picture')
       AND c.state = 'superseded' AND c.name <> ALL (busy)
     LIMIT 1;
    IF FOUND THEN
        SELECT k.task, k.errand_out INTO task, errand
          FROM bambi_internal.archive_ask(
                   archive, 'erase', o.id, o.version,
                   jsonb_build_object('kind', 'archive_erase',
                                      'name', o.name)) AS k;
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_erase_next(uuid, text[]) IS
    'The next object to be erased.';

CREATE FUNCTION bambi_internal.archive_picture_next(
    object uuid, busy text[], OUT task jsonb, OUT errand jsonb,
    OUT payload bytea, OUT is_waited_for boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p record;
BEGIN
    SELECT c.* INTO p FROM bambi_internal.archive_objects AS c
     WHERE c.object_id = object AND c.state = 'planned'
       AND c.name <> ALL (busy)
     LIMIT 1;
    IF NOT FOUND THEN
        is_waited_for := EXISTS (
            SELECT FROM bambi_internal.archive_objects AS c
             WHERE c.object_id = object AND c.state = 'planned');
        RETURN;
    END IF;
    is_waited_for := true;
    IF p.store IS NULL AND p.position IS NULL THEN
        payload := (SELECT d.data FROM bambi.image_data AS d
                     WHERE d.image_id = p.item_id
                       AND d.user_id = p.first_user);
    ELSIF p.store IS NULL THEN
        payload := (SELECT n.data FROM bambi.generation_inputs AS n
                     WHERE n.generation_id = p.item_id
                       AND n.user_id = p.first_user
                       AND n.position = p.position);
    END IF;
    IF p.store IS NULL AND payload IS NULL THEN
        UPDATE bambi_internal.archive_objects AS c SET state = 'absent'
         WHERE c.id = p.id;
        RETURN;
    END IF;
    SELECT k.task, k.errand_out INTO task, errand
      FROM bambi_internal.archive_ask(
               p.archive_id, 'picture', p.id, p.version,
               CASE WHEN p.store IS NULL
                    THEN jsonb_build_object(
                             'kind', 'archive_put', 'name', p.name,
                             'is_raw', true)
                    ELSE jsonb_build_object(
                             'kind', 'archive_copy', 'name', p.name,
                             'store', p.store, 'location', p.location) END)
               AS k;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_picture_next(uuid, text[]) IS
    'The next picture of a chunk that is to be put.';

CREATE FUNCTION bambi_internal.archive_chunk_next(
    archive uuid, busy text[], OUT task jsonb, OUT errand jsonb,
    OUT payload bytea, OUT again_ms integer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o record;
    p record;
    l record;
BEGIN
    FOR o IN
        SELECT c.id, c.state, c.version, c.name, a.ends_as, a.table_name
          FROM bambi_internal.archive_objects AS c
          JOIN bambi.archives AS a ON a.id = c.archive_id
         WHERE c.archive_id = archive AND c.kind = 'lines'
           AND c.state IN ('planned', 'filling')
         ORDER BY c.number LIMIT 8
    LOOP
        IF o.ends_as = 'delete' THEN
            UPDATE bambi_internal.archive_objects AS c SET state = 'written'
             WHERE c.archive_id = archive AND c.kind = 'lines'
               AND c.state IN ('planned', 'filling');
            again_ms := 0;
            RETURN;
        ELSIF o.state = 'planned' THEN
            IF o.table_name = 'image_generations' THEN
                PERFORM bambi_internal.archive_list_pictures(o.id);
            END IF;
            UPDATE bambi_internal.archive_objects AS c SET state = 'filling'
             WHERE c.id = o.id;
            again_ms := 0;
            RETURN;
        END IF;
        SELECT * INTO p
          FROM bambi_internal.archive_picture_next(o.id, busy);
        IF p.errand IS NOT NULL THEN
            task := p.task;
            errand := p.errand;
            payload := p.payload;
            again_ms := 0;
            RETURN;
        END IF;
        CONTINUE WHEN p.is_waited_for OR o.name = ANY (busy);
        SELECT * INTO l FROM bambi_internal.archive_lines(o.id);
        IF l.row_count = 0 THEN
            UPDATE bambi_internal.archive_objects AS c
               SET state = 'written', row_count = 0
             WHERE c.id = o.id;
            again_ms := 0;
            RETURN;
        END IF;
        SELECT k.task || jsonb_build_object(
                   'rows', l.row_count,
                   'sha256', encode(sha256(l.content), 'hex')),
               k.errand_out, l.content, 0
          INTO task, errand, payload, again_ms
          FROM bambi_internal.archive_ask(
                   archive, 'lines', o.id, o.version,
                   jsonb_build_object('kind', 'archive_put', 'name', o.name,
                                      'is_raw', false)) AS k;
        RETURN;
    END LOOP;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_chunk_next(uuid, text[]) IS
    'The next chunk to be written, or picture of one.';

-- Put, then read back; what was read has to be what the chunks make now.
CREATE FUNCTION bambi_internal.archive_manifest_next(
    archive uuid, busy text[], OUT task jsonb, OUT errand jsonb,
    OUT payload bytea, OUT again_ms integer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a record;
BEGIN
    SELECT r.manifest, r.manifest_sha256 INTO a
      FROM bambi.archives AS r WHERE r.id = archive;
    IF a.manifest = ANY (busy) THEN
        RETURN;
    END IF;
    again_ms := 0;
    IF a.manifest_sha256 IS NULL THEN
        payload := bambi_internal.archive_manifest(archive);
    END IF;
    SELECT k.task, k.errand_out INTO task, errand
      FROM bambi_internal.archive_ask(
               archive,
               CASE WHEN payload IS NULL THEN 'manifest_check'
                    ELSE 'manifest' END, NULL, NULL,
               jsonb_build_object('kind', CASE WHEN payload IS NULL
                                               THEN 'archive_get'
                                               ELSE 'archive_put' END,
                                  'name', a.manifest, 'is_raw', true)) AS k;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_manifest_next(uuid, text[]) IS
    'Puts the manifest, or reads it back.';

CREATE FUNCTION bambi_internal.archive_wait(
    archive uuid, reason text, OUT again_ms integer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE bambi.archives AS r SET last_error = reason, updated_at = now()
     WHERE r.id = archive AND r.last_error IS DISTINCT FROM reason;
    again_ms := 60 * 60 * 1000;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_wait(uuid, text) IS
    'Notes what a month waits for.';

CREATE FUNCTION bambi_internal.archive_write_next(
    archive uuid, busy text[], OUT task jsonb, OUT errand jsonb,
    OUT payload bytea, OUT again_ms integer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a      record;
    reason text;
BEGIN
    SELECT * INTO a FROM bambi.archives AS r WHERE r.id = archive;
    -- whoever changed an image before that was noted has to end: its table
    -- was not locked; a number of another cluster is of nobody here
    IF a.table_name = 'image_generations'
       AND a.begun_by >= pg_snapshot_xmin(pg_current_snapshot())
       AND a.begun_by < pg_snapshot_xmax(pg_current_snapshot()) THEN
        again_ms := 200;
        RETURN;
    END IF;
    IF bambi_internal.archive_take_touches(archive) > 0
       OR NOT a.is_planned AND bambi_internal.archive_cut(archive) THEN
        again_ms := 0;
        RETURN;
    END IF;
    SELECT * INTO task, errand, payload, again_ms
      FROM bambi_internal.archive_chunk_next(archive, busy);
    IF again_ms IS NULL THEN
        SELECT e.task, e.errand, e.payload, CASE WHEN e.task IS NOT NULL
                                                 THEN 0 END
          INTO task, errand, payload, again_ms
          FROM bambi_internal.archive_erase_next(archive, busy) AS e;
    END IF;
    IF again_ms IS NOT NULL OR EXISTS (
           SELECT FROM bambi_internal.archive_objects AS o
            WHERE o.archive_id = archive
              AND o.state IN ('planned', 'filling', 'superseded')) THEN
        RETURN;
    END IF;

    reason := bambi_internal.archive_unfinished(a.table_name, a.month);
    IF reason IS NOT NULL THEN
        again_ms := bambi_internal.archive_wait(archive, reason);
    ELSIF a.ends_as = 'delete' THEN
        UPDATE bambi.archives AS r SET state = 'verified', last_error = NULL
         WHERE r.id = archive;
        again_ms := 0;
    ELSE
        SELECT * INTO task, errand, payload, again_ms
          FROM bambi_internal.archive_manifest_next(archive, busy);
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_write_next(uuid, text[]) IS
    'The next step of a month that is written.';

-- ---- removing

CREATE FUNCTION bambi_internal.archive_remove_rows(object uuid)
RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o       record;
    ids     uuid[];
    is_left boolean;
BEGIN
    SELECT bambi_internal.archive_leaf(a.table_name, a.month) AS leaf,
           bambi_internal.archive_range(c.first_user, c.last_user,
                                        c.first_id, c.last_id) AS range,
           a.ends_as = 'archive' AND a.pictures = 'reference'
               AS keeps_pictures,
           a.ends_as = 'archive' AS is_archived
      INTO o
      FROM bambi_internal.archive_objects AS c
      JOIN bambi.archives AS a ON a.id = c.archive_id
     WHERE c.id = object;
    EXECUTE format('SELECT array_agg(id) FROM (SELECT t.id FROM %s t WHERE %s '
                   'LIMIT 100 FOR UPDATE SKIP LOCKED) r', o.leaf, o.range)
       INTO ids;
    IF ids IS NULL THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %s t WHERE %s)', o.leaf,
                       o.range) INTO is_left;
        RETURN CASE WHEN is_left THEN -1 ELSE 0 END;
    END IF;
    -- an image without a place leaves no errand to erase it
    IF o.keeps_pictures THEN
        UPDATE bambi.images AS i SET storage_path = NULL
         WHERE i.generation_id = ANY (ids) AND i.storage_path IS NOT NULL;
    ELSIF o.is_archived THEN
        -- what its store did not have, it may have again: a disk was not there
        UPDATE bambi.images AS i SET storage_path = NULL
         WHERE i.generation_id = ANY (ids) AND i.storage_path IS NOT NULL
           AND NOT EXISTS (SELECT FROM bambi_internal.archive_objects AS p
                            WHERE p.item_id = i.id AND p.kind = 'picture'
                              AND p.object_id = object
                              AND p.state <> 'absent');
    END IF;
    DELETE FROM bambi.images AS i WHERE i.generation_id = ANY (ids);
    EXECUTE format('DELETE FROM %s t WHERE t.id = ANY ($1)', o.leaf)
      USING ids;
    RETURN cardinality(ids);
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_remove_rows(uuid) IS
    'Removes some generations of a chunk with their pictures, and gives their '
    'number; -1: the rest is locked.';

CREATE FUNCTION bambi_internal.archive_carry_costs(object uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o record;
BEGIN
    SELECT c.archive_id,
           bambi_internal.archive_leaf(a.table_name, a.month) AS leaf,
           bambi_internal.archive_range(c.first_user, c.last_user,
                                        c.first_id, c.last_id) AS range
      INTO o
      FROM bambi_internal.archive_objects AS c
      JOIN bambi.archives AS a ON a.id = c.archive_id
     WHERE c.id = object;
    EXECUTE format(
        'INSERT INTO bambi_internal.carried_costs
                (user_id, archive_id, object_id, configuration_id, currency,
                 cost, unpriced)
         SELECT t.user_id, $1, $2, t.configuration_id, t.currency,
                coalesce(sum(t.cost), 0),
                count(*) FILTER (WHERE t.cost IS NULL)
           FROM %s t WHERE %s
          GROUP BY t.user_id, t.configuration_id, t.currency', o.leaf,
        o.range)
      USING o.archive_id, object;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_carry_costs(uuid) IS
    'Sums a chunk of usage_events up, for when its rows are gone.';

CREATE FUNCTION bambi_internal.archive_leave(archive uuid)
RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a record;
BEGIN
    SELECT * INTO a FROM bambi.archives AS r WHERE r.id = archive;
    IF NOT bambi_internal.detach_month(('bambi.' || a.table_name)::regclass,
                                       a.month) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %s',
                   bambi_internal.archive_leaf(a.table_name, a.month));
    IF a.table_name = 'usage_events' THEN
        INSERT INTO bambi_internal.carried_months (archive_id)
        VALUES (archive) ON CONFLICT DO NOTHING;
    END IF;
    IF a.ends_as = 'delete' THEN
        DELETE FROM bambi_internal.archive_objects AS o
         WHERE o.archive_id = archive AND o.state = 'removed';
    ELSE
        UPDATE bambi_internal.archive_objects AS o SET state = 'written'
         WHERE o.archive_id = archive AND o.state = 'removed';
    END IF;
    UPDATE bambi.archives AS r
       SET state = CASE r.ends_as WHEN 'delete' THEN 'deleted'
                                  ELSE 'archived' END,
           archived_at = now(), is_asked = false, last_error = NULL,
           updated_at = now()
     WHERE r.id = archive;
    RETURN true;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_leave(uuid) IS
    'Detaches and drops a month whose rows are archived. False if a lock was '
    'not to be had at once.';

CREATE FUNCTION bambi_internal.archive_remove_next(archive uuid)
RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o     record;
    count integer := 0;
BEGIN
    SELECT c.id, a.table_name INTO o
      FROM bambi_internal.archive_objects AS c
      JOIN bambi.archives AS a ON a.id = c.archive_id
     WHERE c.archive_id = archive AND c.kind = 'lines'
       AND c.state = 'written'
     ORDER BY c.number LIMIT 1;
    IF NOT FOUND THEN
        RETURN CASE WHEN bambi_internal.archive_leave(archive) THEN 0
                    ELSE 1000 END;
    END IF;
    IF o.table_name = 'image_generations' THEN
        count := bambi_internal.archive_remove_rows(o.id);
    ELSIF o.table_name = 'usage_events' THEN
        PERFORM bambi_internal.archive_carry_costs(o.id);
    END IF;
    IF count = 0 THEN
        UPDATE bambi_internal.archive_objects AS c SET state = 'removed'
         WHERE c.id = o.id;
        UPDATE bambi_internal.archive_objects AS c
           SET kind = 'reference', state = 'kept', name = NULL
         WHERE c.object_id = o.id AND c.kind = 'picture'
           AND c.state = 'absent' AND c.store = 'filesystem';
        -- the lines name them from here on
        DELETE FROM bambi_internal.archive_objects AS c
         WHERE c.object_id = o.id AND c.kind = 'picture'
           AND c.state <> 'superseded';
    END IF;
    RETURN CASE WHEN count < 0 THEN 1000 ELSE 0 END;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_remove_next(uuid) IS
    'Removes a piece of a month that is archived, and gives the time until '
    'the next one.';
