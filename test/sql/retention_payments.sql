-- Events of Stripe that are past their time: those go that decide nothing, and
-- what is worked out from the others does not change, by no prices.
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
BEGIN;
SELECT bambi_pause('test');
SELECT setseed(0.4711);
INSERT INTO bambi.plans (plan_type, name, rank)
VALUES ('regress_low', 'Low', 5), ('regress_high', 'High', 6);
INSERT INTO bambi.users (id, email, reset_date)
SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
       n || '@payments.example', now()
  FROM generate_series(1, 80) n;

-- Three years of 80 customers, told wildly: states and prices change as they
-- like, periods are a month or a year, times are equal or not, the same
-- customer is said to be one user or another.
INSERT INTO bambi.stripe_events (event_id, type, created, received_at,
       livemode, customer_id, subscription_id, user_id, named_by, facts,
       outcome)
SELECT 'evt_' || md5(random()::text), w.type, w.at, w.at, true,
       'cus_' || w.customer,
       CASE WHEN w.kind < 0.85 THEN 'sub_' || w.customer || w.of END,
       CASE WHEN w.named < 0.4
            THEN ('00000000-0000-7000-8000-'
                  || lpad((w.customer + w.named * 3)::integer::text, 12, '0')
                 )::uuid END,
       CASE WHEN w.named < 0.01 THEN 'operator'
            WHEN w.named < 0.2 THEN 'metadata'
            WHEN w.named < 0.4 THEN 'client_reference_id' END,
       CASE WHEN w.kind < 0.6 THEN jsonb_build_object(
                'status', w.status,
                'started', extract(epoch FROM w.at)::bigint,
                'previous_status', w.previous,
                'period_start', extract(epoch FROM w.at)::bigint,
                'period_end', extract(epoch FROM w.at + w.length)::bigint,
                'prices', jsonb_build_array(jsonb_build_array(w.price, NULL)))
            WHEN w.kind < 0.85 THEN jsonb_build_object('payment', w.payment)
            WHEN w.kind < 0.86 THEN '{"deleted": true}'
            WHEN w.kind < 0.95 THEN '{}' END,
       CASE WHEN w.kind < 0.95 THEN 'applied' ELSE 'ignored' END
  FROM (SELECT c AS customer, (random() * 1.3)::integer AS of,
               random() AS kind, random() AS named,
               to_timestamp((extract(epoch FROM now() - interval '3 years')
                   + (random() * 78)::integer * 14 * 86400)::bigint) AS at,
               (ARRAY['trialing', 'active', 'active', 'active', 'active',
                      'past_due', 'canceled', 'past_due'])
                   [1 + (random() * 7)::integer] AS status,
               (ARRAY['active', 'past_due', NULL])
                   [1 + (random() * 2)::integer] AS previous,
               (ARRAY['price_low', 'price_high', 'price_odd'])
                   [1 + (random() * 2)::integer] AS price,
               (ARRAY['paid', 'failed', 'action_required'])
                   [1 + (random() * 2)::integer] AS payment,
               (ARRAY['1 month', '1 month', '1 year']::interval[])
                   [1 + (random() * 2)::integer] AS length,
               (ARRAY['customer.subscription.created',
                      'customer.subscription.updated'])
                   [1 + random()::integer] AS type
          FROM generate_series(1, 80) c, generate_series(1, 25) n
         OFFSET 0) w;
INSERT INTO bambi_internal.stripe_customers (customer_id)
SELECT DISTINCT customer_id FROM bambi.stripe_events;

-- All that is worked out, by three lists of prices.
CREATE TABLE pg_temp.lists (list integer, price text, plan_type text);
INSERT INTO lists
VALUES (1, 'price_low', 'regress_low'), (1, 'price_high', 'regress_high'),
       (2, 'price_low', 'regress_high'), (2, 'price_odd', 'regress_low');
CREATE TABLE pg_temp.worked_out (
    round text, list integer, what text, key text, value text);
CREATE PROCEDURE pg_temp.work_out(round text) LANGUAGE plpgsql AS $$
DECLARE
    somebody record;
BEGIN
    FOR number IN 0 .. 2 LOOP
        DELETE FROM bambi.stripe_prices;
        INSERT INTO bambi.stripe_prices (price, plan_type)
        SELECT price, plan_type FROM lists WHERE list = number;
        FOR somebody IN SELECT customer_id FROM bambi_internal.stripe_customers
        LOOP
            PERFORM bambi_internal.stripe_apply(somebody.customer_id);
        END LOOP;
        INSERT INTO worked_out
        SELECT round, number, 'customer', customer_id, user_id::text
          FROM bambi_internal.stripe_customers
        UNION ALL
        SELECT round, number, 'subscription', t.id,
               (to_jsonb(s) - 'event_id')::text
          FROM (SELECT DISTINCT subscription_id FROM bambi.stripe_events
                 WHERE facts ? 'status') t (id),
               bambi_internal.stripe_subscription(t.id) s
        UNION ALL
        SELECT round, number, 'best', u.id::text, to_jsonb(b)::text
          FROM bambi.users u, bambi_internal.stripe_best(u.id) b
        UNION ALL
        SELECT round, number, 'plan', s.user_id::text,
               (to_jsonb(s) - '{id, created_at, updated_at}'::text[])::text
          FROM bambi.subscriptions s
        UNION ALL
        SELECT round, number, problem, p.customer_id || p.subscription_id,
               concat_ws(' ', p.user_id, p.detail)
          FROM bambi_internal.stripe_problems() p;
    END LOOP;
END
$$;
CREATE FUNCTION pg_temp.round() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    place   text;
    part    integer;
    removed bigint := 0;
BEGIN
    LOOP
        SELECT r.place, r.removed INTO place, part
          FROM bambi_internal.remove_old_payments(place, now()) r;
        removed := removed + part;
        EXIT WHEN place IS NULL;
    END LOOP;
    RETURN removed;
END
$$;

\echo *** all of it is kept: nothing goes
SELECT bambi_set_retention('payments', NULL);
SELECT pg_temp.round();

\echo *** the last 3 months are kept: many go, and nothing changes
CALL pg_temp.work_out('before');
SELECT bambi_set_retention('payments', '3 months');
SELECT pg_temp.round() > 200;
-- what only those needed that went
SELECT sum(pg_temp.round()) < 20 FROM generate_series(1, 3);
CALL pg_temp.work_out('after');
SELECT list, what, count(*) > 5
  FROM worked_out WHERE round = 'before' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT list, what, key, b.value, a.value
  FROM (SELECT * FROM worked_out WHERE round = 'before') b
       FULL JOIN (SELECT * FROM worked_out WHERE round = 'after') a
                 USING (list, what, key)
 WHERE b.value IS DISTINCT FROM a.value
 ORDER BY 1, 2, 3 LIMIT 5;

\echo *** what is left is younger, or needed
SELECT count(*) FILTER (WHERE facts IS NULL),
       count(*) FILTER (WHERE NOT bambi_internal.stripe_is_needed(
                            event_id, now() - interval '3 months'))
  FROM bambi.stripe_events WHERE created < now() - interval '3 months';
SELECT count(*) > 50 FROM bambi.stripe_events
 WHERE created >= now() - interval '3 months';

\echo *** disputes: a closed one goes as a whole, an open one stays
INSERT INTO bambi.stripe_events
       (event_id, type, created, received_at, livemode, object_id, facts,
        outcome)
SELECT 'evt_dp_' || n, 'charge.dispute.' || type,
       now() - interval '2 years', now() - interval '2 years', true, dispute,
       '{"charge": "ch_1"}', 'recorded'
  FROM (VALUES (1, 'closed', 'dp_1'), (2, 'created', 'dp_1'),
               (3, 'updated', 'dp_1'), (4, 'created', 'dp_2'))
       e (n, type, dispute);
SELECT pg_temp.round();
SELECT event_id FROM bambi.stripe_events WHERE event_id LIKE 'evt_dp%';
SELECT pg_temp.round();
SELECT event_id FROM bambi.stripe_events WHERE event_id LIKE 'evt_dp%';
\echo *** what came late is not past its time
INSERT INTO bambi.stripe_events
       (event_id, type, created, livemode, outcome)
VALUES ('evt_late', 'ping', now() - interval '2 years', true, 'ignored');
SELECT pg_temp.round();
ROLLBACK;
