-- bambi_cancel and bambi_retry, state by state, while nothing is claimed.
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
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n  ', state || ' ' || message,
                     regexp_replace(nullif(detail, ''),
                                    'ends at .*\.', 'ends at TIME.'),
                     nullif(hint, ''));
END
$$;
\set ada '00000000-0000-7000-8000-00000000ada1'
\set bob '00000000-0000-7000-8000-0000000000b2'
SELECT bambi_pause('test');
INSERT INTO bambi.users (id, email)
VALUES (:'ada', 'ada@cancel.example'), (:'bob', 'bob@cancel.example');
CREATE ROLE regress_bambi_person IN ROLE bambi_user;
SET bambi.user_id = :'ada';
CREATE FUNCTION pg_temp.state(wanted uuid, OUT status text,
    OUT is_in_queue boolean, OUT has_reservation boolean, OUT used int,
    OUT wants_cancel boolean, OUT error_code text)
LANGUAGE sql AS $$
    SELECT g.status, EXISTS (SELECT FROM bambi_internal.queue
                              WHERE id = wanted),
           g.quota_period IS NOT NULL, u.usage_count,
           g.cancel_requested_at IS NOT NULL, g.error_code
      FROM bambi.image_generations g JOIN bambi.users u ON u.id = g.user_id
     WHERE g.id = wanted
$$;
-- as the worker leaves one that did not succeed
CREATE PROCEDURE pg_temp.end_as(wanted uuid, state text, keeps boolean)
LANGUAGE sql AS $$
    DELETE FROM bambi_internal.queue WHERE id = wanted;
    UPDATE bambi.users u SET usage_count = usage_count - 1
      FROM bambi.image_generations g
     WHERE g.id = wanted AND u.id = g.user_id
       AND g.quota_period IS NOT NULL AND NOT keeps;
    UPDATE bambi.image_generations
       SET status = state, error_code = 'timeout', error_message = 'so',
           held_reason = CASE state WHEN 'held' THEN 'so' END,
           quota_period = CASE WHEN keeps THEN quota_period END,
           attempts = 7, finished_at = now()
     WHERE id = wanted;
$$;

\echo *** queued: cancelled, and the count goes back, once
SELECT bambi_generate('a') AS g \gset
SELECT * FROM pg_temp.state(:'g');
SET ROLE regress_bambi_person;
SELECT bambi_cancel(:'g');
RESET ROLE;
SELECT * FROM pg_temp.state(:'g');
SELECT bambi_cancel(:'g');
SELECT * FROM pg_temp.state(:'g');
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'g'));
\echo *** not to a later period
SELECT bambi_generate('a') AS g \gset
UPDATE bambi.users SET reset_date = reset_date + interval '1 month'
 WHERE id = :'ada';
SELECT bambi_cancel(:'g');
SELECT * FROM pg_temp.state(:'g');
UPDATE bambi.users SET usage_count = 0 WHERE id = :'ada';
\echo *** rolled back: nothing happened
SELECT bambi_generate('a') AS g \gset
BEGIN;
SELECT bambi_cancel(:'g');
ROLLBACK;
SELECT * FROM pg_temp.state(:'g');

\echo *** claimed: the worker is asked, the state stays
UPDATE bambi_internal.queue SET claimed_by = gen_random_uuid(),
       claimed_at = now(), attempt = 1 WHERE id = :'g';
SELECT bambi_cancel(:'g');
SELECT bambi_cancel(:'g');
SELECT * FROM pg_temp.state(:'g');
SELECT cancel_requested FROM bambi_internal.queue WHERE id = :'g';
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'g'));

\echo *** ended: neither
CALL pg_temp.end_as(:'g', 'succeeded', true);
SELECT pg_temp.try(format('SELECT bambi_cancel(%L)', :'g'));
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'g'));

\echo *** failed: tried again, with a new reservation and the next attempt
SELECT bambi_generate('a') AS g \gset
CALL pg_temp.end_as(:'g', 'failed', false);
SELECT * FROM pg_temp.state(:'g');
SELECT pg_temp.try(format('SELECT bambi_cancel(%L)', :'g'));
SET ROLE regress_bambi_person;
SELECT bambi_retry(:'g') = :'g';
RESET ROLE;
SELECT * FROM pg_temp.state(:'g');
SELECT attempt, tries, deaths, claimed_by FROM bambi_internal.queue
 WHERE id = :'g';
SELECT error_message, held_reason, finished_at, started_at
  FROM bambi.image_generations WHERE id = :'g';
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'g'));
\echo *** unless no reservation is left
CALL pg_temp.end_as(:'g', 'failed', false);
UPDATE bambi.users SET usage_count = 10 WHERE id = :'ada';
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'g'));
\echo *** or its model or its key is gone
UPDATE bambi.users SET usage_count = 1 WHERE id = :'ada';
BEGIN;
UPDATE bambi.models SET is_active = false WHERE model_id = 'sandbox';
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'g'));
ROLLBACK;
BEGIN;
UPDATE bambi.api_providers SET needs_key = true WHERE slug = 'sandbox';
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'g'));
ROLLBACK;

\echo *** uncertain: tried again under its old reservation, and booked
SELECT bambi_generate('a') AS g \gset
CALL pg_temp.end_as(:'g', 'uncertain', true);
SELECT bambi_retry(:'g') = :'g';
SELECT * FROM pg_temp.state(:'g');
SELECT attempt, cost, is_estimate, charged, images FROM bambi.usage_events
 WHERE generation_id = :'g';
\echo *** or written off by its owner: counted back, its cost kept
SELECT bambi_generate('a') AS g \gset
CALL pg_temp.end_as(:'g', 'uncertain', true);
SELECT bambi_cancel(:'g');
SELECT * FROM pg_temp.state(:'g');
SELECT g.cost = g.cost_estimate, e.cost, e.charged
  FROM bambi.image_generations g
       JOIN bambi.usage_events e ON e.generation_id = g.id
 WHERE g.id = :'g';

\echo *** held: tried again, or cancelled
SELECT bambi_generate('a') AS g \gset
CALL pg_temp.end_as(:'g', 'held', true);
SELECT bambi_retry(:'g') = :'g';
SELECT * FROM pg_temp.state(:'g');
CALL pg_temp.end_as(:'g', 'held', true);
SELECT bambi_cancel(:'g');
SELECT * FROM pg_temp.state(:'g');

\echo *** that of another user does not exist
SET bambi.user_id = :'bob';
SET ROLE regress_bambi_person;
SELECT pg_temp.try(format('SELECT bambi_cancel(%L)', :'g'));
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'g'));
SELECT pg_temp.try('SELECT bambi_cancel(gen_random_uuid())');
SELECT pg_temp.try('SELECT bambi_retry(gen_random_uuid())');
SELECT pg_temp.try('SELECT bambi_cancel(NULL)');
SELECT pg_temp.try('SELECT bambi_retry(NULL)');

RESET ROLE;
DELETE FROM bambi.users WHERE email LIKE '%@cancel.example';
DROP ROLE regress_bambi_person;
SELECT bambi_resume();
