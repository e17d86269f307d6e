-- Who may archive what; what a change of a month does that is being archived;
-- and that budgets do not forget what has left the ledger.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
\set a '\'00000000-0000-7000-8000-0000000000a1\''
\set sandbox '\'00000000-0000-7000-8000-000000000401\''
SET search_path = public;
SET client_min_messages = error;

-- Operators, and nobody else.
SELECT r.role, f.name,
       has_function_privilege(r.role, f.name, 'EXECUTE') AS may
  FROM unnest('{bambi_user, bambi_service, bambi_admin}'::text[]) r (role),
       unnest('{"bambi_archive_month(text, date)",
                bambi_restore_archive(text), bambi_cancel_restore(text),
                bambi_internal.erase_from_archives(uuid)}'::text[]) f (name)
 WHERE has_function_privilege(r.role, f.name, 'EXECUTE');
SELECT count(*) AS for_others
  FROM pg_proc p, unnest('{bambi_user, bambi_service, bambi_admin}'::text[]) r
 WHERE p.pronamespace = 'bambi_internal'::regnamespace
   AND p.proname ~ '^(archive|wake_archive|erase_from|note_touch|touch_)'
   AND has_function_privilege(r, p.oid, 'EXECUTE');
BEGIN;
SET LOCAL ROLE bambi_user;
SELECT bambi_archive_month('image_generations', '2024-05-01');
SELECT bambi_restore_archive('image_generations/2024-05/manifest.json');
SELECT bambi_cancel_restore('image_generations/2024-05/manifest.json');
SELECT * FROM bambi_archives;
SELECT * FROM bambi.archives;
SELECT * FROM bambi_internal.archive_objects;
RESET ROLE;
SET LOCAL ROLE bambi_admin;
SELECT count(*) FROM bambi_archives;
DELETE FROM bambi_archives;
UPDATE bambi.archives SET state = 'archived';
ROLLBACK;

-- What is not there, or not yet.
BEGIN;
SET LOCAL ROLE bambi_admin;
SELECT bambi_archive_month('users', '2024-05-01');
SELECT bambi_archive_month(NULL, '2024-05-01');
SELECT bambi_archive_month('usage_events', NULL);
\echo :SQLSTATE
SELECT bambi_archive_month('usage_events', '1999-01-01');
\echo :SQLSTATE
SELECT bambi_archive_month('usage_events',
                           (now() AT TIME ZONE 'UTC')::date);
\echo :SQLSTATE
SELECT bambi_restore_archive(NULL);
SELECT bambi_restore_archive('users/2024-05/manifest.json');
SELECT bambi_restore_archive('usage_events/2024-13/manifest.json');
SELECT bambi_restore_archive('../usage_events/2024-05/manifest.json');
SELECT bambi_restore_archive('usage_events/2024-05/000001-1.jsonl.zst');
-- no archive is set here
SELECT bambi_restore_archive('usage_events/2024-05/manifest.json');
\echo :SQLSTATE
SELECT bambi_cancel_restore(NULL);
SELECT bambi_cancel_restore('usage_events/2024-05/manifest.json');
\echo :SQLSTATE
SELECT count(*) FROM bambi_archives;
ROLLBACK;

-- A month out of which somebody is being taken is not restored by the manifest
-- of before; and a restore that fails forgets nothing that is to be erased.
BEGIN;
\set archive '\'00000000-0000-7000-8000-0000000000c1\''
INSERT INTO bambi.archives (id, table_name, month, state, manifest, is_stale,
                            archived_at)
VALUES (:archive, 'image_generations', '2011-02-01', 'restoring',
        'image_generations/2011-02/manifest.json', true, now());
INSERT INTO bambi_internal.archive_objects
       (archive_id, kind, state, name, first_user, last_user)
VALUES (:archive, 'picture', 'superseded',
        'image_generations/2011-02/pictures/x.png', :a, :a),
       (:archive, 'lines', 'written',
        'image_generations/2011-02/000001-2.jsonl.zst', :a, :a);
SELECT task ->> 'do' AS first FROM bambi_internal.archive_step('{}');
UPDATE bambi.archives SET is_stale = false;
INSERT INTO bambi_internal.archive_erasures (user_id, object_id)
SELECT :a, id FROM bambi_internal.archive_objects WHERE kind = 'lines';
SELECT task ->> 'do' AS first FROM bambi_internal.archive_step('{}');
UPDATE bambi_internal.archive_erasures SET is_done = true;
SELECT task ->> 'do' AS "then" FROM bambi_internal.archive_step('{}');
SELECT bambi_internal.archive_give_up(:archive, 'a test');
SELECT kind, state, name FROM bambi_internal.archive_objects ORDER BY kind;
ROLLBACK;

-- A month that is past its time waits, and says what for.
BEGIN;
-- somebody may hold a lock for a moment
DO $$
BEGIN
    WHILE NOT bambi_internal.make_month('bambi.change_log', '2011-02-01', NULL)
    LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
SELECT bambi_archive_month('change_log', '2011-02-17');
SELECT bambi_internal.archive_look();
SELECT bambi_internal.archive_look() AS again;
SELECT again_ms FROM bambi_internal.archive_step('{}');
SELECT table_name, month, state, last_error FROM bambi_archives;
-- and is forgotten when it is to be kept
UPDATE bambi.retention_policies SET keep = NULL WHERE what = 'audit';
SELECT again_ms FROM bambi_internal.archive_step('{}');
SELECT count(*) FROM bambi_archives;
-- without an archive it may be deleted
UPDATE bambi.retention_policies SET keep = '1 month', ends_as = 'delete'
 WHERE what = 'audit';
SELECT bambi_archive_month('change_log', '2011-02-17');
SELECT again_ms FROM bambi_internal.archive_step('{}');
SELECT table_name, month, state, ends_as, manifest FROM bambi_archives;
-- one that is archived, and was made again by somebody, would lose its archive
UPDATE bambi.archives SET state = 'archived';
SELECT bambi_archive_month('change_log', '2011-02-17');
\echo :SQLSTATE
SELECT state FROM bambi_archives;
-- nor one whose way back is being cancelled
UPDATE bambi.archives SET state = 'cancelling';
SELECT bambi_archive_month('change_log', '2011-02-17');
ROLLBACK;

-- Changes are noted while a month is written, and refused while it leaves.
BEGIN;
-- somebody may hold a lock for a moment
DO $$
BEGIN
    WHILE NOT bambi_internal.make_month('bambi.image_generations',
                                        '2011-02-01', NULL)
    LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
SELECT bambi_uuid_floor('2011-02-02 00:00Z') AS g \gset
INSERT INTO bambi.users (id, email) VALUES (:a, 'archive@example.com');
INSERT INTO bambi.image_generations (id, user_id, model_id, prompt, status)
VALUES (:'g', :a, :sandbox, 'x', 'succeeded');
INSERT INTO bambi.images (generation_id, user_id) VALUES (:'g', :a);
UPDATE bambi.retention_policies SET keep = '1 month' WHERE what = 'content';
SELECT bambi_internal.archive_look();
SELECT bambi_internal.archive_begin(id) FROM bambi.archives;
SELECT state, manifest, revision FROM bambi_archives;
UPDATE bambi.image_generations SET prompt = 'y' WHERE id = :'g';
SELECT count(*) FROM bambi_internal.archive_touches WHERE row_id = :'g';
UPDATE bambi.images SET width = 1, height = 1 WHERE generation_id = :'g';
SELECT count(*) FROM bambi_internal.archive_touches WHERE row_id = :'g';
-- A chunk that is put, or on its way, is planned again under another name, and
-- an answer about what it was does not count.
SELECT bambi_internal.archive_cut(id) AS one, bambi_internal.archive_cut(id)
       AS another
  FROM bambi.archives;
SELECT id AS chunk FROM bambi_internal.archive_objects \gset
SELECT bambi_internal.archive_list_pictures(:'chunk');
UPDATE bambi_internal.archive_objects SET state = 'filling'
 WHERE id = :'chunk';
SELECT kind, state, replace(name, image_id::text, '...') AS name, version
  FROM bambi_internal.archive_objects,
       (SELECT id AS image_id FROM bambi.images WHERE generation_id = :'g') i
 ORDER BY name;
SELECT bambi_internal.archive_take_touches(id) FROM bambi.archives;
UPDATE bambi_internal.archive_objects SET state = 'filling'
 WHERE id = :'chunk';
SELECT bambi_internal.archive_take_put(
           jsonb_build_object('object', :'chunk', 'version', 1,
                              'rows', 1, 'sha256', 'good', 'name', 'a chunk'),
           '{"bytes": 1, "sha256": "x", "content_sha256": "good"}');
SELECT kind, state, name, version FROM bambi_internal.archive_objects
 WHERE kind = 'lines' ORDER BY name;
SELECT bambi_internal.archive_take_put(
           jsonb_build_object('object', :'chunk', 'version', 2,
                              'rows', 1, 'sha256', 'good', 'name', 'a chunk'),
           '{"bytes": 1, "sha256": "x", "content_sha256": "bad"}');
SELECT bambi_internal.archive_take_put(
           jsonb_build_object('object', :'chunk', 'version', 2,
                              'rows', 1, 'sha256', 'good', 'name', 'a chunk'),
           '{"bytes": 1, "sha256": "x", "content_sha256": "good"}');
SELECT state, version, row_count FROM bambi_internal.archive_objects
 WHERE id = :'chunk';
UPDATE bambi.archives SET state = 'removing';
UPDATE bambi.image_generations SET prompt = 'z' WHERE id = :'g';
\echo :SQLSTATE
DELETE FROM bambi.images WHERE generation_id = :'g';
DELETE FROM bambi.users WHERE id = :a;
SELECT prompt FROM bambi.image_generations WHERE id = :'g';
ROLLBACK;

-- What has left the ledger stays spent, for the user and for the key, once the
-- rows are gone and not before.
BEGIN;
INSERT INTO bambi.users (id, email) VALUES (:a, 'archive@example.com');
INSERT INTO bambi.budgets (user_id, amount, period) VALUES (:a, 10, 'total');
INSERT INTO bambi.usage_events (user_id, cost, charged)
VALUES (:a, 0.25, 'yes'), (:a, NULL, 'unknown');
INSERT INTO bambi.archives (table_name, month)
VALUES ('usage_events', '2011-02-01') RETURNING id AS archive \gset
INSERT INTO bambi_internal.carried_costs
       (user_id, archive_id, object_id, configuration_id, currency, cost,
        unpriced)
VALUES (:a, :'archive', gen_random_uuid(), NULL, 'USD', 1.5, 2),
       (:a, :'archive', gen_random_uuid(), gen_random_uuid(), 'USD', 2, 0),
       (:a, :'archive', gen_random_uuid(), NULL, 'EUR', 4, 0);
SELECT spent, amount_left, unpriced FROM bambi_budgets WHERE user_id = :a;
INSERT INTO bambi_internal.carried_months VALUES (:'archive');
SELECT spent, amount_left, unpriced FROM bambi_budgets WHERE user_id = :a;
SET LOCAL bambi.user_id = '00000000-0000-7000-8000-0000000000a1';
SET LOCAL ROLE bambi_user;
SELECT spent, amount_left, unpriced FROM bambi_budgets;
RESET ROLE;
UPDATE bambi.budgets SET period = 'year' WHERE user_id = :a;
SELECT spent, amount_left, unpriced FROM bambi_budgets WHERE user_id = :a;
UPDATE bambi.budgets SET period = 'total' WHERE user_id = :a;
DELETE FROM bambi.usage_events WHERE user_id = :a;
SELECT spent, amount_left, unpriced FROM bambi_budgets WHERE user_id = :a;
ROLLBACK;

-- What another database's manifest and chunks name is of that month, or
-- nothing comes back: a later edition would else erase what they name.
BEGIN;
INSERT INTO bambi.archives (table_name, month, state, manifest)
VALUES ('image_generations', '2011-02-01', 'restoring',
        'image_generations/2011-02/manifest.json') RETURNING id AS archive \gset
CREATE FUNCTION pg_temp.told(content jsonb) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bambi.archives SET state = 'restoring', is_planned = false,
           manifest_sha256 = NULL, last_error = NULL;
    PERFORM bambi_internal.archive_read_manifest(
                a.id, convert_to(content::text, 'UTF8'))
       FROM bambi.archives a;
    RETURN (SELECT a.state || ', ' || coalesce(a.last_error, 'planned')
              FROM bambi.archives a);
END
$$;
SELECT jsonb_build_object(
           'format', 1, 'table', 'image_generations', 'month', '2011-02',
           'revision', 1, 'pictures', 'copy', 'rows', 1,
           'objects', jsonb_build_array(jsonb_build_object(
               'name', 'image_generations/2011-02/000001-1.jsonl.zst',
               'number', 1, 'version', 1, 'rows', 1, 'first_user', :a,
               'last_user', :a))) AS m \gset
SELECT name, pg_temp.told(jsonb_set(:'m', '{objects,0,name}', name))
  FROM unnest('{"\"image_generations/2011-03/manifest.json\"",
                "\"../image_generations/2011-02/x\"", "null", 1}'::jsonb[])
       n (name);
SELECT path, pg_temp.told(:'m'::jsonb #- path)
  FROM unnest('{table, month, revision, pictures}'::text[]) w (word),
       LATERAL (SELECT ARRAY[word]) p (path);
SELECT pg_temp.told(jsonb_set(:'m', '{objects}', '7'));
SELECT pg_temp.told(jsonb_set(:'m', '{pictures}', '"none"'));
SELECT pg_temp.told(jsonb_set(:'m', '{objects,0,last_user}', 'null'));
SELECT pg_temp.told(jsonb_set(:'m', '{objects,0,last_user}',
                              '"00000000-0000-0000-0000-000000000000"'));
SELECT count(*) FROM bambi_internal.archive_objects;
SELECT pg_temp.told(:'m');
CREATE FUNCTION pg_temp.checked(line jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    content CONSTANT bytea := convert_to(line::text || E'\n', 'UTF8');
BEGIN
    UPDATE bambi_internal.archive_objects
       SET content_sha256 = encode(sha256(content), 'hex');
    RETURN (SELECT bambi_internal.archive_check(o.id, content)
              FROM bambi_internal.archive_objects o WHERE o.kind = 'lines');
END
$$;
SELECT jsonb_build_object(
           'row', jsonb_build_object(
               'id', bambi_uuid_floor('2011-02-02 00:00Z'), 'user_id', :a,
               'model_id', :sandbox, 'prompt', 'x', 'status', 'succeeded'),
           'images', jsonb_build_array(jsonb_build_object(
               'row', jsonb_build_object('user_id', :a, 'id', :a),
               'object', 'image_generations/2011-02/pictures/a.png'))) AS l
       \gset
SELECT pg_temp.checked(jsonb_set(
    :'l', '{row,id}', to_jsonb(bambi_uuid_floor('2011-03-01 00:00Z'))));
SELECT pg_temp.checked(:'l'::jsonb #- '{row,id}');
SELECT pg_temp.checked(jsonb_set(
    :'l', '{row,user_id}', '"00000000-0000-7000-8000-0000000000a2"'));
SELECT pg_temp.checked(:'l'::jsonb #- '{row,user_id}');
SELECT pg_temp.checked(jsonb_set(
    :'l', '{images,0,object}',
    '"image_generations/2011-03/pictures/a.png"'));
SELECT kind, state FROM bambi_internal.archive_objects;
SELECT pg_temp.checked(:'l');
SELECT kind, state FROM bambi_internal.archive_objects ORDER BY kind;

-- What the plan's retention_days had removed or passed is looked at again.
INSERT INTO bambi.users (id, email) VALUES (:a, 'archive@example.com');
INSERT INTO bambi_internal.content_removals (user_id, removed_to)
VALUES (:a, bambi_uuid_floor('2012-01-01 00:00Z'));
-- somebody may hold a lock for a moment
DO $$
BEGIN
    WHILE NOT bambi_internal.make_month('bambi.image_generations',
                                        '2011-02-01', NULL)
    LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
SELECT bambi_internal.archive_load(
           o.id, convert_to((:'l'::jsonb - 'images')::text, 'UTF8'))
  FROM bambi_internal.archive_objects o WHERE o.kind = 'lines';
SELECT count(*) FILTER (WHERE g.id > r.removed_to) AS to_be_seen
  FROM bambi.image_generations g
  JOIN bambi_internal.content_removals r ON r.user_id = g.user_id
 WHERE g.user_id = :a;
ROLLBACK;

-- Which chunks may have a user is a look-up: many months, each with all users.
BEGIN;
INSERT INTO bambi.archives (table_name, month, state)
SELECT t, '2001-01-01'::date + n * interval '1 month', 'archived'
  FROM unnest('{image_generations, usage_events}'::text[]) t,
       generate_series(0, 19) n;
INSERT INTO bambi_internal.archive_objects
       (archive_id, kind, state, name, first_user, last_user)
SELECT a.id, 'lines', 'written', n, (lpad(n::text, 4, '0') || user_id)::uuid,
       (lpad((n + 9)::text, 4, '0') || user_id)::uuid
  FROM bambi.archives a, generate_series(0, 990, 10) n,
       (SELECT '0000-0000-7000-8000-0000000000a1') u (user_id);
ANALYZE bambi.archives, bambi_internal.archive_objects;
SELECT '05050000-0000-7000-8000-0000000000a1'::uuid AS user_id \gset
CREATE FUNCTION pg_temp.scans(OUT whole bigint, OUT by_user bigint)
LANGUAGE sql AS $$
    SELECT pg_stat_get_xact_numscans(
               'bambi_internal.archive_objects'::regclass),
           pg_stat_get_xact_numscans(
               'bambi_internal.objects_by_user'::regclass)
$$;
SELECT * FROM pg_temp.scans() \gset before_
SELECT jsonb_array_length(bambi_internal.export_archives(:'user_id'));
SELECT bambi_internal.erase_from_archives(:'user_id');
SELECT whole - :before_whole AS whole, by_user - :before_by_user AS by_user
  FROM pg_temp.scans();
ROLLBACK;
