-- What operators call when a price changes.

CREATE FUNCTION bambi_internal.model_named(name text)
RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found uuid[];
    names text;
BEGIN
    SELECT array_agg(m.id),
           string_agg(p.slug || '/' || m.model_id, ', ' ORDER BY p.slug)
      INTO found, names
      FROM bambi.models AS m JOIN bambi.api_providers AS p
           ON p.id = m.provider_id
     WHERE model_named.name IN (m.model_id, p.slug || '/' || m.model_id);
    IF cardinality(found) > 1 THEN
        RAISE EXCEPTION 'model name is ambiguous'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('It may mean %s.', names),
                  HINT = 'Put the provider before it, as in the detail.';
    ELSIF found IS NULL THEN
        RAISE EXCEPTION 'model is not known'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'See bambi_models.';
    END IF;
    RETURN found[1];
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.model_named(text) FROM PUBLIC;
ALTER FUNCTION bambi_internal.model_named(text) OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.model_named(text) IS
    'The model of a name, also one that is not offered any more.';

CREATE FUNCTION @extschema@.bambi_set_price(
    model text, unit text, price numeric, size text DEFAULT NULL,
    quality text DEFAULT NULL, currency text DEFAULT 'USD',
    valid_from timestamptz DEFAULT NULL, source text DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- reads the providers whole
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at          timestamptz;
    of_model    uuid;
    of_currency text := coalesce(bambi_set_price.currency, 'USD');
    next_from   timestamptz;
    new_id      uuid;
BEGIN
    PERFORM bambi_internal.require_tables();
    IF bambi_set_price.unit IS NULL THEN
        RAISE EXCEPTION 'argument "unit" is missing'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF bambi_set_price.price <> round(bambi_set_price.price, 6) THEN
        RAISE EXCEPTION 'a price has six places at the most'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    of_model := bambi_internal.model_named(bambi_set_price.model);
    -- two who set prices of a model come one after the other, by the clock:
    -- now() is when the transaction began
    PERFORM FROM bambi.models AS m WHERE m.id = of_model FOR NO KEY UPDATE;
    at := clock_timestamp();
    IF bambi_set_price.valid_from < at THEN
        RAISE EXCEPTION 'a price cannot begin in the past'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Leave out valid_from for one that begins now.';
    END IF;
    at := coalesce(bambi_set_price.valid_from, at);

    -- what would have begun at that very time never did
    DELETE FROM bambi.model_prices AS r
     WHERE r.model_id = of_model AND r.unit = bambi_set_price.unit
       AND r.size IS NOT DISTINCT FROM bambi_set_price.size
       AND r.quality IS NOT DISTINCT FROM bambi_set_price.quality
       AND r.currency = of_currency AND r.valid_from = at;
    UPDATE bambi.model_prices AS r SET valid_to = at
     WHERE r.model_id = of_model AND r.unit = bambi_set_price.unit
       AND r.size IS NOT DISTINCT FROM bambi_set_price.size
       AND r.quality IS NOT DISTINCT FROM bambi_set_price.quality
       AND r.currency = of_currency
       AND r.valid_from < at AND r.valid_to > at;
    IF bambi_set_price.price IS NULL THEN
        RETURN NULL;
    END IF;

    SELECT min(r.valid_from) INTO next_from
      FROM bambi.model_prices AS r
     WHERE r.model_id = of_model AND r.unit = bambi_set_price.unit
       AND r.size IS NOT DISTINCT FROM bambi_set_price.size
       AND r.quality IS NOT DISTINCT FROM bambi_set_price.quality
       AND r.currency = of_currency AND r.valid_from > at;
    INSERT INTO bambi.model_prices AS r
           (model_id, unit, size, quality, price, currency, valid_from,
            valid_to, source)
    VALUES (of_model, bambi_set_price.unit, bambi_set_price.size,
            bambi_set_price.quality, bambi_set_price.price, of_currency, at,
            coalesce(next_from, 'infinity'), bambi_set_price.source)
    RETURNING r.id INTO new_id;
    RETURN new_id;
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_set_price(
    text, text, numeric, text, text, text, timestamptz, text) FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_set_price(
    text, text, numeric, text, text, text, timestamptz, text)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_set_price(
    text, text, numeric, text, text, text, timestamptz, text) TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_set_price(
    text, text, numeric, text, text, text, timestamptz, text) IS
    'Sets what a unit of a model costs from now or from valid_from on, and '
    'gives the id of the new price.
The price that held until then ends, and stays for what was generated under '
    'it; one that is set for a later time already begins as planned. NULL as '
    'price: it is not known from then on. '
    'Errors: 22023 "a price cannot begin in the past", "a price has six '
    'places at the most", "model is not known", '
    '"model name is ambiguous"; 23514 for a unit that is none or a price '
    'below zero; 55000 "bambi is not set up".';
