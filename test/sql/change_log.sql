-- Who changed what: every change leaves its row, with no secret in it, which
-- only its owner sees, and which nobody can change.
\set SHOW_CONTEXT never
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set a '\'00000000-0000-7000-8000-0000000000a1\''
\set b '\'00000000-0000-7000-8000-0000000000b1\''
\set key '\'00000000-0000-7000-8000-0000000000c1\''
\set openai '\'00000000-0000-7000-8000-000000000001\''
SET search_path = public;
SET client_min_messages = error;
BEGIN;
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['anon', 'authenticated', 'service_role']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I', wanted);
        END IF;
    END LOOP;
END
$$;
GRANT bambi_user TO authenticated;
GRANT bambi_service TO service_role;
CREATE ROLE regress_bambi_everything;
GRANT bambi_user, bambi_service, bambi_admin TO regress_bambi_everything;

SELECT bambi_uuid_v7() AS mark \gset
CREATE TEMP VIEW logged AS
SELECT table_name, operation, columns,
       translate(old_values::text, '{}"', '') AS before,
       translate(new_values::text, '{}"', '') AS after,
       right(user_id::text, 2) AS of, right(changed_by::text, 2) AS by, role,
       created_at >= now() - interval '1 minute' AS is_now, id
  FROM bambi.change_log
 WHERE session_role = session_user;

-- ---- what is logged, table by table

-- A user: made, renamed, barred; the password only by name; sign-ins, use and
-- what changes nothing not at all.
INSERT INTO bambi.users (id, email, password_hash, auth_provider_id)
VALUES (:a, 'a@example.com', 'canary', 'canary'),
       (:b, 'b@example.com', 'canary', NULL);
UPDATE bambi.users SET email = 'new@example.com' WHERE id = :a;
UPDATE bambi.users SET password_hash = 'another canary' WHERE id = :a;
UPDATE bambi.users SET is_active = false, usage_count = 1 WHERE id = :a;
UPDATE bambi.users
   SET usage_count = usage_count + 1, reset_date = now(),
       last_login_at = now(), updated_at = now()
 WHERE id IN (:a, :b);
UPDATE bambi.users SET email = email, is_active = is_active;
SELECT operation, columns, before, after, of, by, role, is_now FROM logged
 WHERE table_name = 'users' AND id > :'mark' ORDER BY id;

-- A subscription.
INSERT INTO bambi.subscriptions (user_id, stripe_customer_id)
VALUES (:a, 'canary');
UPDATE bambi.subscriptions
   SET plan_type = 'premium', stripe_subscription_id = 'canary'
 WHERE user_id = :a;
UPDATE bambi.subscriptions SET status = 'past_due' WHERE user_id = :a;
SELECT operation, columns, before, after, of, is_now FROM logged
 WHERE table_name = 'subscriptions' AND id > :'mark' ORDER BY id;

-- A key: added, found good, replaced, found dead, sealed anew, removed.
INSERT INTO bambi.api_configurations
       (id, user_id, provider_id, name, encrypted_api_key, key_hint,
        key_fingerprint)
VALUES (:key, :a, :openai, 'mine', 'canary', 'canary', 'canary');
UPDATE bambi.api_configurations
   SET status = 'valid', is_valid = true, last_validated_at = now()
 WHERE id = :key;
UPDATE bambi.api_configurations
   SET last_validated_at = now(), status = 'valid', updated_at = now()
 WHERE id = :key;
UPDATE bambi.api_configurations
   SET encrypted_api_key = 'canary 2', key_number = key_number + 1,
       key_hint = 'canary 2', key_fingerprint = 'canary 2'
 WHERE id = :key;
UPDATE bambi.api_configurations
   SET status = 'dead', last_error = 'canary', is_valid = false
 WHERE id = :key;
UPDATE bambi.api_configurations
   SET encrypted_api_key = 'canary 3', key_id = 'another'
 WHERE id = :key;
UPDATE bambi.api_configurations SET settings = '{"n": 1}' WHERE id = :key;
UPDATE bambi.api_configurations
   SET status = 'revoked', encrypted_api_key = '' WHERE id = :key;
SELECT operation, columns, before, after, of FROM logged
 WHERE table_name = 'api_configurations' AND id > :'mark' ORDER BY id;

-- What an operator changes, of plans, providers, models and prices.
SET LOCAL ROLE bambi_admin;
UPDATE bambi.plans SET weight = 7 WHERE plan_type = 'free';
INSERT INTO bambi.plans (plan_type, name) VALUES ('gold', 'Gold');
UPDATE bambi.plans SET plan_type = 'silver' WHERE plan_type = 'gold';
DELETE FROM bambi.plans WHERE plan_type = 'silver';
UPDATE bambi.api_providers SET is_active = false WHERE slug = 'xai';
UPDATE bambi.models SET is_active = false
 WHERE id = '00000000-0000-7000-8000-000000000401';
UPDATE bambi.model_prices SET price = price + 1
 WHERE model_id = '00000000-0000-7000-8000-000000000401' AND unit = 'image';
RESET ROLE;
SELECT table_name, operation, columns,
       CASE WHEN operation = 'update' THEN before END AS before,
       CASE WHEN operation = 'update' THEN after END AS after, of, role
  FROM logged
 WHERE id > :'mark' AND of IS NULL ORDER BY id;

-- In the session of a user.
SET LOCAL bambi.user_id = :b;
INSERT INTO bambi.subscriptions (user_id) VALUES (:b);
SELECT table_name, operation, of, by FROM logged
 WHERE id > :'mark' AND by IS NOT NULL;
SET LOCAL bambi.user_id = '';

-- No secret and no content has come into any of it, nor what its user may not
-- read.
SELECT count(*) > 20 AS rows,
       count(*) FILTER (WHERE l::text LIKE '%canary%') AS with_canary
  FROM bambi.change_log l WHERE id > :'mark';

-- One who goes: nothing personal is written down once more.
DELETE FROM bambi.users WHERE id = :b;
SELECT table_name, operation, columns, before, after FROM logged
 WHERE of = 'b1' AND operation = 'delete' ORDER BY id;

-- What every generation changes does not reach the trigger.
SELECT count(*) AS before FROM logged \gset
CREATE FUNCTION pg_temp.triggers_of(statement text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, '
                        'SUMMARY off) ' || statement
    LOOP
        RETURN QUERY SELECT substring(line FROM 'Trigger (log_\w+)')
                      WHERE line ~ 'Trigger log_';
    END LOOP;
END
$$;
SELECT * FROM pg_temp.triggers_of(
    'UPDATE bambi.users SET usage_count = usage_count + 1, '
    'reset_date = now()');
SELECT * FROM pg_temp.triggers_of(
    'UPDATE bambi.api_configurations SET last_validated_at = now(), '
    'status = status, updated_at = now()');
SELECT * FROM pg_temp.triggers_of(
    'UPDATE bambi.users SET email = ''x@example.com'' WHERE id = '
    '''00000000-0000-7000-8000-0000000000a1''');
SELECT count(*) - :before AS only_that FROM logged;

-- ---- who reads it

CREATE VIEW pg_temp.seen WITH (security_invoker = true) AS
SELECT count(*) > 0 AS sees, count(DISTINCT user_id) AS users,
       coalesce(bool_or(user_id IS NULL), false) AS sees_catalogue
  FROM bambi_changes;
GRANT SELECT ON pg_temp.seen TO bambi_user, bambi_service, bambi_admin;
SET LOCAL ROLE bambi_user;
SELECT * FROM pg_temp.seen;
RESET ROLE;
SET LOCAL bambi.user_id = :b;
SET LOCAL ROLE bambi_user;
SELECT table_name, operation FROM bambi_changes ORDER BY id;
RESET ROLE;
SET LOCAL bambi.user_id = :a;
SET LOCAL ROLE bambi_user;
SELECT * FROM pg_temp.seen;
SELECT count(*) FROM bambi_changes WHERE user_id = :b OR user_id IS NULL;
SELECT old_values ->> 'email' AS was, new_values ->> 'email' AS is
  FROM bambi_changes WHERE 'email' = ANY (columns) AND operation = 'update'
 ORDER BY id LIMIT 1;
SET LOCAL ROLE bambi_service;
SELECT sees, users > 1 AS of_many, sees_catalogue FROM pg_temp.seen;
SET LOCAL ROLE bambi_admin;
SELECT * FROM pg_temp.seen;
SET LOCAL ROLE anon;
SELECT count(*) FROM bambi_changes;
RESET ROLE;

-- ---- who changes it: nobody

-- Every role tries every way, at the table, its months, the view, and around.
SELECT count(*) AS before FROM logged \gset
CREATE TEMP TABLE granted AS
SELECT c.oid, c.relacl, c.relowner, c.relrowsecurity FROM pg_class c
 WHERE c.oid IN (SELECT inhrelid FROM pg_inherits
                  WHERE inhparent = 'bambi.change_log'::regclass)
    OR c.oid IN ('bambi.change_log'::regclass, 'bambi_changes'::regclass);
CREATE TEMP TABLE attempts (role text, command text, sqlstate text);
GRANT INSERT ON attempts TO PUBLIC;
CREATE TEMP TABLE bait (id uuid, user_id uuid, email text);
GRANT ALL ON bait TO PUBLIC;
CREATE FUNCTION pg_temp.try(role text, command text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    state text := 'done';
BEGIN
    BEGIN
        EXECUTE format('SET LOCAL ROLE %I', role);
        EXECUTE command;
        RESET ROLE;
    EXCEPTION WHEN OTHERS THEN
        state := SQLSTATE;
    END;
    INSERT INTO attempts VALUES (role, command, state);
END
$$;
SELECT count(pg_temp.try(r.role, format(c.command, t.target))) > 0 AS tried
  FROM (VALUES ('bambi_user'), ('bambi_service'), ('bambi_admin'),
               ('authenticated'), ('service_role'), ('anon'),
               ('regress_bambi_everything')) r (role),
       (SELECT 'bambi.change_log' UNION ALL SELECT 'public.bambi_changes'
        UNION ALL SELECT inhrelid::regclass::text FROM pg_inherits
                   WHERE inhparent = 'bambi.change_log'::regclass) t (target),
       (VALUES ('INSERT INTO %s (table_name, row_key, operation, columns, '
                'old_values, new_values, session_role) '
                'VALUES (''users'', ''x'', ''insert'', ''{}'', ''{}'', '
                '''{}'', ''x'')'),
               ('UPDATE %s SET session_role = ''nobody'''),
               ('UPDATE %s SET user_id = NULL WHERE false'),
               ('DELETE FROM %s'),
               ('DELETE FROM %s WHERE id IS NULL'),
               ('MERGE INTO %s USING (VALUES (1)) v (x) ON false '
                'WHEN MATCHED THEN DELETE'),
               ('SELECT id FROM %s FOR UPDATE'),
               ('TRUNCATE %s'),
               ('DROP TABLE %s'),
               ('ALTER TABLE %s DISABLE ROW LEVEL SECURITY'),
               ('ALTER TABLE %s OWNER TO CURRENT_USER'),
               ('CREATE POLICY all_rows ON %s USING (true)'),
               ('GRANT ALL ON %s TO PUBLIC')) c (command);
SELECT count(pg_temp.try(r.role, c.command)) > 0 AS tried
  FROM (VALUES ('bambi_user'), ('bambi_service'), ('bambi_admin'),
               ('authenticated'), ('service_role'), ('anon'),
               ('regress_bambi_everything')) r (role),
       (VALUES ('CREATE TRIGGER forge AFTER INSERT ON pg_temp.bait FOR EACH '
                'ROW EXECUTE FUNCTION bambi_internal.log_change(''id'', '
                '''user_id'')'),
               ('SELECT bambi_internal.log_change()'),
               ('SELECT bambi_internal.log_changes_of(''bambi.plans'')'),
               ('SELECT bambi_internal.make_month(''bambi.change_log'', '
                '''2001-01-01'', NULL)'),
               ('SELECT bambi_internal.refuse_month()'),
               ('ALTER TABLE bambi.plans DISABLE TRIGGER log_values'),
               ('ALTER TABLE bambi.users DISABLE TRIGGER ALL'),
               ('DROP TRIGGER log_row ON bambi.plans'),
               ('ALTER TABLE bambi.change_log DETACH PARTITION '
                'bambi.change_log_' || to_char(now() AT TIME ZONE 'UTC',
                                               'YYYY_MM')),
               ('UPDATE bambi.data_classes SET logged = NULL'),
               ('SET session_replication_role = replica'),
               ('ALTER FUNCTION bambi_internal.log_change() OWNER TO '
                'CURRENT_USER')) c (command);
SELECT count(*) >= 7 * (13 * 6 + 12) AS all_tried,
       count(DISTINCT role) AS roles FROM attempts;
-- What was not refused for want of a privilege, but for what it asked of a
-- view, or with a warning that nothing was granted:
SELECT DISTINCT regexp_replace(command, '\d{4}_\d\d', 'YYYY_MM') AS command,
       sqlstate
  FROM attempts WHERE sqlstate <> '42501' ORDER BY 1;
SELECT count(*) - :before AS more_rows,
       (SELECT count(*) FROM granted g JOIN pg_class c USING (oid)
         WHERE c.relacl IS DISTINCT FROM g.relacl
            OR c.relowner <> g.relowner
            OR c.relrowsecurity <> g.relrowsecurity) AS changed_tables
  FROM logged;

-- No function of ours that these roles may call writes there.
SELECT p.oid::regprocedure
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE (n.nspname = 'bambi_internal' OR p.proname LIKE 'bambi\_%')
   AND p.prosrc ~ 'change_log'
   AND EXISTS (SELECT FROM pg_roles r
                WHERE r.rolname IN ('bambi_user', 'bambi_service',
                                    'bambi_admin', 'anon')
                  AND has_function_privilege(r.oid, p.oid, 'EXECUTE'));
-- Nor may they read more than their rows in a month itself.
SELECT count(*) AS of_months
  FROM pg_inherits, aclexplode((SELECT relacl FROM pg_class
                                 WHERE oid = inhrelid)) a
 WHERE inhparent = 'bambi.change_log'::regclass
   AND a.grantee <> 'bambi_owner'::regrole;
ROLLBACK;

-- A change whose month is missing has it made at once, and is logged.
BEGIN;
DO $$
DECLARE
    leaf regclass;
BEGIN
    FOR leaf IN SELECT inhrelid FROM pg_inherits
                 WHERE inhparent = 'bambi.change_log'::regclass
    LOOP
        EXECUTE format('DROP TABLE %s', leaf);
    END LOOP;
END
$$;
UPDATE bambi.plans SET weight = 9 WHERE plan_type = 'free';
SELECT table_name, columns FROM bambi.change_log;
SELECT relrowsecurity,
       (SELECT count(*) FROM aclexplode(relacl) a
         WHERE a.grantee <> relowner) AS granted
  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
 WHERE inhparent = 'bambi.change_log'::regclass;
ROLLBACK;
