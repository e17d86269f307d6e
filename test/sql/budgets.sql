-- Budgets in money: who sets them, what is refused under them, and that what
-- is spent and reserved is what the ledger and the queue say.
\set SHOW_CONTEXT never
SET search_path = public;
SET client_min_messages = error;
SET timezone = 'UTC';
\pset format unaligned
\set ada '00000000-0000-7000-8000-0000000bada1'
\set bob '00000000-0000-7000-8000-0000000bada2'
BEGIN;
SELECT bambi_pause('test') \gset
INSERT INTO bambi.users (id) VALUES (:'ada'), (:'bob');
INSERT INTO bambi.api_providers (id, name, slug, adapter, needs_key)
VALUES ('00000000-0000-7000-8000-0000000badc0', 'Priced', 'priced',
        'sandbox', true);
INSERT INTO bambi.models (provider_id, name, model_id, capabilities)
SELECT p.id, 'Priced', l.model_id, l.capabilities
  FROM bambi.api_providers p, (VALUES
    ('cheap', jsonb '{"parameters": {
        "n": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
        "size": {"type": "string", "values": ["auto", "1K", "4K"],
                 "default": "1K"}}, "inputs": {"max": 3}}'),
    ('billed', '{"parameters": {}, "bills": ["1M text output tokens"]}'),
    ('nothing', '{"parameters": {}}')) l (model_id, capabilities)
 WHERE p.slug = 'priced';
INSERT INTO bambi.model_prices (model_id, unit, size, price)
SELECT m.id, 'image', CASE m.model_id WHEN 'cheap' THEN '1K' END, 0.1
  FROM bambi.models m WHERE m.model_id IN ('cheap', 'billed');
\set key '00000000-0000-7000-8000-0000000badc1'
\set revoked '00000000-0000-7000-8000-0000000badc2'
\set key_of_bob '00000000-0000-7000-8000-0000000badc3'
INSERT INTO bambi.api_configurations (id, user_id, provider_id, name, status)
VALUES (:'key', :'ada', '00000000-0000-7000-8000-0000000badc0', 'mine',
        'valid'),
       (:'revoked', :'ada', '00000000-0000-7000-8000-0000000badc0', 'gone',
        'revoked'),
       (:'key_of_bob', :'bob', '00000000-0000-7000-8000-0000000badc0', 'his',
        'valid');
UPDATE bambi.plans
   SET generations_per_period = NULL, generations_per_minute = NULL
 WHERE plan_type = 'free';

CREATE FUNCTION pg_temp.try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; advice text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        advice = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''),
                     nullif(regexp_replace(advice, 'anew at .*UTC',
                                           'anew at TIME'), ''));
END
$$;
CREATE VIEW pg_temp.state WITH (security_invoker = true) AS
SELECT scope, amount, currency, period, spent, reserved, amount_left,
       unpriced
  FROM bambi_budgets ORDER BY scope;
GRANT SELECT ON pg_temp.state TO bambi_user;
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE bambi_user;

\echo *** what can be set
SELECT v.arguments, pg_temp.try('SELECT bambi_set_budget(' || arguments || ')')
  FROM (VALUES ('-0.01'), ('''NaN'''), ('''Infinity'''), ('100000000'),
               ('0.0000001'), ('1, ''usd'''), ('1, ''EURO'''),
               ('1, period => ''week'''), ('1, period => ''plan'''),
               (format('1, configuration => %L', :'key_of_bob')),
               (format('1, configuration => %L', :'ada')),
               ('NULL'), ('0'), ('99999999.999999'),
               ('0.123456, NULL, NULL, NULL')) v (arguments);
SELECT * FROM pg_temp.state;
SELECT bambi_set_budget(7, 'EUR', 'day', :'key');
SELECT bambi_set_budget(8.5, configuration => :'revoked');
SELECT scope, amount, currency, period, configuration_id = :'key' AS is_key,
       amount_left, resets_at = date_trunc(period, now())
                                + ('1 ' || period)::interval AS resets_then
  FROM bambi_budgets WHERE scope = 'key' ORDER BY amount;
SELECT bambi_set_budget(NULL, configuration => :'key');
SELECT bambi_set_budget(NULL, configuration => :'revoked');
SELECT scope, amount, period FROM pg_temp.state;

\echo *** nobody sets or sees that of another
SELECT v.command, pg_temp.try(v.command) FROM (VALUES
    (format('INSERT INTO bambi.budgets (user_id, amount) VALUES (%L, 1)',
            :'bob')),
    ('UPDATE bambi.budgets SET amount = 1'), ('DELETE FROM bambi.budgets'),
    ('UPDATE bambi_budgets SET amount = 1'),
    (format('SELECT bambi_internal.budgets_of(%L, NULL)', :'bob'))) v (command);
RESET ROLE;
SET LOCAL bambi.user_id = :'bob';
SET LOCAL ROLE bambi_user;
SELECT count(*) FROM bambi.budgets;
SELECT count(*) FROM bambi_budgets;
SELECT bambi_set_budget(3);
SELECT amount FROM bambi_budgets;
RESET ROLE;
SET LOCAL ROLE bambi_service;
SELECT count(*), sum(amount) FROM bambi_budgets WHERE user_id IN (:'ada', :'bob');
SELECT pg_temp.try('SELECT bambi_set_budget(1)');
RESET ROLE;
SET LOCAL bambi.user_id = '';
SET LOCAL ROLE bambi_user;
SELECT pg_temp.try('SELECT bambi_set_budget(1)');
RESET ROLE;
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE bambi_user;

\echo *** periods of the calendar, in UTC wherever the session is
SET LOCAL timezone = 'Pacific/Auckland';
SELECT v.at, v.period, p.since AT TIME ZONE 'UTC' AS since,
       p.resets_at AT TIME ZONE 'UTC' AS resets_at
  FROM (VALUES ('2026-01-31 23:59:59.999999Z'::timestamptz),
               ('2028-02-29 00:00Z')) a (at),
       (VALUES ('day'), ('month'), ('year'), ('total')) b (period),
       LATERAL (SELECT a.at AT TIME ZONE 'UTC' AS at, b.period) v,
       bambi_internal.budget_period(b.period, a.at) p
 ORDER BY a.at, p.since DESC;
SET LOCAL timezone = 'UTC';

\echo *** a budget for three, of the user
SELECT bambi_set_budget(0.3);
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''cheap'')')
  FROM generate_series(1, 4);
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''cheap'', ''{"n": 2}'')');
SELECT * FROM pg_temp.state;
SELECT usage_count, (SELECT count(*) FROM bambi_generations) AS generations
  FROM bambi.users;
\echo *** the same request once more is no new one, though nothing is left
SELECT bambi_cancel(id) FROM bambi_generations ORDER BY id LIMIT 1;
SELECT bambi_generate('once', 'cheap', idempotency_key => 'k') AS id \gset
SELECT bambi_generate('once', 'cheap', idempotency_key => 'k') = :'id' AS same;
SELECT pg_temp.try('SELECT bambi_generate(''y'', ''cheap'', '
                   'idempotency_key => ''other'')');
SELECT * FROM pg_temp.state;
\echo *** what costs nothing fits as long as no more is spent than there is
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''sandbox'')');

\echo *** of the key, also where it is not named
SELECT bambi_set_budget(NULL);
SELECT bambi_set_budget(0.4, configuration => :'key');
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''cheap'')')
  FROM generate_series(1, 2);
SELECT pg_temp.try(format('SELECT bambi_generate(''x'', ''cheap'', '
                          'configuration => %L)', :'key'));
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''sandbox'')');
SELECT bambi_cancel(id) FROM bambi_generations WHERE status = 'queued';
SELECT bambi_set_budget(NULL, configuration => :'key');

\echo *** of the plan, for the period of its quota
RESET ROLE;
UPDATE bambi.plans SET budget = 0.2 WHERE plan_type = 'free';
SET LOCAL ROLE bambi_user;
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''cheap'')')
  FROM generate_series(1, 3);
SELECT * FROM pg_temp.state;
SELECT b.resets_at = a.resets_at AS same FROM bambi_budgets b, bambi_account a;
RESET ROLE;
SELECT bambi_cancel(id) FROM bambi_generations
 WHERE user_id = :'ada' AND status = 'queued';
\echo *** spent before the period began, in it, and once it has ended
UPDATE bambi.users SET reset_date = now() + interval '10 days'
 WHERE id = :'ada';
INSERT INTO bambi.usage_events (id, user_id, cost, charged)
SELECT bambi_uuid_floor(now() + interval '10 days' - interval '1 month'
                        + interval '1 ms' * l.distance), :'ada', l.cost, 'yes'
  FROM (VALUES (-1, 5), (1, 0.05), (2, NULL)) l (distance, cost);
SET LOCAL ROLE bambi_user;
SELECT * FROM pg_temp.state;
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''cheap'', ''{"n": 2}'')');
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''cheap'')');
SELECT bambi_cancel(id) FROM bambi_generations WHERE status = 'queued';
RESET ROLE;
UPDATE bambi.users SET reset_date = now() WHERE id = :'ada';
SET LOCAL ROLE bambi_user;
SELECT s.*, b.resets_at FROM pg_temp.state s, bambi_budgets b;
RESET ROLE;
UPDATE bambi.plans SET budget = NULL WHERE plan_type = 'free';
DELETE FROM bambi.usage_events WHERE user_id = :'ada';
\echo *** of a plan that a subscription grants, whose period may be a short one
UPDATE bambi.plans SET budget = 0.2 WHERE plan_type = 'premium';
INSERT INTO bambi.subscriptions (user_id, plan_type, current_period_start,
                                 current_period_end)
VALUES (:'ada', 'premium', now() - interval '5 days',
        now() + interval '3 days');
INSERT INTO bambi.usage_events (id, user_id, cost, charged)
SELECT bambi_uuid_floor(now() - l.age), :'ada', l.cost, 'yes'
  FROM (VALUES (interval '6 days', 5), ('4 days', 0.1)) l (age, cost);
SET LOCAL ROLE bambi_user;
SELECT s.*, date_trunc('second', b.resets_at - now()) AS resets_in
  FROM pg_temp.state s, bambi_budgets b;
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''cheap'')')
  FROM generate_series(1, 2);
SELECT bambi_cancel(id) FROM bambi_generations WHERE status = 'queued';
SELECT s.*, date_trunc('second', b.resets_at - now()) AS resets_in
  FROM pg_temp.state s, bambi_budgets b;
RESET ROLE;
DELETE FROM bambi.subscriptions WHERE user_id = :'ada';
UPDATE bambi.plans SET budget = NULL WHERE plan_type = 'premium';
DELETE FROM bambi.usage_events WHERE user_id = :'ada';
SET LOCAL ROLE bambi_user;

\echo *** the smallest of several holds
SELECT bambi_set_budget(1), bambi_set_budget(0.1, 'USD', 'total', :'key');
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''cheap'')')
  FROM generate_series(1, 2);
SELECT bambi_cancel(id) FROM bambi_generations WHERE status = 'queued';
SELECT bambi_set_budget(NULL, configuration => :'key');

\echo *** no price, some of it not known, other money
SELECT v.model, pg_temp.try(format('SELECT bambi_generate(''x'', %L, %L)',
                                   v.model, v.parameters))
  FROM (VALUES ('nothing', '{}'), ('billed', '{}'), ('cheap', '{"size": "4K"}'),
               ('cheap', '{"size": "auto"}')) v (model, parameters);
SELECT bambi_set_budget(1, 'EUR');
SELECT pg_temp.try('SELECT bambi_generate(''x'', ''cheap'')');
SELECT bambi_set_budget(NULL);
SELECT bambi_generate('x', 'nothing') IS NOT NULL AS queued;
SELECT bambi_set_budget(1);
SELECT * FROM pg_temp.state;

\echo *** bambi_edit: what pictures to edit cost is not known, and then is
RESET ROLE;
SELECT format('SELECT bambi_edit(''x'', ARRAY[%L::bytea], model => ''cheap'')',
              decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk'
                     '+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'))
       AS edit \gset
SET LOCAL ROLE bambi_user;
SELECT pg_temp.try(:'edit');
RESET ROLE;
SELECT bambi_set_price('cheap', 'input image', 0.85) IS NOT NULL AS is_set;
SET LOCAL ROLE bambi_user;
SELECT pg_temp.try(:'edit');
SELECT pg_temp.try(:'edit');
SELECT * FROM pg_temp.state;
SELECT bambi_cancel(id) FROM bambi_generations WHERE status = 'queued';

\echo *** bambi_retry: failed ones anew, held ones have their place, uncertain
\echo *** ones are paid twice
SELECT bambi_set_budget(0.3);
SELECT bambi_generate('failed', 'cheap') AS failed,
       bambi_generate('held', 'cheap') AS held,
       bambi_generate('uncertain', 'cheap') AS uncertain \gset
RESET ROLE;
UPDATE bambi.image_generations
   SET status = prompt, attempts = 1,
       held_reason = nullif(prompt, 'failed'),
       quota_period = CASE WHEN prompt <> 'failed' THEN quota_period END
 WHERE id IN (:'failed', :'held', :'uncertain');
DELETE FROM bambi_internal.queue
 WHERE id IN (:'failed', :'held', :'uncertain');
SET LOCAL ROLE bambi_user;
SELECT * FROM pg_temp.state;
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'failed'));
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'uncertain'));
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'held'));
SELECT * FROM pg_temp.state;
SELECT bambi_cancel(:'held');
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'uncertain'));
SELECT * FROM pg_temp.state;
SELECT bambi_cancel(:'uncertain');
\echo *** at the price of now, if that is known
SELECT bambi_cancel(:'failed');
RESET ROLE;
UPDATE bambi.image_generations SET status = 'failed' WHERE id = :'failed';
SELECT bambi_set_price('cheap', 'image', 0.15, '1K') IS NOT NULL AS is_set;
SET LOCAL ROLE bambi_user;
SELECT bambi_set_budget(0.2);
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'failed'));
SELECT bambi_set_budget(0.25);
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'failed'));
SELECT cost_estimate FROM bambi_generations WHERE id = :'failed';
SELECT * FROM pg_temp.state;
SELECT bambi_cancel(:'failed');
RESET ROLE;
UPDATE bambi.image_generations SET status = 'failed' WHERE id = :'failed';
SELECT bambi_set_price('cheap', 'image', NULL, '1K') IS NULL AS is_ended;
SET LOCAL ROLE bambi_user;
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'failed'));
SELECT bambi_set_budget(NULL);
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'failed'));
\echo *** an uncertain one that is given up stays booked
SELECT bambi_set_budget(0.3);
SELECT * FROM pg_temp.state;
ROLLBACK;
