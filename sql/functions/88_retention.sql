-- What operators call to say how long data is kept.

CREATE FUNCTION bambi_internal.check_retention(
    what text, keep interval, ends_as text, pictures text,
    keep_prompts boolean)
RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    months CONSTANT integer :=
        extract(year FROM keep) * 12 + extract(month FROM keep);
BEGIN
    IF NOT EXISTS (SELECT FROM bambi.retention_policies AS p
                    WHERE p.what = check_retention.what) THEN
        RAISE EXCEPTION 'kind of data is not known'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'See bambi_retention for those that are.';
    END IF;
    IF keep <= '0' OR keep > '1200 months' OR extract(day FROM keep) <> 0
       OR keep <> make_interval(months => months) THEN
        RAISE EXCEPTION 'data is kept for whole months'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'From one month to 100 years.',
                  HINT = 'Write ''18 months'' or ''2 years''; NULL is as long '
                         'as the account.';
    END IF;
    IF what = 'usage' AND months < 12 THEN
        RAISE EXCEPTION 'usage is kept for a year at least'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Budgets of a year are summed up from it.';
    END IF;
    IF ends_as NOT IN ('archive', 'delete')
       OR ends_as = 'archive' AND what NOT IN ('content', 'usage', 'audit')
    THEN
        RAISE EXCEPTION 'data cannot end so'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'content, usage and audit end as ''archive'' or '
                         '''delete'', all other data as ''delete''.';
    END IF;
    IF pictures NOT IN ('reference', 'copy') THEN
        RAISE EXCEPTION 'pictures cannot be archived so'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Write ''copy'' or ''reference''.';
    END IF;
    IF what <> 'content'
       AND (pictures IS NOT NULL OR keep_prompts IS NOT NULL) THEN
        RAISE EXCEPTION 'only content has prompts and pictures'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Leave out "pictures" and "keep_prompts".';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.check_retention(
    text, interval, text, text, boolean) FROM PUBLIC;
ALTER FUNCTION bambi_internal.check_retention(
    text, interval, text, text, boolean) OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.check_retention(
    text, interval, text, text, boolean) IS
    'Raises what is wrong with the arguments of bambi_set_retention.';

CREATE FUNCTION @extschema@.bambi_set_retention(
    what text, keep interval, ends_as text DEFAULT NULL,
    pictures text DEFAULT NULL, keep_prompts boolean DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- nobody writes to the table
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM bambi_internal.require_tables();
    PERFORM bambi_internal.check_retention(what, keep, ends_as, pictures,
                                           keep_prompts);
    UPDATE bambi.retention_policies AS p
       SET keep = bambi_set_retention.keep,
           ends_as = coalesce(bambi_set_retention.ends_as, p.ends_as),
           pictures = coalesce(bambi_set_retention.pictures, p.pictures),
           keep_prompts = coalesce(bambi_set_retention.keep_prompts,
                                   p.keep_prompts)
     WHERE p.what = bambi_set_retention.what;
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_set_retention(
    text, interval, text, text, boolean) FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_set_retention(
    text, interval, text, text, boolean) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_set_retention(
    text, interval, text, text, boolean) TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_set_retention(
    text, interval, text, text, boolean) IS
    'Sets how long a kind of data is kept (NULL: as long as the account) and '
    'what becomes of it then; what is left out stays as it is. The kinds and '
    'what holds stand in bambi_retention. It acts with the next round of the '
    'worker, once a day, or bambi_maintain().
What is gone does not come back if it is set to longer. '
    'Errors: 22023 "kind of data is not known", "data is kept for whole '
    'months", "usage is kept for a year at least", "data cannot end so", '
    '"pictures cannot be archived so", "only content has prompts and '
    'pictures"; 55000 "bambi is not set up".';
