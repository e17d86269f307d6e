-- A session made exactly as PostgREST makes it, and what its client is told:
-- a transaction a request, in which only settings say who asks.
SET search_path = public;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
SELECT current_user AS operator \gset
\set ada '00000000-0000-7000-8000-00000000ada1'
SELECT bambi_pause('test');
CREATE ROLE authenticator LOGIN NOINHERIT;
CREATE ROLE anon;
CREATE ROLE authenticated;
CREATE ROLE service_role BYPASSRLS;
GRANT anon, authenticated, service_role TO authenticator;
SELECT bambi_setup() IS NOT NULL;
INSERT INTO bambi.users (id, email) VALUES (:'ada', 'ada@postgrest.example');

-- What stands before the function's call in each request.
CREATE FUNCTION public.regress_request(method text, path text, role text,
    sub text DEFAULT NULL, headers jsonb DEFAULT '{}')
RETURNS boolean LANGUAGE sql AS $$
    SELECT concat(
        set_config('role', role, true),
        set_config('request.jwt.claims',
                   jsonb_strip_nulls(jsonb_build_object('role', role,
                                                        'sub', sub))::text,
                   true),
        set_config('request.headers', headers::text, true),
        set_config('request.cookies', '{}', true),
        set_config('request.method', method, true),
        set_config('request.path', path, true),
        set_config('search_path', '"public", "public"', true)) <> ''
$$;
-- What PostgREST makes of an error's code.
CREATE FUNCTION public.regress_status(code text, role text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN code LIKE 'PT___' THEN substr(code, 3)
                WHEN code = 'PGRST' THEN 'as DETAIL says:'
                WHEN code = '42501' THEN CASE role WHEN 'anon' THEN '401'
                                                   ELSE '403' END
                WHEN code = '25006' THEN '405'
                WHEN code ~ '^(22|0A|23502|23514|P0001)' THEN '400'
                WHEN code ~ '^(42883|42P01)' THEN '404'
                ELSE '500' END
$$;
CREATE FUNCTION public.regress_call(call text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    given text; code text; message text; detail text; hint text;
BEGIN
    EXECUTE call INTO given;
    RETURN concat_ws(E'\n  ',
        coalesce(nullif(current_setting('response.status', true), ''), '200'),
        regexp_replace(nullif(current_setting('response.headers', true), ''),
                       '[0-9a-f-]{36}', 'ID', 'g'));
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n  ', public.regress_status(code,
                         current_setting('role')) || ' ' || code,
                     message, nullif(detail, ''), nullif(hint, ''));
END
$$;

\connect - authenticator
\echo *** a user: rows and functions, answers with status and headers
BEGIN;
SELECT regress_request('POST', '/rpc/bambi_generate', 'authenticated', :'ada');
SELECT regress_call('SELECT bambi_generate(''a fawn'')');
SELECT session_user, current_user, bambi_user_id() = :'ada';
COMMIT;
SELECT current_setting('response.status'), current_setting('response.headers');
BEGIN;
SELECT regress_request('GET', '/bambi_generations', 'authenticated', :'ada');
SELECT count(*) FROM bambi_generations;
SELECT id AS g FROM bambi_generations \gset
COMMIT;
\echo *** the header Idempotency-Key counts where there is no argument
BEGIN;
SELECT regress_request('POST', '/rpc/bambi_generate', 'authenticated', :'ada',
                       '{"idempotency-key": "k-1", "accept": "*/*"}');
SELECT bambi_generate('once') AS once \gset
COMMIT;
BEGIN;
SELECT regress_request('POST', '/rpc/bambi_generate', 'authenticated', :'ada',
                       '{"idempotency-key": "k-1", "accept": "*/*"}');
SELECT bambi_generate('once') = :'once';
SELECT bambi_generate('twice', idempotency_key => 'k-2') <> :'once';
SELECT regress_call('SELECT bambi_generate(''twice'')');
COMMIT;
\echo *** but not in a function of somebody else
BEGIN;
SELECT regress_request('POST', '/rpc/their_own', 'authenticated', :'ada',
                       '{"idempotency-key": "k-1"}');
SELECT regress_call('SELECT bambi_generate(''three'')');
COMMIT;

\echo *** the table of errors: nobody
BEGIN;
SELECT regress_request('POST', '/rpc/x', 'authenticated');
SELECT regress_call('SELECT bambi_generate(''a'')');
SELECT count(*) FROM bambi_generations;
SELECT regress_request('POST', '/rpc/x', 'authenticated', 'user_2abc');
SELECT regress_call('SELECT bambi_cancel(gen_random_uuid())');
ROLLBACK;
\echo *** anonymous
BEGIN;
SELECT regress_request('POST', '/rpc/x', 'anon');
SELECT regress_call('SELECT bambi_generate(''a'')');
SELECT regress_call('SELECT bambi_sign_up(''eve@x.example'', ''password'')');
SELECT regress_call('SELECT bambi_user_id()');
SELECT regress_call('SELECT count(*) FROM bambi_models');
SELECT regress_call('SELECT count(*) FROM bambi.users');
ROLLBACK;
\echo *** a user
BEGIN;
SELECT regress_request('POST', '/rpc/x', 'authenticated', :'ada');
SELECT regress_call('SELECT bambi_sign_up(''eve@x.example'', ''password'')');
SELECT regress_call('SELECT bambi_pause()');
SELECT regress_call('SELECT bambi_setup()');
SELECT regress_call('UPDATE bambi_generations SET prompt = ''x'' WHERE true');
SELECT regress_call('SELECT password_hash FROM bambi.users');
SELECT regress_call('SELECT count(*) FROM bambi_report_spend');
SELECT regress_call('SELECT count(*) FROM bambi.report_spend');
SELECT regress_call('SELECT count(*) FROM bambi_usage_by_month');
SELECT regress_call('SELECT bambi_rollup_usage()');
SELECT regress_call('SELECT bambi_cancel(gen_random_uuid())');
SELECT regress_call('SELECT bambi_generate(''a'', E''x\r\nSet-Cookie: y'')');
SELECT regress_call('SELECT bambi_generate(''a'', ''gpt-image-2'')');
SELECT regress_call('SELECT bambi_generate(''a'', parameters => ''{"n": 0}'')');
SELECT regress_call(
    'SELECT bambi_generate(''a'', idempotency_key => ''k-1'')');
SELECT regress_call(format('SELECT bambi_retry(%L)', :'g'));
SELECT regress_call('SELECT bambi_wait(''x'')');
ROLLBACK;
\echo *** a write by GET
BEGIN READ ONLY;
SELECT regress_request('GET', '/rpc/bambi_generate', 'authenticated', :'ada');
SELECT regress_call('SELECT bambi_generate(''a'')');
ROLLBACK;

\echo *** a trusted back end
BEGIN;
SELECT regress_request('POST', '/rpc/bambi_sign_up', 'service_role');
SELECT regress_call('SELECT bambi_sign_up(''bob@x.example'', ''password'')');
SELECT regress_call('SELECT bambi_generate(''a'')');
SELECT count(*) > 1 FROM bambi_account;
ROLLBACK;

\echo *** waiting: 200 with Retry-After while it is pending, by GET too
BEGIN READ ONLY;
SELECT regress_request('GET', '/rpc/bambi_wait', 'authenticated', :'ada');
SELECT regress_call(format('SELECT bambi_wait(%L, ''PT0.01S'')', :'g'));
ROLLBACK;

\echo *** what may be repeated says when, in a request for it
\connect - :operator
UPDATE bambi.encryption_keys SET is_current = false WHERE is_current
RETURNING kid
\gset
\connect - authenticator
BEGIN;
SELECT regress_request('POST', '/rpc/bambi_add_key', 'authenticated', :'ada');
SELECT regress_call('SELECT bambi_add_key(''openai'', ''sk-0123456789'')');
SELECT regress_request('POST', '/rpc/their_own', 'authenticated', :'ada');
SELECT regress_call('SELECT bambi_add_key(''openai'', ''sk-0123456789'')');
ROLLBACK;
\connect - :operator
UPDATE bambi.encryption_keys SET is_current = true WHERE kid = :'kid';
\echo *** too many keys: in about a minute
INSERT INTO bambi_internal.key_checks (user_id, times)
VALUES (:'ada', array_fill(now(), '{5}'));
\connect - authenticator
BEGIN;
SELECT regress_request('POST', '/rpc/bambi_add_key', 'authenticated', :'ada');
SELECT regexp_replace(regress_call(
    'SELECT bambi_add_key(''openai'', ''sk-0123456789'')'),
    '\m(60|[45]\d)\M', 'MINUTE', 'g');
ROLLBACK;
\connect - :operator
DELETE FROM bambi_internal.key_checks WHERE user_id = :'ada';
\echo *** the end of the quota says until when
UPDATE bambi.users SET usage_count = 10, reset_date = '2100-01-01 00:00Z'
 WHERE id = :'ada';
\connect - authenticator
BEGIN;
SET LOCAL timezone = 'UTC';
SELECT regress_request('POST', '/rpc/bambi_generate', 'authenticated', :'ada');
SELECT regress_call('SELECT bambi_generate(''a'')');
ROLLBACK;

\echo *** the picture is handed out as a file
\connect - :operator
SELECT bambi_resume();
SET bambi.user_id = :'ada';
SELECT status FROM bambi_wait(:'g');
\connect - authenticator
BEGIN READ ONLY;
SELECT regress_request('GET', '/rpc/bambi_image', 'authenticated', :'ada');
SELECT regexp_replace(regress_call(format('SELECT bambi_image(%L)', :'g')),
                      '[0-9a-f]{64}|ID[0-9a-f]{28}', 'HASH');
ROLLBACK;

\echo *** claims alone do not make a session one of PostgREST
\connect - :operator
CREATE ROLE regress_bambi_login LOGIN IN ROLE bambi_user;
\connect - regress_bambi_login
BEGIN;
SELECT regress_request('POST', '/rpc/bambi_generate', 'none', :'ada');
SELECT regress_call('SELECT bambi_generate(''a'')');
ROLLBACK;

\connect - :operator
SET client_min_messages = error;
DELETE FROM bambi.users WHERE email LIKE '%@postgrest.example';
DROP FUNCTION regress_request, regress_status, regress_call;
DROP OWNED BY authenticated, service_role, anon;
DROP ROLE authenticator, anon, authenticated, service_role,
          regress_bambi_login;
