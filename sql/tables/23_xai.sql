-- The models of xAI, what each takes and what it costs.

-- Seeds.  A size that is not asked for is chosen by the provider, so a price
-- may be that of either.
WITH families (family, capabilities) AS (VALUES
    ('2.0', jsonb '{
        "prompt": {"max_length": 32000},
        "parameters": {
            "n": {"type": "integer", "minimum": 1, "maximum": 10,
                  "default": 1},
            "aspect_ratio": {"type": "string", "default": "auto",
                             "values": ["auto", "1:1", "3:4", "4:3", "9:16",
                                        "16:9", "2:3", "3:2", "9:19.5",
                                        "19.5:9", "9:20", "20:9", "1:2",
                                        "2:1", "21:9", "5:2"]},
            "resolution": {"type": "string", "values": ["1k", "2k"]},
            "quality": {"type": "string", "default": "auto",
                        "values": ["auto", "low", "medium"]},
            "response_format": {"type": "string", "default": "b64_json",
                                "values": ["b64_json", "url"]},
            "user": {"type": "string", "max_length": 128},
            "storage_options": {"type": "json", "max_length": 2000},
            "deferred": {"type": "boolean", "default": false}
        },
        "price_by": {"size": "resolution", "quality": "quality"},
        "inputs": {"max": 5, "formats": ["png", "jpeg", "webp"],
                   "max_bytes": 20971520, "bills": ["input image"]}
        }'),
    ('1.0', '{
        "prompt": {"max_length": 32000},
        "parameters": {
            "n": {"type": "integer", "minimum": 1, "maximum": 10,
                  "default": 1},
            "aspect_ratio": {"type": "string", "default": "auto",
                             "values": ["auto", "1:1", "3:4", "4:3", "9:16",
                                        "16:9", "2:3", "3:2", "9:19.5",
                                        "19.5:9", "9:20", "20:9", "1:2",
                                        "2:1", "21:9", "5:2"]},
            "resolution": {"type": "string", "values": ["1k", "2k"]},
            "response_format": {"type": "string", "default": "b64_json",
                                "values": ["b64_json", "url"]},
            "user": {"type": "string", "max_length": 128},
            "storage_options": {"type": "json", "max_length": 2000},
            "deferred": {"type": "boolean", "default": false}
        },
        "price_by": {"size": "resolution"},
        "inputs": {"max": 5, "formats": ["png", "jpeg", "webp"],
                   "max_bytes": 20971520, "bills": ["input image"]}
        }'),
    ('grok-2', '{
        "prompt": {"max_length": 1024},
        "parameters": {
            "n": {"type": "integer", "minimum": 1, "maximum": 10,
                  "default": 1},
            "response_format": {"type": "string", "default": "b64_json",
                                "values": ["b64_json", "url"]},
            "user": {"type": "string", "max_length": 128}
        }}')),
known (number, family, model_id, name, description, retired_at,
       successor) AS (VALUES
    (301, '2.0', 'grok-imagine-image-2.0', 'Grok Imagine 2.0',
     'Newest of xAI.', NULL::timestamptz, NULL::integer),
    (302, '1.0', 'grok-imagine-image', 'Grok Imagine', 'The cheap one.',
     NULL, NULL),
    (303, '1.0', 'grok-imagine-image-quality', 'Grok Imagine Quality',
     'Ended on 2026-11-02; the name is answered by 2.0 at low quality.',
     '2026-11-02 00:00Z', 301),
    (304, '1.0', 'grok-imagine-image-pro', 'Grok Imagine Pro',
     'Ended on 2026-11-02; the name is answered by 2.0 at low quality.',
     '2026-11-02 00:00Z', 301),
    (305, 'grok-2', 'grok-2-image', 'Grok 2 Image', 'Ended in March 2026.',
     '2026-03-31 00:00Z', 301))
INSERT INTO bambi.models
       (id, provider_id, model_id, name, description, capabilities,
        deprecated_at, retired_at, successor_id)
SELECT ('00000000-0000-7000-8000-' || lpad(k.number::text, 12, '0'))::uuid,
       p.id, k.model_id, k.name, k.description, f.capabilities,
       k.retired_at, k.retired_at,
       ('00000000-0000-7000-8000-' || lpad(k.successor::text, 12, '0'))::uuid
  FROM known k
       JOIN families f ON f.family = k.family
       JOIN bambi.api_providers p ON p.slug = 'xai'
    ON CONFLICT DO NOTHING;

-- Dollars for one picture.  Pictures that are edited are billed too; how much
-- was not found, so it is not known before the answer, which says it.
INSERT INTO bambi.model_prices
       (model_id, unit, size, quality, price, source)
SELECT m.id, 'image', l.size, l.quality, l.price, s.source
  FROM (VALUES
    ('grok-imagine-image-2.0', '1k', 'low', 0.04, 'catalogue'),
    ('grok-imagine-image-2.0', '2k', 'low', 0.06, 'catalogue'),
    ('grok-imagine-image-2.0', '1k', 'medium', 0.06, 'catalogue'),
    ('grok-imagine-image-2.0', '2k', 'medium', 0.08, 'catalogue'),
    ('grok-imagine-image', '1k', NULL, 0.02, 'page'),
    ('grok-imagine-image', '2k', NULL, 0.02, 'page'),
    ('grok-imagine-image-quality', NULL, NULL, 0.05, 'page'),
    ('grok-2-image', NULL, NULL, 0.07, 'old page')
       ) l (model, size, quality, price, source)
       JOIN (VALUES
    ('catalogue', 'xAI''s catalogue of models as read by others, 2026-09; '
                  'the public page has 0.04 for all'),
    ('page', 'docs.x.ai models and pricing page, 2026-09'),
    ('old page', 'docs.x.ai, 2026-03')
       ) s (name, source) ON s.name = l.source
       JOIN bambi.models m ON m.model_id = l.model
       JOIN bambi.api_providers p ON p.id = m.provider_id
 WHERE p.slug = 'xai'
    ON CONFLICT DO NOTHING;
