-- What holds at the end of every bambi_setup(), and is therefore run by every
-- one of them: the roles of PostgREST, where they exist, are members of ours;
-- no view shows other people's rows; the months ahead are there.

DO $$
DECLARE
    pair record;
BEGIN
    FOR pair IN
        SELECT w.member, w."group"
          FROM (VALUES ('authenticated', 'bambi_user'),
                       ('service_role', 'bambi_service')) w (member, "group")
               JOIN pg_roles m ON m.rolname = w.member
         WHERE NOT pg_has_role(m.oid, w."group", 'MEMBER')
    LOOP
        EXECUTE format('GRANT %I TO %I', pair."group", pair.member);
    END LOOP;
END
$$;

-- A role that does not inherit has nothing of a membership: it gets what its
-- group has, by name, and is named in the policies.
DO $$
DECLARE
    pair    record;
    command text;
BEGIN
    FOR pair IN
        SELECT m.rolname AS member, g.rolname AS "group", g.oid AS group_oid
          FROM (VALUES ('authenticated', 'bambi_user'),
                       ('service_role', 'bambi_service')) w (member, "group")
               JOIN pg_roles m ON m.rolname = w.member
               JOIN pg_roles g ON g.rolname = w."group"
         WHERE NOT m.rolinherit AND NOT m.rolsuper
    LOOP
        FOR command IN
            SELECT format('GRANT %s ON SCHEMA %I TO %I',
                          a.privilege_type, n.nspname, pair.member)
              FROM pg_namespace n, aclexplode(n.nspacl) a
             WHERE a.grantee = pair.group_oid
               AND n.nspname IN ('bambi', 'bambi_internal')
            UNION ALL
            SELECT format('GRANT %s ON %s TO %I',
                          a.privilege_type, c.oid::regclass, pair.member)
              FROM pg_class c, aclexplode(c.relacl) a
             WHERE a.grantee = pair.group_oid
               AND c.relowner = 'bambi_owner'::regrole
            UNION ALL
            SELECT format('GRANT %s (%I) ON %s TO %I', a.privilege_type,
                          t.attname, c.oid::regclass, pair.member)
              FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid,
                   aclexplode(t.attacl) a
             WHERE a.grantee = pair.group_oid
               AND c.relowner = 'bambi_owner'::regrole
               AND NOT t.attisdropped
            UNION ALL
            SELECT format('GRANT %s ON ROUTINE %s TO %I',
                          a.privilege_type, p.oid::regprocedure, pair.member)
              FROM pg_proc p, aclexplode(p.proacl) a
             WHERE a.grantee = pair.group_oid
               AND (p.proowner = 'bambi_owner'::regrole
                    OR EXISTS (SELECT FROM pg_depend d
                                 JOIN pg_extension e ON e.oid = d.refobjid
                                WHERE e.extname = 'bambi'
                                  AND d.refclassid = 'pg_extension'::regclass
                                  AND d.classid = 'pg_proc'::regclass
                                  AND d.objid = p.oid AND d.deptype = 'e'))
            UNION ALL
            SELECT format('ALTER POLICY %I ON %s TO %I, %I', l.polname,
                          l.polrelid::regclass, pair."group", pair.member)
              FROM pg_policy l JOIN pg_class c ON c.oid = l.polrelid
             WHERE l.polroles = ARRAY[pair.group_oid]
               AND c.relowner = 'bambi_owner'::regrole
        LOOP
            EXECUTE command;
        END LOOP;
    END LOOP;
END
$$;

-- A link is for whoever has it, and Stripe is known by its signature: the two
-- things that the anonymous may do. The functions were parsed when they were
-- made, so that they need no schema for it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN
        GRANT EXECUTE ON FUNCTION @extschema@.bambi_image_by_link(text),
            bambi_internal.image_by_link(text),
            @extschema@.bambi_stripe_webhook(json),
            bambi_internal.stripe_webhook(json) TO anon;
    END IF;
END
$$;

-- CREATE OR REPLACE VIEW without the clause drops it, and the view shows
-- everybody's rows.
DO $$
DECLARE
    open_views text;
BEGIN
    SELECT string_agg(format('"%s"', c.relname), ', ' ORDER BY c.relname)
      INTO open_views
      FROM pg_class c
     WHERE c.relkind = 'v'
       AND (c.relnamespace = '@extschema@'::regnamespace
            AND c.relname LIKE 'bambi\_%'
            OR c.relnamespace = 'bambi_internal'::regnamespace)
       AND NOT EXISTS (
           SELECT FROM pg_options_to_table(c.reloptions) o
            WHERE o.option_name = 'security_invoker'
              AND o.option_value::boolean);
    IF open_views IS NOT NULL THEN
        RAISE EXCEPTION 'views without security_invoker: %', open_views
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'They would show the rows of every user.',
                  HINT = 'ALTER VIEW ... SET (security_invoker = true), or '
                         'drop them.';
    END IF;
END
$$;

DO $$
BEGIN
    IF bambi_internal.ensure_months(3) > 0 THEN
        RAISE WARNING 'not all months ahead could be made'
            USING DETAIL = 'Something is in the way, mostly a lock; the '
                           'worker tries again.';
    END IF;
END
$$;

NOTIFY pgrst, 'reload schema';
