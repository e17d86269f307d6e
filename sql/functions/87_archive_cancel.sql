-- A month that was to come back from the archive, and is not to any more: what
-- of it is in the tables goes again, chunk by chunk, and the archive stays as
-- it was.

CREATE FUNCTION bambi_internal.archive_remove_events(object uuid)
RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o       record;
    count   integer;
    is_left boolean;
BEGIN
    SELECT c.archive_id,
           bambi_internal.archive_leaf(a.table_name, a.month) AS leaf,
           bambi_internal.archive_range(c.first_user, c.last_user,
                                        c.first_id, c.last_id) AS range
      INTO o
      FROM bambi_internal.archive_objects AS c
      JOIN bambi.archives AS a ON a.id = c.archive_id
     WHERE c.id = object;
    -- what a month has cost that never was here counts for nothing here
    EXECUTE format(
        'WITH free AS MATERIALIZED (
             SELECT t.user_id, t.id FROM %1$s t WHERE %2$s
              LIMIT 500 FOR UPDATE SKIP LOCKED),
         gone AS (
             DELETE FROM %1$s t USING free s
              WHERE t.user_id = s.user_id AND t.id = s.id
             RETURNING t.user_id, t.configuration_id, t.currency, t.cost),
         carried AS (
             INSERT INTO bambi_internal.carried_costs AS c
                    (user_id, archive_id, object_id, configuration_id,
                     currency, cost, unpriced)
             SELECT g.user_id, $1, $2, g.configuration_id, g.currency,
                    coalesce(sum(g.cost), 0),
                    count(*) FILTER (WHERE g.cost IS NULL)
               FROM gone g
              WHERE EXISTS (SELECT FROM bambi_internal.carried_months m
                             WHERE m.archive_id = $1)
              GROUP BY g.user_id, g.configuration_id, g.currency
             ON CONFLICT ON CONSTRAINT one_sum_per_chunk DO UPDATE
                SET cost = c.cost + excluded.cost,
                    unpriced = c.unpriced + excluded.unpriced)
         SELECT count(*) FROM gone', o.leaf, o.range)
       INTO count USING o.archive_id, object;
    IF count = 0 THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %s t WHERE %s)', o.leaf,
                       o.range) INTO is_left;
    END IF;
    RETURN CASE WHEN is_left THEN -1 ELSE count END;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_remove_events(uuid) IS
    'Removes some events of a chunk that was brought back, whose cost is '
    'carried again, and gives their number; -1: the rest is locked.';

CREATE FUNCTION bambi_internal.archive_cancel_next(
    archive uuid, busy text[])
RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a     record;
    o     record;
    count integer := 0;
BEGIN
    SELECT * INTO a FROM bambi.archives AS r WHERE r.id = archive;
    -- a picture may be on its way to its store: the answer brings us back
    IF EXISTS (SELECT FROM unnest(busy) AS b (name)
                WHERE starts_with(b.name, bambi_internal.archive_place(
                                              a.table_name, a.month))) THEN
        RETURN NULL;
    END IF;
    SELECT c.id, c.state INTO o
      FROM bambi_internal.archive_objects AS c
     WHERE c.archive_id = archive AND c.kind = 'lines'
       AND c.state IN ('unchecked', 'checked', 'loaded')
     ORDER BY c.number LIMIT 1;
    IF FOUND THEN
        IF o.state = 'loaded' AND a.table_name = 'image_generations' THEN
            count := bambi_internal.archive_remove_rows(o.id);
        ELSIF o.state = 'loaded' AND a.table_name = 'usage_events' THEN
            count := bambi_internal.archive_remove_events(o.id);
        END IF;
        IF count = 0 THEN
            DELETE FROM bambi_internal.archive_objects AS c
             WHERE c.object_id = o.id AND c.kind = 'picture'
               AND c.state <> 'superseded';
            UPDATE bambi_internal.archive_objects AS c SET state = 'written'
             WHERE c.id = o.id;
        END IF;
        RETURN CASE WHEN count < 0 THEN 1000 ELSE 0 END;
    END IF;
    IF bambi_internal.has_month(('bambi.' || a.table_name)::regclass,
                                a.month::timestamp)
       AND NOT bambi_internal.archive_drop_month(a.table_name, a.month) THEN
        RETURN 1000;
    END IF;
    PERFORM bambi_internal.archive_give_up(
                archive, coalesce(a.last_error, 'restoring it was cancelled'));
    RETURN 0;
END
$$;
COMMENT ON FUNCTION bambi_internal.archive_cancel_next(uuid, text[]) IS
    'Removes a piece of a month that is not to come back any more, and gives '
    'the time until the next one.';

CREATE FUNCTION @extschema@.bambi_cancel_restore(manifest text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- the archive is the machinery's
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM bambi_internal.require_tables();
    UPDATE bambi.archives AS r
       SET state = 'cancelling', attempts = 0, not_before = NULL,
           last_error = NULL, updated_at = now()
     WHERE r.manifest = bambi_cancel_restore.manifest
       AND r.state IN ('restoring', 'cancelling');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'month is not being restored'
            USING ERRCODE = 'PT409', HINT = 'See bambi_archives.';
    END IF;
    PERFORM bambi_internal.wake_archive();
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_cancel_restore(text) FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_cancel_restore(text) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_cancel_restore(text)
    TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_cancel_restore(text) IS
    'Has the worker give up bringing a month back, by the name of its '
    'manifest: what is there of it goes again, with what was changed of it '
    'meanwhile, and the archive stays as it was. How far it is says '
    'bambi_archives. '
    'Errors: PT409 "month is not being restored"; 55000 "bambi is not set '
    'up".';
