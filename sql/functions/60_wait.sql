-- Waiting for pictures, and getting them.

CREATE FUNCTION bambi_internal.wait(
    id uuid, timeout interval,
    OUT generation_id uuid, OUT status text, OUT error_code text,
    OUT error_message text, OUT cost numeric, OUT images jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- reads the user's state
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_wait';
REVOKE ALL ON FUNCTION bambi_internal.wait(uuid, interval) FROM PUBLIC;
ALTER FUNCTION bambi_internal.wait(uuid, interval) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.wait(uuid, interval) TO bambi_user;
COMMENT ON FUNCTION bambi_internal.wait(uuid, interval) IS
    'What bambi_wait calls.';

CREATE FUNCTION @extschema@.bambi_wait(
    id uuid, timeout interval DEFAULT NULL)
RETURNS TABLE (generation_id uuid, status text, error_code text,
               error_message text, cost numeric, images jsonb)
LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 1
BEGIN ATOMIC
    SELECT w.generation_id, w.status, w.error_code, w.error_message, w.cost,
           w.images
      FROM bambi_internal.wait($1, $2) w;
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_wait(uuid, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_wait(uuid, interval)
    TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_wait(uuid, interval) IS
    'Waits until a generation of yours has ended, and gives its state.
At most 30 s, and never longer than half a second before the statement''s '
    'time-out; over HTTP 5 s by default, and four callers at a time: the rest '
    'get the present state. Then status is still queued or running: call '
    'again. cost is in USD; images is a JSON array. '
    'Errors: PT401; PT404 "generation does not exist"; PT409 "generation is '
    'not committed yet" in the transaction that queued it, "a transaction '
    'with one snapshot cannot wait" under REPEATABLE READ; 22023 for a '
    'negative time-out.';

-- PostgREST hands the bytes of this type out as they are.
DO $$
BEGIN
    IF to_regtype('bambi."*/*"') IS NULL THEN
        CREATE DOMAIN bambi."*/*" AS bytea;
    END IF;
END
$$;
ALTER DOMAIN bambi."*/*" OWNER TO bambi_owner;
COMMENT ON DOMAIN bambi."*/*" IS
    'Bytes of any media type, for PostgREST.';

CREATE FUNCTION bambi_internal.image(id uuid, "position" integer)
RETURNS bytea
LANGUAGE c STABLE PARALLEL UNSAFE
-- reads bytes that have no other way out
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_image';
REVOKE ALL ON FUNCTION bambi_internal.image(uuid, integer) FROM PUBLIC;
ALTER FUNCTION bambi_internal.image(uuid, integer) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.image(uuid, integer) TO bambi_user;
COMMENT ON FUNCTION bambi_internal.image(uuid, integer) IS
    'What bambi_image calls.';

CREATE FUNCTION @extschema@.bambi_image(
    id uuid, "position" integer DEFAULT 1)
RETURNS bambi."*/*"
LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.image($1, $2)::bambi."*/*";
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_image(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_image(uuid, integer)
    TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_image(uuid, integer) IS
    'The bytes of a picture of yours.
id is the generation''s; positions count from 1. Over HTTP the answer is the '
    'file itself, with its media type. '
    'Errors: PT401; PT404 "image does not exist", "image is not in the '
    'database".';
