-- bambi_wait gives the state, sleeps until it is final, and not for ever.
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
VALUES (:'ada', 'ada@wait.example'), (:'bob', 'bob@wait.example');
CREATE ROLE regress_bambi_person IN ROLE bambi_user;
SET bambi.user_id = :'ada';
CREATE FUNCTION pg_temp.seconds(command text) RETURNS numeric
LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz := clock_timestamp();
BEGIN
    EXECUTE command;
    RETURN extract(epoch FROM clock_timestamp() - begun);
END
$$;

SET ROLE regress_bambi_person;
\echo *** pending: the present state when the time is over
SELECT bambi_generate('a') AS g \gset
SELECT status, error_code, error_message, cost, images
  FROM bambi_wait(:'g', '0');
SELECT pg_temp.seconds(format('SELECT bambi_wait(%L, ''0.3 s'')', :'g')) >= 0.3;
SELECT generation_id = :'g', status FROM bambi_wait(:'g', '10 ms');
RESET ROLE;
UPDATE bambi_internal.queue SET claimed_by = gen_random_uuid()
 WHERE id = :'g';
SELECT status FROM bambi_wait(:'g', '0');
UPDATE bambi_internal.queue SET claimed_by = NULL WHERE id = :'g';
\echo *** half a second before the time-out of the statement, at the latest
SET ROLE regress_bambi_person;
SET statement_timeout = '1s';
SELECT pg_temp.seconds(format('SELECT bambi_wait(%L)', :'g')) BETWEEN 0.4 AND 1;
SET statement_timeout = '400ms';
SELECT status FROM bambi_wait(:'g');
RESET statement_timeout;

\echo *** ended: at once
SELECT bambi_cancel(:'g');
SELECT status, error_code, images FROM bambi_wait(:'g');
SELECT bambi_generate('b', parameters => '{"n": 2, "size": "256x256"}') AS g
\gset
RESET ROLE;
SELECT bambi_resume();
SET ROLE regress_bambi_person;
SELECT status, error_code, error_message, cost,
       jsonb_array_length(images) AS images,
       images->1->>'position' AS position, images->1->>'format' AS format,
       images->1->>'width' AS width, length(images->1->>'sha256')
  FROM bambi_wait(:'g', '30 s');
SELECT status FROM bambi_wait(:'g', NULL);
\echo *** and its pictures
SELECT pg_typeof(bambi_image(:'g'));
SELECT i.position, length(p.data) = i.bytes,
       encode(sha256(p.data), 'hex') = i.sha256,
       encode(substr(p.data, 1, 8), 'hex')
  FROM bambi_images i
       CROSS JOIN LATERAL (SELECT bambi_image(:'g', i.position)::bytea) p(data)
 WHERE i.generation_id = :'g' ORDER BY i.position;
SELECT bambi_image(:'g', NULL)::bytea = bambi_image(:'g', 1)::bytea;
SELECT pg_temp.try(format('SELECT bambi_image(%L, 3)', :'g'));
SELECT pg_temp.try(format('SELECT bambi_image(%L, 0)', :'g'));
RESET ROLE;
DELETE FROM bambi.image_data d USING bambi.images i
 WHERE i.id = d.image_id AND i.generation_id = :'g' AND i.position = 2;
SET ROLE regress_bambi_person;
SELECT pg_temp.try(format('SELECT bambi_image(%L, 2)', :'g'));

\echo *** what this transaction has not committed would never end
RESET ROLE;
SELECT bambi_pause('test');
SET ROLE regress_bambi_person;
BEGIN;
SELECT bambi_generate('c') AS own \gset
SELECT status FROM bambi_wait(:'own', '0');
SELECT pg_temp.try(format('SELECT bambi_wait(%L)', :'own'));
SAVEPOINT s;
SELECT pg_temp.try(format('SELECT bambi_wait(%L)', :'own'));
ROLLBACK;
SELECT bambi_generate('d') AS h \gset
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT status FROM bambi_wait(:'h', '0');
SELECT pg_temp.try(format('SELECT bambi_wait(%L)', :'h'));
SELECT status FROM bambi_wait(:'g');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT pg_temp.try(format('SELECT bambi_wait(%L)', :'h'));
ROLLBACK;
BEGIN READ ONLY;
SELECT status FROM bambi_wait(:'h', '10 ms');
ROLLBACK;

\echo *** bad arguments, and what others own
SELECT pg_temp.try('SELECT bambi_wait(NULL)');
SELECT pg_temp.try(format('SELECT bambi_wait(%L, ''-1 s'')', :'h'));
SELECT pg_temp.try('SELECT bambi_wait(gen_random_uuid())');
RESET ROLE;
SET bambi.user_id = :'bob';
SET ROLE regress_bambi_person;
SELECT pg_temp.try(format('SELECT bambi_wait(%L)', :'g'));
SELECT pg_temp.try(format('SELECT bambi_wait(%L)', :'h'));
SELECT pg_temp.try(format('SELECT bambi_image(%L)', :'g'));

RESET ROLE;
DELETE FROM bambi.users WHERE email LIKE '%@wait.example';
DROP ROLE regress_bambi_person;
SELECT bambi_resume();
