-- What a key's check needs and what follows from it, with the worker's part
-- done by hand: what providers answer is test/t/140_key_life.pl's.
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
    RETURN coalesce(nullif(given, ''), 'done');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    -- in minutes, which do not change while this runs
    hint := regexp_replace(hint, '\d+ seconds',
        ceil(substring(hint, '(\d+) seconds')::numeric / 60) || ' min');
    RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''),
                     nullif(hint, ''));
END
$$;
\set ada '00000000-0000-7000-8000-00000000ada7'
\set bob '00000000-0000-7000-8000-0000000000b7'
SELECT bambi_pause('test');
INSERT INTO bambi.users (id, email, reset_date)
VALUES (:'ada', 'ada@check.example', now() + interval '1 month'),
       (:'bob', 'bob@check.example', now() + interval '1 month');
CREATE ROLE regress_bambi_checker IN ROLE bambi_user;
DO $$
BEGIN
    FOR i IN 1 .. 2000 LOOP
        EXIT WHEN EXISTS (SELECT FROM bambi.encryption_keys WHERE is_current);
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
DELETE FROM bambi_internal.outbox;

\echo *** a key that is added is to be checked, in the same transaction
SET bambi.user_id = :'ada';
SET ROLE regress_bambi_checker;
BEGIN;
SELECT bambi_add_key('openai', 'sk-test-0123456789-abcd') IS NOT NULL;
ROLLBACK;
RESET ROLE;
SELECT count(*) FROM bambi_internal.outbox;
SET ROLE regress_bambi_checker;
SELECT bambi_add_key('openai', 'sk-test-0123456789-abcd') AS key \gset
RESET ROLE;
SELECT errand->>'kind', errand->>'configuration' = :'key', user_id = :'ada',
       errand::text ~ 'sk-test', attempts, not_before
  FROM bambi_internal.outbox;
\echo *** one that is replaced, or validated, once: in the place of the other
SELECT id AS before FROM bambi_internal.outbox \gset
SET ROLE regress_bambi_checker;
SELECT bambi_validate_key(:'key');
SELECT bambi_replace_key(:'key', 'sk-test-0123456789-efgh');
RESET ROLE;
SELECT count(*), count(*) FILTER (WHERE id = :'before')
  FROM bambi_internal.outbox;
SELECT key_number, status FROM bambi.api_configurations WHERE id = :'key';

\echo *** five in a minute, of all kinds; then it says when
SET ROLE regress_bambi_checker;
SELECT bambi_add_key('google', 'AIza-test-0123456789') IS NOT NULL;
SELECT pg_temp.try(format('SELECT bambi_validate_key(%L)', :'key'));
SELECT pg_temp.try(format('SELECT bambi_validate_key(%L)', :'key'));
SELECT pg_temp.try(format('SELECT bambi_replace_key(%L, %L)', :'key',
                          'sk-test-0123456789-ijkl'));
SELECT pg_temp.try('SELECT bambi_add_key(''xai'', ''xai-test-0123456789'')');
SELECT count(*) FROM bambi_configurations;
\echo *** and twenty in an hour
RESET ROLE;
UPDATE bambi_internal.key_checks
   SET times = ARRAY(SELECT now() - interval '30 minutes'
                       FROM generate_series(1, 19)) || now()
 WHERE user_id = :'ada';
SET ROLE regress_bambi_checker;
SELECT pg_temp.try(format('SELECT bambi_validate_key(%L)', :'key'));
RESET ROLE;
UPDATE bambi_internal.key_checks
   SET times = ARRAY(SELECT now() - interval '61 minutes'
                       FROM generate_series(1, 20))
 WHERE user_id = :'ada';
SET ROLE regress_bambi_checker;
SELECT bambi_validate_key(:'key');
RESET ROLE;
\echo *** what is older is forgotten; the plan may say otherwise, others count apart
SELECT cardinality(times) FROM bambi_internal.key_checks
 WHERE user_id = :'ada';
BEGIN;
UPDATE bambi.plans SET key_checks_per_minute = 1, key_checks_per_hour = NULL;
SET LOCAL ROLE regress_bambi_checker;
SELECT pg_temp.try(format('SELECT bambi_validate_key(%L)', :'key')) ~ 'PT429';
RESET ROLE;
SET LOCAL bambi.user_id = :'bob';
SET LOCAL ROLE regress_bambi_checker;
SELECT pg_temp.try('SELECT bambi_add_key(''xai'', ''xai-test-0123456789'')')
       ~ '^[0-9a-f-]{36}$';
RESET ROLE;
UPDATE bambi.plans SET key_checks_per_minute = NULL;
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE regress_bambi_checker;
SELECT bambi_validate_key(:'key') FROM generate_series(1, 30)
 GROUP BY 1;
ROLLBACK;

\echo *** what is held because of a key goes on with another one, in its turn
INSERT INTO bambi.image_generations (user_id, configuration_id, model_id,
       prompt, status, error_code, error_message, held_reason, attempts,
       quota_period)
SELECT :'ada', :'key', m.id, 'held ' || n, 'held', 'invalid_key', 'no',
       'so', 1, u.reset_date
  FROM bambi.models m, bambi.users u, generate_series(1, 3) n
 WHERE m.model_id = 'gpt-image-2' AND u.id = :'ada' ORDER BY n;
INSERT INTO bambi.image_generations (user_id, configuration_id, model_id,
       prompt, status, error_code, held_reason, attempts, quota_period)
SELECT :'ada', :'key', m.id, 'died', 'held', 'courier_died', 'so', 2,
       u.reset_date
  FROM bambi.models m, bambi.users u
 WHERE m.model_id = 'gpt-image-2' AND u.id = :'ada';
UPDATE bambi.users SET usage_count = 4 WHERE id = :'ada';
UPDATE bambi.api_configurations
   SET status = 'dead', is_valid = false, last_error = 'no'
 WHERE id = :'key';
DELETE FROM bambi_internal.key_checks;
SET ROLE regress_bambi_checker;
\echo *** not before
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', id))
  FROM bambi_generations WHERE prompt = 'held 1';
SELECT error_hint FROM bambi_generations WHERE prompt = 'held 1';
SELECT bambi_replace_key(:'key', 'sk-test-0123456789-mnop');
SELECT prompt, status, error_code, error_message, held_reason
  FROM bambi_generations ORDER BY prompt;
SELECT status, is_valid, last_error FROM bambi_configurations
 WHERE id = :'key';
RESET ROLE;
SELECT g.prompt, q.attempt, q.turn - lag(q.turn) OVER (ORDER BY q.turn)
  FROM bambi_internal.queue q JOIN bambi.image_generations g ON g.id = q.id
 WHERE q.user_id = :'ada' ORDER BY q.turn;
SELECT usage_count FROM bambi.users WHERE id = :'ada';

\echo *** without another key it ends when the key is removed, uncounted
WITH d AS (DELETE FROM bambi_internal.queue WHERE user_id = :'ada')
UPDATE bambi.image_generations
   SET status = 'held', error_code = 'invalid_key', held_reason = 'so'
 WHERE user_id = :'ada' AND prompt LIKE 'held%';
UPDATE bambi.image_generations
   SET quota_period = quota_period - interval '1 month'
 WHERE user_id = :'ada' AND prompt = 'held 3';
SET ROLE regress_bambi_checker;
SELECT bambi_remove_key(:'key');
SELECT prompt, status, error_code, held_reason, finished_at IS NOT NULL
  FROM bambi_generations ORDER BY prompt;
SELECT pg_temp.try(format('SELECT bambi_validate_key(%L)', :'key'));
SELECT pg_temp.try('SELECT bambi_validate_key(gen_random_uuid())');
SELECT pg_temp.try('SELECT bambi_validate_key(NULL)');
\echo *** what was counted in another period is not taken from this one
RESET ROLE;
SELECT usage_count FROM bambi.users WHERE id = :'ada';

DELETE FROM bambi.users WHERE email LIKE '%@check.example';
SELECT count(*) FROM bambi_internal.key_checks;
DELETE FROM bambi_internal.outbox;
SELECT bambi_resume();
DROP ROLE regress_bambi_checker;
