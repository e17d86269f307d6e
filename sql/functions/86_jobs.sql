-- What is to be done by the calendar, as jobs of pg_cron.
--
-- pg_cron lives in one database of the cluster, mostly another one: all that
-- is said to it is said by EXECUTE, or given to the caller to be said there.

CREATE FUNCTION bambi_internal.jobs(
    OUT job text, OUT schedule text, OUT command text)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- A name belongs to the cluster, and has room for 63 bytes.
    SELECT format('bambi-%s:%s', j.name,
                  CASE WHEN octet_length(current_database()) > 40
                       THEN md5(current_database())
                       ELSE current_database() END),
           j.schedule, format('SELECT @extschema@.bambi_%s()',
                              replace(j.name, '-', '_'))
      FROM (VALUES ('rollup-usage', '* * * * *'),
                   ('reset-quotas', '*/5 * * * *'),
                   ('revalidate-keys', '*/10 * * * *'),
                   ('refresh-reports', '*/15 * * * *'),
                   ('maintain', '7 * * * *')) AS j (name, schedule)
$$;
REVOKE ALL ON FUNCTION bambi_internal.jobs() FROM PUBLIC;
ALTER FUNCTION bambi_internal.jobs() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.jobs() TO bambi_admin;
COMMENT ON FUNCTION bambi_internal.jobs() IS
    'The jobs of this database.';

CREATE FUNCTION bambi_internal.has_cron()
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension AS e
                    WHERE e.extname = 'pg_cron') THEN
        RAISE NOTICE 'pg_cron is not in this database'
            USING HINT = 'Run the statements in the database that has it: '
                         'see cron.database_name.';
        RETURN false;
    END IF;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.has_cron() FROM PUBLIC;
ALTER FUNCTION bambi_internal.has_cron() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.has_cron() TO bambi_admin;
COMMENT ON FUNCTION bambi_internal.has_cron() IS
    'Whether pg_cron is in this database; if not, says what to do.';

-- The caller's rights, not a definer's: the jobs are to be the caller's.
CREATE FUNCTION @extschema@.bambi_schedule_jobs(
    username text DEFAULT NULL)
RETURNS TABLE (job text, schedule text, statement text, is_registered boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_here CONSTANT boolean := bambi_internal.has_cron();
    runner  CONSTANT text :=
        coalesce(username, CASE WHEN is_here THEN current_user END);
BEGIN
    IF runner IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_roles AS r
         WHERE r.rolname = runner AND r.rolcanlogin
           AND pg_has_role(r.oid, 'bambi_admin', 'USAGE')) THEN
        RAISE EXCEPTION 'role cannot run the jobs'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('"%s" may not log in, or has not the rights '
                                  'of bambi_admin.', runner),
                  HINT = 'CREATE ROLE ... LOGIN IN ROLE bambi_admin, and name '
                         'it as username.';
    END IF;
    FOR job, schedule, statement IN
        SELECT j.job, j.schedule, format(
                   'SELECT cron.schedule_in_database(%L, %L, %L, %L%s);',
                   j.job, j.schedule, j.command, current_database(),
                   ', ' || quote_literal(username))
          FROM bambi_internal.jobs() AS j
    LOOP
        IF is_here THEN
            -- the same job in another's name would run beside it
            EXECUTE 'SELECT cron.unschedule(j.jobid) FROM cron.job AS j '
                    ' WHERE j.jobname = $1 AND j.username <> $2'
              USING job, runner;
            EXECUTE statement;
        END IF;
        is_registered := is_here;
        RETURN NEXT;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_schedule_jobs(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_schedule_jobs(text)
    TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_schedule_jobs(text) IS
    'Registers with pg_cron what bambi wants done in this database by the '
    'calendar, in the place of what is registered under the same names. Where '
    'pg_cron is in another database, nothing is registered: the statements '
    'that it gives are to be run there.
username is who runs the jobs (default: who registers them), a login role '
    'with the rights of bambi_admin. '
    'Errors: 22023 "role cannot run the jobs"; 42501 where the caller may not '
    'use pg_cron.';

CREATE FUNCTION @extschema@.bambi_unschedule_jobs()
RETURNS TABLE (job text, statement text, is_registered boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_here CONSTANT boolean := bambi_internal.has_cron();
BEGIN
    FOR job, statement IN
        SELECT j.job, format('SELECT cron.unschedule(jobid) FROM cron.job '
                             'WHERE jobname = %L;', j.job)
          FROM bambi_internal.jobs() AS j
    LOOP
        IF is_here THEN
            EXECUTE statement;
            EXECUTE 'SELECT EXISTS (SELECT FROM cron.job WHERE jobname = $1)'
               INTO is_registered USING job;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_unschedule_jobs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_unschedule_jobs() TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_unschedule_jobs() IS
    'Takes back what bambi_schedule_jobs() has registered. Where pg_cron is '
    'in another database, is_registered is NULL, and the statements that it '
    'gives are to be run there. '
    'Error: 42501 where the caller may not use pg_cron.';
