-- Which of Stripe's events decide nothing any more, and their removal.
--
-- Subscriptions are worked out from all facts that are stored, at any time
-- anew; so what goes must not change what comes of the rest, not even with
-- other prices. What is asked here therefore knows no prices.

CREATE FUNCTION bambi_internal.stripe_begins_anew(
    event_id text, before timestamptz)
RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- see stripe_subscription(): what was told before matters to a payment
    -- that is missing since then, and as long as something higher is paid
    RETURN EXISTS (
        SELECT FROM bambi.stripe_events AS e
         WHERE e.event_id = stripe_begins_anew.event_id
           AND e.created < before AND e.facts ->> 'status' <> 'past_due'
           AND (e.facts ->> 'status' NOT IN ('trialing', 'active')
                OR NOT EXISTS (
                    SELECT FROM bambi.stripe_events AS p
                     WHERE p.subscription_id = e.subscription_id
                       AND p.facts ? 'status' AND p.created <= e.created
                       AND p.event_id <> e.event_id
                       AND to_timestamp((p.facts ->> 'period_end')::bigint)
                           > e.created)));
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_begins_anew(text, timestamptz) IS
    'Whether an event about a subscription says all of it, so that those '
    'before it can go; not if it is so young that earlier ones may still '
    'come.';

CREATE FUNCTION bambi_internal.stripe_is_needed(
    event_id text, before timestamptz)
RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    e record;
BEGIN
    SELECT * INTO e FROM bambi.stripe_events AS s
     WHERE s.event_id = stripe_is_needed.event_id;
    IF e.type LIKE 'charge.dispute.%' THEN
        -- the opening first, or it would look open
        RETURN e.facts IS NOT NULL
           AND (e.type = 'charge.dispute.closed') = EXISTS (
                   SELECT FROM bambi.stripe_events AS d
                    WHERE d.object_id = e.object_id
                      AND d.type = CASE e.type
                              WHEN 'charge.dispute.closed'
                              THEN 'charge.dispute.created'
                              ELSE 'charge.dispute.closed' END);
    ELSIF e.facts IS NULL THEN
        RETURN false;
    ELSIF e.facts ? 'deleted' THEN
        RETURN true;
    END IF;

    -- in the order of stripe_apply()
    RETURN e.user_id IS NOT NULL AND NOT EXISTS (
               SELECT FROM bambi.stripe_events AS n
                WHERE n.customer_id = e.customer_id AND n.facts IS NOT NULL
                  AND n.user_id IS NOT NULL
                  AND (-array_position(
                           '{operator,metadata,client_reference_id}',
                           n.named_by),
                       n.created, n.event_id COLLATE "C")
                      > (-array_position(
                             '{operator,metadata,client_reference_id}',
                             e.named_by),
                         e.created, e.event_id COLLATE "C"))
        OR e.facts ? 'status' AND NOT EXISTS (
               SELECT FROM bambi.stripe_events AS r
                WHERE r.subscription_id = e.subscription_id
                  AND r.customer_id = e.customer_id
                  AND r.facts ? 'status' AND r.created > e.created
                  AND bambi_internal.stripe_begins_anew(r.event_id, before))
        -- in the order of stripe_best()
        OR e.facts ? 'payment' AND NOT EXISTS (
               SELECT FROM bambi.stripe_events AS l
                WHERE l.subscription_id = e.subscription_id
                  AND l.facts ? 'payment'
                  AND (l.created,
                       -array_position('{paid,action_required,failed}',
                                       l.facts ->> 'payment'),
                       l.event_id COLLATE "C")
                      > (e.created,
                         -array_position('{paid,action_required,failed}',
                                         e.facts ->> 'payment'),
                         e.event_id COLLATE "C"));
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_is_needed(text, timestamptz) IS
    'Whether whose a customer is, what a user has, or bambi_stripe_problems '
    'would change without an event.';

CREATE FUNCTION bambi_internal.remove_old_payments(
    INOUT place text, at timestamptz, OUT removed integer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most    CONSTANT integer := 200;
    before  timestamptz;
    passed  timestamptz := coalesce(split_part(place, '|', 1), '-infinity');
    last    text := coalesce(split_part(place, '|', 2), '');
    seen   text[];
BEGIN
    SELECT at - r.keep INTO before
      FROM bambi_internal.retention_of('payments') AS r;
    seen := ARRAY(
        SELECT e.event_id FROM bambi.stripe_events AS e
         WHERE e.created < before AND (e.created, e.event_id) > (passed, last)
         ORDER BY e.created, e.event_id LIMIT most);
    SELECT e.created || '|' || e.event_id INTO place
      FROM bambi.stripe_events AS e
     WHERE cardinality(seen) = most AND e.event_id = seen[most];

    WITH l AS MATERIALIZED (
        SELECT e.event_id
          FROM unnest(seen) AS w (id)
               JOIN bambi.stripe_events AS e ON e.event_id = w.id
         WHERE e.received_at < before
           AND NOT bambi_internal.stripe_is_needed(e.event_id, before)
           FOR UPDATE OF e SKIP LOCKED)
    DELETE FROM bambi.stripe_events AS e USING l
     WHERE e.event_id = l.event_id;
    GET DIAGNOSTICS removed = ROW_COUNT;
END
$$;
COMMENT ON FUNCTION bambi_internal.remove_old_payments(text, timestamptz) IS
    'A part of a round over all events of Stripe that are past their time, '
    'as remove_old_content(): those go that are not needed.';

-- Nobody else calls these.
DO $$
DECLARE
    routine pg_catalog.regprocedure;
BEGIN
    FOR routine IN
        SELECT p.oid FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = 'bambi_internal'::pg_catalog.regnamespace
           AND p.proname IN ('stripe_begins_anew', 'stripe_is_needed',
                             'remove_old_payments')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC',
                                  routine);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO bambi_owner',
                                  routine);
    END LOOP;
END
$$;
