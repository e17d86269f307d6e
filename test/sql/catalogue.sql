-- What comes with bambi: providers, models with rules that can be kept, and
-- prices.
--
-- Unless a heading says otherwise a query lists what is wrong: nothing.
SET search_path = public;
SET client_min_messages = error;

-- Providers (a list):
SELECT slug, name, adapter, needs_key, is_active, api_base_url,
       home_url IS NOT DISTINCT FROM api_base_url AS is_at_home, settings,
       allowed_networks
  FROM bambi.api_providers ORDER BY slug;

-- Plans (a list):
SELECT l.plan_type, l.generations_per_period, l.period, l.weight, l.is_active,
       p.slug || '/' || m.model_id AS default_model
  FROM bambi.plans l JOIN bambi.models m ON m.id = l.default_model_id
       JOIN bambi.api_providers p ON p.id = m.provider_id
 ORDER BY l.plan_type;

-- Models (a list):
SELECT p.slug, m.model_id, m.is_active, m.task,
       (m.deprecated_at AT TIME ZONE 'UTC')::date AS deprecated,
       (m.retired_at AT TIME ZONE 'UTC')::date AS retired,
       s.model_id AS successor
  FROM bambi.models m JOIN bambi.api_providers p ON p.id = m.provider_id
       LEFT JOIN bambi.models s ON s.id = m.successor_id
 ORDER BY p.slug, m.id;

-- Inactive; going, without a successor; a successor that goes:
SELECT m.model_id FROM bambi.models m
       LEFT JOIN bambi.models s ON s.id = m.successor_id
 WHERE NOT m.is_active
    OR m.retired_at IS NOT NULL
       AND (s.id IS NULL OR s.retired_at IS NOT NULL);

CREATE TEMP VIEW rules AS
SELECT p.slug || '/' || m.model_id AS model_id, r.key AS parameter,
       r.value AS rule, r.value ->> 'type' AS type,
       r.value -> 'default' AS "default"
  FROM bambi.models m JOIN bambi.api_providers p ON p.id = m.provider_id,
       jsonb_each(m.capabilities -> 'parameters') r;

-- What each takes (a list):
\pset format unaligned
SELECT parameter, type, rule - 'type' - 'default' AS limits, "default",
       string_agg(model_id, ' ' ORDER BY model_id) AS models
  FROM rules GROUP BY parameter, type, rule, "default"
 ORDER BY parameter, min(model_id);
\pset format aligned

-- What each edits (a list):
\pset format unaligned
SELECT capabilities -> 'inputs' AS inputs,
       string_agg(p.slug || '/' || m.model_id, ' '
                  ORDER BY p.slug, m.model_id) AS models
  FROM bambi.models m JOIN bambi.api_providers p ON p.id = m.provider_id
 GROUP BY 1 ORDER BY min(p.slug), min(m.model_id);
\pset format aligned

-- Limits of these that nobody reads, or that are none:
SELECT model_id FROM bambi.models
 WHERE capabilities ? 'inputs'
   AND NOT coalesce(
       (capabilities -> 'inputs') - '{max,formats,max_bytes,max_total_bytes,mask,mask_max_bytes,square,bills}'::text[] = '{}'
       AND (capabilities #>> '{inputs,max}')::int >= 1
       AND jsonb_array_length(capabilities #> '{inputs,formats}') > 0, false);

-- Documents with something else in them, or without a longest prompt:
SELECT model_id FROM bambi.models
 WHERE capabilities - '{prompt,parameters,inputs,tokens,price_by,pictures_per_call,bills}'::text[]
       <> '{}'
    OR jsonb_typeof(capabilities #> '{prompt,max_length}')
       IS DISTINCT FROM 'number';

-- Rules with words that nobody reads:
SELECT model_id, parameter FROM rules
 WHERE type NOT IN ('string', 'integer', 'number', 'boolean', 'size', 'json')
    OR type IS NULL
    OR rule - '{type,default,requires,value_requires,unpriced}'::text[]
       - CASE type WHEN 'string' THEN '{values,max_length}'
                   WHEN 'integer' THEN '{minimum,maximum}'
                   WHEN 'number' THEN '{minimum,maximum}'
                   WHEN 'json' THEN '{max_length}'
                   WHEN 'size' THEN '{values,free}'
                   ELSE '{}' END::text[] <> '{}';

-- Rules that nothing can keep, or anything:
SELECT model_id, parameter FROM rules
 WHERE type IN ('integer', 'number') AND NOT coalesce(
           (rule ->> 'minimum')::numeric <= (rule ->> 'maximum')::numeric,
           false)
    OR type = 'json' AND NOT rule ? 'max_length'
    OR type = 'string' AND (rule ? 'values') = (rule ? 'max_length')
    OR type = 'size' AND NOT rule ? 'values'
    OR rule ? 'values' AND (jsonb_typeof(rule -> 'values') <> 'array'
                            OR jsonb_array_length(rule -> 'values') = 0);

-- Defaults that break their own rule:
SELECT model_id, parameter FROM rules
 WHERE rule ? 'values' AND "default" IS NOT NULL
   AND NOT (rule -> 'values') @> "default"
    OR type = 'integer' AND "default" IS NOT NULL
   AND NOT ("default")::int BETWEEN (rule ->> 'minimum')::int
                                AND (rule ->> 'maximum')::int;

-- Sizes that are none, or break the rule for free ones beside them:
SELECT r.model_id, s.size
  FROM rules r, jsonb_array_elements_text(r.rule -> 'values') s (size),
       LATERAL (SELECT split_part(s.size, 'x', 1) AS w,
                       split_part(s.size, 'x', 2) AS h) p
 WHERE r.type = 'size' AND s.size <> 'auto'
   AND (s.size !~ '^[1-9]\d*x[1-9]\d*$'
        OR r.rule ? 'free'
       AND NOT (p.w::int % (r.rule #>> '{free,multiple_of}')::int = 0
                AND p.h::int % (r.rule #>> '{free,multiple_of}')::int = 0
                AND greatest(p.w::int, p.h::int)
                    <= (r.rule #>> '{free,max_side}')::int
                AND p.w::int * p.h::int
                    BETWEEN (r.rule #>> '{free,min_area}')::int
                        AND (r.rule #>> '{free,max_area}')::int));

-- Requirements of something that is not there, or by a value that is none:
CREATE TEMP VIEW requirements AS
SELECT r.model_id, r.parameter, NULL AS value, q.key AS other, q.value AS needed
  FROM rules r, jsonb_each(r.rule -> 'requires') q
UNION ALL
SELECT r.model_id, r.parameter, v.key, q.key, q.value
  FROM rules r, jsonb_each(r.rule -> 'value_requires') v, jsonb_each(v.value) q;
SELECT * FROM requirements q
 WHERE NOT EXISTS (SELECT FROM rules o
                    WHERE o.model_id = q.model_id AND o.parameter = q.other
                      AND ((o.rule -> 'values') @> q.needed
                           OR o.type = 'boolean'
                          AND jsonb '[true, false]' @> q.needed))
    OR value IS NOT NULL
   AND NOT EXISTS (SELECT FROM rules o
                    WHERE o.model_id = q.model_id AND o.parameter = q.parameter
                      AND o.rule -> 'values' ? q.value);

-- Factors of tokens for other qualities than the model takes, or not for all:
SELECT model_id FROM bambi.models
 WHERE capabilities ? 'tokens'
   AND (SELECT array_agg(q ORDER BY q)
          FROM jsonb_object_keys(capabilities #> '{tokens,q}') q)
       IS DISTINCT FROM
       (SELECT array_agg(v ORDER BY v)
          FROM jsonb_array_elements_text(
                   capabilities #> '{parameters,quality,values}') v
         WHERE v <> 'auto');

-- Prices (a list): how many a model has.
SELECT p.slug, m.model_id,
       count(*) FILTER (WHERE r.unit = 'image') AS of_pictures,
       count(*) FILTER (WHERE r.unit LIKE '1M %') AS of_tokens,
       count(*) FILTER (WHERE r.unit NOT LIKE '1M %'
                          AND r.unit <> 'image') AS other
  FROM bambi.models m JOIN bambi.api_providers p ON p.id = m.provider_id
       LEFT JOIN bambi.model_prices r ON r.model_id = m.id
 GROUP BY p.slug, m.id ORDER BY p.slug, m.id;

-- Prices to look at (a list):
SELECT m.model_id, r.size, r.quality, r.price, r.currency
  FROM bambi.model_prices r JOIN bambi.models m ON m.id = r.model_id
 WHERE r.unit = 'image' AND (r.size = '1024x1024' OR m.model_id = 'sandbox')
 ORDER BY m.id, r.price;
SELECT r.price, r.unit, string_agg(m.model_id, ' ' ORDER BY m.model_id)
  FROM bambi.model_prices r JOIN bambi.models m ON m.id = r.model_id
 WHERE r.unit <> 'image'
 GROUP BY r.unit, r.price ORDER BY r.unit, r.price;

-- For a size or quality that the model does not take:
SELECT m.model_id, r.size, r.quality
  FROM bambi.model_prices r JOIN bambi.models m ON m.id = r.model_id,
       LATERAL (SELECT m.capabilities -> 'parameters'
                       -> coalesce(m.capabilities #>> '{price_by,size}',
                                   'size') AS size,
                       m.capabilities -> 'parameters'
                       -> coalesce(m.capabilities #>> '{price_by,quality}',
                                   'quality') AS quality) w
 WHERE NOT coalesce((w.quality -> 'values') @> to_jsonb(r.quality),
                    r.quality IS NULL)
    OR NOT coalesce((w.size -> 'values') @> to_jsonb(r.size)
                    OR w.size ? 'free', r.size IS NULL);

-- Prices by parameters that are not there:
SELECT m.model_id, b.key, b.value
  FROM bambi.models m, jsonb_each_text(m.capabilities -> 'price_by') b
 WHERE b.key NOT IN ('size', 'quality')
    OR NOT m.capabilities -> 'parameters' ? b.value
   AND EXISTS (SELECT FROM bambi.model_prices r
                WHERE r.model_id = m.id AND r.size IS NOT NULL);

-- Two prices for the same at the same time, unknown sources, other money:
SELECT a.model_id, a.unit, a.size, a.quality
  FROM bambi.model_prices a JOIN bambi.model_prices b
       ON b.model_id = a.model_id AND b.unit = a.unit
      AND b.size IS NOT DISTINCT FROM a.size
      AND b.quality IS NOT DISTINCT FROM a.quality
      AND b.currency = a.currency AND b.id > a.id
      AND tstzrange(b.valid_from, b.valid_to)
          && tstzrange(a.valid_from, a.valid_to);
SELECT model_id FROM bambi.model_prices
 WHERE source IS NULL OR currency <> 'USD';

-- Setting up again keeps what an operator changed.
BEGIN;
UPDATE bambi.plans SET weight = 7 WHERE plan_type = 'free';
DELETE FROM bambi.model_prices WHERE unit = 'partial image (stream)';
SELECT bambi_setup() IS NOT NULL AS says_what_it_did;
SELECT weight FROM bambi.plans WHERE plan_type = 'free';
SELECT count(*) FROM bambi.model_prices
 WHERE unit = 'partial image (stream)';
ROLLBACK;
