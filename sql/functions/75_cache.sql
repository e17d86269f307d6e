-- What Redis holds, for whoever did not find it there.

CREATE FUNCTION bambi_internal.cache_is_on()
RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_cache_is_on';
REVOKE ALL ON FUNCTION bambi_internal.cache_is_on() FROM PUBLIC;
ALTER FUNCTION bambi_internal.cache_is_on() OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.cache_is_on() IS
    'Whether changes are to be noted for Redis: the worker writes there, or '
    'is about to.';

CREATE FUNCTION bambi_internal.note_for_cache(
    kind text, name text, is_change boolean)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_note_for_cache';
REVOKE ALL ON FUNCTION bambi_internal.note_for_cache(text, text, boolean)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.note_for_cache(text, text, boolean)
    OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.note_for_cache(text, text, boolean) IS
    'Has the worker write a value to Redis after the commit.';

-- No SECURITY DEFINER, which costs more than all the rest while Redis is not
-- in use: it becomes the table's owner itself, and then only.
CREATE FUNCTION bambi_internal.note_user_for_cache()
RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'bambi_note_user_for_cache';
REVOKE ALL ON FUNCTION bambi_internal.note_user_for_cache() FROM PUBLIC;
ALTER FUNCTION bambi_internal.note_user_for_cache() OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.note_user_for_cache() IS
    'Trigger of users and subscriptions: has the worker write the user''s '
    'value to Redis. Arguments: the column with the user''s id, and those of '
    'which a change counts.';

CREATE FUNCTION bambi_internal.cache_value(key text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- reads of all users, and writes to the outbox
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind  text := split_part(key, ':', 1);
    name  text := substr(key, length(split_part(key, ':', 1)) + 2);
    found jsonb;
BEGIN
    PERFORM bambi_internal.require_tables();
    IF key IS NULL OR kind NOT IN ('user', 'provider', 'model') THEN
        RAISE EXCEPTION 'no such kind of key'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'A key is user:ID, provider:SLUG or '
                         'model:PROVIDER/MODEL.';
    END IF;
    SELECT c.value INTO found FROM bambi_internal.cached(kind, name) c;
    IF found IS NOT NULL AND bambi_internal.cache_is_on()
       AND current_setting('transaction_read_only') = 'off' THEN
        PERFORM bambi_internal.note_for_cache(kind, name, false);
    END IF;
    RETURN found;
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.cache_value(text) FROM PUBLIC;
ALTER FUNCTION bambi_internal.cache_value(text) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.cache_value(text) TO bambi_service;
COMMENT ON FUNCTION bambi_internal.cache_value(text) IS
    'What bambi_cache_value calls.';

CREATE FUNCTION @extschema@.bambi_cache_value(key text)
RETURNS jsonb
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.cache_value($1);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_cache_value(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_cache_value(text)
    TO bambi_service;
COMMENT ON FUNCTION @extschema@.bambi_cache_value(text) IS
    'What stands in Redis under user:ID, provider:SLUG or '
    'model:PROVIDER/MODEL, from the tables; NULL if there is no such thing.
For a gateway that did not find a value there (bambi_service): the worker '
    'writes it for the next time. '
    'Errors: 22023 "no such kind of key".';
