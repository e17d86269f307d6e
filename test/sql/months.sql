-- The history is cut into months by id, and the months are made ahead.
\set SHOW_CONTEXT never
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set a '\'00000000-0000-7000-8000-0000000000a1\''
\set sandbox '\'00000000-0000-7000-8000-000000000401\''
SET search_path = public;
SET client_min_messages = error;

CREATE TEMP VIEW months AS
SELECT c.oid, c.relname, c.relowner, c.relacl, c.relrowsecurity, c.reloptions,
       (regexp_match(bound, 'FROM \(''([^'']+)'''))[1]::uuid AS first,
       (regexp_match(bound, 'TO \(''([^'']+)'''))[1]::uuid AS next
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
       pg_get_expr(c.relpartbound, c.oid) bound
 WHERE i.inhparent = 'bambi.image_generations'::regclass;

-- This month is there, and so are three more than that in which the server
-- started, each from the first moment of a month (UTC) to that of the next,
-- with no gap.
SELECT count(*) >= 4 AS enough,
       bool_or(relname = to_char(now() AT TIME ZONE 'UTC',
                                 '"image_generations_"YYYY_MM')) AS this,
       bool_or(relname = to_char(pg_postmaster_start_time()
                                 AT TIME ZONE 'UTC' + interval '3 months',
                                 '"image_generations_"YYYY_MM')) AS third
  FROM months;
SELECT relname FROM months
 WHERE relname <> to_char(bambi_uuid_time(first) AT TIME ZONE 'UTC',
                          '"image_generations_"YYYY_MM')
    OR first <> bambi_uuid_floor(date_trunc('month', bambi_uuid_time(first),
                                            'UTC'));
SELECT relname
  FROM (SELECT relname, first, lag(next) OVER (ORDER BY first) AS expected
          FROM months) m
 WHERE first <> expected;

-- Should a month have ended since, the worker has perhaps not looked yet.
DO $$
BEGIN
    WHILE bambi_internal.ensure_months(3) > 0
    LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;

-- Asking again does nothing; the owner, who is no superuser, may ask too, and
-- what it makes is like the others.
BEGIN;
SELECT count(*) AS before FROM months \gset
SELECT bambi_internal.ensure_months(3) AS missing,
       count(*) = :before AS same FROM months;
SET LOCAL ROLE bambi_owner;
DO $$
BEGIN
    FOR attempt IN 1 .. 100
    LOOP        -- it gives up early where autovacuum holds a lock
        EXIT WHEN bambi_internal.ensure_months(5) = 0;
    END LOOP;
END
$$;
SELECT bambi_internal.ensure_months(5) AS missing;
RESET ROLE;
SELECT count(*) = :before + 2 AS two_more FROM months;
SELECT DISTINCT relowner::regrole, relrowsecurity, relacl, reloptions
  FROM months;
SELECT m.relname, a.attname
  FROM months m JOIN pg_attribute a ON a.attrelid = m.oid
 WHERE a.attnum > 0
   AND (col_description(m.oid, a.attnum) IS NULL
        OR obj_description(m.oid, 'pg_class') IS NULL);
SELECT DISTINCT count(*) AS indexes_each FROM pg_index
 WHERE indrelid IN (SELECT oid FROM months) GROUP BY indrelid;
SELECT DISTINCT count(*) AS foreign_keys_each FROM pg_constraint
 WHERE contype = 'f' AND conrelid IN (SELECT oid FROM months)
 GROUP BY conrelid;
SELECT DISTINCT count(*) AS checks_on_created_at FROM pg_constraint
 WHERE conname = 'created_in_its_month' AND convalidated
   AND conrelid IN (SELECT oid FROM months) GROUP BY conrelid;
SELECT bambi_internal.ensure_months(NULL) IS NULL AS null_is_nothing;
ROLLBACK;

-- How many are missing in the end; a lock may not be had at once.
CREATE FUNCTION pg_temp.make_months(ahead integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    missing integer;
BEGIN
    FOR attempt IN 1 .. 100
    LOOP
        missing := bambi_internal.ensure_months(ahead);
        EXIT WHEN missing = 0;
    END LOOP;
    RETURN missing;
END
$$;

-- Default privileges do not reach a month, nor anything else that is made.
BEGIN;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN
        CREATE ROLE anon;
    END IF;
END
$$;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, anon;
SELECT pg_temp.make_months(4) AS missing;
SELECT m.relname, a.grantee FROM months m, aclexplode(m.relacl) a
 WHERE a.grantee <> 'bambi_owner'::regrole;
ROLLBACK;

-- A row goes to the month of its id, and created_at is the time in the id.
BEGIN;
INSERT INTO bambi.users (id, email) VALUES (:a, 'months@example.com');
INSERT INTO bambi.image_generations (id, user_id, model_id, prompt)
SELECT id, :a, :sandbox, 'x'
  FROM (SELECT first FROM months
         WHERE relname >= to_char(now() AT TIME ZONE 'UTC',
                                  '"image_generations_"YYYY_MM')
         ORDER BY first LIMIT 4) m,
       LATERAL (VALUES (m.first),
           (bambi_uuid_floor(bambi_uuid_time(m.first) + interval '10 days'))
       ) v (id);
SELECT count(*) AS rows,
       count(DISTINCT g.tableoid) AS months,
       bool_and(m.relname = to_char(g.created_at AT TIME ZONE 'UTC',
                                    '"image_generations_"YYYY_MM'))
           AS in_the_right_one,
       bool_and(g.created_at = bambi_uuid_time(g.id)) AS dated_by_the_id
  FROM bambi.image_generations g JOIN months m ON m.oid = g.tableoid
 WHERE g.user_id = :a;
-- The default id is one of now.
INSERT INTO bambi.image_generations (user_id, model_id, prompt)
VALUES (:a, :sandbox, 'now')
RETURNING created_at BETWEEN now() - interval '1 minute'
                         AND now() + interval '1 minute' AS is_now;
-- No month, no row; and created_at cannot be chosen.
INSERT INTO bambi.image_generations (id, user_id, model_id, prompt)
VALUES (bambi_uuid_floor('2001-01-01 00:00Z'), :a, :sandbox, 'x');
INSERT INTO bambi.image_generations (user_id, model_id, prompt, created_at)
VALUES (:a, :sandbox, 'x', now());
ROLLBACK;

-- How the session writes times changes nothing: where it would call two zones
-- by one name, a month still has its first moment and its last.
BEGIN;
INSERT INTO bambi.users (id, email) VALUES (:a, 'months@example.com');
SET LOCAL timezone = 'Asia/Kolkata';
SET LOCAL datestyle = 'SQL, DMY';
SELECT pg_temp.make_months(4) AS missing;
INSERT INTO bambi.image_generations (id, user_id, model_id, prompt)
SELECT bambi_uuid_floor(v.moment), :a, :sandbox, 'x'
  FROM (SELECT first, next FROM months ORDER BY first DESC LIMIT 1) m,
       LATERAL (VALUES (bambi_uuid_time(m.first)),
           (bambi_uuid_time(m.next) - interval '1 ms')) v (moment);
SELECT count(*) AS rows FROM bambi.image_generations WHERE user_id = :a;
ROLLBACK;

-- A table in the place of a month keeps no other month from being made.
BEGIN;
SELECT format('CREATE TABLE bambi.%I ()', bambi_internal.month_name(
           'bambi.change_log', date_trunc('month', now() AT TIME ZONE 'UTC')
                               + interval '5 months')) AS stranger \gset
SET LOCAL client_min_messages = error;
:stranger;
SELECT bambi_internal.ensure_months(5) AS missing;
SELECT count(*) AS tables_with_the_month
  FROM bambi_internal.monthly_tables()
 WHERE bambi_internal.has_month(
           parent, date_trunc('month', now() AT TIME ZONE 'UTC')
                   + interval '5 months');
ROLLBACK;

-- Nor does a default partition that somebody has added, and that hides rows.
BEGIN;
CREATE TABLE bambi.hiding PARTITION OF bambi.change_log DEFAULT;
INSERT INTO bambi.change_log (id, table_name, row_key, operation, columns,
            old_values, new_values, session_role)
VALUES (bambi_uuid_floor(date_trunc('month', now(), 'UTC')
                         + interval '5 months 10 days'),
        'plans', 'x', 'update', '{}', '{}', '{}', 'x');
SELECT bambi_internal.ensure_months(5) AS missing;
SELECT count(*) AS tables_with_the_month
  FROM bambi_internal.monthly_tables()
 WHERE bambi_internal.has_month(
           parent, date_trunc('month', now() AT TIME ZONE 'UTC')
                   + interval '5 months');
ROLLBACK;
