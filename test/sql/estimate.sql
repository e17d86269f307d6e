-- bambi_estimate: what the price list makes of a request.
SET search_path = public;
SET client_min_messages = error;
\pset format unaligned
\set SHOW_CONTEXT never
\set ada '00000000-0000-7000-8000-00000000ada3'
BEGIN;
INSERT INTO bambi.users (id) VALUES (:'ada');
INSERT INTO bambi.api_providers (name, slug, adapter, needs_key)
VALUES ('Priced', 'priced', 'sandbox', false);
INSERT INTO bambi.models (provider_id, name, model_id, capabilities)
SELECT p.id, 'Priced', l.model_id, l.capabilities
  FROM bambi.api_providers p, (VALUES
    ('named', jsonb '{"parameters": {
        "n": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
        "image_size": {"type": "string", "values": ["1K", "2K", "4K"],
                       "default": "1K"},
        "effort": {"type": "string", "values": ["auto", "little", "much"]},
        "frames": {"type": "integer", "minimum": 1, "maximum": 9,
                   "unpriced": true}},
        "price_by": {"size": "image_size", "quality": "effort"},
        "inputs": {"max": 3}, "pictures_per_call": 4}'),
    ('anything', '{"parameters": {
        "size": {"type": "size", "values": ["auto"],
                 "free": {"multiple_of": 1}}}}'),
    ('nothing', '{"parameters": {}}')) l (model_id, capabilities)
 WHERE p.slug = 'priced';
INSERT INTO bambi.model_prices
       (model_id, unit, size, quality, price, currency, valid_from, valid_to)
SELECT m.id, l.unit, l.size, l.quality, l.price, l.currency,
       l.since::timestamptz, l.upto::timestamptz
  FROM bambi.models m JOIN (VALUES
    ('named', 'image', '1K', 'little', 0.01, 'USD', '-infinity', 'infinity'),
    ('named', 'image', '1K', 'much', 0.02, 'USD', '2020-01-01', '2199-01-01'),
    ('named', 'image', '2K', NULL, 0.04, 'USD', '-infinity', 'infinity'),
    ('named', 'image', '1K', 'little', 9, 'EUR', '-infinity', 'infinity'),
    ('named', 'image', '1K', 'much', 9, 'USD', '2019-01-01', '2020-01-01'),
    ('named', 'image', '1K', 'much', 9, 'USD', '2199-01-01', 'infinity'),
    ('named', '1M text input tokens', NULL, NULL, 1000, 'USD', '-infinity',
     'infinity'),
    ('anything', 'image', '2x1', 'fine', 5, 'USD', '-infinity', 'infinity'),
    ('anything', 'image', '1x1', NULL, 3, 'USD', '-infinity', 'infinity'),
    ('anything', '1M image output tokens', NULL, NULL, 3, 'USD', '-infinity',
     'infinity'))
       l (model_id, unit, size, quality, price, currency, since, upto)
       ON l.model_id = m.model_id;
CREATE ROLE regress_bambi_counts IN ROLE bambi_user;
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE regress_bambi_counts;

\echo *** what is listed, and what the provider may choose
SELECT v.*, e.* FROM (VALUES
    ('named', '{}'), ('named', '{"effort": "auto"}'),
    ('named', '{"effort": "little"}'), ('named', '{"effort": "much", "n": 3}'),
    ('named', '{"image_size": "2K"}'), ('named', '{"image_size": "4K"}'),
    ('named', '{"frames": 2}'),
    ('anything', '{}'), ('anything', '{"size": "1x1"}'),
    ('anything', '{"size": "3x3"}'),
    ('nothing', '{}'), ('sandbox', '{"n": 3}')) v (model, parameters),
    bambi_estimate(v.model, v.parameters::jsonb) e;
\echo *** the prompt, once for each request; pictures to edit
SELECT v.*, e.* FROM (VALUES
    (1, 1, 0), (1, 4, 0), (1, 5, 0), (4, 10, 0), (4, 1, 0), (5, 1, 0),
    (1, 1, 2)) v (characters, n, inputs),
    bambi_estimate('named', jsonb_build_object('n', v.n, 'effort', 'little'),
                   repeat('a', v.characters), v.inputs) e;
RESET ROLE;
INSERT INTO bambi.model_prices (model_id, unit, price)
SELECT id, 'input image', 0.5 FROM bambi.models WHERE model_id = 'named';
SET LOCAL ROLE regress_bambi_counts;
SELECT v.*, e.* FROM (VALUES (1, 1), (1, 3), (5, 3)) v (n, inputs),
    bambi_estimate('named', jsonb_build_object('n', v.n, 'effort', 'little'),
                   inputs => v.inputs) e;

\echo *** OpenAI: listed, and by the formula where a size is not
SELECT v.*, e.low, e.expected, e.high, e.is_complete FROM (VALUES
    ('gpt-image-2', '{}'),
    ('gpt-image-2', '{"quality": "high"}'),
    ('gpt-image-2', '{"quality": "auto", "size": "1024x1024"}'),
    ('gpt-image-2', '{"quality": "low", "size": "2048x2048", "n": 10}'),
    ('gpt-image-2', '{"quality": "low", "size": "1040x1024"}'),
    ('gpt-image-2', '{"size": "1024x3072"}'),
    ('gpt-image-2.5-flare', '{"quality": "xhigh"}'),
    ('gpt-image-2', '{"quality": "low", "size": "1024x1024", "n": 2,
      "stream": true, "partial_images": 3}'),
    ('gpt-image-2.6-flare', '{"output_format": "gif", "frame_count": 2}'),
    ('gpt-image-2.6-flare', '{}'),
    ('gpt-image-2.6-flare', '{"quality": "max", "size": "1536x1024"}'))
    v (model, parameters),
    bambi_estimate(v.model, v.parameters::jsonb) e;
\echo *** Google: by image_size, a request a picture; Vertex is not known
SELECT v.*, e.low, e.high, e.is_complete FROM (VALUES
    ('google/gemini-nano-banana-2.1', '{"n": 2}', 4000),
    ('google/gemini-nano-banana-2.1', '{"image_size": "4K"}', 0),
    ('google/gemini-nano-banana-2.1', '{"image_size": "512"}', 0),
    ('google/gemini-3-pro-image', '{}', 0),
    ('vertex/gemini-3-pro-image', '{}', 0))
    v (model, parameters, characters),
    bambi_estimate(v.model, v.parameters::jsonb,
                   nullif(repeat('a', v.characters), '')) e;
\echo *** models of Imagen, where somebody still has them
RESET ROLE;
UPDATE bambi.api_providers SET api_base_url = 'https://imagen.example'
 WHERE slug = 'vertex';
SET LOCAL ROLE regress_bambi_counts;
SELECT e.low, e.high, e.is_complete FROM (VALUES
    ('{"n": 4, "image_size": "2K", "seed": 1, "add_watermark": false,
       "guidance_scale": 7.5}'), ('{}')) v (parameters),
    bambi_estimate('imagen-4.0-ultra-generate-001', v.parameters::jsonb) e;
\echo *** xAI: by resolution and quality; what pictures to edit cost is not known
SELECT v.*, e.low, e.expected, e.high, e.is_complete FROM (VALUES
    ('grok-imagine-image-2.0', '{}', 0),
    ('grok-imagine-image-2.0', '{"resolution": "2k"}', 0),
    ('grok-imagine-image-2.0', '{"quality": "low", "n": 10}', 0),
    ('grok-imagine-image-2.0', '{"quality": "low", "resolution": "1k"}', 5),
    ('grok-imagine-image', '{"n": 3}', 0)) v (model, parameters, inputs),
    bambi_estimate(v.model, v.parameters::jsonb, inputs => v.inputs) e;
\echo *** the formula gives what is listed as computed or measured
RESET ROLE;
CREATE TEMP TABLE listed ON COMMIT DROP AS
SELECT m.model_id, r.size, r.quality, r.price
  FROM bambi.model_prices r JOIN bambi.models m ON m.id = r.model_id
 WHERE r.unit = 'image' AND r.source LIKE 'output tokens%';
GRANT SELECT ON listed TO bambi_user;
DELETE FROM bambi.model_prices r USING bambi.models m
 WHERE m.id = r.model_id AND r.unit = 'image' AND m.model_id LIKE 'gpt-%';
SET LOCAL ROLE regress_bambi_counts;
SELECT count(*), count(*) FILTER (WHERE e.high = l.price AND e.low = l.price)
       AS same
  FROM listed l,
       bambi_estimate(l.model_id, jsonb_build_object('size', l.size,
                                                     'quality', l.quality)) e;
\echo *** without a price of tokens there is no formula
RESET ROLE;
DELETE FROM bambi.model_prices WHERE unit = '1M image output tokens';
SET LOCAL ROLE regress_bambi_counts;
SELECT * FROM bambi_estimate('gpt-image-2', '{"size": "1024x1024"}');

\echo *** refused
CREATE FUNCTION pg_temp.try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''));
END
$$;
SELECT pg_temp.try('SELECT bambi_estimate(' || arguments || ')')
  FROM (VALUES ('''none'''), ('''named'', ''{"n": 0}'''),
               ('''named'', ''[]'''), ('''named'', prompt => '''''),
               ('''named'', inputs => 4'), ('''named'', inputs => -1'),
               ('''imagen-3.0-generate-002'', ''{"seed": 1}'''),
               ('''nothing'', inputs => 1'),
               ('NULL, NULL, NULL, NULL')) v (arguments);
\echo *** an estimate of nothing but the defaults, and what a generation keeps
SELECT * FROM bambi_estimate();
SELECT bambi_generate('abcd', 'named') AS id \gset
SELECT cost_estimate, high FROM bambi_generations g,
       bambi_estimate('named', prompt => 'abcd') WHERE g.id = :'id';
ROLLBACK;
