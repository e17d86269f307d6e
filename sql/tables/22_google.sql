-- The models of Google, by the Gemini API and by Vertex AI, what each takes
-- and what it costs.

-- Seeds.  Left out of what the providers document: temperature, topP and
-- topK, which they have deprecated.  Inline pictures count against the 20 MB
-- of a request, of which base64 takes a quarter.
WITH families (family, most_inputs, parameters) AS (VALUES
    ('wide', 14, jsonb '{
        "aspect_ratio": {"type": "string",
                         "values": ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5",
                                    "5:4", "9:16", "16:9", "21:9", "1:4",
                                    "4:1", "1:8", "8:1"]},
        "image_size": {"type": "string", "default": "1K",
                       "values": ["512", "1K", "2K", "4K"]}}'),
    ('pro', 11, '{
        "aspect_ratio": {"type": "string",
                         "values": ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5",
                                    "5:4", "9:16", "16:9", "21:9"]},
        "image_size": {"type": "string", "default": "1K",
                       "values": ["1K", "2K", "4K"]}}'),
    ('lite', 14, '{
        "aspect_ratio": {"type": "string",
                         "values": ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5",
                                    "5:4", "9:16", "16:9", "21:9"]},
        "image_size": {"type": "string", "default": "1K",
                       "values": ["1K"]}}'),
    ('2.5', 3, '{
        "aspect_ratio": {"type": "string",
                         "values": ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5",
                                    "5:4", "9:16", "16:9", "21:9"]}}')),
common (slug, parameters) AS (VALUES
    ('google', jsonb '{
        "n": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
        "seed": {"type": "integer", "minimum": 0, "maximum": 2147483647},
        "thinking_level": {"type": "string",
                           "values": ["MINIMAL", "LOW", "MEDIUM", "HIGH"]},
        "safety_settings": {"type": "json", "max_length": 4000},
        "system_instruction": {"type": "string", "max_length": 8000},
        "response_modalities": {"type": "json", "max_length": 100}}'),
    ('vertex', '{
        "n": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
        "seed": {"type": "integer", "minimum": 0, "maximum": 2147483647},
        "thinking_level": {"type": "string",
                           "values": ["MINIMAL", "LOW", "MEDIUM", "HIGH"]},
        "safety_settings": {"type": "json", "max_length": 4000},
        "system_instruction": {"type": "string", "max_length": 8000},
        "response_modalities": {"type": "json", "max_length": 100},
        "person_generation": {"type": "string",
                              "values": ["ALLOW_ALL", "ALLOW_ADULT",
                                         "ALLOW_NONE"]},
        "output_format": {"type": "string", "values": ["png", "jpeg"]},
        "output_compression": {"type": "integer", "minimum": 0,
                               "maximum": 100,
                               "requires": {"output_format": ["jpeg"]}},
        "labels": {"type": "json", "max_length": 4000}}')),
known (number, slug, family, model_id, name, description, retired_at,
       successor) AS (VALUES
    (201, 'google', 'wide', 'gemini-nano-banana-2.1', 'Nano Banana 2.1',
     'Newest of Google.', NULL::timestamptz, NULL::integer),
    (202, 'google', 'pro', 'gemini-3-pro-image', 'Gemini 3 Pro Image',
     NULL, NULL, NULL),
    (203, 'google', 'lite', 'gemini-3.1-flash-lite-image',
     'Gemini 3.1 Flash Lite Image', 'The cheap one, up to 1K.', NULL, NULL),
    (204, 'google', 'wide', 'gemini-3.1-flash-image',
     'Gemini 3.1 Flash Image',
     'Ended on 2026-10-29 at the Gemini API; Vertex AI still has it.',
     '2026-10-29 00:00Z', 201),
    (205, 'google', '2.5', 'gemini-2.5-flash-image', 'Gemini 2.5 Flash Image',
     'Ended on 2026-10-02.', '2026-10-02 00:00Z', 201),
    (501, 'vertex', 'wide', 'gemini-nano-banana-2.1', 'Nano Banana 2.1',
     'Newest of Google.', NULL, NULL),
    (502, 'vertex', 'pro', 'gemini-3-pro-image', 'Gemini 3 Pro Image',
     NULL, NULL, NULL),
    (503, 'vertex', 'lite', 'gemini-3.1-flash-lite-image',
     'Gemini 3.1 Flash Lite Image', 'The cheap one, up to 1K.', NULL, NULL),
    (504, 'vertex', 'wide', 'gemini-3.1-flash-image',
     'Gemini 3.1 Flash Image', 'Ends on 2027-05-28 at the earliest.',
     NULL, NULL))
INSERT INTO bambi.models
       (id, provider_id, model_id, name, description, capabilities,
        deprecated_at, retired_at, successor_id)
SELECT ('00000000-0000-7000-8000-' || lpad(k.number::text, 12, '0'))::uuid,
       p.id, k.model_id, k.name, k.description,
       jsonb_build_object(
           'prompt', jsonb '{"max_length": 32000}',
           'parameters', f.parameters
               || CASE k.family WHEN '2.5' THEN c.parameters - 'thinking_level'
                                ELSE c.parameters END,
           'price_by', jsonb '{"size": "image_size"}',
           'pictures_per_call', 1,
           'inputs', jsonb_build_object(
               'max', f.most_inputs,
               'formats', jsonb '["png", "jpeg", "webp"]',
               'max_total_bytes', 14900000,
               'bills', jsonb '["1M image input tokens"]'),
           'bills', jsonb '["1M text input tokens", "1M text output tokens"]'),
       k.retired_at, k.retired_at,
       ('00000000-0000-7000-8000-' || lpad(k.successor::text, 12, '0'))::uuid
  FROM known k
       JOIN families f ON f.family = k.family
       JOIN common c ON c.slug = k.slug
       JOIN bambi.api_providers p ON p.slug = k.slug
    ON CONFLICT DO NOTHING;

-- Imagen has ended, on different days by model and page: all are gone by the
-- last of these.  Servers that speak its protocol remain.
INSERT INTO bambi.models
       (id, provider_id, model_id, name, description, capabilities,
        deprecated_at, retired_at, successor_id)
SELECT ('00000000-0000-7000-8000-' || lpad(k.number::text, 12, '0'))::uuid,
       p.id, k.model_id, k.name, 'Ended by 2026-08-17.', '{
        "prompt": {"max_length": 32000},
        "parameters": {
            "n": {"type": "integer", "minimum": 1, "maximum": 4,
                  "default": 1},
            "aspect_ratio": {"type": "string", "default": "1:1",
                             "values": ["1:1", "3:4", "4:3", "9:16",
                                        "16:9"]},
            "image_size": {"type": "string", "default": "1K",
                           "values": ["1K", "2K"]},
            "negative_prompt": {"type": "string", "max_length": 4000},
            "seed": {"type": "integer", "minimum": 0, "maximum": 2147483647,
                     "requires": {"add_watermark": [false]}},
            "guidance_scale": {"type": "number", "minimum": 0,
                               "maximum": 500},
            "person_generation": {"type": "string",
                                  "values": ["dont_allow", "allow_adult",
                                             "allow_all"]},
            "safety_setting": {"type": "string",
                               "values": ["block_low_and_above",
                                          "block_medium_and_above",
                                          "block_only_high", "block_none"]},
            "language": {"type": "string", "max_length": 16},
            "enhance_prompt": {"type": "boolean"},
            "add_watermark": {"type": "boolean", "default": true},
            "output_format": {"type": "string", "values": ["png", "jpeg"]},
            "output_compression": {"type": "integer", "minimum": 0,
                                   "maximum": 100,
                                   "requires": {"output_format": ["jpeg"]}}
        },
        "price_by": {"size": "image_size"}
        }',
       '2026-08-17 00:00Z', '2026-08-17 00:00Z',
       '00000000-0000-7000-8000-000000000501'
  FROM (VALUES
    (511, 'imagen-4.0-generate-001', 'Imagen 4'),
    (512, 'imagen-4.0-fast-generate-001', 'Imagen 4 Fast'),
    (513, 'imagen-4.0-ultra-generate-001', 'Imagen 4 Ultra'),
    (514, 'imagen-3.0-generate-002', 'Imagen 3')) k (number, model_id, name)
       JOIN bambi.api_providers p ON p.slug = 'vertex'
    ON CONFLICT DO NOTHING;

-- Dollars.  Those of the Gemini API; what Vertex AI takes for the same models
-- was not found, and is therefore not known.
INSERT INTO bambi.model_prices (model_id, unit, size, price, source)
SELECT m.id, l.unit, l.size, l.price, s.source
  FROM (VALUES
    ('google', 'gemini-nano-banana-2.1', '1M text input tokens', NULL, 1.5,
     'discussion'),
    ('google', 'gemini-nano-banana-2.1', '1M text output tokens', NULL, 7.5,
     'discussion'),
    ('google', 'gemini-nano-banana-2.1', '1M image output tokens', NULL, 30,
     'discussion'),
    ('google', 'gemini-nano-banana-2.1', 'image', '1K', 0.0336,
     'discussion'),
    ('google', 'gemini-nano-banana-2.1', 'image', '2K', 0.0504, 'tokens'),
    ('google', 'gemini-nano-banana-2.1', 'image', '4K', 0.0756, 'disputed'),
    ('google', 'gemini-3.1-flash-image', 'image', '512', 0.045, 'page'),
    ('google', 'gemini-3.1-flash-image', 'image', '1K', 0.067, 'page'),
    ('google', 'gemini-3.1-flash-image', 'image', '2K', 0.101, 'page'),
    ('google', 'gemini-3.1-flash-image', 'image', '4K', 0.151, 'page'),
    ('google', 'gemini-3.1-flash-lite-image', 'image', '1K', 0.0336, 'page'),
    ('google', 'gemini-3-pro-image', 'image', '1K', 0.134, 'page'),
    ('google', 'gemini-3-pro-image', 'image', '2K', 0.134, 'page'),
    ('google', 'gemini-3-pro-image', 'image', '4K', 0.24, 'page'),
    ('google', 'gemini-2.5-flash-image', 'image', NULL, 0.039, 'page'),
    ('vertex', 'imagen-4.0-generate-001', 'image', NULL, 0.04, 'imagen'),
    ('vertex', 'imagen-4.0-fast-generate-001', 'image', NULL, 0.02,
     'imagen'),
    ('vertex', 'imagen-4.0-ultra-generate-001', 'image', NULL, 0.06,
     'imagen'),
    ('vertex', 'imagen-3.0-generate-002', 'image', NULL, 0.04, 'imagen')
       ) l (slug, model, unit, size, price, source)
       JOIN (VALUES
    ('page', 'ai.google.dev pricing of the Gemini API, 2026-09'),
    ('discussion', 'BerriAI/litellm discussion 44983, 2026-10'),
    ('tokens', '1680 tokens at the price of a token, 2026-10'),
    ('disputed', '2520 tokens at the price of a token, 2026-10; 0.113 is '
                 'reported too'),
    ('imagen', 'Google''s list for Imagen before its end, 2026-08')
       ) s (name, source) ON s.name = l.source
       JOIN bambi.api_providers p ON p.slug = l.slug
       JOIN bambi.models m ON m.provider_id = p.id AND m.model_id = l.model
    ON CONFLICT DO NOTHING;
