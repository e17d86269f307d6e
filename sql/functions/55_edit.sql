-- Asking for pictures to be changed.

CREATE FUNCTION bambi_internal.edit(
    prompt text, images bytea[], mask bytea, model text, parameters jsonb,
    configuration uuid, idempotency_key text, sources uuid[])
RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- reserves quota and queues, as generate does
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_seqscan = off
AS 'MODULE_PATHNAME', 'bambi_edit';
REVOKE ALL ON FUNCTION
    bambi_internal.edit(text, bytea[], bytea, text, jsonb, uuid, text, uuid[])
    FROM PUBLIC;
ALTER FUNCTION
    bambi_internal.edit(text, bytea[], bytea, text, jsonb, uuid, text, uuid[])
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION
    bambi_internal.edit(text, bytea[], bytea, text, jsonb, uuid, text, uuid[])
    TO bambi_user;
COMMENT ON FUNCTION
    bambi_internal.edit(text, bytea[], bytea, text, jsonb, uuid, text, uuid[]) IS
    'What bambi_edit calls.';

CREATE FUNCTION @extschema@.bambi_edit(
    prompt text, images bytea[] DEFAULT NULL, mask bytea DEFAULT NULL,
    model text DEFAULT NULL, parameters jsonb DEFAULT '{}',
    configuration uuid DEFAULT NULL, idempotency_key text DEFAULT NULL,
    sources uuid[] DEFAULT NULL)
RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.edit($1, $2, $3, $4, $5, $6, $7, $8);
END;
REVOKE ALL ON FUNCTION
    @extschema@.bambi_edit(text, bytea[], bytea, text, jsonb, uuid, text, uuid[])
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    @extschema@.bambi_edit(text, bytea[], bytea, text, jsonb, uuid, text, uuid[])
    TO bambi_user;
COMMENT ON FUNCTION
    @extschema@.bambi_edit(text, bytea[], bytea, text, jsonb, uuid, text, uuid[]) IS
    'Queues a request to edit pictures and gives the id of the generation.
images are files (png, jpeg, webp or gif, as the model takes them), and '
    'sources ids of bambi_images of yours, which come behind them; one at '
    'least. mask is a png of the size of the first picture; it is changed '
    'where the mask is transparent. All else is as with bambi_generate. The '
    'model''s capabilities say how many pictures it takes, and which. '
    'Errors: those of bambi_generate; PT404 "image does not exist"; 22023 '
    'for a picture that is none, or that the model does not take.';
