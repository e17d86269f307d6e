-- The models of OpenAI, what each takes and what it costs.

-- Seeds.  Left out of what the provider documents: svg, which is a program
-- to whoever shows it, and costs the tokens of another model besides; and
-- markup, a second picture of the user's beside the one to edit.
--
-- The number of frames is one of two that are documented, the larger; how
-- long one is shown has the bounds of the format.  What frames cost nobody
-- says.
--
-- q is the factor of the formula for tokens (price.c).  Those of 2 and 2.5
-- give every published or measured figure.  2.6 takes as many tokens as 2.5
-- from high on, and by what a reseller says three or four times as many
-- below: four, since an estimate is rather too much.
WITH families (family, capabilities) AS (VALUES
    ('gpt-image-2.6', jsonb '{
        "prompt": {"max_length": 32000},
        "parameters": {
            "n": {"type": "integer", "minimum": 1, "maximum": 10,
                  "default": 1},
            "size": {"type": "size", "default": "auto",
                     "values": ["auto", "1024x1024", "1536x1024",
                                "1024x1536"],
                     "free": {"multiple_of": 16, "max_side": 3840,
                              "max_ratio": 3, "min_area": 655360,
                              "max_area": 8294400}},
            "quality": {"type": "string", "default": "auto",
                        "values": ["auto", "low", "medium", "high", "xhigh",
                                   "max"]},
            "complexity": {"type": "string",
                           "values": ["low", "medium", "high"]},
            "background": {"type": "string", "default": "auto",
                           "values": ["auto", "opaque", "transparent"],
                           "value_requires": {"transparent":
                               {"output_format": ["png", "webp"]}}},
            "output_format": {"type": "string", "default": "png",
                              "values": ["png", "jpeg", "webp", "gif"]},
            "output_compression": {"type": "integer", "minimum": 0,
                                   "maximum": 100, "default": 100,
                                   "requires": {"output_format":
                                                ["jpeg", "webp"]}},
            "frame_count": {"type": "integer", "minimum": 2, "maximum": 64,
                            "unpriced": true,
                            "requires": {"output_format": ["gif"]}},
            "frame_duration_ms": {"type": "integer", "minimum": 10,
                                  "maximum": 655350,
                                  "requires": {"output_format": ["gif"]}},
            "moderation": {"type": "string", "default": "auto",
                           "values": ["auto", "low"]},
            "stream": {"type": "boolean", "default": false},
            "partial_images": {"type": "integer", "minimum": 0,
                               "maximum": 3, "requires": {"stream": [true]}},
            "safety_identifier": {"type": "string", "max_length": 128},
            "user": {"type": "string", "max_length": 128}
        },
        "inputs": {"max": 16, "formats": ["png", "jpeg", "webp"],
                   "max_bytes": 52428799, "mask": true,
                   "mask_max_bytes": 4194303,
                   "bills": ["1M image input tokens"]},
        "bills": ["1M text input tokens", "1M image output tokens"],
        "tokens": {"q": {"low": 32, "medium": 48, "high": 48, "xhigh": 64,
                         "max": 96}}
        }'),
    ('gpt-image-2.5', '{
        "prompt": {"max_length": 32000},
        "parameters": {
            "n": {"type": "integer", "minimum": 1, "maximum": 10,
                  "default": 1},
            "size": {"type": "size", "default": "auto",
                     "values": ["auto", "1024x1024", "1536x1024",
                                "1024x1536"],
                     "free": {"multiple_of": 16, "max_side": 3840,
                              "max_ratio": 3, "min_area": 655360,
                              "max_area": 8294400}},
            "quality": {"type": "string", "default": "auto",
                        "values": ["auto", "low", "medium", "high", "xhigh",
                                   "max"]},
            "background": {"type": "string", "default": "auto",
                           "values": ["auto", "opaque", "transparent"],
                           "value_requires": {"transparent":
                               {"output_format": ["png", "webp"]}}},
            "output_format": {"type": "string", "default": "png",
                              "values": ["png", "jpeg", "webp"]},
            "output_compression": {"type": "integer", "minimum": 0,
                                   "maximum": 100, "default": 100,
                                   "requires": {"output_format":
                                                ["jpeg", "webp"]}},
            "moderation": {"type": "string", "default": "auto",
                           "values": ["auto", "low"]},
            "stream": {"type": "boolean", "default": false},
            "partial_images": {"type": "integer", "minimum": 0,
                               "maximum": 3, "requires": {"stream": [true]}},
            "safety_identifier": {"type": "string", "max_length": 128},
            "user": {"type": "string", "max_length": 128}
        },
        "inputs": {"max": 16, "formats": ["png", "jpeg", "webp"],
                   "max_bytes": 52428799, "mask": true,
                   "mask_max_bytes": 4194303,
                   "bills": ["1M image input tokens"]},
        "bills": ["1M text input tokens", "1M image output tokens"],
        "tokens": {"q": {"low": 16, "medium": 24, "high": 48, "xhigh": 64,
                         "max": 96}}
        }'),
    ('gpt-image-2', '{
        "prompt": {"max_length": 32000},
        "parameters": {
            "n": {"type": "integer", "minimum": 1, "maximum": 10,
                  "default": 1},
            "size": {"type": "size", "default": "auto",
                     "values": ["auto", "1024x1024", "1536x1024",
                                "1024x1536"],
                     "free": {"multiple_of": 16, "max_side": 3840,
                              "max_ratio": 3, "min_area": 655360,
                              "max_area": 8294400}},
            "quality": {"type": "string", "default": "auto",
                        "values": ["auto", "low", "medium", "high"]},
            "background": {"type": "string", "default": "auto",
                           "values": ["auto", "opaque", "transparent"],
                           "value_requires": {"transparent":
                               {"output_format": ["png", "webp"]}}},
            "output_format": {"type": "string", "default": "png",
                              "values": ["png", "jpeg", "webp"]},
            "output_compression": {"type": "integer", "minimum": 0,
                                   "maximum": 100, "default": 100,
                                   "requires": {"output_format":
                                                ["jpeg", "webp"]}},
            "moderation": {"type": "string", "default": "auto",
                           "values": ["auto", "low"]},
            "stream": {"type": "boolean", "default": false},
            "partial_images": {"type": "integer", "minimum": 0,
                               "maximum": 3, "requires": {"stream": [true]}},
            "safety_identifier": {"type": "string", "max_length": 128},
            "user": {"type": "string", "max_length": 128}
        },
        "inputs": {"max": 16, "formats": ["png", "jpeg", "webp"],
                   "max_bytes": 52428799, "mask": true,
                   "mask_max_bytes": 4194303,
                   "bills": ["1M image input tokens"]},
        "bills": ["1M text input tokens", "1M image output tokens"],
        "tokens": {"q": {"low": 16, "medium": 48, "high": 96}}
        }'),
    ('gpt-image-1', '{
        "prompt": {"max_length": 32000},
        "parameters": {
            "n": {"type": "integer", "minimum": 1, "maximum": 10,
                  "default": 1},
            "size": {"type": "size", "default": "auto",
                     "values": ["auto", "1024x1024", "1536x1024",
                                "1024x1536"]},
            "quality": {"type": "string", "default": "auto",
                        "values": ["auto", "low", "medium", "high"]},
            "background": {"type": "string", "default": "auto",
                           "values": ["auto", "opaque", "transparent"],
                           "value_requires": {"transparent":
                               {"output_format": ["png", "webp"]}}},
            "output_format": {"type": "string", "default": "png",
                              "values": ["png", "jpeg", "webp"]},
            "output_compression": {"type": "integer", "minimum": 0,
                                   "maximum": 100, "default": 100,
                                   "requires": {"output_format":
                                                ["jpeg", "webp"]}},
            "moderation": {"type": "string", "default": "auto",
                           "values": ["auto", "low"]},
            "stream": {"type": "boolean", "default": false},
            "partial_images": {"type": "integer", "minimum": 0,
                               "maximum": 3, "requires": {"stream": [true]}},
            "safety_identifier": {"type": "string", "max_length": 128},
            "user": {"type": "string", "max_length": 128}
        },
        "inputs": {"max": 16, "formats": ["png", "jpeg", "webp"],
                   "max_bytes": 52428799, "mask": true,
                   "mask_max_bytes": 4194303,
                   "bills": ["1M image input tokens"]},
        "bills": ["1M text input tokens", "1M image output tokens"]
        }'),
    ('dall-e-3', '{
        "prompt": {"max_length": 4000},
        "parameters": {
            "n": {"type": "integer", "minimum": 1, "maximum": 1,
                  "default": 1},
            "size": {"type": "size", "default": "1024x1024",
                     "values": ["1024x1024", "1792x1024", "1024x1792"]},
            "quality": {"type": "string", "default": "standard",
                        "values": ["standard", "hd"]},
            "style": {"type": "string", "default": "vivid",
                      "values": ["vivid", "natural"]},
            "response_format": {"type": "string", "default": "b64_json",
                                "values": ["b64_json", "url"]},
            "safety_identifier": {"type": "string", "max_length": 128},
            "user": {"type": "string", "max_length": 128}
        }}'),
    ('dall-e-2', '{
        "prompt": {"max_length": 1000},
        "parameters": {
            "n": {"type": "integer", "minimum": 1, "maximum": 10,
                  "default": 1},
            "size": {"type": "size", "default": "1024x1024",
                     "values": ["256x256", "512x512", "1024x1024"]},
            "response_format": {"type": "string", "default": "b64_json",
                                "values": ["b64_json", "url"]},
            "safety_identifier": {"type": "string", "max_length": 128},
            "user": {"type": "string", "max_length": 128}
        },
        "inputs": {"max": 1, "formats": ["png"], "max_bytes": 4194303,
                   "square": true, "mask": true, "mask_max_bytes": 4194303}
        }')),
known (number, family, model_id, name, description, deprecated_at, retired_at,
       successor) AS (VALUES
    (101, 'gpt-image-2.6', 'gpt-image-2.6-sunburst',
     'GPT Image 2.6 Sunburst', 'Newest and best of OpenAI.',
     NULL::timestamptz, NULL::timestamptz, NULL::integer),
    (102, 'gpt-image-2.6', 'gpt-image-2.6-flare',
     'GPT Image 2.6 Flare', 'Newest of OpenAI, the quick one.',
     NULL, NULL, NULL),
    (103, 'gpt-image-2.5', 'gpt-image-2.5-sunburst',
     'GPT Image 2.5 Sunburst', NULL, NULL, NULL, NULL),
    (104, 'gpt-image-2.5', 'gpt-image-2.5-flare',
     'GPT Image 2.5 Flare', NULL, NULL, NULL, NULL),
    (105, 'gpt-image-2', 'gpt-image-2',
     'GPT Image 2', NULL, NULL, NULL, NULL),
    (106, 'gpt-image-1', 'gpt-image-1.5',
     'GPT Image 1.5', 'Ends on 2026-12-01.',
     '2026-11-23 00:00Z', '2026-12-01 00:00Z', 101),
    (107, 'gpt-image-1', 'gpt-image-1-mini',
     'GPT Image 1 Mini', 'Ends on 2026-12-01.',
     '2026-11-23 00:00Z', '2026-12-01 00:00Z', 102),
    (108, 'gpt-image-1', 'chatgpt-image-latest',
     'ChatGPT Image', 'Ends on 2026-12-01; its price is not known.',
     '2026-11-23 00:00Z', '2026-12-01 00:00Z', 101),
    (109, 'gpt-image-1', 'gpt-image-1',
     'GPT Image 1', 'Ended on 2026-10-23.',
     '2026-10-23 00:00Z', '2026-10-23 00:00Z', 101),
    (110, 'dall-e-3', 'dall-e-3',
     'DALL-E 3', 'Ended on 2026-05-12.',
     '2026-05-12 00:00Z', '2026-05-12 00:00Z', 101),
    (111, 'dall-e-2', 'dall-e-2',
     'DALL-E 2', 'Ended on 2026-05-12.',
     '2026-05-12 00:00Z', '2026-05-12 00:00Z', 101))
INSERT INTO bambi.models
       (id, provider_id, model_id, name, description, capabilities,
        deprecated_at, retired_at, successor_id)
SELECT ('00000000-0000-7000-8000-' || lpad(k.number::text, 12, '0'))::uuid,
       p.id, k.model_id, k.name, k.description, f.capabilities,
       k.deprecated_at, k.retired_at,
       ('00000000-0000-7000-8000-' || lpad(k.successor::text, 12, '0'))::uuid
  FROM known k
       JOIN families f ON f.family = k.family
       JOIN bambi.api_providers p ON p.slug = 'openai'
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
