-- The shape of the schema: what the specification names is there, and the
-- rules that hold for every table hold for every table.
--
-- Unless a heading says otherwise a query lists what breaks the rule: nothing.
\set SHOW_CONTEXT never
SET search_path = public;

-- What is ours: tables, partitions and views.
CREATE TEMP VIEW our AS
SELECT c.oid, c.oid::regclass::text AS relation, n.nspname, c.relname,
       c.relkind, c.relispartition, c.relrowsecurity, c.relowner, c.relacl,
       c.reloptions
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v')
   AND (n.nspname IN ('bambi', 'bambi_internal')
        OR c.relkind = 'v' AND n.nspname = 'public'
       AND c.relname LIKE 'bambi\_%');

-- All tables and views (a list):
SELECT relation FROM our WHERE NOT relispartition ORDER BY nspname, relname;

-- Columns of the specification that are missing:
SELECT w.relation, w.wanted
  FROM (SELECT relation, unnest(string_to_array(columns, ' ')) FROM (VALUES
    ('bambi.users',
     'id email password_hash created_at updated_at last_login_at '
     'auth_provider auth_provider_id is_active usage_count reset_date'),
    ('bambi.subscriptions',
     'id user_id stripe_customer_id stripe_subscription_id plan_type status '
     'current_period_start current_period_end created_at updated_at'),
    ('bambi.api_providers',
     'id name slug description website_url api_base_url is_active'),
    ('bambi.models',
     'id provider_id name model_id description capabilities is_active '
     'created_at updated_at'),
    ('bambi.api_configurations',
     'id user_id provider_id name encrypted_api_key is_valid '
     'last_validated_at created_at updated_at'),
    ('bambi.image_generations',
     'id user_id configuration_id model_id prompt parameters status '
     'error_message created_at updated_at'),
    ('bambi.images',
     'id generation_id storage_path url width height format created_at'),
    ('bambi.api_usage',
     'id user_id configuration_id provider_id request_type request_count '
     'tokens_used cost_estimate period_start period_end created_at '
     'updated_at')) l (relation, columns)) w (relation, wanted)
 WHERE NOT EXISTS (SELECT FROM pg_attribute a
                    WHERE a.attrelid = w.relation::regclass
                      AND a.attname = w.wanted AND NOT a.attisdropped);

-- Not owned by bambi_owner:
SELECT relation FROM our WHERE relowner <> 'bambi_owner'::regrole;

-- Without row-level security, partitions included:
SELECT relation FROM our WHERE relkind <> 'v' AND NOT relrowsecurity;

-- Policies for everybody:
SELECT polname, polrelid::regclass FROM pg_policy
 WHERE polrelid IN (SELECT oid FROM our) AND polroles = '{0}';

-- Two policies for the same role and command:
SELECT relation, role, command
  FROM (SELECT p.polrelid::regclass AS relation, r.role::regrole,
               unnest(CASE p.polcmd WHEN '*' THEN '{r,a,w,d}'
                                    ELSE ARRAY[p.polcmd]::text[] END)
          FROM pg_policy p, unnest(p.polroles) r (role)
         WHERE p.polrelid IN (SELECT oid FROM our)) e (relation, role, command)
 GROUP BY relation, role, command HAVING count(*) > 1;

-- What a user may see (a list): one plain comparison each.
SELECT p.polrelid::regclass AS relation, p.polcmd AS command,
       pg_get_expr(p.polqual, p.polrelid) AS rows,
       pg_get_expr(p.polwithcheck, p.polrelid) AS may_write
  FROM pg_policy p
 WHERE p.polrelid IN (SELECT oid FROM our)
   AND 'bambi_user'::regrole = ANY (p.polroles)
 ORDER BY p.polrelid::regclass::text;

-- Views that would show the rows of others:
SELECT relation FROM our
 WHERE relkind = 'v'
   AND NOT EXISTS (SELECT FROM pg_options_to_table(reloptions)
                    WHERE option_name = 'security_invoker'
                      AND option_value::boolean);

-- Privileges on partitions that somebody but the owner has:
SELECT relation, a.grantee::regrole, a.privilege_type
  FROM our, aclexplode(relacl) a
 WHERE relispartition AND a.grantee <> 'bambi_owner'::regrole;

-- Privileges of roles that are not ours:
SELECT relation, a.grantee, a.privilege_type
  FROM our, aclexplode(relacl) a
 WHERE a.grantee = 0
    OR a.grantee::regrole::text NOT IN
       ('bambi_owner', 'bambi_user', 'bambi_service', 'bambi_admin',
        'authenticated', 'service_role');

-- Anything but SELECT for users and services:
SELECT relation, a.grantee::regrole, a.privilege_type
  FROM our, aclexplode(relacl) a
 WHERE a.grantee IN ('bambi_user'::regrole, 'bambi_service'::regrole)
   AND a.privilege_type <> 'SELECT'
 UNION ALL
SELECT our.relation, a.grantee::regrole, a.privilege_type
  FROM our JOIN pg_attribute t ON t.attrelid = our.oid,
       aclexplode(t.attacl) a
 WHERE a.grantee IN ('bambi_user'::regrole, 'bambi_service'::regrole)
   AND a.privilege_type <> 'SELECT';

-- What a user may not read (a list):
SELECT our.relation,
       CASE WHEN count(*) FILTER (WHERE may) = 0 THEN '(everything)'
            ELSE string_agg(attname, ', ' ORDER BY attnum)
                     FILTER (WHERE NOT may) END AS columns
  FROM our,
       LATERAL (SELECT a.attname, a.attnum,
                       has_column_privilege('bambi_user', our.oid, a.attnum,
                                            'SELECT') AS may
                  FROM pg_attribute a
                 WHERE a.attrelid = our.oid AND a.attnum > 0
                   AND NOT a.attisdropped) a
 WHERE NOT our.relispartition
 GROUP BY our.nspname, our.relname, our.relation
HAVING count(*) FILTER (WHERE NOT may) > 0
 ORDER BY our.nspname, our.relname;

-- Materialised views know no row-level security: who may read them (a list).
SELECT c.oid::regclass AS relation, c.relowner::regrole AS owner,
       a.grantee::regrole, a.privilege_type,
       obj_description(c.oid, 'pg_class') IS NOT NULL AS has_comment
  FROM pg_class c,
       aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
 WHERE c.relkind = 'm' AND a.grantee <> c.relowner
   AND (c.relnamespace IN ('bambi'::regnamespace,
                           'bambi_internal'::regnamespace)
        OR c.relname LIKE 'bambi%')
 ORDER BY c.relname, 3;

-- A service reads what a user reads (differences, but for operators' views):
SELECT our.relation, a.attname
  FROM our JOIN pg_attribute a ON a.attrelid = our.oid
 WHERE a.attnum > 0 AND NOT a.attisdropped
   AND has_any_column_privilege('bambi_user', our.oid, 'SELECT')
   AND has_column_privilege('bambi_user', our.oid, a.attnum, 'SELECT')
    <> has_column_privilege('bambi_service', our.oid, a.attnum, 'SELECT');

-- Without a comment:
SELECT relation FROM our WHERE obj_description(oid, 'pg_class') IS NULL;
SELECT our.relation, a.attname
  FROM our JOIN pg_attribute a ON a.attrelid = our.oid
 WHERE a.attnum > 0 AND NOT a.attisdropped
   AND col_description(our.oid, a.attnum) IS NULL;

-- Foreign keys without an index that begins with their columns:
SELECT f.conrelid::regclass, f.conname
  FROM pg_constraint f
 WHERE f.contype = 'f' AND f.conrelid IN (SELECT oid FROM our)
   AND NOT EXISTS (
       SELECT FROM pg_index i
        WHERE i.indrelid = f.conrelid AND i.indisvalid
          AND (string_to_array(i.indkey::text, ' ')::smallint[])
              [1:cardinality(f.conkey)] = f.conkey);

-- Foreign keys that neither cascade nor refuse:
SELECT conrelid::regclass, conname, confdeltype FROM pg_constraint
 WHERE contype = 'f' AND conrelid IN (SELECT oid FROM our)
   AND confdeltype NOT IN ('a', 'c');

-- More than one foreign key between two tables, which PostgREST cannot tell
-- apart:
SELECT conrelid::regclass, confrelid::regclass
  FROM pg_constraint
 WHERE contype = 'f' AND conparentid = 0
   AND conrelid IN (SELECT oid FROM our)
 GROUP BY conrelid, confrelid HAVING count(*) > 1;

-- Foreign keys between users' tables that do not end in the user:
SELECT f.conrelid::regclass, f.conname
  FROM pg_constraint f
       JOIN pg_attribute a ON a.attrelid = f.confrelid
                          AND a.attname = 'user_id'
 WHERE f.contype = 'f' AND f.conrelid IN (SELECT oid FROM our)
   AND NOT a.attnum = ANY (f.confkey);

-- Unique keys of users' tables that leave out the user (a list):
SELECT i.indexrelid::regclass AS index
  FROM pg_index i
       JOIN pg_attribute a ON a.attrelid = i.indrelid
                          AND a.attname = 'user_id'
 WHERE i.indisunique
   AND i.indrelid IN (SELECT oid FROM our WHERE NOT relispartition)
   AND NOT a.attnum = ANY (i.indkey)
 ORDER BY 1;

-- Tables without a primary key:
SELECT relation FROM our
 WHERE relkind <> 'v'
   AND NOT EXISTS (SELECT FROM pg_index
                    WHERE indrelid = our.oid AND indisprimary);

-- Two indexes that are the same:
SELECT i.indrelid::regclass, min(i.indexrelid::regclass::text)
  FROM pg_index i
 WHERE i.indrelid IN (SELECT oid FROM our)
 GROUP BY i.indrelid, i.indkey::text, i.indclass::text, i.indoption::text,
          pg_get_expr(i.indexprs, i.indrelid),
          pg_get_expr(i.indpred, i.indrelid)
HAVING count(*) > 1;

-- Sequences, identity columns, and ids that are not uuid:
SELECT oid::regclass FROM pg_class
 WHERE relkind = 'S'
   AND relnamespace IN ('bambi'::regnamespace,
                        'bambi_internal'::regnamespace);
SELECT our.relation, a.attname
  FROM our JOIN pg_attribute a ON a.attrelid = our.oid
 WHERE a.attidentity <> ''
    OR a.attname IN ('id', 'user_id') AND a.atttypid <> 'uuid'::regtype;

-- Status columns that are an enum:
SELECT our.relation, a.attname
  FROM our JOIN pg_attribute a ON a.attrelid = our.oid
       JOIN pg_type t ON t.oid = a.atttypid
 WHERE a.attnum > 0 AND t.typtype NOT IN ('b', 'd');

-- How tables are partitioned (a list):
SELECT partrelid::regclass AS parent, pg_get_partkeydef(partrelid) AS by,
       partdefid <> 0 AS has_default
  FROM pg_partitioned_table WHERE partrelid IN (SELECT oid FROM our)
 ORDER BY 1;

-- Settings of tables (a list):
SELECT c.oid::regclass AS relation, o.option_name, o.option_value
  FROM pg_class c, pg_options_to_table(c.reloptions) o
 WHERE c.oid IN (SELECT oid FROM our
                  WHERE relkind = 'r' AND NOT relispartition)
 ORDER BY 1, 2;
SELECT attrelid::regclass, attname, attstorage FROM pg_attribute
 WHERE attrelid = 'bambi.image_data'::regclass AND attname = 'data';

-- The functions of the schema (a list): not everybody's, their path is fixed
-- unless they are inlined, and two are a definer's.
SELECT p.oid::regprocedure AS function, p.proowner::regrole AS owner,
       p.prosecdef AS is_definer, p.proconfig AS settings,
       has_function_privilege('bambi_user', p.oid, 'EXECUTE') AS user_may
  FROM pg_proc p
 WHERE p.oid IN ('bambi_internal.ensure_months(integer)'::regprocedure,
                 'bambi_internal.make_month(regclass, timestamp, text)'
                 ::regprocedure,
                 'bambi_internal.detach_month(regclass, timestamp)'
                 ::regprocedure,
                 'bambi_internal.lock_around(regclass, text)'::regprocedure,
                 'bambi_internal.has_month(regclass, timestamp)'::regprocedure,
                 'bambi_internal.month_name(regclass, timestamp)'
                 ::regprocedure,
                 'bambi_internal.bound_month(regclass, timestamp)'
                 ::regprocedure,
                 'bambi_internal.bound_months(regclass)'::regprocedure,
                 'bambi_internal.monthly_tables()'::regprocedure,
                 'bambi_internal.log_change()'::regprocedure,
                 'bambi_internal.log_changes_of(regclass)'::regprocedure,
                 'bambi_internal.set_updated_at()'::regprocedure,
                 'bambi_internal.refuse_write()'::regprocedure,
                 'bambi_internal.model_is_offered(uuid)'::regprocedure,
                 'bambi_internal.is_offered(bambi.models, bambi.api_providers,
                                            timestamptz)'::regprocedure,
                 'bambi_internal.revoke_default_privileges(regclass)'
                 ::regprocedure)
 ORDER BY p.proname;

-- A view that lost its clause is refused by the next bambi_setup().
SET client_min_messages = error;
BEGIN;
CREATE OR REPLACE VIEW public.bambi_images AS
SELECT id, user_id, generation_id, position, width, height, format, bytes,
       sha256, revised_prompt, store, storage_path, url, created_at
  FROM bambi.images;
SELECT bambi_setup();
ROLLBACK;
RESET client_min_messages;
