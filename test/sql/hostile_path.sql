-- Functions, operators and tables that a caller puts before pg_catalog run
-- nowhere inside bambi.
SET search_path = public;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
\set ada '00000000-0000-7000-8000-00000000ada1'
SELECT bambi_pause('test');
INSERT INTO bambi.users (id, email, usage_count, reset_date)
VALUES (:'ada', 'ada@hostile.example', 0, now() + interval '1 day');
CREATE ROLE regress_bambi_person IN ROLE bambi_user;
CREATE SCHEMA regress_hostile AUTHORIZATION regress_bambi_person;
SET bambi.user_id = :'ada';
SELECT bambi_generate('failed') AS failed \gset
DELETE FROM bambi_internal.queue WHERE id = :'failed';
UPDATE bambi.image_generations SET status = 'failed' WHERE id = :'failed';
SELECT bambi_generate('made', 'sandbox') AS made \gset
DELETE FROM bambi_internal.queue WHERE id = :'made';
UPDATE bambi.image_generations SET status = 'succeeded' WHERE id = :'made';
INSERT INTO bambi.images (generation_id, user_id, format, store, storage_path)
VALUES (:'made', :'ada', 'png', 'filesystem', 'a/b.png');
-- 1x1; no more of a picture is looked at
\set png '\\x89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489'

SET ROLE regress_bambi_person;
CREATE FUNCTION regress_hostile.note(what text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE WARNING 'ran % as %', what, current_user;
    RETURN true;
END
$$;
-- operators and functions of these names, for the types that bambi uses
DO $$
DECLARE
    type text; sign text; name text;
BEGIN
    FOREACH type IN ARRAY ARRAY['uuid', 'text', 'bigint', 'integer', 'boolean',
        'timestamptz', 'numeric', 'jsonb', 'bytea', 'interval', 'name']
    LOOP
        EXECUTE format('CREATE FUNCTION regress_hostile.op(%1$s, %1$s)
            RETURNS boolean LANGUAGE sql AS $f$
            SELECT regress_hostile.note(''operator on %1$s'') $f$', type);
        FOREACH sign IN ARRAY ARRAY['=', '<>', '<', '<=', '>', '>=']
        LOOP
            EXECUTE format('CREATE OPERATOR regress_hostile.%s
                (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION =
                 regress_hostile.op)', sign, type);
        END LOOP;
        FOREACH name IN ARRAY ARRAY['max', 'count', 'quote_ident', 'jsonb_agg',
            'round', 'sum', 'bool_and', 'array_agg', 'bambi_uuid_time',
            'generate', 'cancel', 'image', 'wait', 'user_id', 'edit',
            'preview', 'image_url', 'image_by_link', 'delete', 'unnest']
        LOOP
            EXECUTE format('CREATE FUNCTION regress_hostile.%I(%s)
                RETURNS %2$s LANGUAGE sql AS $f$ SELECT CASE WHEN
                regress_hostile.note(''function %1$s'') THEN $1 END $f$',
                name, type);
        END LOOP;
    END LOOP;
END
$$;
CREATE FUNCTION regress_hostile.joined(text, text) RETURNS text
LANGUAGE sql AS $$
    SELECT CASE WHEN regress_hostile.note('||') THEN '' END
$$;
CREATE OPERATOR regress_hostile.||
    (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_hostile.joined);
CREATE FUNCTION regress_hostile.now() RETURNS timestamptz LANGUAGE sql AS $$
    SELECT CASE WHEN regress_hostile.note('now') THEN NULL::timestamptz END
$$;
CREATE FUNCTION regress_hostile.bambi_user_id() RETURNS uuid
LANGUAGE sql AS $$
    SELECT CASE WHEN regress_hostile.note('bambi_user_id') THEN NULL::uuid END
$$;
CREATE TABLE regress_hostile.images (id uuid, user_id uuid);
CREATE TABLE regress_hostile.outbox (user_id uuid, errand jsonb);
CREATE TABLE regress_hostile.users (id uuid, is_active boolean);
CREATE TABLE regress_hostile.queue (id uuid, user_id uuid, turn bigint);
CREATE TEMP TABLE users (id uuid, is_active boolean);
CREATE TEMP TABLE pg_class (oid oid);

SET client_min_messages = warning;
SET search_path = regress_hostile, pg_temp, pg_catalog, public;
\echo *** the trap works
SELECT 'a'::text || 'b'::text;
SELECT 1 = 1, now() IS NULL, bambi_user_id() IS NULL;
\echo *** nothing of it runs
SELECT public.bambi_generate('a', 'sandbox', '{"n": 1}',
                             idempotency_key => 'k') AS g \gset
SELECT public.bambi_generate('b', 'openai/gpt-image-2');
SELECT public.bambi_generate('b', 'dall-e-2');
SELECT is_complete FROM public.bambi_estimate();
SELECT public.bambi_add_key('openai', 'sk-test-0123456789') AS k \gset
SELECT public.bambi_replace_key(:'k', 'sk-test-9876543210');
SELECT public.bambi_validate_key(:'k');
SELECT public.bambi_generate('b', 'openai/gpt-image-2') AS h \gset
SELECT public.bambi_remove_key(:'k');
SELECT w.status FROM public.bambi_wait(:'g', '1 ms') w;
SELECT public.bambi_cancel(:'g');
SELECT public.bambi_retry(:'failed') IS NOT NULL;
SELECT public.bambi_image(:'g');
SELECT public.bambi_edit('c', ARRAY[:'png'::bytea], model => 'sandbox',
                         idempotency_key => 'e') AS e \gset
SELECT public.bambi_edit('c', sources => ARRAY[:'e'::uuid],
                         model => 'sandbox');
SELECT public.bambi_preview(:'e');
SELECT public.bambi_image_url(:'made', '1 day');
SELECT public.bambi_image_by_link('a');
SELECT public.bambi_delete(:'made');
SELECT public.bambi_delete(:'e');
SELECT pg_catalog.right(public.bambi_user_id()::text, 4);
TABLE public.bambi_account \g /dev/null
TABLE public.bambi_subscription \g /dev/null
TABLE public.bambi_generations \g /dev/null
TABLE public.bambi_images \g /dev/null
TABLE public.bambi_inputs \g /dev/null
TABLE public.bambi_configurations \g /dev/null
TABLE public.bambi_models \g /dev/null
TABLE public.bambi_providers \g /dev/null
TABLE public.bambi_usage \g /dev/null
RESET ROLE;
SELECT public.bambi_sign_up('eve@hostile.example', 'a password') IS NOT NULL;

SET client_min_messages = error;
SET search_path = public;
DROP TABLE pg_temp.users, pg_temp.pg_class;
DROP SCHEMA regress_hostile CASCADE;
SELECT count(*) FILTER (WHERE errand->>'kind' = 'erase') AS erased_later,
       count(*) FILTER (WHERE errand->>'kind' = 'validate') AS checked_later
  FROM bambi_internal.outbox WHERE user_id = :'ada';
DELETE FROM bambi_internal.outbox WHERE user_id = :'ada';
DELETE FROM bambi.users WHERE email LIKE '%@hostile.example';
DROP ROLE regress_bambi_person;
SELECT bambi_resume();
