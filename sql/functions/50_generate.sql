-- Asking for pictures.

CREATE FUNCTION bambi_internal.generate(
    prompt text, model text, parameters jsonb, configuration uuid,
    idempotency_key text)
RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- reserves quota and queues, which users may not do by themselves
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- or each check of a foreign key to a partitioned table is planned anew
SET plan_cache_mode = force_generic_plan
-- plans are kept from when the tables were empty, and a bitmap scan would wade
-- through every old version of a busy user's row
SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_seqscan = off
AS 'MODULE_PATHNAME', 'bambi_generate';
REVOKE ALL ON FUNCTION
    bambi_internal.generate(text, text, jsonb, uuid, text) FROM PUBLIC;
ALTER FUNCTION bambi_internal.generate(text, text, jsonb, uuid, text)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION
    bambi_internal.generate(text, text, jsonb, uuid, text) TO bambi_user;
COMMENT ON FUNCTION
    bambi_internal.generate(text, text, jsonb, uuid, text) IS
    'What bambi_generate calls.';

CREATE FUNCTION @extschema@.bambi_generate(
    prompt text, model text DEFAULT NULL, parameters jsonb DEFAULT '{}',
    configuration uuid DEFAULT NULL, idempotency_key text DEFAULT NULL)
RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.generate($1, $2, $3, $4, $5);
END;
REVOKE ALL ON FUNCTION
    @extschema@.bambi_generate(text, text, jsonb, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    @extschema@.bambi_generate(text, text, jsonb, uuid, text) TO bambi_user;
COMMENT ON FUNCTION
    @extschema@.bambi_generate(text, text, jsonb, uuid, text) IS
    'Queues a request for pictures and gives the id of the generation.
It is sent when the transaction commits; bambi_wait waits for it. model is '
    '"provider/model", or the model alone where one provider has it, by '
    'default that of your plan (see bambi_models); parameters are what '
    'capabilities of the model names; configuration is the key that pays, by '
    'default your only one for the provider; with the same idempotency_key '
    '(or header Idempotency-Key) the same request is queued once. NULL means '
    'the default. '
    'Errors: PT401 "not signed in"; PT402 "the plan''s quota is used up"; '
    'PT404 "model does not exist", "configuration does not exist"; PT409 "no '
    'usable key", "more than one usable key"; PT422 "idempotency key belongs '
    'to another request"; PT429 "too many requests"; PT503 "try again '
    'later"; 22023 for a bad prompt or parameter; 42501 for a model or a '
    'number of pictures that the plan does not allow.';

CREATE FUNCTION bambi_internal.estimate(
    model text, parameters jsonb, prompt text, inputs integer,
    OUT low numeric, OUT expected numeric, OUT high numeric,
    OUT currency text, OUT is_complete boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- reads the plan and the queue
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_estimate';
REVOKE ALL ON FUNCTION bambi_internal.estimate(text, jsonb, text, integer)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.estimate(text, jsonb, text, integer)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.estimate(text, jsonb, text, integer)
    TO bambi_user;
COMMENT ON FUNCTION bambi_internal.estimate(text, jsonb, text, integer) IS
    'What bambi_estimate calls.';

CREATE FUNCTION @extschema@.bambi_estimate(
    model text DEFAULT NULL, parameters jsonb DEFAULT '{}',
    prompt text DEFAULT NULL, inputs integer DEFAULT 0)
RETURNS TABLE (low numeric, expected numeric, high numeric, currency text,
               is_complete boolean)
LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 1
BEGIN ATOMIC
    SELECT e.low, e.expected, e.high, e.currency, e.is_complete
      FROM bambi_internal.estimate($1, $2, $3, $4) e;
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_estimate(text, jsonb, text, integer)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    @extschema@.bambi_estimate(text, jsonb, text, integer) TO bambi_user;
COMMENT ON FUNCTION
    @extschema@.bambi_estimate(text, jsonb, text, integer) IS
    'What a generation would cost by list prices; NULLs if no price is known.
model and parameters as for bambi_generate; prompt adds what it costs to '
    'read; inputs is the number of pictures to edit. Where a size or quality '
    'is left to the provider, low and high are the cheapest and the dearest '
    'that may be meant, expected the middle one; high is what a generation '
    'is queued with. is_complete is false where something that is billed has '
    'no known price. '
    'Errors: PT401; PT404 "model does not exist"; 22023 for a bad prompt, '
    'parameter or number of pictures.';
