-- What a plan allows, which plan holds, when its periods run, and how often it
-- lets a user ask in a minute.
SET client_min_messages = error;
-- a day may have 23 hours elsewhere
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
BEGIN;
SELECT bambi_pause('test');
CREATE ROLE regress_bambi_person IN ROLE bambi_user;
\set ada '00000000-0000-7000-8000-00000000ada9'
INSERT INTO bambi.plans (plan_type, name, generations_per_period, rank,
                         default_model_id)
SELECT n, n, 20, 5, default_model_id
  FROM bambi.plans, unnest('{regress, regress_more}'::text[]) n
 WHERE plan_type = 'free';
INSERT INTO bambi.users (id, email, reset_date)
VALUES (:'ada', 'ada@plans.example', now() + interval '1 month');
INSERT INTO bambi.subscriptions (user_id, plan_type)
VALUES (:'ada', 'regress');
SET LOCAL bambi.user_id = :'ada';

-- The outcome of a statement, as the user; numbers of seconds by minutes, and
-- times not at all.
CREATE FUNCTION pg_temp.try(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    SET LOCAL ROLE regress_bambi_person;
    EXECUTE statement;
    SET LOCAL ROLE NONE;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    detail := regexp_replace(detail, 'ends at .*', 'ends at TIME.');
    hint := coalesce(regexp_replace(hint, '\d+ seconds',
        ceil(substring(hint, '(\d+) seconds')::numeric / 60) || ' min'), hint);
    RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''),
                     nullif(hint, ''));
END
$$;

\echo *** models, by name or by provider
UPDATE bambi.plans SET models = '{openai/*, sandbox/sandbox}'
 WHERE plan_type = 'regress';
SELECT pg_temp.try('SELECT bambi_generate(''allowed'')');
SELECT pg_temp.try('SELECT bambi_generate(''no key yet'', ''gpt-image-2'')');
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''xai/grok-imagine-image'')');
SELECT pg_temp.try($$SELECT bambi_edit('x', ARRAY['\x89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489'::bytea],
    model => 'xai/grok-imagine-image')$$);
\echo *** what it costs may be asked all the same
SELECT pg_temp.try('SELECT bambi_estimate(''xai/grok-imagine-image'')');
UPDATE bambi.plans SET models = '{}' WHERE plan_type = 'regress';
SELECT pg_temp.try('SELECT bambi_generate(''none at all'')');
UPDATE bambi.image_generations SET status = 'failed', quota_period = NULL
 WHERE user_id = :'ada';
DELETE FROM bambi_internal.queue WHERE user_id = :'ada';
SELECT id AS failed FROM bambi.image_generations WHERE user_id = :'ada' \gset
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'failed'));
SAVEPOINT names;
\set VERBOSITY terse
UPDATE bambi.plans SET models = '{sandbox}' WHERE plan_type = 'regress';
\set VERBOSITY default
ROLLBACK TO names;
UPDATE bambi.plans SET models = NULL WHERE plan_type = 'regress';

\echo *** pictures of one generation
UPDATE bambi.plans SET max_pictures = 2 WHERE plan_type = 'regress';
SELECT pg_temp.try('SELECT bambi_generate(''two'', parameters => ''{"n": 2}'')');
SELECT pg_temp.try('SELECT bambi_generate(''x'', parameters => ''{"n": 3}'')');
UPDATE bambi.image_generations SET parameters = '{"n": 3}'
 WHERE id = :'failed';
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'failed'));
UPDATE bambi.plans SET max_pictures = 3 WHERE plan_type = 'regress';
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'failed'));

\echo *** a minute, whatever becomes of what was started
UPDATE bambi.plans SET generations_per_minute = 3 WHERE plan_type = 'regress';
UPDATE bambi.users SET usage_count = 0, recent_starts = NULL
 WHERE id = :'ada';
SELECT pg_temp.try('SELECT bambi_generate(''a'') FROM generate_series(1, 2)');
SELECT pg_temp.try('SELECT bambi_generate(''b'', idempotency_key => ''b'')');
SELECT pg_temp.try('SELECT bambi_generate(''b'', idempotency_key => ''b'')');
SELECT pg_temp.try('SELECT bambi_generate(''c'')');
SELECT pg_temp.try('SELECT bambi_generate(''c'', idempotency_key => ''c'')');
SELECT count(bambi_cancel(id)) FROM bambi_generations
 WHERE prompt = 'a';
SELECT pg_temp.try('SELECT bambi_generate(''c'')');
SELECT usage_count, cardinality(recent_starts) FROM bambi.users
 WHERE id = :'ada';
\echo *** the oldest of them is a minute ago: one more
UPDATE bambi.users
   SET recent_starts[1] = recent_starts[1] - interval '1 minute'
 WHERE id = :'ada';
SELECT pg_temp.try('SELECT bambi_generate(''c'')');
SELECT pg_temp.try('SELECT bambi_generate(''d'')');
\echo *** the quota that is used up takes nothing of the minute, nor the other way
UPDATE bambi.users SET usage_count = 20,
       recent_starts = ARRAY[now() - interval '2 minutes']
 WHERE id = :'ada';
SELECT pg_temp.try('SELECT bambi_generate(''e'')');
SELECT cardinality(recent_starts) FROM bambi.users WHERE id = :'ada';
\echo *** both used up: a minute would not help
UPDATE bambi.users SET recent_starts = array_fill(now(), '{3}')
 WHERE id = :'ada';
SELECT pg_temp.try('SELECT bambi_generate(''e'')');
\echo *** limits that change in between: fewer, more, none
UPDATE bambi.users SET usage_count = 0 WHERE id = :'ada';
UPDATE bambi.plans SET generations_per_minute = 2 WHERE plan_type = 'regress';
SELECT pg_temp.try('SELECT bambi_generate(''f'')');
UPDATE bambi.plans SET generations_per_minute = 4 WHERE plan_type = 'regress';
SELECT pg_temp.try('SELECT bambi_generate(''f'')');
SELECT pg_temp.try('SELECT bambi_generate(''f'')');
UPDATE bambi.plans SET generations_per_minute = NULL
 WHERE plan_type = 'regress';
SELECT pg_temp.try('SELECT bambi_generate(''f'')');
SELECT cardinality(recent_starts) FROM bambi.users WHERE id = :'ada';

\echo *** which plan a subscription grants, days from now
CREATE FUNCTION pg_temp.plan(status text, ends integer, past_due integer,
                             is_over boolean, next text) RETURNS text
LANGUAGE sql AS $$
    SELECT bambi_internal.plan_in_force(status, 'premium', next,
               now() + make_interval(days => ends), is_over,
               now() - make_interval(days => past_due), now());
$$;
SELECT status, ends, is_over, next, pg_temp.plan(status, ends, NULL, is_over,
                                                 next)
  FROM unnest('{active, trialing}'::text[]) status,
       unnest('{NULL, 3, -3, -7}'::integer[]) ends,
       unnest('{f, t}'::boolean[]) is_over,
       unnest('{NULL, other}'::text[]) next
 ORDER BY status, ends, is_over, next NULLS FIRST;
SELECT 'past_due', past_due, pg_temp.plan('past_due', 20, past_due, false,
                                          NULL)
  FROM unnest('{0, 6, 7, NULL}'::integer[]) past_due;
SELECT coalesce(status, 'none'), pg_temp.plan(status, 20, NULL, false, NULL)
  FROM unnest('{paused, canceled, unpaid, incomplete, incomplete_expired,
                NULL}'::text[]) status;

\echo *** periods of a subscription
CREATE FUNCTION pg_temp.period(plan text, starts timestamptz,
                               ends timestamptz, length interval,
                               at timestamptz) RETURNS text
LANGUAGE sql AS $$
    SELECT to_char(lower(r) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' - '
           || to_char(upper(r) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
      FROM bambi_internal.subscription_period(plan, starts, ends, length, at)
           r;
$$;
\echo *** a month, between bills that are not a month of the calendar apart
SELECT at, pg_temp.period('premium', '2026-02-28 12:00Z', '2026-03-31 12:00Z',
                          '1 month', at::timestamptz)
  FROM unnest('{2026-02-28 12:00Z, 2026-03-28 12:00Z,
                2026-03-31 11:59Z}'::text[]) at;
\echo *** a year has twelve, and what comes after goes on
SELECT at, pg_temp.period('premium', '2026-01-31 12:00Z', '2027-01-31 12:00Z',
                          '1 month', at::timestamptz)
  FROM unnest('{2026-01-31 12:00Z, 2026-02-28 11:59Z, 2026-02-28 12:00Z,
                2026-12-31 12:00Z, 2027-01-31 12:00Z,
                2027-02-28 12:00Z}'::text[]) at;
\echo *** the first begins with the bill; a clock that is behind; no start
SELECT pg_temp.period('premium', '2026-01-10 00:00Z', '2026-03-01 00:00Z',
                      '1 month', '2026-01-15 00:00Z');
SELECT pg_temp.period('premium', '2026-01-10 00:00Z', '2026-02-10 00:00Z',
                      '1 month', '2026-01-09 23:59Z');
SELECT pg_temp.period('premium', NULL, '2026-02-10 00:00Z', '1 month',
                      '2026-01-15 00:00Z');
\echo *** a week of a plan that is billed by the month; the free plan; no bill
SELECT pg_temp.period('premium', '2026-01-10 00:00Z', '2026-02-10 00:00Z',
                      '7 days', at::timestamptz)
  FROM unnest('{2026-01-10 00:00Z, 2026-01-13 00:00Z,
                2026-02-09 00:00Z}'::text[]) at;
SELECT pg_temp.period('free', '2026-01-10 00:00Z', '2026-02-10 00:00Z',
                      '1 month', '2026-01-15 00:00Z') IS NULL,
       pg_temp.period('premium', '2026-01-10 00:00Z', NULL,
                      '1 month', '2026-01-15 00:00Z') IS NULL;
\echo *** the same in every time zone
SELECT count(DISTINCT p)
  FROM (SELECT set_config('TimeZone', zone, true),
               bambi_internal.subscription_period('premium',
                   '2026-01-29 23:30Z', '2027-01-29 23:30Z', '1 month',
                   '2026-04-10 00:00Z') p
          FROM unnest('{UTC, Europe/Berlin, Pacific/Auckland,
                        America/Los_Angeles}'::text[]) zone) z;
SET LOCAL TimeZone = 'UTC';

\echo *** the account: a subscription begins, and so does a count
UPDATE bambi.plans SET generations_per_minute = 30, max_in_flight = 3,
       max_waiting = 100, models = '{sandbox/*}', store = 'database',
       retention_days = 90, budget = 12.5, budget_currency = 'USD'
 WHERE plan_type = 'regress';
UPDATE bambi.users SET usage_count = 20 WHERE id = :'ada';
UPDATE bambi_internal.queue SET claimed_by = bambi_uuid_v7()
 WHERE id = (SELECT min(id::text)::uuid FROM bambi_internal.queue
              WHERE user_id = :'ada');
UPDATE bambi.subscriptions
   SET current_period_start = date_trunc('day', now()) - interval '40 days',
       current_period_end = date_trunc('day', now()) + interval '325 days'
 WHERE user_id = :'ada';
CREATE VIEW pg_temp.account AS
SELECT plan_type, generations_limit, generations_used, generations_left,
       resets_at > now() AND resets_at <= now() + interval '1 month' AS resets
  FROM bambi_account WHERE user_id = '00000000-0000-7000-8000-00000000ada9';
\x on
SELECT a.*, generations_per_minute, max_waiting, max_in_flight, in_flight,
       max_pictures, models, store, retention_days, budget, budget_currency
  FROM pg_temp.account a, bambi_account WHERE user_id = :'ada';
\x off
SELECT pg_temp.try('SELECT bambi_generate(''paid'')');
TABLE pg_temp.account;
SELECT period_start < now(), recent_starts[1] <= now() FROM bambi.users
 WHERE id = :'ada';
\echo *** another plan of the same subscription keeps the count
UPDATE bambi.subscriptions SET plan_type = 'regress_more'
 WHERE user_id = :'ada';
TABLE pg_temp.account;
SELECT pg_temp.try('SELECT bambi_generate(''paid'')');
TABLE pg_temp.account;
\echo *** and one with other periods, there and back
UPDATE bambi.plans SET period = '10 days' WHERE plan_type = 'regress';
UPDATE bambi.users
   SET period_start = period_start - interval '31 days' WHERE id = :'ada';
UPDATE bambi.subscriptions SET plan_type = 'regress' WHERE user_id = :'ada';
SELECT pg_temp.try('SELECT bambi_generate(''paid'')');
TABLE pg_temp.account;
UPDATE bambi.subscriptions SET plan_type = 'regress_more'
 WHERE user_id = :'ada';
TABLE pg_temp.account;
\echo *** what is lost at once keeps its count; what ends and goes on does not
UPDATE bambi.subscriptions SET status = 'canceled' WHERE user_id = :'ada';
TABLE pg_temp.account;
UPDATE bambi.subscriptions
   SET status = 'active', next_plan_type = 'regress',
       current_period_start = now() - interval '31 days',
       current_period_end = now() - interval '1 minute'
 WHERE user_id = :'ada';
TABLE pg_temp.account;
SELECT pg_temp.try('SELECT bambi_generate(''paid'')');
TABLE pg_temp.account;

\echo *** two periods that end together are told apart
UPDATE bambi.subscriptions
   SET next_plan_type = NULL, current_period_start = now(),
       current_period_end = (SELECT reset_date FROM bambi.users
                              WHERE id = :'ada')
 WHERE user_id = :'ada';
SELECT reset_date AS before FROM bambi.users WHERE id = :'ada' \gset
SELECT pg_temp.try('SELECT bambi_generate(''paid'')');
SELECT usage_count, reset_date - :'before' FROM bambi.users
 WHERE id = :'ada';
ROLLBACK;
