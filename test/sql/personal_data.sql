-- What a person may ask: a copy of everything, consent, erasure; as two users,
-- of whom one goes and the other keeps all.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
\set ada '00000000-0000-7000-8000-00000e7a5ea1'
\set bob '00000000-0000-7000-8000-00000e7a5ea2'
\set key '00000000-0000-7000-8000-00000e7a5ec1'
\set key_of_bob '00000000-0000-7000-8000-00000e7a5ec2'
\set openai '00000000-0000-7000-8000-000000000001'
SET search_path = public;
SET client_min_messages = error;
SET timezone = 'UTC';
\pset format unaligned
BEGIN;
SELECT bambi_pause('test') \gset
UPDATE bambi.plans
   SET generations_per_period = NULL, generations_per_minute = NULL;

-- ---- two users, with rows in every table that can have some

CREATE FUNCTION pg_temp.give(who uuid, key uuid, n integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    canary text := 'canary-' || right(who::text, 2);
    generation uuid := bambi_uuid_v7();
    image uuid := bambi_uuid_v7();
    sandbox uuid := (SELECT m.id FROM bambi.models m
                      WHERE m.model_id = 'sandbox');
    openai uuid := '00000000-0000-7000-8000-000000000001';
BEGIN
    INSERT INTO bambi.users (id, email, password_hash, auth_provider,
           auth_provider_id, last_login_at)
    VALUES (who, canary || '@example.com', canary, canary, canary, now());
    INSERT INTO bambi.subscriptions (user_id, stripe_customer_id,
           stripe_subscription_id, stripe_price_id)
    VALUES (who, canary, canary, canary);
    INSERT INTO bambi.api_configurations (id, user_id, provider_id, name,
           encrypted_api_key, settings, key_hint, key_fingerprint, last_error)
    VALUES (key, who, openai, canary, canary, jsonb_build_object('a', canary),
            canary, canary, canary);
    INSERT INTO bambi.budgets (user_id, configuration_id, amount)
    VALUES (who, key, 10);
    INSERT INTO bambi.image_generations (id, user_id, configuration_id,
           model_id, prompt, parameters, status, error_message, cost)
    VALUES (generation, who, key, sandbox, canary,
            jsonb_build_object('style', canary, 'none', NULL), 'succeeded',
            canary, n);
    INSERT INTO bambi.images (id, generation_id, user_id, storage_path, store,
           revised_prompt, width, height, format, bytes, url, position)
    VALUES (image, generation, who, canary || '/1.png', 'filesystem', canary,
            1, 1, 'png', 10, 'https://example.com/' || canary, 1),
           (bambi_uuid_v7(), generation, who, NULL, 'database', canary, 1, 1,
            'png', 10, NULL, 2);
    INSERT INTO bambi.image_data (image_id, user_id, data)
    SELECT id, user_id, convert_to(canary, 'UTF8')
      FROM bambi.images WHERE user_id = who AND store = 'database';
    INSERT INTO bambi.generation_inputs (generation_id, user_id, position,
           format, width, height, bytes, data)
    VALUES (generation, who, 1, 'png', 1, 1, 10, convert_to(canary, 'UTF8'));
    INSERT INTO bambi.previews (generation_id, user_id, data, updated_at)
    VALUES (generation, who, convert_to(canary, 'UTF8'), now());
    INSERT INTO bambi_internal.idempotency_keys (user_id, key, generation_id,
           request_hash)
    VALUES (who, canary, generation, '\x01');
    INSERT INTO bambi.usage_events (user_id, generation_id, configuration_id,
           provider_id, model_id, cost)
    VALUES (who, generation, key, openai, sandbox, n);
    INSERT INTO bambi.api_usage (user_id, configuration_id, provider_id,
           request_count, cost_estimate, period_start, period_end)
    VALUES (who, key, openai, 1, n, date_trunc('day', now()),
            date_trunc('day', now()) + interval '1 day');
    INSERT INTO bambi.prompts_not_kept (user_id) VALUES (who);
    INSERT INTO bambi_internal.content_removals (user_id, removed_to)
    VALUES (who, bambi_uuid_floor(now() - interval '1 year'));
    INSERT INTO bambi_internal.key_checks (user_id, times)
    VALUES (who, ARRAY[now()]);
    INSERT INTO bambi_internal.unreadable_keys (configuration_id, user_id,
           key_number, target, reason, tried_at)
    VALUES (key, who, 1, 'kid', canary, now());
    INSERT INTO bambi_internal.outbox (id, user_id, errand)
    VALUES (bambi_uuid_v7(), who, jsonb_build_object(
                'kind', 'validate', 'configuration', key));
    INSERT INTO bambi.stripe_events (event_id, type, created, livemode,
           object_id, customer_id, subscription_id, user_id, named_by, facts,
           outcome)
    VALUES ('evt_' || canary, 'checkout.session.completed', now(), false,
            canary, 'cus_' || canary, canary, who, 'metadata', '{}',
            'applied');
    INSERT INTO bambi_internal.stripe_customers (customer_id, user_id)
    VALUES ('cus_' || canary, who);
    INSERT INTO bambi_internal.stripe_users (user_id) VALUES (who);
END
$$;
SELECT pg_temp.give(:'ada', :'key', 3), pg_temp.give(:'bob', :'key_of_bob', 4)
\gset

-- ---- consent

SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE bambi_user;
SELECT bambi_consent('processing', true, 'canary-a1 2026-01') IS NOT NULL
    AS granted;
SELECT bambi_generate('canary-a1', 'sandbox') AS waiting \gset
SELECT bambi_consent('newsletter', true, '1') IS NOT NULL AS granted;
SELECT bambi_consent('processing', false, '2026-01') IS NOT NULL AS withdrawn;
-- What waited is cancelled, and counts no more; nothing new begins.
SELECT status FROM bambi_generations WHERE id = :'waiting';
SELECT generations_used FROM bambi_account;
\set VERBOSITY default
SELECT bambi_generate('x', 'sandbox');
SELECT bambi_generate('x', 'sandbox', idempotency_key => 'k');
\set VERBOSITY terse
SELECT bambi_retry(id) FROM bambi_generations WHERE status = 'failed';
-- Another purpose changes nothing of that.
SELECT bambi_consent('newsletter', false, '1') IS NOT NULL AS withdrawn;
SELECT bambi_generate('x', 'sandbox');
SELECT bambi_consent('processing', true, '2026-02') IS NOT NULL AS granted;
SELECT bambi_generate('canary-a1', 'sandbox') AS waiting \gset
SELECT purpose, granted, version, is_current
  FROM bambi_consents ORDER BY purpose, id;

-- What is no purpose and no version; and nobody else writes here.
SELECT bambi_consent('Processing', true, '1');
SELECT bambi_consent('', true, '1');
SELECT bambi_consent(repeat('a', 101), true, '1');
SELECT bambi_consent('processing', NULL, '1');
SELECT bambi_consent(NULL, true, '1');
SELECT bambi_consent('processing', true, '');
SELECT bambi_consent('processing', true, NULL);
SELECT bambi_consent('processing', true, E'a\nb');
INSERT INTO bambi_consents (purpose, granted, version)
VALUES ('processing', true, '1');
INSERT INTO bambi.consents (user_id, purpose, granted, version)
VALUES (:'ada', 'processing', true, '1');
UPDATE bambi.consents SET granted = true;
DELETE FROM bambi.consents;
RESET ROLE;
SET LOCAL bambi.user_id = :'bob';
SET LOCAL ROLE bambi_user;
SELECT count(*) AS bob_sees FROM bambi_consents;
RESET ROLE;
SET LOCAL bambi.user_id = '';
SET LOCAL ROLE bambi_user;
SELECT bambi_consent('processing', true, '1');
RESET ROLE;

-- ---- the copy

-- Every column of every table with rows of users is in it, unless it is a
-- secret, or the bytes of a picture that a link leads to.
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE bambi_user;
SELECT bambi_export_my_data() AS mine \gset
RESET ROLE;
CREATE TEMP TABLE exported AS
SELECT 'bambi.' || t.name AS relation, k AS column_name, r.row
  FROM jsonb_each(:'mine'::jsonb -> 'data') t (name, rows),
       jsonb_array_elements(t.rows) r (row), jsonb_object_keys(r.row) k;
UPDATE exported SET relation = replace(relation, 'bambi.', 'bambi_internal.')
 WHERE to_regclass(relation) IS NULL;
CREATE TEMP TABLE wanted AS
SELECT c.relation, c.column_name, c.class
  FROM bambi.data_classes c
 WHERE c.relation = 'bambi.users'
    OR EXISTS (SELECT FROM bambi.data_classes u
                WHERE u.relation = c.relation AND u.column_name = 'user_id');
SELECT 'missing' AS is, relation, column_name FROM wanted
 WHERE class <> 'secret' AND relation IN (SELECT e.relation FROM exported e)
EXCEPT SELECT 'missing', relation, column_name FROM exported
UNION ALL
SELECT DISTINCT 'secret', relation, column_name
  FROM wanted JOIN exported USING (relation, column_name)
 WHERE class = 'secret'
 ORDER BY 1, 2, 3;
-- Tables of which there is no row to look at (a list):
SELECT DISTINCT relation FROM wanted
EXCEPT SELECT relation FROM exported ORDER BY 1;
SELECT count(DISTINCT relation) AS tables,
       count(DISTINCT (relation, column_name)) > 150 AS columns FROM exported;
-- Links are no columns; and nothing of somebody else's is there.
SELECT DISTINCT relation, column_name FROM exported
EXCEPT SELECT relation, column_name FROM bambi.data_classes;
SELECT :'mine' LIKE '%canary-a1%' AS own, :'mine' LIKE '%canary-a2%' AS others;
SELECT e -> 'parameters' AS parameters
  FROM jsonb_array_elements(:'mine'::jsonb #> '{data,image_generations}') e
 WHERE e ->> 'status' = 'succeeded';
-- A part: nothing of before is in it, but the account is.
SET LOCAL ROLE bambi_user;
SELECT jsonb_array_length(e #> '{data,image_generations}') AS generations,
       jsonb_array_length(e #> '{data,usage_events}') AS usage,
       jsonb_array_length(e #> '{data,users}') AS users
  FROM (VALUES (bambi_export_my_data(since => now() + interval '1 day')),
               (bambi_export_my_data(until => now() - interval '1 day')),
               (bambi_export_my_data(now() - interval '1 day',
                                     now() + interval '1 day'))) v (e);
-- What is too large says which part is not.
RESET ROLE;
SAVEPOINT before_many;
INSERT INTO bambi.image_generations (id, user_id, model_id, prompt, status)
SELECT bambi_uuid_v7(), :'bob', m.id, 'x', 'succeeded'
  FROM bambi.models m, generate_series(1, 25000)
 WHERE m.model_id = 'sandbox';
SET LOCAL bambi.user_id = :'bob';
SET LOCAL ROLE bambi_user;
\set VERBOSITY sqlstate
SELECT bambi_export_my_data();
\set VERBOSITY terse
RESET ROLE;
SELECT count(*) AS all
  FROM bambi.image_generations WHERE user_id = :'bob' \gset
SELECT bambi_uuid_time(g.id) AS middle
  FROM bambi.image_generations g
 WHERE g.user_id = :'bob' ORDER BY g.id OFFSET 12000 LIMIT 1 \gset
SET LOCAL ROLE bambi_user;
SELECT jsonb_array_length(bambi_export_my_data(until => :'middle')
           #> '{data,image_generations}')
     + jsonb_array_length(bambi_export_my_data(since => :'middle')
           #> '{data,image_generations}') = :all AS parts_are_all;
ROLLBACK TO before_many;
-- One who is not active may still ask, but for nothing else; nobody may not.
RESET ROLE;
UPDATE bambi.users SET is_active = false WHERE id = :'bob';
SET LOCAL bambi.user_id = :'bob';
SET LOCAL ROLE bambi_user;
SELECT bambi_export_my_data() #>> '{data,users,0,email}' AS email;
SELECT bambi_consent('processing', true, '1');
RESET ROLE;
SET LOCAL bambi.user_id = '00000000-0000-7000-8000-00000000ffff';
SET LOCAL ROLE bambi_user;
SELECT bambi_export_my_data();
SELECT bambi_erase_me();
RESET ROLE;
SET LOCAL bambi.user_id = '';
SET LOCAL ROLE bambi_user;
SELECT bambi_export_my_data();
SELECT bambi_erase_me();
SELECT bambi_erase_user(:'bob');
RESET ROLE;
UPDATE bambi.users SET is_active = true WHERE id = :'bob';

-- ---- erasure

SET LOCAL ROLE bambi_admin;
SELECT bambi_erase_user('00000000-0000-7000-8000-00000000ffff');
SELECT bambi_erase_user(NULL);
RESET ROLE;
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE bambi_user;
SELECT r ->> 'state' AS state, r ->> 'id' AS request FROM bambi_erase_me() r
\gset
SELECT :'state' AS state;
SELECT bambi_erase_me() ->> 'id' = :'request' AS same_again;
SELECT state, requested_by, report FROM bambi_erasure;
SELECT bambi_generate('x', 'sandbox');
SELECT bambi_consent('processing', true, '1');
SELECT bambi_export_my_data();
SELECT status FROM bambi_generations WHERE id = :'waiting';
RESET ROLE;
SET LOCAL ROLE bambi_admin;
SELECT bambi_erase_user(:'ada') ->> 'id' = :'request' AS same_for_operators;
RESET ROLE;
SELECT email, password_hash, auth_provider, auth_provider_id, last_login_at,
       is_active, usage_count, erased_at IS NOT NULL AS is_erased
  FROM bambi.users WHERE id = :'ada';

-- Somebody has taken a month off its table: it is erased from, too.
SELECT bambi_internal.make_month('bambi.change_log', '2011-03-01', NULL);
INSERT INTO bambi.change_log (id, user_id, table_name, row_key, operation,
            columns, old_values, new_values, session_role)
SELECT u.id, :'ada', 'users', 'canary-a1', 'update', '{email}', '{}', '{}', 'x'
  FROM (SELECT bambi_uuid_floor('2011-03-02 00:00Z')) u (id);
ALTER TABLE bambi.change_log DETACH PARTITION bambi.change_log_2011_03;

-- The steps of the worker, here, where nothing else runs.
DO $$
BEGIN
    FOR step IN 1 .. 20
    LOOP
        UPDATE bambi.erasure_requests SET horizon = '3', not_before = NULL;
        -- nobody is there to erase objects
        DELETE FROM bambi_internal.outbox o
         WHERE o.errand ->> 'kind' = 'erase' AND step > 5;
        PERFORM bambi_internal.erasure_step(now(), false, false);
    END LOOP;
END
$$;
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE bambi_user;
SELECT state, finished_at IS NOT NULL AS is_finished, last_error
  FROM bambi_erasure;
SELECT p.place, p.said FROM bambi_erasure, jsonb_each(report) p (place, said)
 ORDER BY place;
RESET ROLE;
-- Tables with rows of users that it does not name (a list):
SELECT relation FROM wanted
EXCEPT
SELECT w.relation
  FROM wanted w JOIN bambi.erasure_requests e ON e.user_id = :'ada'
 WHERE (e.report || (e.report -> 'kept')) ? split_part(w.relation, '.', 2)
 ORDER BY 1;
-- Nothing is left of the one, in any column of any table; of the other, all.
CREATE FUNCTION pg_temp.rows_with(word text)
RETURNS TABLE (relation text, rows bigint)
LANGUAGE plpgsql AS $$
DECLARE
    place regclass;
BEGIN
    FOR place IN
        SELECT c.oid FROM pg_class c
         WHERE c.relnamespace IN ('bambi'::regnamespace,
                                  'bambi_internal'::regnamespace)
           AND c.relkind IN ('r', 'p') AND NOT c.relispartition
         ORDER BY c.oid::regclass::text
    LOOP
        relation := place;
        EXECUTE format('SELECT count(*) FROM %s t WHERE t::text LIKE %L '
                       'OR t::text LIKE %L', place, '%' || word || '%',
                       '%' || encode(convert_to(word, 'UTF8'), 'hex') || '%')
           INTO rows;
        CONTINUE WHEN rows = 0;
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT * FROM pg_temp.rows_with('canary-a1');
SELECT * FROM pg_temp.rows_with('canary-a2');
-- What was paid stays.
SELECT (SELECT sum(cost) FROM bambi.usage_events WHERE user_id = :'ada')
           AS events,
       (SELECT sum(cost_estimate) FROM bambi.api_usage
         WHERE user_id = :'ada') AS sums;
SELECT purpose = 'processing' AS is_processing, granted,
       version ~ '^sha256:[0-9a-f]{64}$' AS is_digest
  FROM bambi.consents WHERE user_id = :'ada' ORDER BY id;

-- ---- nothing comes back

INSERT INTO bambi.api_configurations (user_id, provider_id, name)
VALUES (:'ada', :'openai', 'x');
INSERT INTO bambi.subscriptions (user_id) VALUES (:'ada');
INSERT INTO bambi.budgets (user_id, amount) VALUES (:'ada', 1);
INSERT INTO bambi.consents (user_id, purpose, granted, version)
VALUES (:'ada', 'processing', true, '1');
INSERT INTO bambi.image_generations (user_id, model_id, prompt)
SELECT :'ada', id, 'x' FROM bambi.models WHERE model_id = 'sandbox';
INSERT INTO bambi.users (id, email) VALUES (:'ada', 'x@example.com');
UPDATE bambi.users SET email = 'x@example.com' WHERE id = :'ada';
UPDATE bambi.users SET is_active = true WHERE id = :'ada';
UPDATE bambi.users SET erased_at = NULL, is_active = true WHERE id = :'ada';
UPDATE bambi.users SET id = bambi_uuid_v7() WHERE id = :'ada';
SET LOCAL ROLE bambi_admin;
SELECT bambi_set_plan(:'ada', 'premium');
SELECT bambi_link_customer(:'ada', 'cus_x');
RESET ROLE;
-- What Stripe says of them later is not kept, whichever way it names them.
SELECT bambi_internal.stripe_receive(jsonb_build_object(
           'id', 'evt_' || n, 'type', 'checkout.session.completed',
           'created', 1, 'livemode', false, 'data', jsonb_build_object(
               'object', jsonb_build_object(
                   'id', 'cs_canary-a1', 'subscription', 'sub_canary-a1') ||
               o))::text, false)
  FROM (VALUES (1, jsonb '{"customer": "cus_canary-a1"}'),
               (2, jsonb_build_object('customer', 'cus_canary-a1x',
                       'metadata', jsonb_build_object('user_id', :'ada'))),
               (3, jsonb_build_object('customer', 'cus_canary-a1y',
                       'client_reference_id', :'ada'))) v (n, o);
SELECT * FROM pg_temp.rows_with('canary-a1');

-- Only what erases removes from the log: by no other way, and of no one else.
SET LOCAL ROLE bambi_admin;
SELECT * FROM bambi_internal.erase_changes(:'bob', 10, '{}');
DELETE FROM bambi.change_log WHERE user_id = :'bob';
DELETE FROM bambi.erasure_requests;
UPDATE bambi.erasure_requests SET state = 'waiting';
RESET ROLE;
SET LOCAL ROLE bambi_service;
SELECT bambi_internal.begin_erasure(:'bob', 'user', now());
SELECT bambi_erase_user(:'bob');
RESET ROLE;
SET LOCAL ROLE bambi_user;
RESET ROLE;
SET LOCAL bambi.user_id = :'bob';
SET LOCAL ROLE bambi_user;
SELECT * FROM bambi_internal.erasure_step(now(), false, false);
SELECT count(*) AS bob_sees FROM bambi_erasure;
ROLLBACK;
