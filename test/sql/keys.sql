-- Keys: sealed before they are stored, found nowhere in plain, and only in
-- the hands of their owner.
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
    -- the name of the key that was made for this cluster
    detail := regexp_replace(detail, '"file:[^"]+"', '"file:..."');
    RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''),
                     nullif(hint, ''));
END
$$;
\set ada '00000000-0000-7000-8000-00000000ada1'
\set bob '00000000-0000-7000-8000-0000000000b2'
INSERT INTO bambi.users (id, email)
VALUES (:'ada', 'ada@keys.example'), (:'bob', 'bob@keys.example');
CREATE ROLE regress_bambi_person IN ROLE bambi_user;
-- no provider is asked, however many keys there are: see validation.sql
UPDATE bambi.plans
   SET key_checks_per_minute = NULL, key_checks_per_hour = NULL;

\echo *** the courier has made its public key known
DO $$
BEGIN
    FOR i IN 1 .. 2000 LOOP
        EXIT WHEN EXISTS (SELECT FROM bambi.encryption_keys WHERE is_current);
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
SELECT count(*), min(service) FROM bambi.encryption_keys WHERE is_current;
SELECT bambi_pause('test');

SET bambi.user_id = :'ada';
SET ROLE regress_bambi_person;
SELECT bambi_add_key('openai', 'sk-test-0123456789-abcd') AS key \gset
SELECT bambi_add_key('openai', E' sk-short-1234\n', 'my short one') AS short
\gset
SELECT bambi_add_key('google', '{"type": "service_account",
    "private_key": "secret of the account"}', settings =>
    '{"project": "forest"}') AS json \gset
SELECT name, status, is_valid, key_hint, settings FROM bambi_configurations
 ORDER BY id;
RESET ROLE;

\echo *** what is stored: a sealed key for this user and provider, a fingerprint
SELECT c.encrypted_api_key ~ '^eyJ[\w-]+\.[\w-]+\.[\w-]{16}\.[\w-]+\.[\w-]{22}$',
       length(split_part(c.encrypted_api_key, '.', 2)),
       h.header - 'kid' - 'sub', h.header->>'sub' = c.user_id::text,
       h.header->>'kid' = c.key_id, c.key_id = k.kid,
       length(c.key_fingerprint)
  FROM bambi.api_configurations c
       JOIN bambi.encryption_keys k ON k.is_current
       CROSS JOIN LATERAL (
           SELECT convert_from(decode(rpad(p, (length(p) + 3) / 4 * 4, '='),
                                      'base64'), 'UTF8')::jsonb AS header
             FROM translate(split_part(c.encrypted_api_key, '.', 1), '-_', '+/')
                  p) h
 WHERE c.user_id = :'ada' ORDER BY c.id;
\echo *** the fingerprint is of the key and of this deployment
SELECT k.key_fingerprint <> s.key_fingerprint,
       k.key_fingerprint <> left(encode(sha256('sk-test-0123456789-abcd'),
                                        'hex'), 16),
       k.key_fingerprint = left(encode(public.hmac(
           'sk-test-0123456789-abcd', i.fingerprint_secret, 'sha256'), 'hex'),
           16)
  FROM bambi.api_configurations k, bambi.api_configurations s,
       bambi_internal.instance i
 WHERE k.id = :'key' AND s.id = :'short';
\echo *** the plain key is in no table
CREATE FUNCTION pg_temp.tables_with(secret text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    place regclass; found boolean;
BEGIN
    FOR place IN SELECT oid FROM pg_class
                  WHERE relkind IN ('r', 'p', 'v', 'm')
                    AND relnamespace IN ('bambi'::regnamespace,
                                         'bambi_internal'::regnamespace,
                                         'public'::regnamespace)
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s t'
                       ' WHERE t::text LIKE ''%%'' || $1 || ''%%'')', place)
           INTO found USING secret;
        IF found THEN RETURN NEXT place::text; END IF;
    END LOOP;
END
$$;
SELECT pg_temp.tables_with('0123456789');
SELECT pg_temp.tables_with('secret of the account');
\echo *** but for the hint, the last four of a long one
SELECT count(*) FROM bambi.api_configurations WHERE key_hint = 'abcd';
SELECT count(*) FROM bambi.api_configurations WHERE key_hint = '1234';

\echo *** a key that the client sealed is taken as it is
SELECT encrypted_api_key AS sealed, key_id AS kid
  FROM bambi.api_configurations WHERE id = :'key' \gset
SET ROLE regress_bambi_person;
SELECT bambi_add_key('openai', :'sealed', 'sealed') AS again \gset
RESET ROLE;
SELECT encrypted_api_key = :'sealed', key_hint, key_fingerprint, key_id = :'kid'
  FROM bambi.api_configurations WHERE id = :'again';
\echo *** unless its header is for others, or not ours
SELECT set_config('test.sealed', :'sealed', false) IS NOT NULL;
CREATE FUNCTION pg_temp.header(changed jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT translate(rtrim(replace(encode(convert_to(format(
               '{"alg":%s,"enc":"A256GCM","kid":%s,"sub":%s,"prv":%s}',
               h->'alg', h->'kid', h->'sub', h->'prv'), 'UTF8'), 'base64'),
               E'\n', ''), '='), '+/', '-_')
           || substr(s, position('.' IN s))
      FROM (SELECT s, convert_from(decode(rpad(p, (length(p) + 3) / 4 * 4, '='),
                   'base64'), 'UTF8')::jsonb || changed AS h
              FROM current_setting('test.sealed') s,
                   translate(split_part(s, '.', 1), '-_', '+/') p) x
$$;
SET ROLE regress_bambi_person;
SELECT pg_temp.try(format('SELECT bambi_add_key(%L, %L)', provider,
                          pg_temp.header(changed)))
  FROM (VALUES ('google', jsonb '{}'),
               ('openai', '{"sub": "00000000-0000-7000-8000-0000000000b2"}'),
               ('openai', '{"kid": "file:another"}'),
               ('openai', '{"alg": "RSA1_5"}')) v (provider, changed);
SELECT pg_temp.try('SELECT bambi_add_key(''openai'', ''eyJ.a.b.c.d'')');
\echo *** nor does one pass for a plain key that was damaged on its way
SELECT what, pg_temp.try(format('SELECT bambi_add_key(%L, %L)', 'openai', key))
             LIKE '22023 sealed key is malformed%'
  FROM current_setting('test.sealed') s, LATERAL (VALUES
    ('another head', 'x' || substr(s, 2)),
    ('no head', substr(s, position('.' IN s))),
    ('a part less', overlay(s PLACING '-' FROM position('.' IN s))),
    ('a part more', overlay(s PLACING '.' FROM length(s) - 5)),
    ('cut short', left(s, -23)),
    ('like JSON', '{' || substr(s, 2)),
    ('a line end in it', overlay(s PLACING E'\n' FROM 300))) v (what, key);
\echo *** and long plain ones with dots in them are plain
BEGIN;
SELECT what, pg_temp.try(format('SELECT bambi_add_key(%L, %L)', 'openai', key))
  FROM (VALUES
    ('a JWT', concat_ws('.', 'eyJ' || repeat('a', 40), repeat('b', 600), 'c')),
    ('few and short', 'a.key.of.five.parts'),
    ('JSON', format('{"private_key": "a.b.c.d%s"}', repeat('e', 600))))
    v (what, key);
ROLLBACK;

\echo *** what is no key is refused, and not shown
SELECT pg_temp.try(format('SELECT bambi_add_key(%L, %L, %L, %L)', provider,
                          key, name, settings))
  FROM (VALUES
    ('openai', NULL, NULL, NULL),
    ('openai', '', NULL, NULL),
    ('openai', 'sk-1234', NULL, NULL),
    ('openai', 'sk-secret with spaces', NULL, NULL),
    ('openai', E'sk-secret\r\nX-Header: 1', NULL, NULL),
    ('openai', 'sk-sécret-0123456789', NULL, NULL),
    ('openai', repeat('k', 16385), NULL, NULL),
    ('nobody', 'sk-secret-0123456789', NULL, NULL),
    (NULL, 'sk-secret-0123456789', NULL, NULL),
    ('openai', 'sk-secret-0123456789', '', NULL),
    ('openai', 'sk-secret-0123456789', repeat('n', 201), NULL),
    ('openai', 'sk-secret-0123456789', 'my short one', NULL),
    ('openai', 'sk-secret-0123456789', NULL, '[]'),
    ('openai', 'sk-secret-0123456789', NULL, '{"a": {"b": 1}}'))
    v (provider, key, name, settings);

\echo *** replacing: same row, new key, to be checked anew
RESET ROLE;
UPDATE bambi.api_configurations
   SET status = 'rejected', is_valid = false, last_error = 'no'
 WHERE id = :'key';
SET ROLE regress_bambi_person;
SELECT bambi_replace_key(:'key', 'sk-test-9876543210-wxyz');
SELECT status, is_valid, key_hint, last_error FROM bambi_configurations
 WHERE id = :'key';
RESET ROLE;
SELECT encrypted_api_key <> :'sealed' FROM bambi.api_configurations
 WHERE id = :'key';

\echo *** removing: the row stays, the key does not; its name is free again
SET ROLE regress_bambi_person;
SELECT bambi_remove_key(:'short');
SELECT bambi_remove_key(:'short');
SELECT name, status, key_hint FROM bambi_configurations WHERE id = :'short';
RESET ROLE;
SELECT encrypted_api_key = '', key_fingerprint, key_id
  FROM bambi.api_configurations WHERE id = :'short';
SET ROLE regress_bambi_person;
SELECT pg_temp.try(format('SELECT bambi_replace_key(%L, %L)', :'short',
                          'sk-test-9876543210'));
SELECT bambi_add_key('openai', 'sk-test-0000000000', 'my short one')
       IS NOT NULL;

\echo *** the key of another user does not exist
RESET ROLE;
SET bambi.user_id = :'bob';
SET ROLE regress_bambi_person;
SELECT count(*) FROM bambi_configurations;
SELECT pg_temp.try(format('SELECT bambi_replace_key(%L, %L)', :'key',
                          'sk-test-9876543210'));
SELECT pg_temp.try(format('SELECT bambi_remove_key(%L)', :'key'));
SELECT pg_temp.try('SELECT bambi_remove_key(gen_random_uuid())');
SELECT pg_temp.try('SELECT bambi_remove_key(NULL)');
SELECT pg_temp.try('SELECT encrypted_api_key FROM bambi.api_configurations');

\echo *** before there is a key to seal with: not now
RESET ROLE;
BEGIN;
UPDATE bambi.encryption_keys SET is_current = false;
SET LOCAL ROLE regress_bambi_person;
SELECT pg_temp.try(
    'SELECT bambi_add_key(''openai'', ''sk-secret-0123456789'')');
ROLLBACK;

DELETE FROM bambi.users WHERE email LIKE '%@keys.example';
DELETE FROM bambi_internal.outbox;
UPDATE bambi.plans
   SET key_checks_per_minute = DEFAULT, key_checks_per_hour = DEFAULT;
SELECT bambi_resume();
DROP ROLE regress_bambi_person;
