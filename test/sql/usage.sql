-- Events are added up once, by hour, day and month (UTC), and the views show
-- the same before, in between and afterwards.
\set SHOW_CONTEXT never
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set a '\'00000000-0000-7000-8000-0000000000a1\''
\set b '\'00000000-0000-7000-8000-0000000000b1\''
\set sandbox '\'00000000-0000-7000-8000-000000000401\''
SET search_path = public;
SET client_min_messages = error;
-- Periods are those of UTC wherever the session is.
SET timezone = 'Asia/Kathmandu';
BEGIN;
SELECT bambi_rollup_usage() >= 0 AS what_others_left;

INSERT INTO bambi.users (id, email)
VALUES (:a, 'usage.a@example.com'), (:b, 'usage.b@example.com');
INSERT INTO bambi.api_configurations
       (id, user_id, provider_id, name, encrypted_api_key, status)
SELECT overlay(u.id::text PLACING 'c' FROM 33)::uuid, u.id, p.id, 'mine',
       CASE u.id WHEN :a THEN 'sealed' ELSE '' END,
       CASE u.id WHEN :a THEN 'valid' ELSE 'revoked' END
  FROM bambi.users u, bambi.api_providers p
 WHERE u.id IN (:a, :b) AND p.slug = 'openai';

CREATE TEMP TABLE calls (user_id uuid, made timestamptz, slug text,
    model uuid, type text, images int, tokens bigint, cost numeric,
    currency text, is_estimate boolean, has_key boolean);
INSERT INTO calls VALUES
    -- the last moments of an hour, a day, a month and a year, and the next
    (:a, '2025-12-31 23:59:59.999999Z', 'openai', :sandbox, 'generate', 1,
     100, 0.05, 'USD', false, true),
    (:a, '2026-01-01 00:00:00Z', 'openai', :sandbox, 'generate', 1,
     100, 0.07, 'USD', false, true),
    (:a, '2026-01-01 00:59:59.999999Z', 'openai', :sandbox, 'generate', 2,
     NULL, 0.000001, 'USD', true, true),
    (:a, '2026-01-01 01:00:00Z', 'openai', :sandbox, 'generate', 0,
     7, NULL, 'USD', false, true),
    -- other kinds, another key, no model, another currency
    (:a, '2026-01-01 00:30Z', 'openai', :sandbox, 'edit', 1, 5, 0.25, 'USD',
     false, true),
    (:a, '2026-01-01 00:30Z', 'openai', NULL, 'validate', 0, NULL, 0, 'USD',
     false, true),
    (:a, '2026-01-01 00:30Z', 'sandbox', :sandbox, 'generate', 1, NULL, 0,
     'USD', false, false),
    (:a, '2026-01-01 00:30Z', 'openai', :sandbox, 'generate', 1, 5, 3, 'EUR',
     false, true),
    -- of nothing is known what it cost
    (:b, '2026-02-28 12:00Z', 'openai', :sandbox, 'generate', 0, NULL, NULL,
     'USD', false, true),
    (:b, '2026-02-28 12:01Z', 'openai', :sandbox, 'generate', 0, NULL, NULL,
     'USD', true, true);
CREATE FUNCTION pg_temp.book() RETURNS void LANGUAGE sql AS $$
    INSERT INTO bambi.usage_events (user_id, configuration_id, provider_id,
           model_id, request_type, images, tokens_used, cost, currency,
           is_estimate, charged, created_at)
    SELECT c.user_id, k.id, p.id, c.model, c.type, c.images, c.tokens,
           c.cost, c.currency, c.is_estimate, 'yes', c.made
      FROM pg_temp.calls c JOIN bambi.api_providers p ON p.slug = c.slug
      LEFT JOIN bambi.api_configurations k
        ON k.user_id = c.user_id AND c.has_key
$$;
SELECT pg_temp.book();
-- a key, a model and a provider that are gone
INSERT INTO bambi.usage_events (user_id, configuration_id, provider_id,
       model_id, cost, created_at)
SELECT :b, gen_random_uuid(), p.id, gen_random_uuid(), 1, '2026-03-01 00:00Z'
  FROM bambi.api_providers p WHERE p.slug = 'openai';
INSERT INTO bambi.usage_events (user_id, provider_id, cost, created_at)
VALUES (:b, gen_random_uuid(), 2, '2026-03-01 00:00Z');
-- no sum could take these
INSERT INTO bambi.usage_events (user_id, provider_id, cost)
SELECT :b, id, -0.000001 FROM bambi.api_providers WHERE slug = 'openai';
INSERT INTO bambi.usage_events (user_id, provider_id, cost)
SELECT :b, id, 'NaN' FROM bambi.api_providers WHERE slug = 'openai';
INSERT INTO bambi.usage_events (user_id, provider_id, tokens_used)
SELECT :b, id, -1 FROM bambi.api_providers WHERE slug = 'openai';
INSERT INTO bambi.usage_events (user_id, provider_id, images)
SELECT :b, id, -1 FROM bambi.api_providers WHERE slug = 'openai';

-- What the views show, in one text.
CREATE FUNCTION pg_temp.shown() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(line, E'\n' ORDER BY line) FROM (
        SELECT concat_ws(' ', 'day', right(user_id::text, 2), p.slug,
                         model_id IS NOT NULL, configuration_id IS NOT NULL,
                         request_type, period_start AT TIME ZONE 'UTC',
                         request_count, images, tokens_used,
                         coalesce(cost::text, '-'), currency, is_estimate)
          FROM bambi_usage LEFT JOIN bambi.api_providers p
            ON p.id = provider_id
         WHERE user_id IN (SELECT user_id FROM pg_temp.calls)
        UNION ALL
        SELECT concat_ws(' ', 'month', right(user_id::text, 2),
                         period_start AT TIME ZONE 'UTC',
                         request_count, images, tokens_used,
                         coalesce(cost::text, '-'), currency, is_estimate)
          FROM bambi_usage_by_month
         WHERE user_id IN (SELECT user_id FROM pg_temp.calls)
        UNION ALL
        SELECT concat_ws(' ', 'key', right(user_id::text, 2),
                         configuration_id IS NOT NULL,
                         period_start AT TIME ZONE 'UTC',
                         request_count, images, tokens_used,
                         coalesce(cost::text, '-'), currency, is_estimate)
          FROM bambi_usage_by_key
         WHERE user_id IN (SELECT user_id FROM pg_temp.calls)
        UNION ALL
        SELECT concat_ws(' ', 'model', right(user_id::text, 2),
                         model_id IS NOT NULL,
                         period_start AT TIME ZONE 'UTC',
                         request_count, images, tokens_used,
                         coalesce(cost::text, '-'), currency, is_estimate)
          FROM bambi_usage_by_model
         WHERE user_id IN (SELECT user_id FROM pg_temp.calls)) l (line)
$$;
\pset format unaligned
\pset tuples_only on
\echo *** nothing rolled up
SELECT pg_temp.shown();
SELECT pg_temp.shown() AS before \gset

\echo *** some of it, and all of it: the numbers moved
SELECT bambi_rollup_usage(3);
SELECT pg_temp.shown() = :'before';
SELECT bambi_rollup_usage(0), bambi_rollup_usage(-1);
SELECT bambi_rollup_usage();
SELECT bambi_rollup_usage();
\echo *** only the key and the model that are gone are not named any more
SELECT * FROM unnest(string_to_array(pg_temp.shown(), E'\n'))
EXCEPT
SELECT * FROM unnest(string_to_array(:'before', E'\n')) ORDER BY 1;
\echo *** what has no provider stays fresh
SELECT right(user_id::text, 2), cost FROM bambi.usage_events
 WHERE NOT is_rolled_up;

\echo *** the sums
SELECT right(u.user_id::text, 2), granularity, period_start AT TIME ZONE 'UTC',
       (period_end AT TIME ZONE 'UTC')::date AS ends, p.slug, request_type,
       currency, request_count, images, tokens_used, cost_estimate,
       unknown_costs, is_estimate
  FROM bambi.api_usage u JOIN bambi.api_providers p ON p.id = u.provider_id
 WHERE u.user_id IN (:a, :b)
 ORDER BY 1, 2, 3, 5, 6, 7;

\echo *** each granularity has everything once
SELECT granularity, sum(request_count), sum(images), sum(tokens_used),
       sum(cost_estimate), sum(unknown_costs)
  FROM bambi.api_usage WHERE user_id = :a GROUP BY 1 ORDER BY 1;
SELECT count(*), sum(images), sum(tokens_used), sum(cost),
       count(*) - count(cost)
  FROM bambi.usage_events WHERE user_id = :a;

\echo *** late events of old hours add up: everything twice
SELECT pg_temp.book();
SELECT pg_temp.shown() AS before \gset
SELECT bambi_rollup_usage();
SELECT pg_temp.shown() = :'before';
SELECT granularity, sum(request_count), sum(images), sum(tokens_used),
       sum(cost_estimate), sum(unknown_costs), count(*)
  FROM bambi.api_usage WHERE user_id = :a GROUP BY 1 ORDER BY 1;

\echo *** a user who is deleted takes all of it
DELETE FROM bambi.usage_events WHERE user_id = :b AND NOT is_rolled_up;
SELECT pg_temp.book();
DELETE FROM bambi.users WHERE id = :b;
SELECT bambi_rollup_usage();
SELECT count(*) FROM bambi.api_usage WHERE user_id = :b;

\echo *** who may: an operator and a service, but no user
SET LOCAL bambi.user_id = :a;
SET LOCAL ROLE bambi_user;
SELECT bambi_rollup_usage();
SELECT bambi_reset_quotas();
SELECT bambi_revalidate_keys();
SELECT bambi_maintain();
SELECT bambi_schedule_jobs();
SELECT count(*) FROM bambi_usage_by_month;
DELETE FROM bambi_usage_by_month;
UPDATE bambi.usage_events SET is_rolled_up = false;
SET LOCAL ROLE bambi_service;
SELECT bambi_rollup_usage();
SELECT bambi_maintain();
SET LOCAL ROLE bambi_admin;
SELECT bambi_rollup_usage();
RESET ROLE;
ROLLBACK;

\echo *** periods that have ended begin anew, those that run do not
BEGIN;
INSERT INTO bambi.users (id, email, usage_count, reset_date)
VALUES (:a, 'usage.a@example.com', 3, now() - interval '1 day'),
       (:b, 'usage.b@example.com', 4, now() + interval '1 day');
SELECT count(*) FILTER (WHERE usage_count > 0) AS others
  FROM bambi.users WHERE reset_date <= now() AND id NOT IN (:a, :b) \gset
SELECT bambi_reset_quotas(0);
SELECT bambi_reset_quotas() - :others;
SELECT usage_count, reset_date = now() - interval '1 day' + interval '1 month'
           AS follows, reset_date > now() AS runs
  FROM bambi.users WHERE id = :a;
SELECT usage_count, reset_date = now() + interval '1 day'
  FROM bambi.users WHERE id = :b;
SELECT bambi_reset_quotas();
ROLLBACK;
