-- Subscriptions, worked out from all that Stripe has told.
--
-- Whose a customer is, and what a user has, are functions of all facts that
-- are stored; so the end does not depend on the order in which they came.
-- Locks are taken in one order: event, customer, prices, users by id; who
-- comes second sees what the first one stored.

CREATE FUNCTION bambi_internal.stripe_apply(customer text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old_user uuid;
    new_user uuid;
BEGIN
    INSERT INTO bambi_internal.stripe_customers AS c (customer_id)
    VALUES (customer)
        ON CONFLICT (customer_id) DO UPDATE SET events = c.events + 1
    RETURNING c.user_id INTO old_user;

    -- The last word counts. In client_reference_id it may be the payer's
    -- own, by a payment link.
    SELECT e.user_id INTO new_user
      FROM bambi.stripe_events AS e
     WHERE e.customer_id = customer AND e.facts IS NOT NULL
       AND e.user_id IS NOT NULL
     ORDER BY array_position('{operator,metadata,client_reference_id}',
                             e.named_by),
              e.created DESC, e.event_id COLLATE "C" DESC
     LIMIT 1;
    UPDATE bambi_internal.stripe_customers AS c
       SET user_id = new_user
     WHERE c.customer_id = customer AND c.user_id IS DISTINCT FROM new_user;

    PERFORM bambi_internal.stripe_hold_users(ARRAY[old_user, new_user]);
    -- the old one first, or two would have the customer
    IF old_user IS DISTINCT FROM new_user THEN
        PERFORM bambi_internal.stripe_subscribe(old_user);
    END IF;
    PERFORM bambi_internal.stripe_subscribe(new_user);
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_apply(text) IS
    'Works out whose a customer of Stripe is, and what that user has.';

CREATE FUNCTION bambi_internal.stripe_hold_users(users uuid[])
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    somebody uuid;
BEGIN
    LOCK TABLE bambi.stripe_prices IN ROW EXCLUSIVE MODE;
    FOR somebody IN
        SELECT DISTINCT u FROM unnest(users) u WHERE u IS NOT NULL ORDER BY u
    LOOP
        INSERT INTO bambi_internal.stripe_users AS u (user_id)
        VALUES (somebody)
            ON CONFLICT (user_id) DO UPDATE SET changes = u.changes + 1;
    END LOOP;
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_hold_users(uuid[]) IS
    'Lets one transaction at a time work out the subscriptions of users, and '
    'none while prices change.';

CREATE FUNCTION bambi_internal.stripe_versions(subscription text)
RETURNS TABLE (
    event_id text, created timestamptz, facts jsonb, plan_type text,
    rank integer, price text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT e.event_id, e.created, e.facts, p.plan_type, p.rank, p.price
      FROM bambi.stripe_events AS e
           CROSS JOIN LATERAL (
               SELECT coalesce(s.plan_type, 'free') AS plan_type, s.rank,
                      i.item ->> 0 AS price
                 FROM jsonb_array_elements(
                          CASE e.facts -> 'prices' WHEN '[]' THEN '[[]]'
                          ELSE e.facts -> 'prices' END) WITH ORDINALITY
                      AS i (item, place)
                      LEFT JOIN LATERAL (
                          SELECT l.plan_type, l.rank
                            FROM bambi.stripe_prices AS s
                                 JOIN bambi.plans AS l USING (plan_type)
                           WHERE s.price IN (i.item ->> 0, i.item ->> 1)
                           ORDER BY s.price = i.item ->> 0 DESC
                           LIMIT 1) AS s ON true
                ORDER BY s.rank DESC NULLS LAST, i.place
                LIMIT 1) AS p
     WHERE e.subscription_id = subscription AND e.facts ? 'status'
     ORDER BY e.created,
              -- nothing comes after the end
              e.facts ->> 'status' IN ('canceled', 'incomplete_expired'),
              -- times are in seconds: one that says what was before is later
              NOT EXISTS (
                  SELECT FROM bambi.stripe_events AS l
                   WHERE l.subscription_id = subscription
                     AND l.created = e.created AND l.facts IS NOT NULL
                     AND l.facts ->> 'previous_status'
                         = e.facts ->> 'status'
                     AND l.facts ->> 'status' <> e.facts ->> 'status'),
              e.type <> 'customer.subscription.created',
              (e.facts ->> 'period_end')::bigint NULLS FIRST,
              e.event_id COLLATE "C";
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_versions(text) IS
    'What a subscription was, from the first event about it to the last, with '
    'the plan of its prices; rank is NULL where no price is known.';

CREATE FUNCTION bambi_internal.stripe_subscription(
    subscription text,
    OUT status text, OUT plan_type text, OUT next_plan_type text,
    OUT rank integer, OUT price text, OUT period_start timestamptz,
    OUT period_end timestamptz, OUT cancel_at timestamptz,
    OUT ends_with_period boolean, OUT past_due_since timestamptz,
    OUT started bigint, OUT is_known boolean, OUT event_id text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    version  record;
    starts   timestamptz;
    ends     timestamptz;
    is_paid  boolean;
BEGIN
    FOR version IN
        SELECT * FROM bambi_internal.stripe_versions(subscription)
    LOOP
        status := version.facts ->> 'status';
        starts := to_timestamp((version.facts ->> 'period_start')::bigint);
        ends := to_timestamp((version.facts ->> 'period_end')::bigint);
        is_paid := status IN ('trialing', 'active', 'past_due');
        -- A lower plan waits for the end of what is paid of the higher one.
        IF is_paid AND version.created < period_end
           AND coalesce(version.rank, -1) < rank THEN
            next_plan_type := version.plan_type;
        ELSE
            plan_type := version.plan_type;
            next_plan_type := NULL;
            rank := CASE WHEN is_paid THEN version.rank END;
            period_start := least(starts, ends);
            period_end := ends;
        END IF;
        past_due_since := CASE WHEN status = 'past_due'
            THEN coalesce(past_due_since, version.created) END;
        cancel_at := to_timestamp((version.facts ->> 'cancel_at')::bigint);
        ends_with_period :=
            coalesce((version.facts ->> 'cancel_at_period_end')::boolean,
                     false);
        started := (version.facts ->> 'started')::bigint;
        price := version.price;
        is_known := version.rank IS NOT NULL;
        event_id := version.event_id;
    END LOOP;
    IF ends_with_period THEN
        cancel_at := coalesce(cancel_at, ends);
    END IF;
    ends_with_period := coalesce(cancel_at <= ends, false);
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_subscription(text) IS
    'What a subscription is now, by all that was told of it.';

CREATE FUNCTION bambi_internal.stripe_best(
    "user" uuid,
    OUT customer_id text, OUT subscription_id text, OUT status text,
    OUT plan_type text, OUT next_plan_type text, OUT price text,
    OUT period_start timestamptz, OUT period_end timestamptz,
    OUT cancel_at timestamptz, OUT ends_with_period boolean,
    OUT past_due_since timestamptz, OUT payment_status text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    WITH told AS MATERIALIZED (
        SELECT DISTINCT e.subscription_id, c.customer_id
          FROM bambi_internal.stripe_customers AS c
               JOIN bambi.stripe_events AS e
                   ON e.customer_id = c.customer_id
         WHERE c.user_id = "user" AND e.facts ? 'status'),
    deleted AS MATERIALIZED (
        SELECT DISTINCT e.customer_id
          FROM told AS t JOIN bambi.stripe_events AS e USING (customer_id)
         WHERE e.facts ? 'deleted')
    SELECT t.customer_id, t.subscription_id, x.status, s.plan_type,
           s.next_plan_type, s.price, s.period_start, s.period_end,
           s.cancel_at, s.ends_with_period, x.past_due_since
      INTO customer_id, subscription_id, status, plan_type, next_plan_type,
           price, period_start, period_end, cancel_at, ends_with_period,
           past_due_since
      FROM told AS t
           CROSS JOIN LATERAL bambi_internal.stripe_subscription(
               t.subscription_id) AS s
           LEFT JOIN deleted AS d USING (customer_id)
           -- with the customer all subscriptions end
           CROSS JOIN LATERAL (
               SELECT CASE WHEN d.customer_id IS NULL THEN s.status
                           ELSE 'canceled' END AS status,
                      CASE WHEN d.customer_id IS NULL
                           THEN s.past_due_since END AS past_due_since) AS x
     ORDER BY x.status IN ('trialing', 'active') DESC,
              x.status = 'past_due' DESC, s.rank DESC NULLS LAST,
              s.started DESC NULLS LAST, t.subscription_id COLLATE "C" DESC
     LIMIT 1;
    IF status NOT IN ('trialing', 'active', 'past_due') THEN
        next_plan_type := NULL;
    END IF;
    SELECT e.facts ->> 'payment' INTO payment_status
      FROM bambi.stripe_events AS e
     WHERE e.subscription_id = stripe_best.subscription_id
       AND e.facts ? 'payment'
     ORDER BY e.created DESC,
              array_position('{paid,action_required,failed}',
                             e.facts ->> 'payment'),
              e.event_id COLLATE "C" DESC
     LIMIT 1;
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_best(uuid) IS
    'The subscription that counts of those that a user has: one that is paid, '
    'then of the highest plan, then the newest.';

CREATE FUNCTION bambi_internal.stripe_subscribe("user" uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    best record;
BEGIN
    -- waits for whoever is deleting the user
    PERFORM FROM bambi.users AS u
      WHERE u.id = "user" AND u.erased_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT * INTO best FROM bambi_internal.stripe_best("user");
    IF best.subscription_id IS NULL THEN
        -- what Stripe gave goes, what an operator gave stays
        UPDATE bambi.subscriptions AS s
           SET stripe_customer_id = NULL, stripe_subscription_id = NULL,
               stripe_price_id = NULL, plan_type = 'free', status = 'active',
               next_plan_type = NULL, current_period_start = NULL,
               current_period_end = NULL, cancel_at_period_end = false,
               cancel_at = NULL, past_due_since = NULL, payment_status = NULL
         WHERE s.user_id = "user" AND s.stripe_subscription_id IS NOT NULL;
        RETURN;
    END IF;
    INSERT INTO bambi.subscriptions AS s (user_id, stripe_customer_id,
           stripe_subscription_id, stripe_price_id, plan_type, status,
           next_plan_type, current_period_start, current_period_end,
           cancel_at_period_end, cancel_at, past_due_since, payment_status)
    VALUES ("user", best.customer_id, best.subscription_id, best.price,
            best.plan_type, best.status, best.next_plan_type,
            best.period_start, best.period_end, best.ends_with_period,
            best.cancel_at, best.past_due_since, best.payment_status)
        ON CONFLICT (user_id) DO UPDATE
       SET stripe_customer_id = excluded.stripe_customer_id,
           stripe_subscription_id = excluded.stripe_subscription_id,
           stripe_price_id = excluded.stripe_price_id,
           plan_type = excluded.plan_type, status = excluded.status,
           next_plan_type = excluded.next_plan_type,
           current_period_start = excluded.current_period_start,
           current_period_end = excluded.current_period_end,
           cancel_at_period_end = excluded.cancel_at_period_end,
           cancel_at = excluded.cancel_at,
           past_due_since = excluded.past_due_since,
           payment_status = excluded.payment_status;
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_subscribe(uuid) IS
    'Gives a user the subscription that Stripe''s events amount to. The '
    'caller holds the user, see stripe_hold_users().';

-- ---- what else changes a subscription

CREATE FUNCTION @extschema@.bambi_set_plan(
    user_id uuid, plan_type text, until timestamptz DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- operators may not write subscriptions
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM bambi_internal.require_tables();
    IF NOT EXISTS (SELECT FROM bambi.users AS u
                    WHERE u.id = bambi_set_plan.user_id
                      AND u.erased_at IS NULL) THEN
        RAISE EXCEPTION 'user is not known'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM bambi.plans AS p
                    WHERE p.plan_type = bambi_set_plan.plan_type) THEN
        RAISE EXCEPTION 'plan is not known'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'bambi.plans has those that are.';
    END IF;
    IF until <= now() THEN
        RAISE EXCEPTION 'a plan cannot end in the past'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM bambi_internal.stripe_hold_users(
                ARRAY[bambi_set_plan.user_id]);
    INSERT INTO bambi.subscriptions AS s (user_id, plan_type, status,
           current_period_start, current_period_end, cancel_at_period_end)
    VALUES (bambi_set_plan.user_id, bambi_set_plan.plan_type, 'active',
            CASE WHEN isfinite(until) THEN now() END,
            CASE WHEN isfinite(until) THEN until END,
            coalesce(isfinite(until), false))
        ON CONFLICT ON CONSTRAINT one_subscription_per_user DO UPDATE
       SET plan_type = excluded.plan_type, status = excluded.status,
           current_period_start = excluded.current_period_start,
           current_period_end = excluded.current_period_end,
           cancel_at_period_end = excluded.cancel_at_period_end,
           next_plan_type = NULL, past_due_since = NULL
     WHERE s.stripe_subscription_id IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Stripe decides about this subscription'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Change or end it in Stripe''s dashboard.';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION
    @extschema@.bambi_set_plan(uuid, text, timestamptz) FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_set_plan(uuid, text, timestamptz)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION
    @extschema@.bambi_set_plan(uuid, text, timestamptz) TO bambi_admin;
COMMENT ON FUNCTION
    @extschema@.bambi_set_plan(uuid, text, timestamptz) IS
    'Gives a user a plan without a payment, until a time or for good (NULL). '
    'It acts at once.
For operators. What Stripe tells of the user later counts before it. '
    'Errors: 22023 "user is not known", "plan is not known", "a plan cannot '
    'end in the past"; 55000 "Stripe decides about this subscription", "bambi '
    'is not set up".';

CREATE FUNCTION bambi_internal.stripe_user_arrives()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- whoever makes a user touches none of these tables
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- waits for whoever applies an event that names the user
    INSERT INTO bambi_internal.stripe_users (user_id) VALUES (NEW.id)
        ON CONFLICT DO NOTHING;
    IF FOUND THEN
        DELETE FROM bambi_internal.stripe_users AS u WHERE u.user_id = NEW.id;
    ELSE
        BEGIN
            PERFORM bambi_internal.stripe_hold_users(ARRAY[NEW.id]);
            PERFORM bambi_internal.stripe_subscribe(NEW.id);
        EXCEPTION WHEN OTHERS THEN
            -- nobody is kept from signing up by what Stripe said
            IF bambi_internal.stripe_is_trouble(SQLSTATE) THEN
                RAISE;
            END IF;
            UPDATE bambi.stripe_events AS e
               SET outcome = 'failed', error_code = SQLSTATE
             WHERE e.user_id = NEW.id AND e.outcome = 'applied';
        END;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_user_arrives() IS
    'Trigger of users: events that name a user may come before the user.';

CREATE FUNCTION bambi_internal.stripe_hold_prices()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- operators have no right to lock
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    LOCK TABLE bambi.stripe_prices IN SHARE ROW EXCLUSIVE MODE;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_hold_prices() IS
    'Trigger of stripe_prices and plans: no event is applied with the old '
    'ones.';

CREATE FUNCTION bambi_internal.stripe_subscribe_payers(prices text[])
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    users uuid[];
    somebody uuid;
BEGIN
    SELECT array_agg(DISTINCT c.user_id) INTO users
      FROM bambi.stripe_events AS e
           JOIN bambi_internal.stripe_customers AS c USING (customer_id)
     WHERE EXISTS (
               SELECT FROM jsonb_array_elements(e.facts -> 'prices') p,
                           jsonb_array_elements_text(p) w (word)
                WHERE w.word = ANY (prices));
    PERFORM bambi_internal.stripe_hold_users(users);
    FOREACH somebody IN ARRAY coalesce(users, '{}')
    LOOP
        PERFORM bambi_internal.stripe_subscribe(somebody);
    END LOOP;
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_subscribe_payers(text[]) IS
    'Gives those who pay one of the prices, or did, what it means now.';

CREATE FUNCTION bambi_internal.stripe_price_changes()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- operators may not write subscriptions
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM bambi_internal.stripe_subscribe_payers(
                ARRAY[OLD.price, NEW.price]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_price_changes() IS
    'Trigger of stripe_prices: the change acts at once.';

CREATE FUNCTION bambi_internal.stripe_rank_changes()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- as above
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM bambi_internal.stripe_subscribe_payers(
                ARRAY(SELECT s.price FROM bambi.stripe_prices AS s
                       WHERE s.plan_type = NEW.plan_type));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.stripe_rank_changes() IS
    'Trigger of plans: what is an upgrade, and which plan is the highest, '
    'changes at once for those who pay for it.';

-- Nobody else calls these.
DO $$
DECLARE
    routine pg_catalog.regprocedure;
BEGIN
    FOR routine IN
        SELECT p.oid FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = 'bambi_internal'::pg_catalog.regnamespace
           AND p.proname IN (
               'stripe_apply', 'stripe_hold_users', 'stripe_versions',
               'stripe_subscription', 'stripe_best', 'stripe_subscribe',
               'stripe_user_arrives', 'stripe_hold_prices',
               'stripe_subscribe_payers', 'stripe_price_changes',
               'stripe_rank_changes')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC',
                                  routine);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO bambi_owner',
                                  routine);
    END LOOP;
END
$$;
