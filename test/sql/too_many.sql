-- A plan may limit how many generations of a user wait or run: PT429, and
-- nothing is reserved.
\set SHOW_CONTEXT never
BEGIN;
SELECT bambi_pause();
INSERT INTO bambi.users (id, email)
VALUES ('00000000-0000-7000-8000-0000000000f1', 'fay@many.example');
UPDATE bambi.plans SET max_waiting = 2 WHERE plan_type = 'free';
SET LOCAL bambi.user_id = '00000000-0000-7000-8000-0000000000f1';
SELECT bambi_generate('one', 'sandbox') IS NOT NULL AS queued;
SELECT bambi_generate('two', 'sandbox') IS NOT NULL AS queued;
SAVEPOINT before_third;
SELECT bambi_generate('three', 'sandbox');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before_third;
SELECT generations_used FROM bambi_account
 WHERE user_id = '00000000-0000-7000-8000-0000000000f1';
SELECT bambi_cancel(id) FROM bambi_generations
 WHERE prompt = 'two' AND user_id = '00000000-0000-7000-8000-0000000000f1';
SELECT bambi_generate('three', 'sandbox') IS NOT NULL AS queued;
ROLLBACK;
