-- Every column has a class of data, and the change log keeps nothing that it
-- must not.
--
-- Unless a heading says otherwise a query lists what breaks the rule: nothing.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
SET client_min_messages = error;

CREATE TEMP VIEW real_columns AS
SELECT format('%I.%I', n.nspname, c.relname) AS relation,
       a.attname AS column_name, c.oid, a.attnum
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE n.nspname IN ('bambi', 'bambi_internal')
   AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND a.attnum > 0 AND NOT a.attisdropped;

-- There is something to compare:
SELECT count(DISTINCT relation) > 20 AS has_tables,
       count(*) > 200 AS has_columns,
       count(*) = (SELECT count(*) FROM bambi.data_classes) AS all_of_them
  FROM real_columns;

-- Columns without a class:
SELECT relation, column_name FROM real_columns
EXCEPT SELECT relation, column_name FROM bambi.data_classes ORDER BY 1, 2;

-- Classes without a column:
SELECT relation, column_name FROM bambi.data_classes
EXCEPT SELECT relation, column_name FROM real_columns ORDER BY 1, 2;

-- Secrets and content (a list):
SELECT class, relation, string_agg(column_name, ' ' ORDER BY column_name)
  FROM bambi.data_classes WHERE class IN ('secret', 'content')
 GROUP BY class, relation ORDER BY class, relation;

-- Those of which the planner keeps values, months and hash partitions included:
SELECT DISTINCT relation, column_name
  FROM bambi.data_classes JOIN real_columns r USING (relation, column_name)
       CROSS JOIN LATERAL (
           SELECT r.oid AS relid
            UNION SELECT t.relid FROM pg_partition_tree(r.oid) t) p
       JOIN pg_attribute a ON a.attrelid = p.relid
                          AND a.attname = column_name
 WHERE class IN ('secret', 'content') AND a.attstattarget <> 0
 ORDER BY 1, 2;

-- Columns that a user may not read, of tables with users' rows, and that are
-- no secret and no content, and whose values are logged all the same:
SELECT relation, column_name
  FROM bambi.data_classes JOIN real_columns r USING (relation, column_name)
 WHERE logged = 'values'
   AND (relation = 'bambi.users'
        OR EXISTS (SELECT FROM pg_attribute a
                    WHERE a.attrelid = r.oid AND a.attname = 'user_id'))
   AND NOT has_column_privilege('bambi_user', r.oid, r.attnum, 'SELECT');

-- What is logged (a list):
SELECT relation, logged, string_agg(column_name, ' ' ORDER BY column_name)
  FROM bambi.data_classes WHERE logged IS NOT NULL
 GROUP BY relation, logged ORDER BY relation, logged DESC;

-- Tables whose triggers are not those of the list:
SELECT relation, wanted.columns AS wanted, found.columns AS found
  FROM (SELECT relation, string_agg(column_name, ' ' ORDER BY column_name)
          FROM bambi.data_classes WHERE logged IS NOT NULL
         GROUP BY relation) wanted (relation, columns)
       FULL JOIN (
           SELECT r.relation, string_agg(r.column_name, ' '
                                         ORDER BY r.column_name)
             FROM pg_trigger t
                  JOIN real_columns r ON r.oid = t.tgrelid
                                     AND r.attnum = ANY (t.tgattr)
            WHERE t.tgname = 'log_values' AND t.tgenabled = 'O'
              AND EXISTS (SELECT FROM pg_trigger i
                           WHERE i.tgrelid = t.tgrelid
                             AND i.tgname = 'log_row' AND i.tgenabled = 'O')
            GROUP BY r.relation) found (relation, columns) USING (relation)
 WHERE wanted.columns IS DISTINCT FROM found.columns;

-- A secret's or a content's values cannot be listed for the log.
BEGIN;
UPDATE bambi.data_classes SET logged = 'values'
 WHERE column_name = 'password_hash';
UPDATE bambi.data_classes SET logged = 'values' WHERE column_name = 'prompt';
UPDATE bambi.data_classes SET class = 'secret' WHERE column_name = 'email';
UPDATE bambi.data_classes SET class = 'other' WHERE column_name = 'email';
ROLLBACK;

-- Operators read the list; they cannot change it, and others do not see it.
BEGIN;
SET LOCAL ROLE bambi_admin;
SELECT count(*) > 200 AS operators_read FROM bambi.data_classes;
UPDATE bambi.data_classes SET logged = NULL;
DELETE FROM bambi.data_classes;
SET LOCAL ROLE bambi_user;
SELECT count(*) FROM bambi.data_classes;
SET LOCAL ROLE bambi_service;
SELECT count(*) FROM bambi.data_classes;
ROLLBACK;

-- Every set-up that runs the file brings back what stands there.
BEGIN;
DELETE FROM bambi.data_classes WHERE relation = 'bambi.users';
DROP VIEW public.bambi_changes;
SELECT bambi_setup() ~ 'missing: view bambi_changes' AS repaired;
SELECT count(*) > 5 AS is_back FROM bambi.data_classes
 WHERE relation = 'bambi.users';
ROLLBACK;
