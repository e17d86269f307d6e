-- Who a session speaks for: claims only where its login role may speak for
-- others, an operator's setting otherwise, and nobody by any other means.
SET search_path = public;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
SELECT current_user AS operator \gset
\set ada '00000000-0000-7000-8000-00000000ada1'
\set bob '00000000-0000-7000-8000-0000000000b2'
INSERT INTO bambi.users (id, email)
VALUES (:'ada', 'ada@identity.example'), (:'bob', 'bob@identity.example');

CREATE ROLE regress_bambi_ada LOGIN IN ROLE bambi_user;
CREATE ROLE regress_bambi_nobody LOGIN IN ROLE bambi_user;
ALTER ROLE regress_bambi_ada SET bambi.user_id =
    '00000000-0000-7000-8000-00000000ada1';
CREATE ROLE authenticator LOGIN NOINHERIT;
CREATE ROLE regress_bambi_web;
GRANT bambi_user TO regress_bambi_web;
GRANT regress_bambi_web TO authenticator;

\echo *** a direct login is who an operator says it is
\connect - regress_bambi_ada
SET search_path = public;
SELECT bambi_user_id() = '00000000-0000-7000-8000-00000000ada1';
SELECT email FROM bambi_account;
\echo *** and cannot be anybody else
SET bambi.user_id = '00000000-0000-7000-8000-0000000000b2';
SELECT set_config('bambi.user_id', '00000000-0000-7000-8000-0000000000b2',
                  false);
SET request.jwt.claims = '{"sub": "00000000-0000-7000-8000-0000000000b2"}';
SET request.jwt.claim.sub = '00000000-0000-7000-8000-0000000000b2';
SET role = 'regress_bambi_ada';
SELECT email FROM bambi_account;
ALTER ROLE regress_bambi_ada
    SET bambi.user_id = '00000000-0000-7000-8000-0000000000b2';
\echo *** inside a definer function it is the same
CREATE FUNCTION pg_temp.definer() RETURNS uuid
LANGUAGE sql SECURITY DEFINER AS 'SELECT public.bambi_user_id()';
SELECT pg_temp.definer() = '00000000-0000-7000-8000-00000000ada1';

\echo *** without a setting: nobody, no rows, no functions
\connect - regress_bambi_nobody
SET search_path = public;
\set VERBOSITY sqlstate
SET request.jwt.claims = '{"sub": "00000000-0000-7000-8000-00000000ada1"}';
SELECT bambi_user_id() IS NULL;
SELECT count(*) FROM bambi_account;
SELECT count(*) FROM bambi_models;
SELECT bambi_generate('a fawn');
SELECT bambi_wait('00000000-0000-7000-8000-000000000000');
SELECT bambi_cancel('00000000-0000-7000-8000-000000000000');
SELECT bambi_retry('00000000-0000-7000-8000-000000000000');
SELECT bambi_image('00000000-0000-7000-8000-000000000000');
SELECT bambi_image_url('00000000-0000-7000-8000-000000000000');
SELECT bambi_preview('00000000-0000-7000-8000-000000000000');
SELECT bambi_delete('00000000-0000-7000-8000-000000000000');
SELECT bambi_edit('a fawn', sources => '{00000000-0000-7000-8000-000000000000}');
SELECT bambi_estimate();
SELECT bambi_add_key('openai', 'sk-0123456789abcdef');
SELECT bambi_replace_key('00000000-0000-7000-8000-000000000000', 'sk-01234567');
SELECT bambi_remove_key('00000000-0000-7000-8000-000000000000');
SELECT bambi_sign_up('eve@identity.example', 'a long password');

\echo *** a login role of bambi.authenticators is who the claims say
\connect - authenticator
SET search_path = public;
\set VERBOSITY sqlstate
SET ROLE regress_bambi_web;
SELECT bambi_user_id() IS NULL;
SET request.jwt.claims = '{"role": "x", "sub": "00000000-0000-7000-8000-00000000ADA1"}';
SELECT email FROM bambi_account;
SET request.jwt.claims = '{"sub": "00000000-0000-7000-8000-0000000000b2"}';
SELECT email FROM bambi_account;
\echo *** only on the first level, and the last of equal names
SET request.jwt.claims = '{"app": {"sub": "00000000-0000-7000-8000-00000000ada1"}, "a": ["sub", "00000000-0000-7000-8000-00000000ada1"], "x": "sub"}';
SELECT bambi_user_id() IS NULL;
SET request.jwt.claims = '{"sub": "00000000-0000-7000-8000-00000000ada1", "sub": "00000000-0000-7000-8000-0000000000b2"}';
SELECT right(bambi_user_id()::text, 2);
\echo *** the older settings count where there are no newer ones
SET request.jwt.claim.sub = '00000000-0000-7000-8000-00000000ada1';
SELECT right(bambi_user_id()::text, 2);
SET request.jwt.claims = '{"role": "anon"}';
SELECT bambi_user_id() IS NULL;
SET request.jwt.claims = '';
SELECT right(bambi_user_id()::text, 2);
SET request.jwt.claim.sub = 'ada';
SELECT bambi_user_id() IS NULL;
\echo *** garbage is nobody, not an error
RESET request.jwt.claim.sub;
CREATE FUNCTION pg_temp.who(claims text) RETURNS boolean
LANGUAGE sql VOLATILE
AS $$ SELECT set_config('request.jwt.claims', claims, false) IS NOT NULL
         AND public.bambi_user_id() IS NULL $$;
SELECT pg_temp.who(claims), left(claims, 40) FROM (VALUES
    (' '), ('x'), ('null'), ('"sub"'), ('[]'), ('{'), ('{}'),
    ('{"sub"}'), ('{"sub":}'), ('{"sub": null}'), ('{"sub": 1}'),
    ('{"sub": ""}'), ('{"sub": "user_2abc"}'), ('{"sub": {"sub": "x"}}'),
    ('{"sub": "00000000-0000-7000-8000-00000000ada1"'),
    ('{"sub": "00000000-0000-7000-8000-00000000ada1"} x'),
    ('{"sub": "00000000-0000-7000-8000-00000000ada"}'),
    ('{"sub": "00000000-0000-7000-8000-00000000ada1x"}'),
    ('{"sub": "\u0000"}'), ('{"sub": "\ud800"}'), ('{"sub": "\'),
    (repeat('[', 100000)), (repeat('{"a":', 100000)),
    ('["sub", "00000000-0000-7000-8000-00000000ada1"]')) v (claims);

\echo *** a superuser: claims, else the setting
\connect - :operator
SET search_path = public;
SELECT bambi_user_id() IS NULL;
SET bambi.user_id = '00000000-0000-7000-8000-00000000ada1';
SELECT right(bambi_user_id()::text, 4);
SET request.jwt.claims = '{"sub": "00000000-0000-7000-8000-0000000000b2"}';
SELECT right(bambi_user_id()::text, 4);
SET bambi.user_id = 'ada';
\echo *** who is not active is refused
RESET request.jwt.claims;
UPDATE bambi.users SET is_active = false WHERE email = 'ada@identity.example';
SELECT bambi_generate('a fawn');
SELECT bambi_cancel('00000000-0000-7000-8000-000000000000');
SELECT bambi_image_url('00000000-0000-7000-8000-000000000000');
SELECT bambi_preview('00000000-0000-7000-8000-000000000000');
SELECT bambi_delete('00000000-0000-7000-8000-000000000000');

DELETE FROM bambi.users WHERE email LIKE '%@identity.example';
DROP ROLE authenticator, regress_bambi_ada, regress_bambi_nobody,
          regress_bambi_web;
