-- What Stripe has told, and what its prices mean here.
--
-- Of an event only what decides a plan is kept: no name, no address, no
-- amount.  The subscriptions are a function of all events that were kept, so
-- that it does not matter in which order, or how often, they come.

CREATE TABLE IF NOT EXISTS bambi.stripe_prices (
    price       text         NOT NULL,
    plan_type   text         NOT NULL,
    created_at  timestamptz  NOT NULL DEFAULT now(),
    updated_at  timestamptz  NOT NULL DEFAULT now(),

    PRIMARY KEY (price),
    CONSTRAINT price_has_plan
        FOREIGN KEY (plan_type) REFERENCES bambi.plans (plan_type),
    CONSTRAINT price_is_not_empty CHECK (price <> '')
);
COMMENT ON TABLE bambi.stripe_prices IS
    'Which plan a price of Stripe pays for. Operators write it; what it '
    'changes of subscriptions acts at once.';
COMMENT ON COLUMN bambi.stripe_prices.price IS
    'Stripe''s id of the price, or its lookup key; the id counts first.';
COMMENT ON COLUMN bambi.stripe_prices.plan_type IS
    'The plan.';
COMMENT ON COLUMN bambi.stripe_prices.created_at IS
    'When the row was made.';
COMMENT ON COLUMN bambi.stripe_prices.updated_at IS
    'When the row was last changed.';

CREATE INDEX IF NOT EXISTS stripe_price_plan
    ON bambi.stripe_prices (plan_type);

CREATE OR REPLACE TRIGGER date_the_change
    BEFORE UPDATE ON bambi.stripe_prices
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION bambi_internal.set_updated_at();
CREATE OR REPLACE TRIGGER wait_for_events
    BEFORE INSERT OR UPDATE OR DELETE ON bambi.stripe_prices
    FOR EACH STATEMENT EXECUTE FUNCTION bambi_internal.stripe_hold_prices();
CREATE OR REPLACE TRIGGER apply_to_subscriptions
    AFTER INSERT OR UPDATE OR DELETE ON bambi.stripe_prices
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.stripe_price_changes();

CREATE OR REPLACE TRIGGER wait_for_events
    BEFORE UPDATE OF rank ON bambi.plans
    FOR EACH STATEMENT EXECUTE FUNCTION bambi_internal.stripe_hold_prices();
CREATE OR REPLACE TRIGGER apply_to_subscriptions
    AFTER UPDATE OF rank ON bambi.plans
    FOR EACH ROW WHEN (OLD.rank <> NEW.rank)
    EXECUTE FUNCTION bambi_internal.stripe_rank_changes();

ALTER TABLE bambi.stripe_prices OWNER TO bambi_owner;
ALTER TABLE bambi.stripe_prices ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.stripe_prices');
DROP POLICY IF EXISTS admin_manages ON bambi.stripe_prices;
CREATE POLICY admin_manages ON bambi.stripe_prices
    TO bambi_admin USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON bambi.stripe_prices TO bambi_admin;

CREATE TABLE IF NOT EXISTS bambi.stripe_events (
    event_id         text         NOT NULL,
    type             text         NOT NULL,
    created          timestamptz  NOT NULL,
    livemode         boolean      NOT NULL,
    api_version      text,
    object_id        text,
    customer_id      text,
    subscription_id  text,
    user_id          uuid,
    named_by         text,
    facts            jsonb,
    outcome          text         NOT NULL,
    error_code       text,
    received_at      timestamptz  NOT NULL DEFAULT now(),

    PRIMARY KEY (event_id),
    CONSTRAINT outcome_is_known CHECK
        (outcome IN ('applied', 'recorded', 'ignored', 'wrong_mode',
                     'failed')),
    CONSTRAINT user_is_named_somewhere CHECK
        ((user_id IS NULL) = (named_by IS NULL)),
    CONSTRAINT naming_is_known CHECK
        (named_by IN ('operator', 'metadata', 'client_reference_id'))
);
COMMENT ON TABLE bambi.stripe_events IS
    'Every event of Stripe that came with a good signature, once; without '
    'its body.';
COMMENT ON COLUMN bambi.stripe_events.event_id IS
    'Stripe''s id of the event; sha256:... where a body had none.';
COMMENT ON COLUMN bambi.stripe_events.type IS
    'Stripe''s name of what happened.';
COMMENT ON COLUMN bambi.stripe_events.created IS
    'When it happened, as Stripe says.';
COMMENT ON COLUMN bambi.stripe_events.livemode IS
    'Whether real money was meant.';
COMMENT ON COLUMN bambi.stripe_events.api_version IS
    'In which version of Stripe''s API the event was written.';
COMMENT ON COLUMN bambi.stripe_events.object_id IS
    'What it is about: a subscription, an invoice, a charge.';
COMMENT ON COLUMN bambi.stripe_events.customer_id IS
    'Stripe''s name of the customer.';
COMMENT ON COLUMN bambi.stripe_events.subscription_id IS
    'Stripe''s name of the subscription.';
COMMENT ON COLUMN bambi.stripe_events.user_id IS
    'The user that the event names, who need not exist.';
COMMENT ON COLUMN bambi.stripe_events.named_by IS
    'Where: metadata, client_reference_id, or operator for '
    'bambi_link_customer().';
COMMENT ON COLUMN bambi.stripe_events.facts IS
    'What of it decides a plan; NULL: nothing does, or it does not count.';
COMMENT ON COLUMN bambi.stripe_events.outcome IS
    'applied; recorded: known, and changes no plan; ignored: of a type, or an '
    'account, that does not concern bambi; wrong_mode: not as '
    'bambi.stripe_livemode says; failed: it could not be read or applied.';
COMMENT ON COLUMN bambi.stripe_events.error_code IS
    'SQLSTATE of what failed.';
COMMENT ON COLUMN bambi.stripe_events.received_at IS
    'When it first came here.';

CREATE INDEX IF NOT EXISTS stripe_event_customer
    ON bambi.stripe_events (customer_id);
CREATE INDEX IF NOT EXISTS stripe_event_subscription
    ON bambi.stripe_events (subscription_id, created)
    WHERE facts IS NOT NULL;
CREATE INDEX IF NOT EXISTS stripe_event_user
    ON bambi.stripe_events (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS stripe_event_trouble
    ON bambi.stripe_events (created)
    WHERE outcome IN ('failed', 'wrong_mode') OR type LIKE 'charge.dispute.%';

CREATE INDEX IF NOT EXISTS stripe_event_age
    ON bambi.stripe_events (created, event_id);

-- Names must not live on in what the planner keeps of them.
ALTER TABLE bambi.stripe_events
    ALTER event_id SET STATISTICS 0,
    ALTER object_id SET STATISTICS 0,
    ALTER customer_id SET STATISTICS 0,
    ALTER subscription_id SET STATISTICS 0,
    ALTER facts SET STATISTICS 0;

ALTER TABLE bambi.stripe_events OWNER TO bambi_owner;
ALTER TABLE bambi.stripe_events ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.stripe_events');
DROP POLICY IF EXISTS admin_reads ON bambi.stripe_events;
CREATE POLICY admin_reads ON bambi.stripe_events
    FOR SELECT TO bambi_admin USING (true);
GRANT SELECT ON bambi.stripe_events TO bambi_admin;

-- One row each, to be locked by whoever applies an event. A lock alone would
-- let REPEATABLE READ go on with what it saw before: so they are updated.
CREATE TABLE IF NOT EXISTS bambi_internal.stripe_customers (
    customer_id  text    NOT NULL,
    user_id      uuid,
    events       bigint  NOT NULL DEFAULT 1,

    PRIMARY KEY (customer_id)
);
COMMENT ON TABLE bambi_internal.stripe_customers IS
    'Stripe''s customers, and who they are here.';
COMMENT ON COLUMN bambi_internal.stripe_customers.customer_id IS
    'Stripe''s name of the customer.';
COMMENT ON COLUMN bambi_internal.stripe_customers.user_id IS
    'The user, by what all events say, who need not exist; NULL: none says.';
COMMENT ON COLUMN bambi_internal.stripe_customers.events IS
    'How many were applied.';

CREATE INDEX IF NOT EXISTS stripe_customer_user
    ON bambi_internal.stripe_customers (user_id);

ALTER TABLE bambi_internal.stripe_customers
    ALTER customer_id SET STATISTICS 0;  -- as above

ALTER TABLE bambi_internal.stripe_customers OWNER TO bambi_owner;
ALTER TABLE bambi_internal.stripe_customers ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges(
           'bambi_internal.stripe_customers');

CREATE TABLE IF NOT EXISTS bambi_internal.stripe_users (
    user_id  uuid    NOT NULL,
    changes  bigint  NOT NULL DEFAULT 1,

    PRIMARY KEY (user_id)
);
COMMENT ON TABLE bambi_internal.stripe_users IS
    'Users whom Stripe''s events name, also before they are here.';
COMMENT ON COLUMN bambi_internal.stripe_users.user_id IS
    'The user.';
COMMENT ON COLUMN bambi_internal.stripe_users.changes IS
    'How often the subscription was worked out.';

ALTER TABLE bambi_internal.stripe_users OWNER TO bambi_owner;
ALTER TABLE bambi_internal.stripe_users ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi_internal.stripe_users');

CREATE OR REPLACE TRIGGER apply_what_stripe_said
    AFTER INSERT ON bambi.users
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.stripe_user_arrives();

CREATE OR REPLACE VIEW @extschema@.bambi_stripe_problems
WITH (security_invoker = true) AS
SELECT * FROM bambi_internal.stripe_problems();
COMMENT ON VIEW @extschema@.bambi_stripe_problems IS
    'What of Stripe''s events an operator has to look at. For operators.';
COMMENT ON COLUMN @extschema@.bambi_stripe_problems.problem IS
    'unknown user: somebody pays, and no user is linked to the customer, or '
    'the user is not here; unknown price: bambi.stripe_prices does not know '
    'what is paid; failed event: it could not be read or applied; wrong mode: '
    'an event of test mode in live mode, or the reverse; open dispute: a '
    'payment is disputed.';
COMMENT ON COLUMN @extschema@.bambi_stripe_problems.customer_id IS
    'Stripe''s name of the customer.';
COMMENT ON COLUMN @extschema@.bambi_stripe_problems.subscription_id IS
    'Stripe''s name of the subscription.';
COMMENT ON COLUMN @extschema@.bambi_stripe_problems.event_id IS
    'The event that tells it; of a subscription the last one.';
COMMENT ON COLUMN @extschema@.bambi_stripe_problems.user_id IS
    'The user that is named or concerned, if any.';
COMMENT ON COLUMN @extschema@.bambi_stripe_problems.detail IS
    'The prices, the SQLSTATE, or the disputed charge.';
COMMENT ON COLUMN @extschema@.bambi_stripe_problems.created IS
    'When it happened, as Stripe says.';
COMMENT ON COLUMN @extschema@.bambi_stripe_problems.hint IS
    'What can be done about it.';
ALTER VIEW @extschema@.bambi_stripe_problems OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_stripe_problems');
GRANT SELECT ON @extschema@.bambi_stripe_problems TO bambi_admin;
