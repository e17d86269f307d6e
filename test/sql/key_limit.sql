-- bambi_set_key_limit: whose it is, what it takes, where it is seen.
SET search_path = public;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY sqlstate
BEGIN;
INSERT INTO bambi.users (id, email) VALUES
    ('00000000-0000-7000-8000-00000000bee1', 'bee1@example.org'),
    ('00000000-0000-7000-8000-00000000bee2', 'bee2@example.org');
INSERT INTO bambi.api_configurations (id, user_id, provider_id, name, status)
SELECT ('00000000-0000-7000-8000-00000000fee' || n)::uuid,
       ('00000000-0000-7000-8000-00000000bee' || n)::uuid, id, 'key', 'valid'
  FROM bambi.api_providers, generate_series(1, 2) n WHERE slug = 'openai';

SET bambi.user_id = '00000000-0000-7000-8000-00000000bee1';
SELECT bambi_set_key_limit('00000000-0000-7000-8000-00000000fee1', 3);
SELECT name, max_in_flight FROM bambi_configurations
 WHERE user_id = bambi_user_id();

-- NULL, and nothing at all: as the provider has it
SELECT bambi_set_key_limit('00000000-0000-7000-8000-00000000fee1');
SELECT name, max_in_flight IS NULL FROM bambi_configurations
 WHERE user_id = bambi_user_id();

\set ON_ERROR_ROLLBACK on
SELECT bambi_set_key_limit('00000000-0000-7000-8000-00000000fee1', 0);
\echo *** of another user, and none
SELECT bambi_set_key_limit('00000000-0000-7000-8000-00000000fee2', 3);
SELECT bambi_set_key_limit(NULL, 3);
\echo *** a key that has been removed
UPDATE bambi.api_configurations SET status = 'revoked'
 WHERE id = '00000000-0000-7000-8000-00000000fee1';
SELECT bambi_set_key_limit('00000000-0000-7000-8000-00000000fee1', 3);
\echo *** nobody
RESET bambi.user_id;
SELECT bambi_set_key_limit('00000000-0000-7000-8000-00000000fee1', 3);
\echo *** an operator sets none below 1
UPDATE bambi.plans SET max_in_flight = 0;
UPDATE bambi.api_providers SET max_in_flight = 0;
UPDATE bambi.api_providers SET max_in_flight_per_key = 0;
SELECT count(*) FROM bambi.api_configurations
 WHERE max_in_flight IS NOT NULL;
ROLLBACK;
