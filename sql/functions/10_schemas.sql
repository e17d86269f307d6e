-- Roles and schemas: who may do what, and where things stand.
--
-- Roles belong to the cluster and outlive the extension.  The schemas hold
-- the users' data, which DROP EXTENSION must not take, so they are made here
-- and then let go of.  pg_restore into a fresh cluster has made them
-- already: empty, as its superuser's, since our roles were not there.

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
    wanted   text;
    owner    text;
    is_fresh boolean;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['bambi', 'bambi_internal']
    LOOP
        SELECT r.rolname,
               r.rolsuper AND n.nspacl IS NULL AND NOT EXISTS (
                   SELECT FROM pg_catalog.pg_depend d
                    WHERE d.refclassid =
                          'pg_catalog.pg_namespace'::pg_catalog.regclass
                      AND d.refobjid = n.oid)
          INTO owner, is_fresh
          FROM pg_catalog.pg_namespace n
               JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
         WHERE n.nspname = wanted;
        IF owner IS NULL THEN
            EXECUTE pg_catalog.format(
                'CREATE SCHEMA %I AUTHORIZATION bambi_owner', wanted);
            EXECUTE pg_catalog.format(
                'ALTER EXTENSION bambi DROP SCHEMA %I', wanted);
        ELSIF owner <> 'bambi_owner' AND is_fresh THEN
            EXECUTE pg_catalog.format(
                'ALTER SCHEMA %I OWNER TO bambi_owner', wanted);
        ELSIF owner <> 'bambi_owner' THEN
            RAISE EXCEPTION 'schema "%" exists and belongs to "%"', wanted, owner
                USING ERRCODE = 'duplicate_schema',
                      HINT = 'bambi keeps its tables in this schema: rename the one that is there.';
        END IF;
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', wanted);
        EXECUTE pg_catalog.format(
            'GRANT USAGE ON SCHEMA %I TO bambi_user, bambi_service, bambi_admin',
            wanted);
    END LOOP;
END
$$;

COMMENT ON SCHEMA bambi IS
    'Tables of bambi. People use the functions and views named bambi_...';
COMMENT ON SCHEMA bambi_internal IS
    'What only the machinery of bambi touches.';
