-- Months: tables that grow with time are cut into one partition a month, by
-- ids that carry their time.
--
-- A month is made ahead, since a row without its month cannot be stored.  It
-- is made apart and attached, which locks the table less than PARTITION OF.
-- Both attaching and detaching one lock all tables around it that foreign keys
-- name: so they give up soon, and are asked again.

CREATE OR REPLACE FUNCTION bambi_internal.month_name(
    parent regclass, month timestamp)
RETURNS name
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT (c.relname || to_char(month, '_YYYY_MM'))::name
      FROM pg_class c WHERE c.oid = parent;
END;
COMMENT ON FUNCTION bambi_internal.month_name(regclass, timestamp) IS
    'What the partition of a month (UTC) is called.';

CREATE OR REPLACE FUNCTION bambi_internal.has_month(
    parent regclass, month timestamp)
RETURNS boolean
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
         WHERE i.inhparent = parent
           AND c.relnamespace = 'bambi'::regnamespace
           AND c.relname = bambi_internal.month_name(parent, month));
END;
COMMENT ON FUNCTION bambi_internal.has_month(regclass, timestamp) IS
    'Whether a month (UTC) is attached to its table.';

CREATE OR REPLACE FUNCTION bambi_internal.bound_month(
    leaf regclass, month timestamp)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- other styles write zones by abbreviations, and IST is read as Israel's
SET datestyle = 'ISO'
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute
                WHERE attrelid = leaf AND attname = 'created_at'
                  AND attgenerated <> '')
       AND NOT EXISTS (SELECT FROM pg_constraint
                        WHERE conrelid = leaf
                          AND conname = 'created_in_its_month')
    THEN
        EXECUTE format(
            'ALTER TABLE %s ADD CONSTRAINT created_in_its_month CHECK '
            '(created_at >= %L AND created_at < %L)', leaf,
            month AT TIME ZONE 'UTC',
            (month + interval '1 month') AT TIME ZONE 'UTC');
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.bound_month(regclass, timestamp) IS
    'Adds the check on created_at, which follows from the bounds on id: with '
    'it the planner leaves out months also by created_at.';

CREATE OR REPLACE FUNCTION bambi_internal.bound_months(parent regclass)
RETURNS void
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT bambi_internal.bound_month(
               c.oid::regclass,
               to_date(right(c.relname, 7), 'YYYY_MM')::timestamp)
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = parent;
END;
COMMENT ON FUNCTION bambi_internal.bound_months(regclass) IS
    'Adds that check to months which lost it with their column.';

-- Whoever waits while holding a lock may close a circle, and the client's
-- generation be what is sacrificed.  So only the first lock is waited for, with
-- nothing in hand that others want: that of users, the first table that a
-- generation writes to.
CREATE OR REPLACE FUNCTION bambi_internal.lock_around(
    parent regclass, lock_mode text)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    around text[] := (
        SELECT array_agg(DISTINCT other::regclass::text)
          FROM pg_constraint,
               unnest(ARRAY[conrelid, confrelid]) other
         WHERE contype = 'f' AND conparentid = 0
           AND parent IN (conrelid, confrelid));
    other  text;
BEGIN
    IF 'bambi.users' = ANY (around) THEN
        EXECUTE format('LOCK TABLE ONLY bambi.users IN %s MODE', lock_mode);
    END IF;
    FOREACH other IN ARRAY coalesce(around, '{}')
    LOOP
        CONTINUE WHEN other = parent::text AND lock_mode <> 'ACCESS EXCLUSIVE';
        EXECUTE format('LOCK TABLE ONLY %s IN %s MODE NOWAIT', other,
                       lock_mode);
    END LOOP;
END
$$;
COMMENT ON FUNCTION bambi_internal.lock_around(regclass, text) IS
    'Locks the tables that foreign keys tie to a table, in either direction. '
    'Error: 55P03 if a lock is not to be had.';

CREATE OR REPLACE FUNCTION bambi_internal.make_month(
    parent regclass, month timestamp, settings text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $$
DECLARE
    leaf    CONSTANT text := format('bambi.%I',
                                    bambi_internal.month_name(parent, month));
    targets CONSTANT text := (
        SELECT string_agg(format('ALTER %I SET STATISTICS %s', attname,
                                 attstattarget), ', ')
          FROM pg_attribute
         WHERE attrelid = parent AND attnum > 0 AND NOT attisdropped
           AND attstattarget >= 0);
BEGIN
    -- as ATTACH does; an advisory lock could be held by anybody
    EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE',
                   parent);
    IF bambi_internal.has_month(parent, month) THEN
        RETURN true;            -- somebody made it meanwhile
    END IF;

    EXECUTE format(
        'CREATE TABLE %s (LIKE %s INCLUDING COMMENTS INCLUDING CONSTRAINTS '
        'INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE) %s',
        leaf, parent, 'WITH (' || settings || ')');   -- nothing for NULL
    EXECUTE format('COMMENT ON TABLE %s IS %L', leaf,
                   to_char(month, '"Made in "YYYY-MM" (UTC)."'));
    IF current_user <> 'bambi_owner' THEN
        EXECUTE format('ALTER TABLE %s OWNER TO bambi_owner', leaf);
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', leaf);
    PERFORM bambi_internal.revoke_default_privileges(leaf::regclass);
    PERFORM bambi_internal.bound_month(leaf::regclass, month);
    IF targets IS NOT NULL THEN
        EXECUTE format('ALTER TABLE %s %s', leaf, targets);
    END IF;
    PERFORM bambi_internal.lock_around(parent, 'SHARE ROW EXCLUSIVE');
    EXECUTE format(
        'ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
        parent, leaf,
        @extschema@.bambi_uuid_floor(month AT TIME ZONE 'UTC'),
        @extschema@.bambi_uuid_floor(
            (month + interval '1 month') AT TIME ZONE 'UTC'));
    RETURN true;
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
    -- the other months are not to wait for whoever put it there
    WHEN duplicate_table THEN
        RAISE WARNING 'there is a table % in the place of a month', leaf
            USING HINT = 'Attach it again, or rename it.';
        RETURN false;
    WHEN check_violation THEN
        RAISE WARNING 'a default partition of % has rows of a month', parent
            USING HINT = 'Detach it, make the month with bambi_maintain(), '
                         'and insert its rows again.';
        RETURN false;
END
$$;
COMMENT ON FUNCTION bambi_internal.make_month(regclass, timestamp, text) IS
    'Makes the partition of a month (UTC), with storage parameters. False if '
    'a lock was not to be had at once, or a table of that name or a default '
    'partition is in the way.';

-- It leaves without its foreign keys: to drop it with them would lock the
-- tables around once more.
CREATE OR REPLACE FUNCTION bambi_internal.detach_month(
    parent regclass, month timestamp)
RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $$
DECLARE
    leaf CONSTANT text := format('bambi.%I',
                                 bambi_internal.month_name(parent, month));
    tie  name;
BEGIN
    PERFORM bambi_internal.lock_around(parent, 'ACCESS EXCLUSIVE');
    EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', parent, leaf);
    FOR tie IN SELECT conname FROM pg_constraint
                WHERE contype = 'f' AND conrelid = leaf::regclass
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', leaf, tie);
    END LOOP;
    RETURN true;
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
END
$$;
COMMENT ON FUNCTION bambi_internal.detach_month(regclass, timestamp) IS
    'Takes a month (UTC) off its table: a table by itself then, which can be '
    'archived and dropped. False if a lock was not to be had at once. Error: '
    '23503 while rows elsewhere refer to rows of it.';

-- Those whose foreign keys lock nothing that a generation writes come first,
-- so that what the last of them locks is held for the shortest time.  An event
-- is marked once; a generation is settled in its page.
CREATE OR REPLACE FUNCTION bambi_internal.monthly_tables()
RETURNS TABLE (parent regclass, settings text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT p.partrelid::regclass, l.settings
      FROM (VALUES (1, 'bambi.change_log', NULL),
                   (2, 'bambi.usage_events',
                    'autovacuum_vacuum_scale_factor = 0.05'),
                   (3, 'bambi.image_generations', 'fillfactor = 50')
           ) l (place, name, settings)
           JOIN pg_partitioned_table p ON p.partrelid = to_regclass(l.name)
     ORDER BY l.place;
END;
COMMENT ON FUNCTION bambi_internal.monthly_tables() IS
    'The tables that are cut into months, and the storage parameters of '
    'these.';

CREATE OR REPLACE FUNCTION bambi_internal.ensure_months(ahead integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this_month CONSTANT timestamp :=
        date_trunc('month', now() AT TIME ZONE 'UTC');
    missing    integer := 0;
    monthly    record;
    month      timestamp;
BEGIN
    FOR monthly IN SELECT * FROM bambi_internal.monthly_tables()
    LOOP
        FOR month IN
            SELECT this_month + n * interval '1 month'
              FROM generate_series(
                       CASE WHEN EXISTS (
                                SELECT FROM pg_inherits
                                 WHERE inhparent = monthly.parent)
                            THEN 0 ELSE -1 END, ahead) n
        LOOP
            IF NOT bambi_internal.has_month(monthly.parent, month)
               AND NOT bambi_internal.make_month(monthly.parent, month,
                                                 monthly.settings)
            THEN
                missing := missing + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN missing;
END
$$;
COMMENT ON FUNCTION bambi_internal.ensure_months(integer) IS
    'Makes the partitions of this month (UTC) and of as many months ahead, '
    'and at the very first call that of the month before. Returns how many '
    'are still missing because a lock was not to be had at once, or a table '
    'of that name or a default partition is in the way: ask again then. '
    'Where all are there it locks nothing.';

DO $$
DECLARE
    routine text;
BEGIN
    FOREACH routine IN ARRAY ARRAY[
        'month_name(regclass, timestamp)', 'has_month(regclass, timestamp)',
        'bound_month(regclass, timestamp)', 'bound_months(regclass)',
        'lock_around(regclass, text)',
        'make_month(regclass, timestamp, text)',
        'detach_month(regclass, timestamp)', 'monthly_tables()',
        'ensure_months(integer)']
    LOOP
        EXECUTE format('ALTER FUNCTION bambi_internal.%s OWNER TO '
                       'bambi_owner', routine);
        EXECUTE format('REVOKE ALL ON FUNCTION bambi_internal.%s FROM '
                       'PUBLIC', routine);
    END LOOP;
END
$$;
-- for whoever looks which months there are
GRANT EXECUTE ON FUNCTION bambi_internal.monthly_tables() TO bambi_admin;
