-- The tables could be cut by user and put on several servers: a user's rows
-- refer to rows of the same user and to tables of reference, which every server
-- has whole. (What is unique over all users, and what counts, is in
-- schema_shape.)
SET search_path = public;
CREATE TEMP VIEW ours AS
SELECT c.oid, c.oid::regclass AS relation, c.relkind,
       -- by what column it would be cut
       (SELECT a.attnum FROM pg_attribute a
         WHERE a.attrelid = c.oid AND NOT a.attisdropped
           AND a.attname = CASE WHEN c.oid = 'bambi.users'::regclass
                                THEN 'id' ELSE 'user_id' END) AS shard_key
  FROM pg_class c
 WHERE c.relnamespace IN ('bambi'::regnamespace, 'bambi_internal'::regnamespace)
   AND c.relkind IN ('r', 'p') AND NOT c.relispartition;
CREATE TEMP VIEW ties AS
SELECT f.conname, child.relation AS child, parent.relation AS parent,
       child.shard_key AS child_key, parent.shard_key AS parent_key,
       f.conkey[array_position(f.confkey, parent.shard_key)] AS tied_by,
       f.confdeltype
  FROM pg_constraint f
       JOIN ours child ON child.oid = f.conrelid
       JOIN ours parent ON parent.oid = f.confrelid
 WHERE f.contype = 'f' AND f.conparentid = 0;

-- A user's rows that refer to rows that may be another user's:
SELECT child, conname FROM ties
 WHERE child_key IS NOT NULL AND parent_key IS NOT NULL
   AND tied_by IS DISTINCT FROM child_key;
-- What is everybody's and refers to what is a user's:
SELECT child, conname FROM ties
 WHERE child_key IS NULL AND parent_key IS NOT NULL;
-- A deletion that would write to the column that a table is cut by:
SELECT child, conname FROM ties
 WHERE child_key IS NOT NULL AND parent_key IS NOT NULL
   AND confdeltype IN ('n', 'd');
-- Tables of reference: those that a user's rows refer to, and what these do.
WITH RECURSIVE reference AS (
    SELECT parent FROM ties WHERE child_key IS NOT NULL AND parent_key IS NULL
    UNION
    SELECT t.parent FROM reference r JOIN ties t ON t.child = r.parent)
SELECT parent FROM reference ORDER BY parent::text;
-- Users' tables that are cut by another column already, but by time:
SELECT ours.relation FROM ours JOIN pg_partitioned_table p ON partrelid = oid
 WHERE p.partstrat <> 'r' AND NOT ours.shard_key = ANY (p.partattrs);
-- Tables whose user may be missing, which stay on one server:
SELECT ours.relation
  FROM ours JOIN pg_attribute a ON a.attrelid = ours.oid
                               AND a.attnum = ours.shard_key
 WHERE NOT a.attnotnull ORDER BY 1;
