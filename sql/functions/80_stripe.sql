-- Events of Stripe: who may bring them, and what is kept of each.
--
-- An event is stored once, with the facts of it that count, and applied by
-- 82_stripe_subscriptions.sql. Nothing is ever asked of Stripe.

CREATE FUNCTION bambi_internal.stripe_webhook(payload json)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- its caller is anybody; the signature decides
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_stripe_webhook_request';
REVOKE ALL ON FUNCTION bambi_internal.stripe_webhook(json) FROM PUBLIC;
ALTER FUNCTION bambi_internal.stripe_webhook(json) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.stripe_webhook(json)
    TO bambi_service;
COMMENT ON FUNCTION bambi_internal.stripe_webhook(json) IS
    'What bambi_stripe_webhook(json) calls.';

CREATE FUNCTION bambi_internal.stripe_webhook(payload text, signature text)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- as above
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_stripe_webhook';
REVOKE ALL ON FUNCTION bambi_internal.stripe_webhook(text, text) FROM PUBLIC;
ALTER FUNCTION bambi_internal.stripe_webhook(text, text) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.stripe_webhook(text, text)
    TO bambi_service;
COMMENT ON FUNCTION bambi_internal.stripe_webhook(text, text) IS
    'What bambi_stripe_webhook(text, text) calls.';

-- Without a name the parameter gets the whole body, byte for byte.
CREATE FUNCTION @extschema@.bambi_stripe_webhook(json)
RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.stripe_webhook($1);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_stripe_webhook(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_stripe_webhook(json)
    TO bambi_service;
COMMENT ON FUNCTION @extschema@.bambi_stripe_webhook(json) IS
    'Takes an event of Stripe, as Stripe posts it to PostgREST.
The signature is the request''s header Stripe-Signature, over the bytes of '
    'the body. For requests of anybody (role anon of PostgREST). Gives what '
    'came of it: applied, recorded, ignored, wrong_mode, failed, duplicate. '
    'Errors: 22023 "Stripe''s signature is not valid"; 55000 "Stripe''s '
    'events cannot be checked"; PT503 "try again later".';

CREATE FUNCTION @extschema@.bambi_stripe_webhook(
    payload text, signature text)
RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.stripe_webhook($1, $2);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_stripe_webhook(text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_stripe_webhook(text, text)
    TO bambi_service;
COMMENT ON FUNCTION @extschema@.bambi_stripe_webhook(text, text) IS
    'The same for who passes events on: an Edge Function, a proxy.
payload is the body as it came, signature the header Stripe-Signature. For '
    'trusted back ends (bambi_service).';

-- ---- reading an event

CREATE FUNCTION bambi_internal.stripe_id(value jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- what may be expanded is an id, or an object that has it
    SELECT CASE jsonb_typeof(value)
           WHEN 'string' THEN value #>> '{}'
           WHEN 'object' THEN value ->> 'id' END;
END;
COMMENT ON FUNCTION bambi_internal.stripe_id(jsonb) IS
    'The id of what a member of Stripe''s objects refers to.';

CREATE FUNCTION bambi_internal.stripe_customer(object jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(bambi_internal.stripe_id(object -> 'customer'),
                    bambi_internal.stripe_id(object -> 'customer_account'));
END;
COMMENT ON FUNCTION bambi_internal.stripe_customer(jsonb) IS
    'Who pays: a customer or, in accounts of Stripe''s second kind, the '
    'account that stands for one.';

CREATE FUNCTION bambi_internal.stripe_user(named text)
RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN named ~
           '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
           THEN named::uuid END;
END;
COMMENT ON FUNCTION bambi_internal.stripe_user(text) IS
    'The user that a text names; NULL where it is no uuid.';

CREATE FUNCTION bambi_internal.stripe_subscription_facts(
    subscription jsonb, previous jsonb, is_deleted boolean)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    items   jsonb := subscription #> '{items,data}';
    status  text := CASE WHEN is_deleted THEN 'canceled'
                         ELSE subscription ->> 'status' END;
    item    record;
    facts   jsonb;
BEGIN
    IF status IS NULL OR status NOT IN
       ('trialing', 'active', 'past_due', 'paused', 'canceled', 'unpaid',
        'incomplete', 'incomplete_expired') THEN
        RAISE EXCEPTION 'status of a subscription is not known'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- since 2025-03-31 periods are those of the items, which may differ
    SELECT jsonb_agg(jsonb_build_array(i #>> '{price,id}',
                                       i #>> '{price,lookup_key}')
                     ORDER BY i #>> '{price,id}') AS prices,
           (array_agg((i ->> 'current_period_start')::bigint
                      ORDER BY (i ->> 'current_period_end')::bigint DESC
                               NULLS LAST, i #>> '{price,id}'))[1] AS starts,
           max((i ->> 'current_period_end')::bigint) AS ends
      INTO item
      FROM jsonb_array_elements(
               CASE jsonb_typeof(items) WHEN 'array' THEN items
                                        ELSE '[]' END) i;
    facts := jsonb_strip_nulls(jsonb_build_object(
        'status', status,
        'previous_status', previous ->> 'status',
        'started', (subscription ->> 'created')::bigint,
        'period_start',
        coalesce((subscription ->> 'current_period_start')::bigint,
                 item.starts),
        'period_end',
        coalesce((subscription ->> 'current_period_end')::bigint, item.ends),
        'cancel_at', (subscription ->> 'cancel_at')::bigint,
        'cancel_at_period_end',
        (subscription ->> 'cancel_at_period_end')::boolean))
        || jsonb_build_object('prices', coalesce(item.prices, '[]'));
    -- what is no time must fail here, and not when it is used, or when another
    -- period is added to it
    IF EXISTS (SELECT FROM jsonb_each(facts) f
                WHERE f.key IN ('started', 'period_start', 'period_end',
                                'cancel_at')
                  AND to_timestamp((f.value #>> '{}')::bigint)
                      NOT BETWEEN '1900-01-01' AND '9999-12-31') THEN
        RAISE EXCEPTION 'time of a subscription is out of range'
            USING ERRCODE = 'datetime_field_overflow';
    END IF;
    RETURN facts;
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_subscription_facts(
    jsonb, jsonb, boolean) IS
    'What of a subscription, as an event shows it, decides a plan.';

CREATE FUNCTION bambi_internal.stripe_facts(event jsonb)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    type    text := event ->> 'type';
    object  jsonb := event #> '{data,object}';
    -- members moved at 2025-03-31
    details jsonb := coalesce(object #> '{parent,subscription_details}',
                              object -> 'subscription_details');
BEGIN
    IF type ~ '^customer\.subscription\.' THEN
        RETURN jsonb_build_object(
            'customer_id', bambi_internal.stripe_customer(object),
            'subscription_id', object ->> 'id',
            'metadata', object #>> '{metadata,user_id}',
            'facts', bambi_internal.stripe_subscription_facts(
                object, event #> '{data,previous_attributes}',
                type = 'customer.subscription.deleted'));
    ELSIF type IN ('checkout.session.completed',
                   'checkout.session.async_payment_succeeded') THEN
        RETURN jsonb_build_object(
            'customer_id', bambi_internal.stripe_customer(object),
            'subscription_id',
            bambi_internal.stripe_id(object -> 'subscription'),
            'metadata', object #>> '{metadata,user_id}',
            'client_reference_id', object ->> 'client_reference_id',
            'facts', '{}'::jsonb);
    ELSIF type IN ('customer.created', 'customer.updated',
                   'customer.deleted') THEN
        RETURN jsonb_build_object(
            'customer_id', object ->> 'id',
            'metadata', object #>> '{metadata,user_id}',
            'facts', CASE type WHEN 'customer.deleted' THEN '{"deleted": true}'
                               ELSE '{}' END::jsonb);
    ELSIF type IN ('invoice.paid', 'invoice.payment_failed',
                   'invoice.payment_action_required') THEN
        RETURN jsonb_build_object(
            'customer_id', bambi_internal.stripe_customer(object),
            'subscription_id', coalesce(
                bambi_internal.stripe_id(details -> 'subscription'),
                bambi_internal.stripe_id(object -> 'subscription')),
            'metadata', details #>> '{metadata,user_id}',
            'facts', jsonb_build_object('payment', CASE type
                WHEN 'invoice.paid' THEN 'paid'
                WHEN 'invoice.payment_failed' THEN 'failed'
                ELSE 'action_required' END));
    ELSIF type = 'charge.refunded'
          OR type = 'entitlements.active_entitlement_summary.updated' THEN
        RETURN jsonb_build_object(
            'customer_id', bambi_internal.stripe_customer(object));
    ELSIF type ~ '^charge\.dispute\.' THEN
        RETURN jsonb_build_object(
            'facts', jsonb_build_object(
                'charge', bambi_internal.stripe_id(object -> 'charge'),
                'dispute', object ->> 'status'));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_facts(jsonb) IS
    'Of an event: customer_id, subscription_id, the user it names by metadata '
    'or client_reference_id, and the facts that decide a plan. NULL where its '
    'type does not concern bambi.';

CREATE FUNCTION bambi_internal.stripe_is_trouble(code text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT code ~ '^(25|40|53|55|57|58|XX)';
END;
COMMENT ON FUNCTION bambi_internal.stripe_is_trouble(text) IS
    'Whether an error is the server''s, so that Stripe shall try again; with '
    'any other it would fail for ever.';

CREATE FUNCTION bambi_internal.stripe_is_erased(
    customer_id text, by_metadata uuid, by_reference uuid)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- the lock is for REPEATABLE READ, which would not see it
    PERFORM FROM bambi.users AS u
      WHERE u.id IN (by_metadata, by_reference) FOR KEY SHARE;
    RETURN EXISTS (SELECT FROM bambi.users AS u
                    WHERE u.id IN (by_metadata, by_reference)
                      AND u.erased_at IS NOT NULL)
        OR EXISTS (SELECT FROM bambi_internal.stripe_customers AS c
                        JOIN bambi.users AS u ON u.id = c.user_id
                    WHERE c.customer_id IN (
                              stripe_is_erased.customer_id,
                              bambi_internal.digest_of(
                                  stripe_is_erased.customer_id))
                      AND u.erased_at IS NOT NULL);
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_is_erased(text, uuid, uuid) IS
    'Whether an event is about somebody who was erased: of that nothing is '
    'kept but that it came.';

CREATE FUNCTION bambi_internal.stripe_receive(
    payload text, livemode boolean)
RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    event   jsonb;
    said    jsonb;
    told    record;
    failure text;
BEGIN
    BEGIN
        event := payload::jsonb;
        said := bambi_internal.stripe_facts(event);
        -- the ids end up in indexes
        SELECT event ->> 'id' AS id, event ->> 'type' AS type,
               to_timestamp((event ->> 'created')::bigint) AS created,
               coalesce((event ->> 'livemode')::boolean, false) AS livemode,
               left(event ->> 'api_version', 100) AS api_version,
               left(event #>> '{data,object,id}', 255) AS object_id,
               said ->> 'customer_id' AS customer_id,
               said ->> 'subscription_id' AS subscription_id,
               bambi_internal.stripe_user(said ->> 'metadata') AS by_metadata,
               bambi_internal.stripe_user(said ->> 'client_reference_id')
                   AS by_reference,
               said -> 'facts' AS facts
          INTO told;
        IF told.id IS NULL OR told.type IS NULL OR told.created IS NULL
           OR greatest(length(told.id), length(told.type),
                       length(told.customer_id),
                       length(told.subscription_id)) > 255 THEN
            RAISE EXCEPTION 'event is not one of Stripe''s'
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
    EXCEPTION WHEN OTHERS THEN
        IF bambi_internal.stripe_is_trouble(SQLSTATE) THEN
            RAISE;
        END IF;
        failure := SQLSTATE;
    END;
    IF failure IS NOT NULL THEN
        RETURN bambi_internal.stripe_keep_unreadable(payload, livemode,
                                                     failure);
    END IF;

    -- another account's customers may be named as that account likes
    IF said IS NULL OR jsonb_typeof(event -> 'account') = 'string' THEN
        failure := 'ignored';
    ELSIF bambi_internal.stripe_is_erased(
              told.customer_id, told.by_metadata, told.by_reference) THEN
        failure := 'ignored';
        told.object_id := NULL;
        told.customer_id := NULL;
        told.subscription_id := NULL;
    ELSIF told.livemode <> livemode THEN
        failure := 'wrong_mode';
    END IF;
    INSERT INTO bambi.stripe_events AS e (event_id, type, created, livemode,
           api_version, object_id, customer_id, subscription_id, user_id,
           named_by, facts, outcome)
    VALUES (told.id, told.type, told.created, told.livemode, told.api_version,
            told.object_id, told.customer_id, told.subscription_id,
            CASE WHEN failure IS NULL THEN
                coalesce(told.by_metadata, told.by_reference) END,
            CASE WHEN failure IS NOT NULL THEN NULL
                 WHEN told.by_metadata IS NOT NULL THEN 'metadata'
                 WHEN told.by_reference IS NOT NULL
                 THEN 'client_reference_id' END,
            CASE WHEN failure IS NULL THEN told.facts END,
            coalesce(failure,
                     CASE WHEN told.customer_id IS NOT NULL
                           AND told.facts IS NOT NULL
                          THEN 'applied' ELSE 'recorded' END))
        ON CONFLICT DO NOTHING
    RETURNING e.outcome INTO failure;
    IF NOT FOUND THEN
        RETURN 'duplicate';
    ELSIF failure <> 'applied' THEN
        RETURN failure;
    END IF;

    BEGIN
        PERFORM bambi_internal.stripe_apply(told.customer_id);
        RETURN 'applied';
    EXCEPTION WHEN OTHERS THEN
        IF bambi_internal.stripe_is_trouble(SQLSTATE) THEN
            RAISE;
        END IF;
        failure := SQLSTATE;
    END;
    UPDATE bambi.stripe_events AS e
       SET outcome = 'failed', error_code = failure
     WHERE e.event_id = told.id;
    RETURN 'failed';
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_receive(text, boolean) IS
    'Stores an event whose signature is good, and applies it. Whatever is '
    'wrong with it is noted, not raised: that would take back the note, and '
    'Stripe would send it again for days.';

CREATE FUNCTION bambi_internal.stripe_keep_unreadable(
    payload text, livemode boolean, code text)
RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id   text;
    type text;
BEGIN
    -- of type json, members are not looked into
    BEGIN
        id := trim('"' FROM (payload::json -> 'id')::text);
        type := trim('"' FROM (payload::json -> 'type')::text);
    EXCEPTION WHEN data_exception OR statement_too_complex THEN
        id := NULL;
    END;
    IF id IS NULL OR id !~ '^evt_[A-Za-z0-9_]{1,200}$' THEN
        id := 'sha256:' || encode(sha256(convert_to(payload, 'UTF8')), 'hex');
    END IF;
    IF type IS NULL OR type !~ '^[a-z0-9_.]{1,200}$' THEN
        type := 'unreadable';
    END IF;
    INSERT INTO bambi.stripe_events AS e
           (event_id, type, created, livemode, outcome, error_code)
    VALUES (id, type, now(), livemode, 'failed', code)
        ON CONFLICT DO NOTHING;
    RETURN CASE WHEN FOUND THEN 'failed' ELSE 'duplicate' END;
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_keep_unreadable(
    text, boolean, text) IS
    'Notes what was signed, but is no event that can be read.';

-- ---- for operators

CREATE FUNCTION bambi_internal.link_customer(user_id uuid, customer_id text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- operators may not write events
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    event_id text := 'bambi_' || gen_random_uuid();
BEGIN
    PERFORM bambi_internal.require_tables();
    IF link_customer.user_id IS NULL OR NOT EXISTS (
           SELECT FROM bambi.users AS u
            WHERE u.id = link_customer.user_id
              AND u.erased_at IS NULL) THEN
        RAISE EXCEPTION 'user is not known'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF link_customer.customer_id IS NULL
       OR link_customer.customer_id !~ '^[A-Za-z0-9_]{1,255}$' THEN
        RAISE EXCEPTION 'customer is not one of Stripe''s'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Their ids begin with cus_.';
    END IF;
    INSERT INTO bambi.stripe_events (event_id, type, created, livemode,
           object_id, customer_id, user_id, named_by, facts, outcome)
    VALUES (event_id, 'bambi.customer_linked', clock_timestamp(),
            current_setting('bambi.stripe_livemode')::boolean,
            link_customer.customer_id, link_customer.customer_id,
            link_customer.user_id, 'operator', '{}', 'applied');
    PERFORM bambi_internal.stripe_apply(link_customer.customer_id);
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.link_customer(uuid, text) FROM PUBLIC;
ALTER FUNCTION bambi_internal.link_customer(uuid, text) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.link_customer(uuid, text)
    TO bambi_admin;
COMMENT ON FUNCTION bambi_internal.link_customer(uuid, text) IS
    'What bambi_link_customer calls.';

CREATE FUNCTION @extschema@.bambi_link_customer(
    user_id uuid, customer_id text)
RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.link_customer($1, $2);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_link_customer(uuid, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_link_customer(uuid, text)
    TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_link_customer(uuid, text) IS
    'Says whose a customer of Stripe is, where no event says so, or a wrong '
    'one does.
It counts before whatever events say. For operators. '
    'Errors: 22023 "user is not known", "customer is not one of Stripe''s"; '
    '55000 "bambi is not set up".';

CREATE FUNCTION bambi_internal.stripe_problems()
RETURNS TABLE (
    problem text, customer_id text, subscription_id text, event_id text,
    user_id uuid, detail text, created timestamptz, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
-- reads all customers
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH alive AS MATERIALIZED (
        SELECT t.customer_id, t.subscription_id, s.event_id, c.user_id,
               s.is_known
          FROM (SELECT DISTINCT e.customer_id, e.subscription_id
                  FROM bambi.stripe_events AS e
                 WHERE e.facts ? 'status') AS t
               CROSS JOIN LATERAL bambi_internal.stripe_subscription(
                   t.subscription_id) AS s
               LEFT JOIN bambi_internal.stripe_customers AS c
                   USING (customer_id)
         WHERE s.status IN ('trialing', 'active', 'past_due')
           AND NOT EXISTS (
               SELECT FROM bambi.stripe_events AS d
                WHERE d.customer_id = t.customer_id AND d.facts ? 'deleted'))
    SELECT 'unknown user', a.customer_id, a.subscription_id, a.event_id,
           a.user_id, NULL, e.created,
           'See bambi_link_customer(). A user who is named, and signs up, '
           'gets the plan then.'
      FROM alive AS a JOIN bambi.stripe_events AS e ON e.event_id = a.event_id
     WHERE NOT EXISTS (SELECT FROM bambi.users AS u WHERE u.id = a.user_id)
    UNION ALL
    SELECT 'unknown price', a.customer_id, a.subscription_id, a.event_id,
           a.user_id,
           (SELECT string_agg(concat_ws(' ', p ->> 0, p ->> 1), ', ')
              FROM jsonb_array_elements(e.facts -> 'prices') p),
           e.created, 'INSERT INTO bambi.stripe_prices (price, plan_type) ...'
      FROM alive AS a JOIN bambi.stripe_events AS e ON e.event_id = a.event_id
     WHERE NOT a.is_known
    UNION ALL
    SELECT CASE e.outcome WHEN 'failed' THEN 'failed event'
                          ELSE 'wrong mode' END,
           e.customer_id, e.subscription_id, e.event_id, e.user_id,
           e.error_code, e.created,
           CASE e.outcome
           WHEN 'failed' THEN 'See the event in Stripe''s dashboard.'
           ELSE 'See bambi.stripe_livemode, and which webhook endpoint the '
                'secret belongs to.' END
      FROM bambi.stripe_events AS e
     WHERE e.outcome IN ('failed', 'wrong_mode')
    UNION ALL
    SELECT 'open dispute', NULL, NULL, e.event_id, NULL, e.facts ->> 'charge',
           e.created, 'Answer it in Stripe''s dashboard; the plan stays.'
      FROM bambi.stripe_events AS e
     WHERE e.type = 'charge.dispute.created' AND e.facts IS NOT NULL
       AND NOT EXISTS (
           SELECT FROM bambi.stripe_events AS c
            WHERE c.type = 'charge.dispute.closed'
              AND c.object_id = e.object_id);
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.stripe_problems() FROM PUBLIC;
ALTER FUNCTION bambi_internal.stripe_problems() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.stripe_problems() TO bambi_admin;
COMMENT ON FUNCTION bambi_internal.stripe_problems() IS
    'What the view bambi_stripe_problems shows.';

-- Nobody else calls these.
DO $$
DECLARE
    routine pg_catalog.regprocedure;
BEGIN
    FOR routine IN
        SELECT p.oid FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = 'bambi_internal'::pg_catalog.regnamespace
           AND p.proname IN (
               'stripe_id', 'stripe_customer', 'stripe_user',
               'stripe_subscription_facts', 'stripe_facts',
               'stripe_is_trouble', 'stripe_is_erased', 'stripe_receive',
               'stripe_keep_unreadable')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC',
                                  routine);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO bambi_owner',
                                  routine);
    END LOOP;
END
$$;
