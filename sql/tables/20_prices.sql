-- What a generation costs: list prices of the providers, with the time in
-- which each holds.

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
    CONSTRAINT one_price_at_a_time UNIQUE NULLS NOT DISTINCT
        (model_id, unit, size, quality, currency, valid_from),
    CONSTRAINT price_is_not_negative CHECK (price >= 0),
    CONSTRAINT price_holds_for_a_while CHECK (valid_from < valid_to),
    CONSTRAINT currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$')
);
COMMENT ON TABLE bambi.model_prices IS
    'List prices. A new price is a new row: the old one''s valid_to ends '
    'where its valid_from begins. What is not listed is unknown, not free.';
COMMENT ON COLUMN bambi.model_prices.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi.model_prices.model_id IS
    'The model.';
COMMENT ON COLUMN bambi.model_prices.unit IS
    'What the price is for: image; partial image (stream); or 1M of text '
    'input, cached text input, image input, cached image input, image output '
    'or text output tokens.';
COMMENT ON COLUMN bambi.model_prices.size IS
    'For pictures of this size; NULL: of any.';
COMMENT ON COLUMN bambi.model_prices.quality IS
    'For pictures of this quality; NULL: of any.';
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

-- Seeds.
INSERT INTO bambi.model_prices (model_id, unit, price, source)
SELECT m.id, 'image', 0, 'drawn on this machine'
  FROM bambi.models m JOIN bambi.api_providers p ON p.id = m.provider_id
 WHERE p.slug = 'sandbox'
    ON CONFLICT DO NOTHING;

-- Dollars for a million tokens.
INSERT INTO bambi.model_prices (model_id, unit, price, source)
SELECT m.id, t.unit, t.price,
       'developers.openai.com model and pricing pages, 2026-11'
  FROM (VALUES
-- model, text in, the same cached, pictures in, the same cached, pictures out
    ('gpt-image-2.6-sunburst', 5, 1.25, 8, 2, 30),
    ('gpt-image-2.6-flare', 5, 1.25, 8, 2, 30),
    ('gpt-image-2.5-sunburst', 5, 1.25, 8, 2, 30),
    ('gpt-image-2.5-flare', 5, 1.25, 8, 2, 30),
    ('gpt-image-2', 5, 1.25, 8, 2, 30),
    ('gpt-image-1.5', 5, 1.25, 8, 2, 32),
    ('gpt-image-1-mini', 2, 0.2, 2.5, 0.25, 8),
    ('gpt-image-1', 5, 1.25, 10, 2.5, 40)
       ) l (model, text_in, text_cached, image_in, image_cached, image_out)
       CROSS JOIN LATERAL (VALUES
    ('1M text input tokens', l.text_in),
    ('1M cached text input tokens', l.text_cached),
    ('1M image input tokens', l.image_in),
    ('1M cached image input tokens', l.image_cached),
    ('1M image output tokens', l.image_out)
       ) t (unit, price)
       JOIN bambi.models m ON m.model_id = l.model
       JOIN bambi.api_providers p ON p.id = m.provider_id
 WHERE p.slug = 'openai'
    ON CONFLICT DO NOTHING;

-- Dollars for one picture, the tokens of the prompt not included.
INSERT INTO bambi.model_prices
       (model_id, unit, size, quality, price, source)
SELECT m.id, 'image', l.size, q.quality, q.price, s.source
  FROM (VALUES
-- model, size, source, and by quality: low, medium, high, xhigh, max
    ('gpt-image-2', '1024x1024', 'guide',
     0.006, 0.053, 0.211, NULL::numeric, NULL::numeric),
    ('gpt-image-2', '1024x1536', 'guide',
     0.005, 0.041, 0.165, NULL, NULL),
    ('gpt-image-2', '1536x1024', 'guide',
     0.005, 0.041, 0.165, NULL, NULL),
    ('gpt-image-1.5', '1024x1024', 'guide',
     0.009, 0.034, 0.133, NULL, NULL),
    ('gpt-image-1.5', '1024x1536', 'guide',
     0.013, 0.05, 0.2, NULL, NULL),
    ('gpt-image-1.5', '1536x1024', 'guide',
     0.013, 0.05, 0.2, NULL, NULL),
    ('gpt-image-1-mini', '1024x1024', 'guide',
     0.005, 0.011, 0.036, NULL, NULL),
    ('gpt-image-1-mini', '1024x1536', 'guide',
     0.006, 0.015, 0.052, NULL, NULL),
    ('gpt-image-1-mini', '1536x1024', 'guide',
     0.006, 0.015, 0.052, NULL, NULL),
    ('gpt-image-1', '1024x1024', 'guide',
     0.011, 0.042, 0.167, NULL, NULL),
    ('gpt-image-1', '1024x1536', 'guide',
     0.016, 0.063, 0.25, NULL, NULL),
    ('gpt-image-1', '1536x1024', 'guide',
     0.016, 0.063, 0.25, NULL, NULL),
    ('gpt-image-2.5-sunburst', '1024x1024', 'measured',
     0.00588, 0.01317, 0.05268, 0.09366, 0.21072),
    ('gpt-image-2.5-sunburst', '1536x1024', 'computed',
     0.00474, 0.01029, 0.04116, 0.07377, 0.16464),
    ('gpt-image-2.5-sunburst', '1024x1536', 'computed',
     0.00474, 0.01029, 0.04116, 0.07377, 0.16464),
    ('gpt-image-2.5-flare', '1024x1024', 'measured',
     0.00588, 0.01317, 0.05268, 0.09366, 0.21072),
    ('gpt-image-2.5-flare', '1536x1024', 'computed',
     0.00474, 0.01029, 0.04116, 0.07377, 0.16464),
    ('gpt-image-2.5-flare', '1024x1536', 'computed',
     0.00474, 0.01029, 0.04116, 0.07377, 0.16464),
    ('gpt-image-2', '2048x2048', 'computed',
     0.01191, 0.10704, 0.42816, NULL, NULL),
    ('gpt-image-2', '3840x2160', 'computed',
     0.01113, 0.10008, 0.40026, NULL, NULL)
       ) l (model, size, source, low, medium, high, xhigh, max)
       JOIN (VALUES
    ('guide', 'developers.openai.com image-generation guide, 2026-11'),
    ('measured', 'output tokens as measured by others in 2026-10, at the '
                 'price of a token'),
    ('computed', 'output tokens by the formula that fits every published '
                 'figure, at the price of a token')
       ) s (name, source) ON s.name = l.source
       CROSS JOIN LATERAL (VALUES
    ('low', l.low), ('medium', l.medium), ('high', l.high),
    ('xhigh', l.xhigh), ('max', l.max)
       ) q (quality, price)
       JOIN bambi.models m ON m.model_id = l.model
       JOIN bambi.api_providers p ON p.id = m.provider_id
 WHERE p.slug = 'openai' AND q.price IS NOT NULL
    ON CONFLICT DO NOTHING;

-- A preview while the picture is made: 100 tokens.
INSERT INTO bambi.model_prices (model_id, unit, price, source)
SELECT m.id, 'partial image (stream)', 0.003,
       'developers.openai.com image-generation guide, 2026-11'
  FROM bambi.models m JOIN bambi.api_providers p ON p.id = m.provider_id
 WHERE p.slug = 'openai'
   AND m.model_id IN ('gpt-image-2', 'gpt-image-2.5-sunburst',
                      'gpt-image-2.5-flare', 'gpt-image-2.6-sunburst',
                      'gpt-image-2.6-flare')
    ON CONFLICT DO NOTHING;

-- What has ended, for the ledgers of that time.
INSERT INTO bambi.model_prices
       (model_id, unit, size, quality, price, source)
SELECT m.id, 'image', l.size, l.quality, l.price,
       'OpenAI''s pricing page before 2026-05-12'
  FROM (VALUES
    ('dall-e-2', '256x256', NULL, 0.016),
    ('dall-e-2', '512x512', NULL, 0.018),
    ('dall-e-2', '1024x1024', NULL, 0.02),
    ('dall-e-3', '1024x1024', 'standard', 0.04),
    ('dall-e-3', '1792x1024', 'standard', 0.08),
    ('dall-e-3', '1024x1792', 'standard', 0.08),
    ('dall-e-3', '1024x1024', 'hd', 0.08),
    ('dall-e-3', '1792x1024', 'hd', 0.12),
    ('dall-e-3', '1024x1792', 'hd', 0.12)
       ) l (model, size, quality, price)
       JOIN bambi.models m ON m.model_id = l.model
       JOIN bambi.api_providers p ON p.id = m.provider_id
 WHERE p.slug = 'openai'
    ON CONFLICT DO NOTHING;
