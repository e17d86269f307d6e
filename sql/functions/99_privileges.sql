-- What ALTER DEFAULT PRIVILEGES may have given on the functions above, as old
-- Supabase projects do in public, is taken back. Every function has its grants
-- by name; none is to these roles.

DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT p.oid::pg_catalog.regprocedure AS routine, r.rolname AS role
          FROM pg_catalog.pg_depend d
               JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
               JOIN pg_catalog.pg_proc p ON p.oid = d.objid
               CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
               JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
         WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
           AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
           AND d.deptype = 'e' AND e.extname = 'bambi'
           AND r.rolname IN ('anon', 'authenticated', 'service_role')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %I',
                                  given.routine, given.role);
    END LOOP;
END
$$;
