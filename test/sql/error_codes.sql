-- bambi_errors, and the hint that bambi_generations takes from it.
SET search_path = public;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
\set ada '00000000-0000-7000-8000-00000000ada5'
SELECT bambi_pause('test');
BEGIN;
INSERT INTO bambi.users (id) VALUES (:'ada');
CREATE ROLE regress_bambi_unlucky IN ROLE bambi_user;
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE regress_bambi_unlucky;

\echo *** what each does
SELECT error_code, ends_as, key_effect, gives_back_quota, may_be_billed
  FROM bambi_errors ORDER BY error_code;
\echo *** rules: nothing breaks them
\echo *** what fails or is cancelled gives back, what only waits or is open not
SELECT error_code FROM bambi_errors
 WHERE gives_back_quota <> (ends_as && '{failed,cancelled}');
\echo *** what is sent and unanswered may be billed
SELECT error_code FROM bambi_errors
 WHERE 'uncertain' = ANY (ends_as) AND NOT may_be_billed;
\echo *** texts are sentences that name no function that is not there
SELECT error_code FROM bambi_errors
 WHERE meaning !~ '^[A-Z].*\.$' OR advice !~ '^[A-Z].*\.$';
SELECT error_code, f.name
  FROM bambi_errors, regexp_matches(advice, 'bambi_\w+', 'g') m,
       LATERAL (SELECT m[1]) f (name)
 WHERE NOT EXISTS (SELECT FROM pg_proc WHERE proname = f.name)
   AND to_regclass('public.' || f.name) IS NULL;

\echo *** the hint of a generation, and of one that went well
SELECT bambi_generate('a') AS bad \gset
SELECT bambi_generate('b') AS good \gset
RESET ROLE;
UPDATE bambi.image_generations
   SET status = 'failed', error_code = 'invalid_key' WHERE id = :'bad';
SET LOCAL ROLE regress_bambi_unlucky;
SELECT prompt, error_code, error_hint FROM bambi_generations ORDER BY prompt;
\echo *** an operator translates it
SET LOCAL ROLE bambi_admin;
UPDATE bambi.error_codes SET advice = 'Ersetze den Schlüssel.'
 WHERE error_code = 'invalid_key';
SET LOCAL ROLE regress_bambi_unlucky;
SELECT error_hint FROM bambi_generations WHERE id = :'bad';
\echo *** users cannot
SAVEPOINT s;
UPDATE bambi_errors SET advice = '';
ROLLBACK TO s;
UPDATE bambi.error_codes SET advice = '';
ROLLBACK;
SELECT bambi_resume();
