-- Reports for operators are what can be counted by hand, and for nobody else.
\set SHOW_CONTEXT never
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set a '\'00000000-0000-7000-8000-0000000000a1\''
\set b '\'00000000-0000-7000-8000-0000000000b1\''
SET search_path = public;
SET client_min_messages = error;
SET timezone = 'Asia/Kathmandu';
BEGIN;
-- A provider of its own, so that nobody else's generations are in the way.
INSERT INTO bambi.api_providers (id, name, slug, adapter, api_base_url)
SELECT :a, 'Acme', 'acme', adapter, 'https://acme.example'
  FROM bambi.api_providers WHERE slug = 'openai';
INSERT INTO bambi.models (id, provider_id, name, model_id)
VALUES (:a, :a, 'One', 'one'), (:b, :a, 'Two', 'two');
INSERT INTO bambi.users (id, email)
VALUES (:a, 'reports.a@example.com'), (:b, 'reports.b@example.com');
SELECT date_trunc('day', now(), 'UTC') AS today \gset

-- Ended yesterday or today (UTC), with model one: calls of 1, 2 ... 100
-- seconds; with model two: of ten one failed so, two failed otherwise, seven
-- succeeded; and what does not count.
CREATE TEMP VIEW history (n, day, model, status, error_code, seconds) AS
SELECT n, 0, 1, 'succeeded', NULL, n FROM generate_series(1, 100) n
UNION ALL
SELECT n, 1, 2, CASE WHEN n <= 3 THEN 'failed' ELSE 'succeeded' END,
       CASE WHEN n = 1 THEN 'timeout' WHEN n <= 3 THEN 'bad_request' END, 10
  FROM generate_series(1, 10) n
UNION ALL
SELECT 1, 1, 2, s, NULL, 5000
  FROM unnest('{queued, cancelled, uncertain, held}'::text[]) s
UNION ALL                                       -- before the window
SELECT 1, 95, 2, 'failed', 'timeout', 1;
SELECT bambi_internal.ensure_months(0);
SELECT bambi_uuid_floor(m AT TIME ZONE 'UTC') AS floor,
       bambi_uuid_floor((m + interval '1 month') AT TIME ZONE 'UTC') AS ceiling
  FROM (SELECT date_trunc('month', (now() - interval '95 days')
                          AT TIME ZONE 'UTC')) x (m) \gset
CREATE TABLE bambi.regress_95_days PARTITION OF bambi.image_generations
    FOR VALUES FROM (:'floor') TO (:'ceiling');
INSERT INTO bambi.image_generations
       (id, user_id, model_id, prompt, status, error_code, started_at,
        finished_at)
SELECT overlay(bambi_uuid_floor(:'today'::timestamptz
                                - h.day * interval '1 day')::text
               PLACING lpad((row_number() OVER ())::text, 12, '0')
               FROM 25)::uuid,
       CASE h.n % 2 WHEN 0 THEN :b ELSE :a END::uuid,
       CASE h.model WHEN 1 THEN :a ELSE :b END::uuid, 'x', h.status,
       h.error_code, now(), now() + h.seconds * interval '1 s'
  FROM history h;

INSERT INTO bambi.usage_events (user_id, provider_id, model_id, request_type,
       images, tokens_used, cost, currency, is_estimate, created_at)
SELECT user_id::uuid, :a, :a, type, 1, tokens, cost, currency, is_estimate,
       :'today'::timestamptz - day * interval '1 day'
  FROM (VALUES (:a, 0, 'generate', 10, 1.000001, 'USD', false),
               (:a, 0, 'generate', NULL, 2, 'USD', false),
               (:b, 0, 'edit', 10, NULL, 'USD', false),
               (:b, 0, 'generate', 10, 5, 'EUR', false),
               (:b, 0, 'validate', NULL, 0, 'USD', false),
               (:b, 1, 'generate', NULL, NULL, 'USD', false),
               (:b, 2, 'generate', NULL, 3, 'USD', true),
               (:b, 3, 'validate', NULL, 0, 'USD', false))
       c (user_id, day, type, tokens, cost, currency, is_estimate);
SELECT count(*) AS rows_before FROM bambi_report_spend
 WHERE provider = 'acme' \gset

\pset format unaligned
\pset tuples_only on
\echo *** not before it is asked for
SELECT :rows_before;
SELECT bambi_rollup_usage(4) >= 0;
SELECT bambi_refresh_reports();

\echo *** spend: days ago, currency, calls, pictures, tokens, cost, unknown
SELECT (:'today'::date - (period_start AT TIME ZONE 'UTC')::date), currency,
       request_count, images, tokens_used, cost, unknown_costs, is_estimate
  FROM bambi_report_spend WHERE provider = 'acme' ORDER BY 1, 2;
\echo *** failures: days ago, model, code, failures, of, rate
SELECT (:'today'::date - (period_start AT TIME ZONE 'UTC')::date), model,
       coalesce(error_code, 'all'), failures, generations, failure_rate
  FROM bambi_report_failures WHERE provider = 'acme' ORDER BY 1, 2, 3;
\echo *** latency: days ago, model, generations, p50, p95, p99
SELECT (:'today'::date - (period_start AT TIME ZONE 'UTC')::date), model,
       generations, p50_seconds, p95_seconds, p99_seconds
  FROM bambi_report_latency WHERE provider = 'acme' ORDER BY 1, 2;
\echo *** users: none is counted twice, nor for checks of keys
DELETE FROM bambi.usage_events WHERE provider_id <> :a;
DELETE FROM bambi.api_usage WHERE provider_id <> :a;
SELECT bambi_refresh_reports();
SELECT (:'today'::date - (period_start AT TIME ZONE 'UTC')::date), users
  FROM bambi_report_active_users WHERE granularity = 'day' ORDER BY 1;
SELECT max(users), sum(users) IN (2, 3) FROM bambi_report_active_users
 WHERE granularity = 'month';
\echo *** the same when all of it is rolled up
SELECT string_agg(s::text, ' ' ORDER BY s) AS spend FROM bambi_report_spend s
\gset
SELECT bambi_rollup_usage() > 0;
SELECT bambi_refresh_reports();
SELECT string_agg(s::text, ' ' ORDER BY s) = :'spend'
  FROM bambi_report_spend s;
\echo *** one that was never filled is
REFRESH MATERIALIZED VIEW bambi.report_spend WITH NO DATA;
SELECT bambi_refresh_reports();
SELECT string_agg(s::text, ' ' ORDER BY s) = :'spend'
  FROM bambi_report_spend s;

\echo *** an operator reads them, and only reads
SET LOCAL ROLE bambi_admin;
SELECT count(*) > 0 FROM bambi_report_spend;
SELECT count(*) > 0 FROM bambi_report_failures;
SELECT count(*) > 0 FROM bambi_report_latency;
SELECT count(*) > 0 FROM bambi_report_active_users;
SELECT bambi_refresh_reports();
REFRESH MATERIALIZED VIEW bambi.report_spend;
\echo *** nobody else does
SET LOCAL ROLE bambi_service;
SELECT * FROM bambi_report_spend;
SELECT bambi_refresh_reports();
RESET ROLE;
SELECT r.role, c.relname
  FROM pg_class c, unnest('{bambi_user, bambi_service}'::text[]) r (role)
 WHERE (c.relname LIKE 'bambi\_report%' OR c.relkind = 'm')
   AND (has_table_privilege(r.role, c.oid, 'SELECT')
        OR has_any_column_privilege(r.role, c.oid, 'SELECT'));

\echo *** of every view with a user in it, each user sees own rows only
CREATE FUNCTION pg_temp.strangers(view text, who uuid) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    strangers bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s WHERE user_id <> %L', view, who)
       INTO strangers;
    RETURN strangers;
EXCEPTION WHEN insufficient_privilege THEN
    RETURN 'refused';
END
$$;
CREATE TEMP VIEW places AS
SELECT c.oid::regclass::text AS view,
       EXISTS (SELECT FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attname = 'user_id') AS has_user
  FROM pg_class c
 WHERE c.relkind IN ('v', 'm') AND NOT c.relispartition
   AND (c.relnamespace IN ('bambi'::regnamespace,
                           'bambi_internal'::regnamespace)
        OR c.relname LIKE 'bambi\_%');
CREATE TEMP TABLE wanted AS SELECT * FROM places;
GRANT SELECT ON wanted TO bambi_user;
SET LOCAL bambi.user_id = :a;
SET LOCAL ROLE bambi_user;
SELECT view, pg_temp.strangers(view, :a) FROM pg_temp.wanted
 WHERE has_user ORDER BY view;
SELECT count(*) FROM bambi_usage;
RESET ROLE;
SET LOCAL bambi.user_id = :b;
SET LOCAL ROLE bambi_user;
SELECT view, pg_temp.strangers(view, :b) FROM pg_temp.wanted
 WHERE has_user ORDER BY view;
SELECT count(*) FROM bambi_usage;
ROLLBACK;
