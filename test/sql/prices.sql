-- A price holds until the next one begins, two never hold at once, and what is
-- billed without one is listed.
\set SHOW_CONTEXT never
SET search_path = public;
SET client_min_messages = error;
SET timezone = 'UTC';
\pset format unaligned
BEGIN;
INSERT INTO bambi.api_providers (name, slug, adapter, needs_key)
VALUES ('Listed', 'listed', 'sandbox', false),
       ('Another', 'another', 'sandbox', false);
INSERT INTO bambi.models (provider_id, name, model_id, capabilities)
SELECT p.id, 'Listed', l.model_id, l.capabilities
  FROM bambi.api_providers p, (VALUES
    ('plain', jsonb '{"parameters": {}}'),
    ('sizes', '{"parameters": {
        "resolution": {"type": "string", "values": ["auto", "1K", "2K"]},
        "quality": {"type": "string", "values": ["low", "high"]},
        "partial_images": {"type": "integer"}},
        "price_by": {"size": "resolution"},
        "bills": ["1M text input tokens", "1M text output tokens"],
        "inputs": {"max": 1, "bills": ["1M image input tokens"]}}'),
    ('formula', '{"parameters": {
        "size": {"type": "size", "values": ["auto", "64x64"]},
        "quality": {"type": "string", "values": ["low", "high"]}},
        "tokens": {"q": {"low": 16}}}'),
    ('gone', '{"parameters": {}}')) l (model_id, capabilities)
 WHERE p.slug = 'listed';
INSERT INTO bambi.models (provider_id, name, model_id, is_active)
SELECT id, 'The same name', 'plain', false FROM bambi.api_providers
 WHERE slug = 'another';
UPDATE bambi.models SET is_active = false WHERE model_id = 'gone';

CREATE FUNCTION pg_temp.try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; advice text; rule text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        advice = PG_EXCEPTION_HINT, rule = CONSTRAINT_NAME;
    IF rule <> '' THEN          -- the detail is the whole row
        RETURN state || ' ' || rule;
    END IF;
    RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''),
                     nullif(advice, ''));
END
$$;
-- Prices of the test's models; now is when the test runs.
CREATE VIEW pg_temp.listed AS
SELECT m.model_id, r.unit, r.size, r.quality, r.price, r.currency,
       CASE WHEN isfinite(r.valid_from) THEN
           CASE WHEN r.valid_from > now() + interval '1 hour'
                THEN date_trunc('day', r.valid_from)::text ELSE 'now' END
       ELSE r.valid_from::text END AS since,
       CASE WHEN isfinite(r.valid_to) THEN
           CASE WHEN r.valid_to > now() + interval '1 hour'
                THEN date_trunc('day', r.valid_to)::text ELSE 'now' END
       ELSE r.valid_to::text END AS upto, r.source
  FROM bambi.model_prices r JOIN bambi.models m ON m.id = r.model_id
       JOIN bambi.api_providers p ON p.id = m.provider_id
 WHERE p.slug = 'listed'
 ORDER BY m.model_id, r.unit, r.size, r.quality, r.currency, r.valid_from;

GRANT SELECT ON pg_temp.listed TO bambi_admin;

\echo *** only operators set prices
SELECT rolname, has_function_privilege(rolname, 'bambi_set_price(text, text,
           numeric, text, text, text, timestamptz, text)', 'EXECUTE') AS may,
       has_table_privilege(rolname, 'bambi_price_gaps', 'SELECT') AS sees_gaps
  FROM pg_roles
 WHERE rolname IN ('bambi_user', 'bambi_service', 'bambi_admin')
 ORDER BY rolname;
SET LOCAL ROLE bambi_admin;
\echo *** refused
SELECT v.arguments, pg_temp.try('SELECT bambi_set_price(' || arguments || ')')
  FROM (VALUES ('''none'', ''image'', 1'), ('''plain'', ''image'', 1'),
               ('''listed/plain'', ''picture'', 1'),
               ('''listed/plain'', ''image'', -1'),
               ('''listed/plain'', ''image'', ''NaN'''),
               ('''listed/plain'', ''image'', 0.0000001'),
               ('''listed/plain'', NULL, 1'),
               ('''listed/plain'', ''image'', 1, currency => ''usd'''),
               ('''listed/plain'', ''image'', 1, valid_from => now()'),
               ('''listed/plain'', ''image'', 1, valid_from => ''-infinity'''))
       v (arguments);
\echo *** the first, the next, one that is planned, one before that
SELECT bambi_set_price('listed/plain', 'image', 1, source => 'first')
       IS NOT NULL AS is_set;
SELECT bambi_set_price('listed/plain', 'image', 2, source => 'second')
       IS NOT NULL AS is_set;
SELECT bambi_set_price('listed/plain', 'image', 3,
                       valid_from => '2199-01-01', source => 'planned')
       IS NOT NULL AS is_set;
SELECT bambi_set_price('listed/plain', 'image', 4, source => 'third')
       IS NOT NULL AS is_set;
SELECT price, since, upto, source FROM pg_temp.listed;
\echo *** planned anew, ended, other money
SELECT bambi_set_price('listed/plain', 'image', 5,
                       valid_from => '2199-01-01', source => 'planned again')
       IS NOT NULL AS is_set;
SELECT bambi_set_price('listed/plain', 'image', NULL,
                       valid_from => '2198-01-01') IS NULL AS is_ended;
SELECT bambi_set_price('listed/plain', 'image', 6, currency => 'EUR')
       IS NOT NULL AS is_set;
SELECT price, currency, since, upto, source FROM pg_temp.listed;
\echo *** they follow each other without a gap, and hold one at a time
SELECT count(*), count(*) FILTER (WHERE next <> valid_to) AS gaps
  FROM (SELECT r.valid_to, lead(r.valid_from) OVER (ORDER BY r.valid_from)
          FROM bambi.model_prices r JOIN bambi.models m ON m.id = r.model_id
         WHERE m.model_id = 'plain' AND r.currency = 'USD'
           AND r.valid_from < '2198-01-01') r (valid_to, next);

\echo *** who writes to the table may not make two that hold at once
SELECT v.what, pg_temp.try(format(
           'INSERT INTO bambi.model_prices (model_id, unit, size, price, '
           'currency, valid_from, valid_to) SELECT id, %L, %L, 9, %L, %L, %L '
           'FROM bambi.models WHERE model_id = ''sizes''',
           v.unit, v.size, v.currency, v.since, v.upto))
  FROM (VALUES
    (1, 'the first', 'image', '1K', 'USD', '2020-01-01', '2021-01-01'),
    (2, 'behind it', 'image', '1K', 'USD', '2021-01-01', 'infinity'),
    (3, 'within', 'image', '1K', 'USD', '2020-02-01', '2020-03-01'),
    (4, 'across', 'image', '1K', 'USD', '2019-01-01', '2020-01-02'),
    (5, 'the same begin', 'image', '1K', 'USD', '2020-01-01', '2020-01-02'),
    (6, 'another size', 'image', '2K', 'USD', '2020-01-01', '2021-01-01'),
    (7, 'of any size', 'image', NULL, 'USD', '2020-01-01', '2021-01-01'),
    (8, 'of any size again', 'image', NULL, 'USD', '2020-06-01', '2022-01-01'),
    (9, 'another unit', 'input image', '1K', 'USD', '2020-01-01', 'infinity'),
    (10, 'other money', 'image', '1K', 'EUR', '2020-01-01', '2021-01-01'),
    (11, 'of no unit', 'picture', '1K', 'USD', '2020-01-01', '2021-01-01'))
       v (n, what, unit, size, currency, since, upto)
 ORDER BY v.n;
SELECT pg_temp.try('UPDATE bambi.model_prices SET valid_to = ''infinity''
                     WHERE valid_to = ''2021-01-01'' AND size = ''1K''
                       AND currency = ''USD''');
RESET ROLE;
DELETE FROM bambi.model_prices r USING bambi.models m
 WHERE m.id = r.model_id AND m.model_id IN ('sizes', 'plain');

\echo *** gaps: nothing is known
CREATE VIEW pg_temp.gaps WITH (security_invoker = true) AS
SELECT model, unit, size, quality, currency, needed_for FROM bambi_price_gaps
 WHERE model LIKE 'listed/%' OR model LIKE 'another/%'
 ORDER BY model, unit, size, quality;
GRANT SELECT ON pg_temp.gaps TO bambi_service;
SET LOCAL ROLE bambi_service;
SELECT * FROM pg_temp.gaps;
RESET ROLE;
\echo *** some is known: of one size in any quality, of any size in one
SELECT count(bambi_set_price(v.model, v.unit, 1, v.size, v.quality))
  FROM (VALUES ('listed/plain', 'image', NULL, NULL),
               ('listed/sizes', 'image', '1K', NULL),
               ('listed/sizes', 'image', NULL, 'low'),
               ('listed/sizes', '1M text input tokens', NULL, NULL),
               ('listed/sizes', '1M image output tokens', NULL, NULL),
               ('listed/sizes', '1M image input tokens', NULL, NULL),
               ('listed/formula', '1M image output tokens', NULL, NULL))
       v (model, unit, size, quality);
SELECT * FROM pg_temp.gaps;
\echo *** all of it, and then a price ends, and other money does not help
SELECT count(bambi_set_price(v.model, v.unit, 1, v.size, v.quality))
  FROM (VALUES ('listed/sizes', 'image', '2K', 'high'),
               ('listed/sizes', '1M text output tokens', NULL, NULL),
               ('listed/sizes', 'input image', NULL, NULL),
               ('listed/sizes', 'partial image (stream)', NULL, NULL),
               ('listed/formula', 'image', '64x64', 'high'))
       v (model, unit, size, quality);
SELECT * FROM pg_temp.gaps;
UPDATE bambi.model_prices r SET valid_from = '2020-01-01',
       valid_to = '2021-01-01'
  FROM bambi.models m
 WHERE m.id = r.model_id
   AND (m.model_id = 'plain' OR m.model_id = 'sizes'
        AND r.unit IN ('1M image output tokens', 'input image'));
SELECT bambi_set_price('listed/plain', 'image', 1, currency => 'EUR')
       IS NOT NULL AS is_set;
SELECT * FROM pg_temp.gaps;
\echo *** not of what is not offered
UPDATE bambi.api_providers SET is_active = false WHERE slug = 'listed';
SELECT count(*) FROM pg_temp.gaps;

\echo *** what comes with bambi (a list): models that do not end, units, and of
\echo *** how many sizes and qualities
SELECT g.model, g.unit, g.needed_for, count(*)
  FROM bambi_price_gaps g JOIN bambi_models m ON m.id = g.model_id
 WHERE m.retired_at IS NULL
 GROUP BY g.model, g.unit, g.needed_for ORDER BY g.model, g.unit;
ROLLBACK;
