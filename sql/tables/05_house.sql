-- What the topic files use: taking back what default privileges gave, dating
-- a row that people changed, and making a view refuse a write properly.
--
-- All files may be run again over tables that are there: that brings back what
-- DROP EXTENSION ... CASCADE took of them.  What follows "-- Seeds" in a file
-- is run for new tables only, or rows would come back that an operator
-- deleted.

CREATE OR REPLACE FUNCTION bambi_internal.revoke_default_privileges(
    relation regclass)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stranger name;
BEGIN
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', relation);
    FOR stranger IN
        SELECT rolname FROM pg_roles
         WHERE rolname IN ('anon', 'authenticated', 'service_role')
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %I', relation, stranger);
    END LOOP;
END
$$;
COMMENT ON FUNCTION bambi_internal.revoke_default_privileges(regclass) IS
    'Takes back what ALTER DEFAULT PRIVILEGES may have given on a new table '
    'or view to everybody and to the roles of PostgREST.';

CREATE OR REPLACE FUNCTION bambi_internal.set_updated_at()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION bambi_internal.set_updated_at() IS
    'Trigger of the tables that people change by hand; the machinery sets '
    'updated_at itself.';

CREATE OR REPLACE FUNCTION bambi_internal.refuse_write()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'permission denied for view %', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
COMMENT ON FUNCTION bambi_internal.refuse_write() IS
    'Trigger of the views that are no plain picture of one table: with it '
    'a write is refused for want of a privilege, 42501 and 403 over HTTP, '
    'without it for the shape of the view, 55000 and 500.';

-- Before a statement, since what a function reads while it runs may never be
-- committed, and TRUNCATE has no rows; after each row, since what a logical
-- replication applies is no statement. ALWAYS, for where a session or a
-- subscription plays the replica.
CREATE OR REPLACE FUNCTION bambi_internal.void_caches_of(catalogue regclass)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER void_caches '
        'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s '
        'EXECUTE FUNCTION bambi_internal.void_catalogue_caches()', catalogue);
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER void_caches_of_rows '
        'AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW '
        'EXECUTE FUNCTION bambi_internal.void_catalogue_caches()', catalogue);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER void_caches, '
                   'ENABLE ALWAYS TRIGGER void_caches_of_rows', catalogue);
END
$$;
COMMENT ON FUNCTION bambi_internal.void_caches_of(regclass) IS
    'Gives a table of the catalogue the triggers that have sessions forget '
    'what they have read of it.';

ALTER FUNCTION bambi_internal.void_caches_of(regclass) OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.void_caches_of(regclass) FROM PUBLIC;
ALTER FUNCTION bambi_internal.revoke_default_privileges(regclass)
    OWNER TO bambi_owner;
ALTER FUNCTION bambi_internal.set_updated_at() OWNER TO bambi_owner;
ALTER FUNCTION bambi_internal.refuse_write() OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.revoke_default_privileges(regclass)
    FROM PUBLIC;
REVOKE ALL ON FUNCTION bambi_internal.set_updated_at() FROM PUBLIC;
REVOKE ALL ON FUNCTION bambi_internal.refuse_write() FROM PUBLIC;
