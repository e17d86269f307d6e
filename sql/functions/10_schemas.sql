-- Roles and schemas: who may do what, and where things stand.
--
-- Roles belong to the cluster and outlive the extension.  The schemas hold
-- the users' data, which DROP EXTENSION must not take, so they are made here
-- and then let go of.  They are the superuser's: a dump makes them before it
-- makes the extension, and so before a fresh cluster has our roles.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY
        ARRAY['bambi_owner', 'bambi_user', 'bambi_service', 'bambi_admin']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles
                        WHERE rolname = wanted) THEN
            EXECUTE pg_catalog.format(
                'CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE '
                'NOREPLICATION NOBYPASSRLS', wanted);
        END IF;
    END LOOP;
    IF (SELECT rolsuper OR rolcanlogin OR rolbypassrls
          FROM pg_catalog.pg_roles WHERE rolname = 'bambi_owner') THEN
        RAISE EXCEPTION 'role "bambi_owner" may log in or pass by row-level security'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'ALTER ROLE bambi_owner NOLOGIN NOSUPERUSER NOBYPASSRLS;';
    END IF;
END
$$;

DO $$
DECLARE
    wanted  text;
    owner   text;
    is_ours boolean;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['bambi', 'bambi_internal']
    LOOP
        -- empty as a dump makes it, or with the grant that only we give
        SELECT r.rolname,
               r.rolname = 'bambi_owner' OR r.rolsuper AND (
                   n.nspacl IS NULL AND NOT EXISTS (
                       SELECT FROM pg_catalog.pg_depend d
                        WHERE d.refclassid =
                              'pg_catalog.pg_namespace'::pg_catalog.regclass
                          AND d.refobjid = n.oid)
                   OR EXISTS (
                       SELECT FROM pg_catalog.aclexplode(n.nspacl) a
                        WHERE a.grantee =
                              'bambi_owner'::pg_catalog.regrole
                          AND a.privilege_type = 'CREATE'))
          INTO owner, is_ours
          FROM pg_catalog.pg_namespace n
               JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
         WHERE n.nspname = wanted;
        IF owner IS NULL THEN
            EXECUTE pg_catalog.format('CREATE SCHEMA %I', wanted);
            EXECUTE pg_catalog.format(
                'ALTER EXTENSION bambi DROP SCHEMA %I', wanted);
        ELSIF NOT is_ours THEN
            RAISE EXCEPTION 'schema "%" exists and belongs to "%"', wanted, owner
                USING ERRCODE = 'duplicate_schema',
                      HINT = 'bambi keeps its tables in this schema: rename the one that is there.';
        ELSIF owner = 'bambi_owner' THEN
            EXECUTE pg_catalog.format(
                'ALTER SCHEMA %I OWNER TO CURRENT_USER', wanted);
        END IF;
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', wanted);
        EXECUTE pg_catalog.format(
            'GRANT USAGE ON SCHEMA %I TO bambi_user, bambi_service, bambi_admin',
            wanted);
        EXECUTE pg_catalog.format(
            'GRANT USAGE, CREATE ON SCHEMA %I TO bambi_owner', wanted);
    END LOOP;
END
$$;

COMMENT ON SCHEMA bambi IS
    'Tables of bambi. People use the functions and views named bambi_...';
COMMENT ON SCHEMA bambi_internal IS
    'What only the machinery of bambi touches.';
