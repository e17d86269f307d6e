-- How long data is kept: what holds, who may change it, what users see of it,
-- and that what is past its time goes and nothing else does.
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
BEGIN;
SELECT bambi_pause('test');
CREATE ROLE regress_bambi_person IN ROLE bambi_user;
CREATE ROLE regress_bambi_operator IN ROLE bambi_admin;
\set ada '00000000-0000-7000-8000-00000000ada8'
\set bob '00000000-0000-7000-8000-00000000b0b8'
INSERT INTO bambi.plans (plan_type, name, rank, retention_days)
VALUES ('regress_month', 'A month', 5, 30), ('regress_day', 'A day', 6, 1);
INSERT INTO bambi.users (id, email, reset_date)
SELECT id, name || '@retention.example', now() + interval '1 month'
  FROM (VALUES (:'ada'::uuid, 'ada'), (:'bob'::uuid, 'bob')) v (id, name);
INSERT INTO bambi.subscriptions (user_id, plan_type)
VALUES (:'ada', 'regress_month');

-- The outcome of a statement for a role.
CREATE FUNCTION pg_temp.try(person name, statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    PERFORM set_config('role', person, true);
    EXECUTE statement;
    RESET ROLE;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''),
                     nullif(hint, ''));
END
$$;

\echo *** what holds by default
SELECT what, coalesce(keep::text, 'as the account'), ends_as, pictures,
       keep_prompts
  FROM bambi.retention_policies ORDER BY what;

\echo *** operators change it, and nobody writes to the table
SELECT pg_temp.try('regress_bambi_operator', statement)
  FROM unnest(ARRAY[
    'SELECT bambi_set_retention(''content'', ''2 years'')',
    'SELECT bambi_set_retention(''audit'', ''18 months'', ''delete'')',
    'SELECT bambi_set_retention(''audit'', NULL)',
    'SELECT bambi_set_retention(''content'', ''24 months'', ''archive'', ''reference'', false)',
    'UPDATE bambi.retention_policies SET keep = NULL',
    'DELETE FROM bambi.retention_policies',
    'SELECT FROM bambi_internal.content_removals',
    'SELECT bambi_internal.remove_old_content(NULL, now())',
    'SELECT bambi_internal.remove_old_payments(NULL, now())']) statement;
SELECT what, coalesce(keep::text, 'as the account'), ends_as, pictures,
       keep_prompts
  FROM bambi.retention_policies WHERE what IN ('audit', 'content')
 ORDER BY what;
SELECT row_key, columns, old_values, new_values
  FROM bambi.change_log
 WHERE table_name = 'retention_policies' ORDER BY id DESC LIMIT 4;
SELECT pg_temp.try('regress_bambi_person', statement)
  FROM unnest(ARRAY[
    'SELECT bambi_set_retention(''content'', ''2 years'')',
    'UPDATE bambi.retention_policies SET keep = NULL',
    'DELETE FROM bambi_retention',
    'UPDATE bambi_retention SET keep = NULL',
    'SELECT bambi_internal.remove_old_content(NULL, now())']) statement;

\echo *** what is no answer
SELECT pg_temp.try('regress_bambi_operator',
                   format('SELECT bambi_set_retention(%s)', arguments))
  FROM unnest(ARRAY[
    '''pictures'', ''1 year''', 'NULL, ''1 year''',
    '''content'', ''30 days''', '''content'', ''0 months''',
    '''content'', ''-1 month''', '''content'', ''1 month 1 second''',
    '''content'', ''1 month -1 day''', '''content'', ''101 years''',
    '''usage'', ''11 months''',
    '''content'', ''1 year'', ''burn''',
    '''consents'', ''1 year'', ''archive''',
    '''payments'', ''1 year'', ''archive''',
    '''content'', ''1 year'', ''archive'', ''link''',
    '''audit'', ''1 year'', ''archive'', ''copy''',
    '''usage'', ''1 year'', ''archive'', NULL, true']) arguments;
\echo *** nor does the table take it
\set VERBOSITY terse
SAVEPOINT bad;
UPDATE bambi.retention_policies SET keep = '30 days' WHERE what = 'content';
ROLLBACK TO bad;
UPDATE bambi.retention_policies SET ends_as = 'archive' WHERE what = 'payments';
ROLLBACK TO bad;
UPDATE bambi.retention_policies SET keep_prompts = NULL WHERE what = 'content';
ROLLBACK TO bad;
UPDATE bambi.retention_policies SET keep_prompts = true WHERE what = 'usage';
ROLLBACK TO bad;
INSERT INTO bambi.retention_policies (what, keep, ends_as, description)
VALUES ('all', '1 year', 'delete', 'All of it.');
ROLLBACK TO bad;
\set VERBOSITY default

\echo *** what users see: by their plans
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE regress_bambi_person;
SELECT what, keep, ends_as, is_of_plan, keep_prompts, in_words
  FROM bambi_retention ORDER BY what;
RESET ROLE;
SET LOCAL bambi.user_id = :'bob';
SET LOCAL ROLE regress_bambi_person;
SELECT what, keep, ends_as, is_of_plan, keep_prompts, in_words
  FROM bambi_retention WHERE what = 'content';
RESET ROLE;
SELECT bambi_set_retention('content', NULL, keep_prompts => true),
       bambi_set_retention('audit', '1 month', 'archive'),
       bambi_set_retention('usage', '1 year');
SET LOCAL ROLE regress_bambi_person;
SELECT what, in_words FROM bambi_retention
 WHERE what IN ('content', 'audit', 'usage') ORDER BY what;
\echo *** a user may keep less, not more
SET LOCAL ROLE NONE;
SET LOCAL bambi.user_id = :'ada';
SELECT pg_temp.try('regress_bambi_person', statement)
  FROM unnest(ARRAY['SELECT bambi_keep_prompts(false)',
                    'SELECT bambi_keep_prompts(false)',
                    'SELECT bambi_keep_prompts(NULL)',
                    'INSERT INTO bambi.prompts_not_kept VALUES (bambi_user_id())',
                    'DELETE FROM bambi.prompts_not_kept']) statement;
SET LOCAL ROLE regress_bambi_person;
SELECT what, keep_prompts, in_words FROM bambi_retention ORDER BY what;
RESET ROLE;
SET LOCAL bambi.user_id = :'bob';
SET LOCAL ROLE regress_bambi_person;
SELECT keep_prompts FROM bambi_retention WHERE what = 'content';
SELECT count(*) FROM bambi.prompts_not_kept;
SELECT bambi_keep_prompts(true);
RESET ROLE;
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE regress_bambi_person;
SELECT keep_prompts FROM bambi_retention WHERE what = 'content';
SELECT bambi_keep_prompts(true);
SELECT keep_prompts FROM bambi_retention WHERE what = 'content';
\echo *** a plan keeps nothing for longer than the operator
RESET ROLE;
UPDATE bambi.plans SET retention_days = 60 WHERE plan_type = 'regress_month';
SELECT bambi_set_retention('content', '1 month');
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE regress_bambi_person;
SELECT keep, ends_as, is_of_plan, in_words FROM bambi_retention
 WHERE what = 'content';
\echo *** without a user there is nothing, and to services what holds for all
RESET ROLE;
SET LOCAL bambi.user_id = '';
SET LOCAL ROLE regress_bambi_person;
SELECT count(*) FROM bambi_retention;
RESET ROLE;
SET LOCAL ROLE bambi_service;
SELECT count(*), bool_or(is_of_plan) FROM bambi_retention;
RESET ROLE;
SELECT bambi_set_retention('content', NULL);
UPDATE bambi.plans SET retention_days = 30 WHERE plan_type = 'regress_month';

-- Generations of both, of 10 and of 40 days ago, in every state, each with a
-- picture; a_N is ada's.
DO $$
DECLARE
    this_month CONSTANT timestamp :=
        date_trunc('month', now() AT TIME ZONE 'UTC');
BEGIN
    FOR n IN 0 .. 2
    LOOP
        -- somebody may hold a lock for a moment
        WHILE NOT bambi_internal.has_month(
                      'bambi.image_generations',
                      this_month - n * interval '1 month')
              AND NOT bambi_internal.make_month(
                      'bambi.image_generations',
                      this_month - n * interval '1 month', NULL)
        LOOP
            PERFORM pg_sleep(0.01);
        END LOOP;
    END LOOP;
END
$$;
CREATE TEMP TABLE made AS
SELECT person || '_' || days || '_' || status AS name, person, days, status,
       u.id AS user_id,
       (left(bambi_uuid_floor(now() - make_interval(days => days))::text, 24)
        || lpad(to_hex(row_number() OVER ()), 12, '0'))::uuid AS id
  FROM (VALUES ('ada', :'ada'::uuid), ('bob', :'bob'::uuid)) u (person, id),
       unnest('{10, 40}'::int[]) days,
       unnest('{succeeded, failed, cancelled, queued, uncertain, held}'
              ::text[]) status;
INSERT INTO bambi.image_generations
       (id, user_id, model_id, prompt, parameters, status, error_message,
        held_reason, cost)
SELECT m.id, m.user_id, p.default_model_id, 'a fawn', '{"seed": 1}', m.status,
       'not like this', CASE WHEN m.status IN ('uncertain', 'held')
                             THEN 'decide' END, 0.25
  FROM made m JOIN bambi.plans p ON p.plan_type = 'free';
INSERT INTO bambi.images (id, generation_id, user_id, storage_path, store,
                          revised_prompt)
SELECT m.id, m.id, m.user_id,
       CASE WHEN m.status <> 'failed' THEN m.name || '.png' END,
       CASE WHEN m.status <> 'failed' THEN 'filesystem' ELSE 'database' END,
       'a young deer'
  FROM made m;
INSERT INTO bambi.image_data (image_id, user_id, data)
SELECT id, user_id, '\x00' FROM made WHERE status = 'failed';
INSERT INTO bambi.generation_inputs
       (generation_id, user_id, position, format, width, height, bytes, data)
SELECT id, user_id, 1, 'png', 1, 1, 1, '\x00' FROM made;
INSERT INTO bambi_internal.idempotency_keys
       (user_id, key, generation_id, request_hash)
SELECT user_id, name, id, '\x00' FROM made;

-- Whose content is there, and is all of it there or nothing?
CREATE VIEW pg_temp.contents AS
SELECT m.name,
       concat_ws(' ', nullif(g.prompt, ''), nullif(g.parameters, '{}'),
                 g.error_message,
                 (SELECT i.revised_prompt FROM bambi.images i
                   WHERE i.generation_id = m.id),
                 (SELECT d.data FROM bambi.image_data d
                   WHERE d.image_id = m.id),
                 (SELECT n.data FROM bambi.generation_inputs n
                   WHERE n.generation_id = m.id),
                 (SELECT k.key FROM bambi_internal.idempotency_keys k
                   WHERE k.generation_id = m.id)) AS content
  FROM made m JOIN bambi.image_generations g ON g.id = m.id;
CREATE FUNCTION pg_temp.round(at timestamptz DEFAULT now())
RETURNS TABLE (parts bigint, removed bigint)
LANGUAGE plpgsql AS $$
DECLARE
    place text;
    part  integer;
BEGIN
    parts := 0;
    removed := 0;
    LOOP
        SELECT r.place, r.removed INTO place, part
          FROM bambi_internal.remove_old_content(place, at) r;
        removed := removed + part;
        EXIT WHEN place IS NULL;
        parts := parts + 1;
    END LOOP;
    RETURN NEXT;
END
$$;

\echo *** days of a plan: of what has ended all content goes, and nothing else
SELECT removed FROM pg_temp.round();
SELECT name, content FROM pg_temp.contents
 WHERE content IS DISTINCT FROM concat_ws(' ', 'a fawn {"seed": 1}',
           'not like this a young deer',
           CASE WHEN name LIKE '%failed' THEN '\x00' END, '\x00', name)
 ORDER BY name;
SELECT m.name, g.status, g.cost, g.error_code
  FROM made m JOIN bambi.image_generations g ON g.id = m.id
 WHERE g.prompt = '' ORDER BY m.name;
SELECT errand - 'kind' FROM bambi_internal.outbox
 WHERE user_id = :'ada' ORDER BY errand->>'location';
\echo *** which is noted, with what was passed by
SELECT m.user_id = :'ada', bambi_uuid_time(r.removed_to)
           = date_trunc('milliseconds', now() - interval '30 days'),
       (SELECT string_agg(m.name, ' ' ORDER BY m.name)
          FROM made m WHERE m.id = ANY (r.passed_by))
  FROM bambi_internal.content_removals r
       JOIN made m ON m.user_id = r.user_id GROUP BY 1, 2, 3;
SELECT removed FROM pg_temp.round();
\echo *** what was passed by goes when it has ended
UPDATE bambi.image_generations g
   SET status = 'cancelled', held_reason = NULL
  FROM made m WHERE m.id = g.id AND m.name = 'ada_40_held';
SELECT removed FROM pg_temp.round();
DELETE FROM bambi.image_generations g USING made m
 WHERE m.id = g.id AND m.name = 'ada_40_uncertain';
SELECT removed FROM pg_temp.round();
SELECT string_agg(m.name, ' ')
  FROM bambi_internal.content_removals r
       JOIN made m ON m.id = ANY (r.passed_by);
\echo *** days that pass
SELECT removed FROM pg_temp.round(now() + interval '20 days 1 hour');
\echo *** a plan without an end, and then one with an early one
UPDATE bambi.subscriptions SET plan_type = 'premium' WHERE user_id = :'ada';
SELECT removed FROM pg_temp.round(now() + interval '1 year');
SELECT bambi_set_plan(:'bob', 'regress_day');
\echo *** a picture that a pending edit needs is left for it
INSERT INTO bambi_internal.queue (id, user_id, provider_id, turn, inputs)
SELECT m.id, m.user_id, l.provider_id, 1, 1
  FROM made m JOIN bambi.image_generations g ON g.id = m.id
       JOIN bambi.models l ON l.id = g.model_id
 WHERE m.name = 'bob_10_queued';
UPDATE bambi.generation_inputs n
   SET image_id = s.id, store = 'filesystem', data = NULL,
       storage_path = s.name || '.png'
  FROM made m, made s
 WHERE m.id = n.generation_id AND m.name = 'bob_10_queued'
   AND s.name = 'bob_40_succeeded';
SELECT removed FROM pg_temp.round();
SELECT string_agg(name, ' ' ORDER BY name) FROM pg_temp.contents
 WHERE name LIKE 'bob%' AND content <> '';
DELETE FROM bambi_internal.queue WHERE user_id = :'bob';
SELECT removed FROM pg_temp.round();

\echo *** many are removed in parts, and each of them once
UPDATE bambi.subscriptions SET plan_type = 'regress_month'
 WHERE user_id = :'bob';
DELETE FROM bambi_internal.content_removals WHERE user_id = :'bob';
INSERT INTO bambi.image_generations
       (id, user_id, model_id, prompt, status)
SELECT (left(bambi_uuid_floor(now() - interval '20 days')::text, 24)
        || lpad(to_hex(1000 + n), 12, '0'))::uuid,
       :'bob', p.default_model_id, 'one of many', 'succeeded'
  FROM bambi.plans p, generate_series(1, 250) n WHERE p.plan_type = 'free';
SELECT parts > 2, removed FROM pg_temp.round(now() + interval '11 days');
SELECT count(*) FROM bambi.image_generations WHERE prompt = 'one of many';
SELECT removed FROM pg_temp.round(now() + interval '11 days');

\echo *** the plan that holds at the time, which may be the one after its end
UPDATE bambi.plans SET retention_days = 30 WHERE plan_type = 'free';
SELECT bambi_set_plan(:'bob', 'premium', now() + interval '5 days');
INSERT INTO bambi.image_generations (id, user_id, model_id, prompt, status)
SELECT bambi_uuid_floor(now() - interval '9 days'), :'bob',
       p.default_model_id, 'under premium', 'succeeded'
  FROM bambi.plans p WHERE p.plan_type = 'free';
SELECT removed FROM pg_temp.round(now() + interval '4 days');
SELECT removed FROM pg_temp.round(now() + interval '20 days');
SELECT removed FROM pg_temp.round(now() + interval '22 days');
SELECT count(*) FROM bambi.image_generations WHERE prompt = 'under premium';

\echo *** no plan has an end
UPDATE bambi.plans SET retention_days = NULL;
SELECT parts, removed FROM pg_temp.round(now() + interval '1 year');

ROLLBACK;
