-- Asking for pictures.

CREATE FUNCTION bambi_internal.token_cost(
    model uuid, usage jsonb, at timestamptz)
RETURNS numeric
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- input tokens include those that came from the provider's cache
    SELECT CASE WHEN bool_and(u.price IS NOT NULL)
                THEN round(sum(u.tokens * u.price) / 1000000, 6) END
      FROM (SELECT t.tokens,
                   (SELECT p.price FROM bambi.model_prices p
                     WHERE p.model_id = model AND p.currency = 'USD'
                       AND p.unit IN (t.unit, t.otherwise)
                       AND p.valid_from <= at AND p.valid_to > at
                     ORDER BY p.unit = t.unit DESC LIMIT 1) AS price
              FROM (SELECT coalesce((usage->>'text_input')::numeric, 0),
                           coalesce((usage->>'text_input_cached')::numeric, 0),
                           coalesce((usage->>'image_input')::numeric, 0),
                           coalesce((usage->>'image_input_cached')::numeric, 0),
                           coalesce((usage->>'image_output')::numeric, 0),
                           coalesce((usage->>'text_output')::numeric, 0))
                   n (text, text_cached, image, image_cached, image_out,
                      text_out),
                   LATERAL (VALUES
                       (n.text - n.text_cached,
                        '1M text input tokens', NULL),
                       (n.text_cached,
                        '1M cached text input tokens', '1M text input tokens'),
                       (n.image - n.image_cached,
                        '1M image input tokens', NULL),
                       (n.image_cached, '1M cached image input tokens',
                        '1M image input tokens'),
                       (n.image_out, '1M image output tokens', NULL),
                       (n.text_out, '1M text output tokens', NULL))
                   t (tokens, unit, otherwise)
             WHERE t.tokens > 0) u
$$;
REVOKE ALL ON FUNCTION bambi_internal.token_cost(uuid, jsonb, timestamptz)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.token_cost(uuid, jsonb, timestamptz)
    OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.token_cost(uuid, jsonb, timestamptz) IS
    'USD for the tokens that a provider''s answer counts, at the prices of a '
    'moment; NULL if it counts none, or if one kind has no price: unknown is '
    'not zero.';

CREATE FUNCTION bambi_internal.generate(
    prompt text, model text, parameters jsonb, configuration uuid,
    idempotency_key text)
RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- reserves quota and queues, which users may not do by themselves
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
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
    'to another request"; PT503 "try again later"; 22023 for a bad prompt or '
    'parameter.';

CREATE FUNCTION bambi_internal.estimate(
    prompt text, model text, parameters jsonb)
RETURNS numeric
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- reads the plan and the queue
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_estimate';
REVOKE ALL ON FUNCTION bambi_internal.estimate(text, text, jsonb)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.estimate(text, text, jsonb)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.estimate(text, text, jsonb)
    TO bambi_user;
COMMENT ON FUNCTION bambi_internal.estimate(text, text, jsonb) IS
    'What bambi_estimate calls.';

CREATE FUNCTION @extschema@.bambi_estimate(
    prompt text, model text DEFAULT NULL, parameters jsonb DEFAULT '{}')
RETURNS numeric
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.estimate($1, $2, $3);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_estimate(text, text, jsonb)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_estimate(text, text, jsonb)
    TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_estimate(text, text, jsonb) IS
    'What bambi_generate with these arguments would cost, in USD; NULL if '
    'that is not known.
By list prices, and rather too much than too little where a size or quality '
    'is left to the provider. '
    'Errors: PT401; PT404 "model does not exist"; 22023 for a bad prompt or '
    'parameter.';
