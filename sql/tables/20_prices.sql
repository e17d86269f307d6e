-- What a generation costs: list prices of the providers, with the time in
-- which each holds.

-- A price's name as a range of one number, since GiST of the core compares
-- ranges, and texts only with another extension. Two names would have to share
-- 63 bits of a hash to be taken for each other.
CREATE OR REPLACE FUNCTION bambi_internal.price_name(
    model_id uuid, unit text, size text, quality text, currency text)
RETURNS int8range
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT int8range(n.hash, n.hash, '[]')
      FROM (SELECT hashtextextended(
                       array_to_json(ARRAY[model_id::text, unit, size, quality,
                                           currency])::text, 0) >> 1) n (hash)
$$;
COMMENT ON FUNCTION bambi_internal.price_name(uuid, text, text, text, text) IS
    'The same for prices of the same thing, of which one holds at a time.';
ALTER FUNCTION bambi_internal.price_name(uuid, text, text, text, text)
    OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.price_name(uuid, text, text, text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    bambi_internal.price_name(uuid, text, text, text, text) TO bambi_admin;

CREATE TABLE IF NOT EXISTS bambi.model_prices (
    id          uuid           NOT NULL DEFAULT @extschema@.bambi_uuid_v7(),
    model_id    uuid           NOT NULL,
    unit        text           NOT NULL,
    size        text,
    quality     text,
    price       numeric(14,6)  NOT NULL,
    currency    text           NOT NULL DEFAULT 'USD',
    valid_from  timestamptz    NOT NULL DEFAULT '-infinity',
    valid_to    timestamptz    NOT NULL DEFAULT 'infinity',
    source      text,

    PRIMARY KEY (id),
    CONSTRAINT price_belongs_to_model
        FOREIGN KEY (model_id) REFERENCES bambi.models (id)
        ON DELETE CASCADE,
    CONSTRAINT one_price_from_a_time UNIQUE NULLS NOT DISTINCT
        (model_id, unit, size, quality, currency, valid_from),
    CONSTRAINT one_price_at_a_time EXCLUDE USING gist
        (bambi_internal.price_name(model_id, unit, size, quality, currency)
             WITH &&,
         tstzrange(valid_from, valid_to) WITH &&),
    CONSTRAINT price_is_not_negative CHECK (price >= 0 AND price <> 'NaN'),
    CONSTRAINT unit_is_known CHECK
        (unit IN ('image', 'input image', 'partial image (stream)',
                  '1M text input tokens', '1M cached text input tokens',
                  '1M image input tokens', '1M cached image input tokens',
                  '1M image output tokens', '1M text output tokens')),
    CONSTRAINT price_holds_for_a_while CHECK (valid_from < valid_to),
    CONSTRAINT currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$')
);
COMMENT ON TABLE bambi.model_prices IS
    'List prices. A new price is a new row: the old one''s valid_to ends '
    'where its valid_from begins, as bambi_set_price() does it. What is not '
    'listed is unknown, not free.';
COMMENT ON COLUMN bambi.model_prices.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi.model_prices.model_id IS
    'The model.';
COMMENT ON COLUMN bambi.model_prices.unit IS
    'What the price is for: image; input image, one that is edited; partial '
    'image (stream); or 1M of text input, cached text input, image input, '
    'cached image input, image output or text output tokens.';
COMMENT ON COLUMN bambi.model_prices.size IS
    'For pictures of this size; NULL: of any. What a model calls size is '
    'said by price_by of its capabilities.';
COMMENT ON COLUMN bambi.model_prices.quality IS
    'For pictures of this quality, likewise.';
COMMENT ON COLUMN bambi.model_prices.price IS
    'In whole units of the currency, six places behind the point.';
COMMENT ON COLUMN bambi.model_prices.currency IS
    'ISO 4217.';
COMMENT ON COLUMN bambi.model_prices.valid_from IS
    'First moment at which it holds.';
COMMENT ON COLUMN bambi.model_prices.valid_to IS
    'First moment at which it no longer holds.';
COMMENT ON COLUMN bambi.model_prices.source IS
    'Where it was read, and when.';

SELECT bambi_internal.void_caches_of('bambi.model_prices');

ALTER TABLE bambi.model_prices OWNER TO bambi_owner;
ALTER TABLE bambi.model_prices ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.model_prices');
DROP POLICY IF EXISTS user_reads ON bambi.model_prices;
CREATE POLICY user_reads ON bambi.model_prices
    FOR SELECT TO bambi_user
    USING (@extschema@.bambi_user_id() IS NOT NULL);
DROP POLICY IF EXISTS service_reads ON bambi.model_prices;
CREATE POLICY service_reads ON bambi.model_prices
    FOR SELECT TO bambi_service USING (true);
DROP POLICY IF EXISTS admin_manages ON bambi.model_prices;
CREATE POLICY admin_manages ON bambi.model_prices
    TO bambi_admin USING (true) WITH CHECK (true);
GRANT SELECT ON bambi.model_prices TO bambi_user, bambi_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON bambi.model_prices TO bambi_admin;

-- Seeds: what costs nothing.
INSERT INTO bambi.model_prices (model_id, unit, price, source)
SELECT m.id, u.unit, 0, 'drawn on this machine'
  FROM bambi.models m JOIN bambi.api_providers p ON p.id = m.provider_id
       CROSS JOIN (VALUES ('image'), ('input image')) u (unit)
 WHERE p.slug = 'sandbox'
    ON CONFLICT DO NOTHING;
