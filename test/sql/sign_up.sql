-- bambi_sign_up makes a user with the free plan, for trusted callers only.
SET search_path = public;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
CREATE ROLE regress_bambi_backend IN ROLE bambi_service;
CREATE ROLE regress_bambi_person IN ROLE bambi_user;

SET ROLE regress_bambi_backend;
SELECT bambi_sign_up('Ada@sign-up.example', 'correct horse') AS ada \gset
RESET ROLE;
SELECT id = :'ada', email, left(password_hash, 7), auth_provider, is_active,
       usage_count, reset_date > now() + interval '27 days'
  FROM bambi.users WHERE email LIKE '%@sign-up.example';
SELECT user_id = :'ada', plan_type, status,
       current_period_start IS NULL, current_period_end IS NULL
  FROM bambi.subscriptions WHERE user_id = :'ada';
SET bambi.user_id = :'ada';
SET ROLE regress_bambi_person;
SELECT plan_type, generations_limit, generations_used, generations_left,
       resets_at > now()
  FROM bambi_account;
RESET ROLE;
\echo *** the password is the one that was given
SELECT password_hash = public.crypt('correct horse', password_hash),
       password_hash = public.crypt('battery staple', password_hash)
  FROM bambi.users WHERE id = :'ada';

\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.sign_up(email text, password text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    RETURN public.bambi_sign_up(email, password) IS NOT NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT pg_temp.sign_up('ada@SIGN-UP.example', 'correct horse');
SELECT pg_temp.sign_up(email, 'correct horse'), left(email, 20) FROM (VALUES
    (NULL), (''), ('@'), ('ada'), ('ada@'), ('@sign-up.example'),
    ('a@b@sign-up.example'), ('a b@sign-up.example'),
    (E'a\n@sign-up.example'), ('a@sign-up..example'), ('a@.example'),
    ('a@example.'), (repeat('a', 65) || '@sign-up.example'),
    ('a@' || repeat('a', 254))) v (email);
SELECT pg_temp.sign_up('eve@sign-up.example', password) FROM (VALUES
    (NULL), (''), ('1234567'), (repeat('x', 73))) v (password);

\echo *** not for users, nor for everybody
\set VERBOSITY sqlstate
SET ROLE regress_bambi_person;
SELECT bambi_sign_up('eve@sign-up.example', 'correct horse');
SELECT bambi_internal.sign_up('eve@sign-up.example', 'correct horse');
RESET ROLE;

DELETE FROM bambi.users WHERE email LIKE '%@sign-up.example';
DROP ROLE regress_bambi_backend, regress_bambi_person;
