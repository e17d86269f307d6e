-- Pictures before and after a generation: what bambi_edit takes, what
-- bambi_delete lets go, who sees previews and inputs, and what stays of both.
SET search_path = public;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    given text; state text; message text; detail text; hint text;
BEGIN
    EXECUTE command INTO given;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''),
                     nullif(hint, ''));
END
$$;
-- headers of pictures: nothing behind them is looked at
CREATE FUNCTION pg_temp.png(width int, height int, more int DEFAULT 0)
RETURNS bytea LANGUAGE sql AS $$
    SELECT '\x89504e470d0a1a0a0000000d49484452'::bytea || int4send(width)
           || int4send(height) || '\x08060000000000000000'
           || convert_to(repeat('x', more), 'UTF8')
$$;
CREATE FUNCTION pg_temp.gif(width int, height int) RETURNS bytea
LANGUAGE sql AS $$
    SELECT 'GIF89a'::bytea
           || set_byte(set_byte('\x0000', 0, width % 256), 1, width / 256)
           || set_byte(set_byte('\x0000', 0, height % 256), 1, height / 256)
           || '\x0000003b'
$$;
CREATE FUNCTION pg_temp.edit(arguments text) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.try('SELECT bambi_edit(''with snow'', ' || arguments || ')')
$$;
\set ada '00000000-0000-7000-8000-00000000ada1'
\set bob '00000000-0000-7000-8000-0000000000b2'
SELECT bambi_pause('test');
SELECT generations_per_period AS places FROM bambi.plans
 WHERE plan_type = 'free' \gset
UPDATE bambi.plans SET generations_per_period = NULL WHERE plan_type = 'free';
INSERT INTO bambi.users (id, email)
VALUES (:'ada', 'ada@pictures.example'), (:'bob', 'bob@pictures.example');
CREATE ROLE regress_bambi_person IN ROLE bambi_user;

-- as the worker leaves one that succeeded
CREATE FUNCTION pg_temp.make(whose uuid, store text, path text) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    made uuid; image uuid := bambi_uuid_v7();
BEGIN
    PERFORM set_config('bambi.user_id', whose::text, false);
    made := bambi_generate('made', 'sandbox');
    DELETE FROM bambi_internal.queue WHERE id = made;
    UPDATE bambi.image_generations
       SET status = 'succeeded', finished_at = now() WHERE id = made;
    INSERT INTO bambi.images (id, generation_id, user_id, position, format,
                              width, height, bytes, sha256, store,
                              storage_path)
    VALUES (image, made, whose, 1, 'png', 2, 2, 34, repeat('0', 64), store,
            path);
    IF store = 'database' THEN
        INSERT INTO bambi.image_data (image_id, user_id, data)
        VALUES (image, whose, pg_temp.png(2, 2));
    END IF;
    INSERT INTO bambi.usage_events (user_id, generation_id, provider_id,
                                    model_id, images, cost, charged)
    SELECT whose, made, m.provider_id, m.id, 1, 0.05, 'yes'
      FROM bambi.models m WHERE m.model_id = 'sandbox';
    RETURN made;
END
$$;
SELECT pg_temp.make(:'bob', 'database', NULL) AS bobs \gset
SELECT pg_temp.make(:'ada', 'database', NULL) AS made \gset
SELECT pg_temp.make(:'ada', 'filesystem', 'ada/00/0.png') AS filed \gset
SELECT id AS image FROM bambi.images WHERE generation_id = :'made' \gset
SELECT id AS image_of_bob FROM bambi.images WHERE generation_id = :'bobs' \gset
SELECT id AS image_in_file FROM bambi.images WHERE generation_id = :'filed' \gset

\echo *** what an edit needs
SELECT pg_temp.try('SELECT bambi_edit(NULL, ARRAY[pg_temp.png(2, 2)])');
SELECT pg_temp.edit($$model => 'sandbox'$$);
SELECT pg_temp.edit($$'{}', model => 'sandbox'$$);
SELECT pg_temp.edit($$'{}', sources => '{}', model => 'sandbox'$$);
SELECT pg_temp.edit($$mask => pg_temp.png(2, 2), model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY[pg_temp.png(2, 2)], model => 'no such model'$$);
\echo *** pictures that are none
SELECT pg_temp.edit($$ARRAY[NULL::bytea], model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY[''::bytea], model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY[pg_temp.png(2, 2), 'iVBORw0KGgo='], model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY['\x89504e470d0a1a0a'::bytea], model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY[pg_temp.png(0, 2)], model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY[pg_temp.png(16385, 1)], model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY[pg_temp.png(2, 2)], pg_temp.png(16384, 16384),
                    model => 'sandbox'$$);
\echo *** pictures that the model does not take
SELECT pg_temp.edit(format($$array_fill(pg_temp.png(2, 2), '{%s}'),
                           model => 'sandbox'$$, n))
  FROM (VALUES (5), (16), (17)) v (n);
SELECT pg_temp.edit($$array_fill(pg_temp.png(2, 2), '{15}'),
                    sources => array_fill('$$ || :'image' || $$'::uuid, '{2}'),
                    model => 'sandbox'$$);
INSERT INTO bambi.api_configurations
       (id, user_id, provider_id, name, encrypted_api_key, key_fingerprint,
        status)
SELECT :'ada', :'ada', p.id, 'mine', 'sealed', 'f', 'valid'
  FROM bambi.api_providers p WHERE p.slug = 'openai';
SELECT pg_temp.edit($$ARRAY[pg_temp.gif(2, 2)],
                    model => 'openai/gpt-image-2'$$);
BEGIN;
UPDATE bambi.models
   SET capabilities = jsonb_set(capabilities, '{inputs}',
           '{"max": 2, "formats": ["png"], "square": true, "mask": true,
             "max_bytes": 50, "mask_max_bytes": 40, "max_total_bytes": 80}')
 WHERE model_id = 'sandbox';
SELECT pg_temp.edit($$ARRAY[pg_temp.gif(2, 2)], model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY[pg_temp.png(2, 3)], model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY[pg_temp.png(2, 2, 50)], model => 'sandbox'$$);
SELECT pg_temp.edit($$array_fill(pg_temp.png(2, 2, 12), '{2}'),
                    model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY[pg_temp.png(2, 2)], pg_temp.gif(2, 2),
                    model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY[pg_temp.png(2, 2)], pg_temp.png(3, 3),
                    model => 'sandbox'$$);
SELECT pg_temp.edit($$ARRAY[pg_temp.png(2, 2)], pg_temp.png(2, 2, 20),
                    model => 'sandbox'$$);
UPDATE bambi.models SET capabilities = capabilities #- '{inputs,mask}'
 WHERE model_id = 'sandbox';
SELECT pg_temp.edit($$ARRAY[pg_temp.png(2, 2)], pg_temp.png(2, 2),
                    model => 'sandbox'$$);
UPDATE bambi.models SET capabilities = capabilities - 'inputs'
 WHERE model_id = 'sandbox';
SELECT pg_temp.edit($$ARRAY[pg_temp.png(2, 2)], model => 'sandbox'$$);
ROLLBACK;
\echo *** images of others, or of nobody
SELECT pg_temp.edit(format($$sources => '{%s}', model => 'sandbox'$$, id))
  FROM (VALUES (:'image_of_bob'), (:'made'), ('NULL'),
               (:'image' || ',' || :'image_of_bob')) v (id);
\echo *** nor those of which too little is known
BEGIN;
UPDATE bambi.images SET format = NULL WHERE id = :'image';
UPDATE bambi.images SET bytes = NULL WHERE id = :'image_in_file';
SELECT pg_temp.edit(format($$sources => '{%s}', model => 'sandbox'$$, id))
  FROM (VALUES (:'image'), (:'image_in_file')) v (id);
ROLLBACK;
\echo *** none of all that was queued
SELECT count(*) FROM bambi_internal.queue WHERE user_id = :'ada';
SELECT count(*) FROM bambi.generation_inputs;

\echo *** what is queued, and what is kept beside it
SET ROLE regress_bambi_person;
SELECT bambi_edit('with snow', ARRAY[pg_temp.png(2, 2), pg_temp.gif(3, 4)],
                  pg_temp.png(2, 2, 6), 'sandbox',
                  sources => ARRAY[:'image', :'image_in_file']::uuid[])
       AS edit \gset
SELECT position, image_id = :'image' AS is_image, format, width, height, bytes
  FROM bambi_inputs WHERE generation_id = :'edit' ORDER BY position;
SELECT count(*) FROM bambi_inputs;
RESET ROLE;
SELECT position, length(data), store, storage_path
  FROM bambi.generation_inputs WHERE generation_id = :'edit'
 ORDER BY position;
SELECT inputs, input_bytes FROM bambi_internal.queue WHERE id = :'edit';
\echo *** twice the same is once; it is the pictures that count
SELECT bambi_edit('once', ARRAY[pg_temp.png(2, 2)], model => 'sandbox',
                  idempotency_key => 'k') AS once \gset
SELECT bambi_edit('once', ARRAY[pg_temp.png(2, 2)], model => 'sandbox',
                  idempotency_key => 'k') = :'once';
SELECT pg_temp.try($$SELECT bambi_edit('once', ARRAY[pg_temp.png(2, 3)],
                   model => 'sandbox', idempotency_key => 'k')$$);
SELECT pg_temp.try($$SELECT bambi_edit('once', ARRAY[pg_temp.png(2, 2)],
                   pg_temp.png(2, 2),
                   model => 'sandbox', idempotency_key => 'k')$$);
SELECT pg_temp.try($$SELECT bambi_generate('once', 'sandbox',
                   idempotency_key => 'k')$$);
SELECT count(*) FROM bambi.generation_inputs WHERE generation_id = :'once';

\echo *** nobody else sees the pictures, or those that are still coming
INSERT INTO bambi.previews (generation_id, user_id, data, updated_at)
VALUES (:'edit', :'ada', pg_temp.png(1, 1), now());
SET ROLE regress_bambi_person;
SELECT bambi_preview(:'edit') = pg_temp.png(1, 1);
SELECT pg_temp.try(format('SELECT bambi_preview(%L)', :'made'));
SELECT pg_temp.try('SELECT bambi_preview(NULL)');
SELECT pg_temp.try('SELECT data FROM bambi.generation_inputs');
SELECT pg_temp.try('SELECT data FROM bambi.previews');
SELECT pg_temp.try('SELECT errand FROM bambi_internal.outbox');
RESET ROLE;
SET bambi.user_id = :'bob';
SET ROLE regress_bambi_person;
SELECT count(*) FROM bambi_inputs;
SELECT pg_temp.try(format('SELECT bambi_preview(%L)', :'edit'));
SELECT pg_temp.try(format('SELECT bambi_delete(%L)', :'made'));
RESET ROLE;
SET bambi.user_id = :'ada';

\echo *** what has not ended is not deleted
SET ROLE regress_bambi_person;
SELECT pg_temp.try(format('SELECT bambi_delete(%L)', :'edit'));
RESET ROLE;
UPDATE bambi_internal.queue SET claimed_by = gen_random_uuid(),
       claimed_at = now(), attempt = 1 WHERE id = :'edit';
SELECT pg_temp.try(format('SELECT bambi_delete(%L)', :'edit'));
DELETE FROM bambi_internal.queue WHERE id = :'edit';
UPDATE bambi.image_generations SET status = 'uncertain' WHERE id = :'edit';
SELECT pg_temp.try(format('SELECT bambi_delete(%L)', :'edit'));
UPDATE bambi.image_generations SET status = 'held', held_reason = 'so'
 WHERE id = :'edit';
SELECT pg_temp.try(format('SELECT bambi_delete(%L)', :'edit'));
SELECT pg_temp.try(format('SELECT bambi_delete(%L)', id))
  FROM (VALUES (:'bobs'), (:'image'), (gen_random_uuid()::text)) v (id);
SELECT pg_temp.try('SELECT bambi_delete(NULL)');
\echo *** what has is, with all that hangs on it, but for the bill
UPDATE bambi.image_generations SET status = 'failed', held_reason = NULL
 WHERE id = :'edit';
SET ROLE regress_bambi_person;
SELECT pg_temp.try(format('SELECT bambi_delete(%L)', id))
  FROM (VALUES (:'edit'), (:'made'), (:'filed'), (:'made')) v (id);
SELECT bambi_cancel(:'once');
SELECT pg_temp.try(format('SELECT bambi_delete(%L)', :'once'));
SELECT (SELECT count(*) FROM bambi_generations),
       (SELECT count(*) FROM bambi_images),
       (SELECT count(*) FROM bambi_inputs),
       (SELECT sum(cost) FROM bambi_usage);
RESET ROLE;
SELECT count(*) FROM bambi.image_data WHERE user_id = :'ada';
SELECT count(*) FROM bambi.previews WHERE user_id = :'ada';
SELECT count(*) FROM bambi_internal.idempotency_keys WHERE user_id = :'ada';
\echo *** only what lies outside the database is erased later
SELECT errand, attempts, not_before, last_error FROM bambi_internal.outbox
 WHERE user_id = :'ada';
\echo *** whoever deletes it, and by whatever way
SELECT pg_temp.make(:'ada', 's3', 'a') AS a \gset
SELECT pg_temp.make(:'ada', 'supabase', 'b') AS b \gset
BEGIN;
DELETE FROM bambi.image_generations WHERE id = :'a';
DELETE FROM bambi.users WHERE id = :'ada';
SELECT errand FROM bambi_internal.outbox WHERE user_id = :'ada' ORDER BY id;
ROLLBACK;
SELECT count(*) FROM bambi_internal.outbox WHERE user_id = :'ada';

\echo *** the functions: whose, with which rights
SELECT p.oid::regprocedure, p.prosecdef AS is_definer,
       p.proowner = 'bambi_owner'::regrole AS is_owners,
       p.provolatile, p.proconfig,
       array_to_string(ARRAY(
           SELECT a.grantee::regrole::text FROM aclexplode(p.proacl) a
            WHERE a.grantee <> p.proowner
            ORDER BY 1), ' ') AS granted_to,
       obj_description(p.oid, 'pg_proc') IS NOT NULL AS has_comment
  FROM pg_proc p
 WHERE p.oid::regproc::text IN (
           'bambi_edit', 'bambi_preview', 'bambi_image_url',
           'bambi_image_by_link', 'bambi_delete', 'bambi_internal.edit',
           'bambi_internal.preview', 'bambi_internal.image_url',
           'bambi_internal.image_by_link', 'bambi_internal.delete',
           'bambi_internal.erase_object')
 ORDER BY p.oid::regprocedure::text;

DELETE FROM bambi.users WHERE email LIKE '%@pictures.example';
DELETE FROM bambi_internal.outbox WHERE user_id = :'ada';
UPDATE bambi.plans SET generations_per_period = :places
 WHERE plan_type = 'free';
DROP ROLE regress_bambi_person;
SELECT bambi_resume();
