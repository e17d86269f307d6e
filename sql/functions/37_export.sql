-- The copy of all that is stored of a person, by the catalogue of classes of
-- data: whatever gets a class there is in it.

-- What grows with use is cut by when it was made; so that one document stays
-- one that a server can build, and a client can read.
CREATE FUNCTION bambi_internal.export_condition(relation text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE relation
           WHEN 'bambi.image_generations' THEN
               't.id >= $2 AND t.id < $3 ORDER BY t.id'
           WHEN 'bambi_internal.queue' THEN
               't.id >= $2 AND t.id < $3 ORDER BY t.id'
           WHEN 'bambi.usage_events' THEN
               't.id >= $2 AND t.id < $3 ORDER BY t.id'
           WHEN 'bambi.change_log' THEN
               't.id >= $2 AND t.id < $3 ORDER BY t.id'
           WHEN 'bambi.images' THEN
               't.generation_id >= $2 AND t.generation_id < $3 '
               'ORDER BY t.generation_id, t.position'
           WHEN 'bambi_internal.idempotency_keys' THEN
               't.generation_id >= $2 AND t.generation_id < $3'
           -- no index has their user: found by the generations
           WHEN 'bambi.generation_inputs' THEN
               't.generation_id IN (SELECT g.id '
               'FROM bambi.image_generations g WHERE g.user_id = $1 '
               'AND g.id >= $2 AND g.id < $3) '
               'ORDER BY t.generation_id, t.position'
           WHEN 'bambi.previews' THEN
               't.generation_id IN (SELECT g.id '
               'FROM bambi.image_generations g WHERE g.user_id = $1 '
               'AND g.id >= $2 AND g.id < $3)'
           WHEN 'bambi.api_usage' THEN
               't.period_start >= @extschema@.bambi_uuid_time($2) '
               'AND t.period_start < @extschema@.bambi_uuid_time($3)'
           ELSE 'true' END;
END;
COMMENT ON FUNCTION bambi_internal.export_condition(text) IS
    'Which rows of a user''s of a table, alias t, are of a time: $1 user, $2 '
    'and $3 ids, the second not included.';

-- The bytes of pictures are where the links lead to, and of no use twice.
CREATE FUNCTION bambi_internal.export_columns(relation text)
RETURNS text
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT string_agg(
                   CASE WHEN a.atttypid = 'bytea'::regtype
                        THEN format('translate(encode(t.%1$I, ''base64''), '
                                    'E''\n'', '''') AS %1$I', a.attname)
                        ELSE format('t.%I', a.attname) END,
                   ', ' ORDER BY a.attnum)
          FROM bambi.data_classes AS c
               JOIN pg_attribute AS a
                 ON a.attrelid = to_regclass(c.relation)
                AND a.attname = c.column_name AND NOT a.attisdropped
         WHERE c.relation = export_columns.relation AND c.class <> 'secret'
           AND (c.relation, c.column_name) NOT IN (
                   ('bambi.image_data', 'data'), ('bambi.previews', 'data')));
END
$$;
COMMENT ON FUNCTION bambi_internal.export_columns(text) IS
    'The columns of a table that a person gets, as a list for SELECT: no '
    'secrets; bytes as base64.';

CREATE FUNCTION bambi_internal.export_relations()
RETURNS TABLE (relation text, of_user name, is_here boolean)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT c.relation, c.column_name::name,
           NOT (pg_is_in_recovery() AND k.relpersistence = 'u')
      FROM bambi.data_classes AS c
           LEFT JOIN pg_class AS k ON k.oid = to_regclass(c.relation)
     WHERE c.column_name = CASE c.relation WHEN 'bambi.users' THEN 'id'
                           ELSE 'user_id' END
     ORDER BY c.relation;
END
$$;
COMMENT ON FUNCTION bambi_internal.export_relations() IS
    'The tables with rows of users, the column that says whose, and whether '
    'they can be read: an unlogged one cannot on a standby.';

CREATE FUNCTION bambi_internal.export_links(
    "user" uuid, first uuid, past uuid, ends_at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    image   record;
    ids     text[] := '{}';
    links   text[] := '{}';
    may_ask integer := 1000;
    link    text;
BEGIN
    FOR image IN
        SELECT i.id, i.store, i.storage_path
          FROM bambi.images AS i
         WHERE i.user_id = "user" AND i.generation_id >= first
           AND i.generation_id < past
         ORDER BY i.generation_id DESC
    LOOP
        link := NULL;
        IF image.store IN ('database', 'filesystem') THEN
            link := bambi_internal.export_link(image.id, "user", ends_at);
        ELSIF may_ask > 0 THEN
            -- a store that is away must not be in the way of all else
            BEGIN
                link := bambi_internal.export_link(image.id, "user", ends_at);
                may_ask := may_ask - 1;
            EXCEPTION WHEN SQLSTATE 'PT503' OR SQLSTATE 'PGRST' THEN
                may_ask := 0;
            END;
        END IF;
        IF link IS NOT NULL THEN
            ids := ids || image.id::text;
            links := links || link;
        END IF;
    END LOOP;
    RETURN jsonb_object(ids, links);
END
$$;
COMMENT ON FUNCTION bambi_internal.export_links(
    uuid, uuid, uuid, timestamptz) IS
    'Links to pictures, by the ids of images. Stores outside are asked for '
    'the newest 1000; bambi_image_url gives the others.';

CREATE FUNCTION bambi_internal.export_link(
    image uuid, "user" uuid, ends_at timestamptz)
RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_export_link';
COMMENT ON FUNCTION bambi_internal.export_link(uuid, uuid, timestamptz) IS
    'A link to a picture of a user; NULL where nobody hands it out.';

CREATE FUNCTION bambi_internal.export_require_room(
    "user" uuid, first uuid, past uuid)
RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most_rows  CONSTANT bigint := 25000;
    most_bytes CONSTANT bigint := 64 * 1024 * 1024;
    place      text;
    bytes      bigint;
    past_room  uuid;
BEGIN
    SELECT g.id INTO past_room
      FROM (SELECT g.id, row_number() OVER w AS number,
                   sum(octet_length(g.prompt) + pg_column_size(g.parameters))
                       OVER w AS bytes
              FROM bambi.image_generations AS g
             WHERE g.user_id = "user" AND g.id >= first AND g.id < past
            WINDOW w AS (ORDER BY g.id)
             LIMIT most_rows + 1) AS g
     WHERE g.number > most_rows OR g.bytes > most_bytes
     ORDER BY g.id LIMIT 1;
    IF past_room IS NULL THEN
        FOREACH place IN ARRAY ARRAY['usage_events', 'change_log']
        LOOP
            EXECUTE format(
                'SELECT t.id FROM bambi.%I AS t WHERE t.user_id = $1 '
                'AND t.id >= $2 AND t.id < $3 ORDER BY t.id '
                'OFFSET $4 LIMIT 1', place)
               INTO past_room USING "user", first, past, most_rows * 2;
            EXIT WHEN past_room IS NOT NULL;
        END LOOP;
    END IF;
    IF past_room IS NOT NULL THEN
        RAISE EXCEPTION 'export is too large'
            USING ERRCODE = 'program_limit_exceeded',
                  DETAIL = format('One document takes %s generations, and %s '
                                  'MB of prompts.', most_rows,
                                  most_bytes / 1024 / 1024),
                  HINT = format('Ask for parts, such as until => %L, then '
                                'since => the same, and so on.',
                                @extschema@.bambi_uuid_time(past_room));
    END IF;
    SELECT sum(i.bytes) INTO bytes
      FROM bambi.image_generations AS g
           JOIN bambi.generation_inputs AS i
             ON i.generation_id = g.id AND i.user_id = "user"
     WHERE g.user_id = "user" AND g.id >= first AND g.id < past
       AND i.data IS NOT NULL;
    IF bytes > most_bytes THEN
        RAISE EXCEPTION 'export is too large'
            USING ERRCODE = 'program_limit_exceeded',
                  DETAIL = format('One document takes %s MB of pictures that '
                                  'wait to be edited.',
                                  most_bytes / 1024 / 1024),
                  HINT = 'Ask for parts, with since and until, or when they '
                         'have been edited.';
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.export_require_room(uuid, uuid, uuid) IS
    'Refuses what would be too large for one document, and says which part '
    'would not.';

CREATE FUNCTION bambi_internal.export_archives("user" uuid)
RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.table_name, m.month),
                        '[]')
          FROM (SELECT DISTINCT a.table_name, a.month, a.state
                  FROM bambi.archives AS a
                       JOIN bambi_internal.archive_objects AS o
                         ON o.archive_id = a.id
                 WHERE o.kind = 'lines'
                   AND bambi_internal.uuid_range(o.first_user, o.last_user,
                                                 '[]') @> "user") AS m);
END
$$;
COMMENT ON FUNCTION bambi_internal.export_archives(uuid) IS
    'The months of the archive that may have rows of a user: objects are '
    'ranges of users.';

CREATE FUNCTION bambi_internal.export_user(
    "user" uuid, since timestamptz, until timestamptz)
RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first   CONSTANT uuid := coalesce(
        @extschema@.bambi_uuid_floor(since),
        '00000000-0000-0000-0000-000000000000');
    past    CONSTANT uuid := coalesce(
        @extschema@.bambi_uuid_floor(until),
        'ffffffff-ffff-ffff-ffff-ffffffffffff');
    ends_at CONSTANT timestamptz := now() + interval '1 day';
    links   jsonb;
    place   record;
    found   jsonb;
    data    jsonb := '{}';
    absent  text[] := '{}';
BEGIN
    IF NOT EXISTS (SELECT FROM bambi.users AS u
                    WHERE u.id = "user" AND u.erased_at IS NULL) THEN
        RETURN NULL;
    END IF;
    PERFORM bambi_internal.export_require_room("user", first, past);
    links := bambi_internal.export_links("user", first, past, ends_at);
    FOR place IN
        SELECT r.relation, r.of_user, r.is_here,
               split_part(r.relation, '.', 2) AS name,
               bambi_internal.export_columns(r.relation) AS columns,
               bambi_internal.export_condition(r.relation) AS condition
          FROM bambi_internal.export_relations() AS r
    LOOP
        IF NOT place.is_here THEN
            absent := absent || place.name;
            CONTINUE;
        END IF;
        EXECUTE format(
            'SELECT jsonb_agg(%s) FROM (SELECT %s FROM %s AS t '
            'WHERE t.%I = $1 AND %s) AS r',
            CASE WHEN place.relation = 'bambi.images'
                 THEN 'to_jsonb(r) || jsonb_build_object(''link'', '
                      '$4 -> r.id::text)'
                 ELSE 'to_jsonb(r)' END,
            place.columns, place.relation, place.of_user, place.condition)
           INTO found USING "user", first, past, links;
        data := data || jsonb_build_object(
            place.name, coalesce(found, '[]'));
    END LOOP;
    data := data || jsonb_build_object(
        'archives', bambi_internal.export_archives("user"));
    RETURN jsonb_build_object(
        'user_id', "user", 'exported_at', now(), 'since', since,
        'until', until, 'links_end_at', ends_at, 'left_out', absent,
        'data', data);
END
$$;
COMMENT ON FUNCTION bambi_internal.export_user(
    uuid, timestamptz, timestamptz) IS
    'All that is stored of a user; NULL if there is no such person.';

-- Nobody else calls these.
DO $$
DECLARE
    routine pg_catalog.regprocedure;
BEGIN
    FOR routine IN
        SELECT p.oid FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = 'bambi_internal'::pg_catalog.regnamespace
           AND p.proname ~ '^export_' AND p.proname <> 'export_my_data'
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC',
                                  routine);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO bambi_owner',
                                  routine);
    END LOOP;
END
$$;
