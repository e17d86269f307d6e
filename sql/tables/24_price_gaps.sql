-- What is billed and has no price: for operators, since it is refused under
-- a budget, and booked as unknown without one.

-- Every unit that is billed by a model which is offered, as model_prices has
-- them.  A picture is listed for each size and quality that may be asked for.
-- The time is the statement's: a price that this transaction has set holds.
CREATE OR REPLACE FUNCTION bambi_internal.price_gaps()
RETURNS TABLE (model_id uuid, model text, unit text, size text, quality text,
               currency text, needed_for text)
LANGUAGE sql STABLE PARALLEL SAFE
-- the addresses of providers are not for everybody who sees the view
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- a few hundred rows of JSON look like millions to the planner
SET jit = off
AS $$
WITH offered AS (
    SELECT m.id, p.slug || '/' || m.model_id AS model, m.capabilities AS c,
           m.capabilities -> 'parameters' AS parameters,
           coalesce(m.capabilities #>> '{price_by,size}', 'size') AS by_size,
           coalesce(m.capabilities #>> '{price_by,quality}', 'quality')
               AS by_quality
      FROM bambi.models m JOIN bambi.api_providers p ON p.id = m.provider_id
     WHERE bambi_internal.is_offered(m, p, statement_timestamp())),
prices AS (
    SELECT r.model_id, r.unit, r.size, r.quality
      FROM bambi.model_prices r
     WHERE r.currency = 'USD' AND r.valid_from <= statement_timestamp()
       AND r.valid_to > statement_timestamp()),
pictures AS (
    SELECT o.id, o.model, o.c, s.value AS size, q.value AS quality
      FROM offered o
           LEFT JOIN LATERAL jsonb_array_elements_text(
               o.parameters #> ARRAY[o.by_size, 'values']) s
               ON s.value <> 'auto'
           LEFT JOIN LATERAL jsonb_array_elements_text(
               o.parameters #> ARRAY[o.by_quality, 'values']) q
               ON q.value <> 'auto'),
billed AS (
    -- of tokens or not, an estimate is by the picture
    SELECT i.id, i.model, 'image' AS unit, i.size, i.quality,
           CASE WHEN EXISTS (SELECT FROM prices t
                              WHERE t.model_id = i.id
                                AND t.unit = '1M image output tokens')
                THEN 'estimate' ELSE 'cost' END AS needed_for
      FROM pictures i
     WHERE NOT (i.size ~ '^\d+x\d+$' AND i.c #> '{tokens,q}' ? i.quality
                AND EXISTS (SELECT FROM prices t
                             WHERE t.model_id = i.id
                               AND t.unit = '1M image output tokens'))
     UNION ALL
    SELECT o.id, o.model, b.unit, NULL, NULL, 'cost'
      FROM offered o,
           jsonb_array_elements_text(
               coalesce(o.c -> 'bills', '[]')
               || coalesce(o.c #> '{inputs,bills}', '[]')) b (unit)
     UNION ALL
    -- nobody knows before the call how many tokens a picture to edit is
    SELECT o.id, o.model, 'input image', NULL, NULL, 'estimate'
      FROM offered o
     WHERE o.c ? 'inputs'
       AND NOT coalesce(o.c #> '{inputs,bills}' ? 'input image', false)
     UNION ALL
    SELECT o.id, o.model, 'partial image (stream)', NULL, NULL, 'estimate'
      FROM offered o
     WHERE o.parameters ? 'partial_images'
     UNION ALL
    -- what had a price once
    SELECT o.id, o.model, r.unit, r.size, r.quality, 'cost'
      FROM offered o JOIN bambi.model_prices r ON r.model_id = o.id
     WHERE r.currency = 'USD' AND r.valid_to <= statement_timestamp())
SELECT b.id, b.model, b.unit, b.size, b.quality, 'USD', min(b.needed_for)
  FROM billed b
 WHERE NOT EXISTS (
           SELECT FROM prices r
            WHERE r.model_id = b.id AND r.unit = b.unit
              AND (r.size IS NULL OR b.size IS NULL OR r.size = b.size)
              AND (r.quality IS NULL OR b.quality IS NULL
                   OR r.quality = b.quality))
 GROUP BY b.id, b.model, b.unit, b.size, b.quality
$$;
COMMENT ON FUNCTION bambi_internal.price_gaps() IS
    'What the view bambi_price_gaps shows.';
ALTER FUNCTION bambi_internal.price_gaps() OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.price_gaps() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bambi_internal.price_gaps()
    TO bambi_service, bambi_admin;

CREATE OR REPLACE VIEW @extschema@.bambi_price_gaps
WITH (security_invoker = true) AS
SELECT g.model_id, g.model, g.unit, g.size, g.quality, g.currency,
       g.needed_for
  FROM bambi_internal.price_gaps() g;
COMMENT ON VIEW @extschema@.bambi_price_gaps IS
    'For operators: what models that are offered are billed for without a '
    'price that is known now. bambi_set_price() closes a gap.';
COMMENT ON COLUMN @extschema@.bambi_price_gaps.model_id IS
    'Of which model: bambi_models.';
COMMENT ON COLUMN @extschema@.bambi_price_gaps.model IS
    'Full name of the model.';
COMMENT ON COLUMN @extschema@.bambi_price_gaps.unit IS
    'What is billed, as in model_prices.';
COMMENT ON COLUMN @extschema@.bambi_price_gaps.size IS
    'In which size; NULL: in any.';
COMMENT ON COLUMN @extschema@.bambi_price_gaps.quality IS
    'In which quality; NULL: in any.';
COMMENT ON COLUMN @extschema@.bambi_price_gaps.currency IS
    'In which currency a price is missing.';
COMMENT ON COLUMN @extschema@.bambi_price_gaps.needed_for IS
    'cost: what it did cost is not known unless the provider says it; '
    'estimate: only what it will cost is not, so that it is refused under a '
    'budget.';
CREATE OR REPLACE TRIGGER nobody_writes
    INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.bambi_price_gaps
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.refuse_write();
ALTER VIEW @extschema@.bambi_price_gaps OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_price_gaps');
GRANT SELECT ON @extschema@.bambi_price_gaps TO bambi_service, bambi_admin;
