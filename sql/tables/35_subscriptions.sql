-- Which plan a user has, and until when it is paid.

CREATE TABLE IF NOT EXISTS bambi.subscriptions (
    id                      uuid         NOT NULL
                                         DEFAULT @extschema@.bambi_uuid_v7(),
    user_id                 uuid         NOT NULL,
    stripe_customer_id      text,
    stripe_subscription_id  text,
    plan_type               text         NOT NULL DEFAULT 'free',
    status                  text         NOT NULL DEFAULT 'active',
    current_period_start    timestamptz,
    current_period_end      timestamptz,
    created_at              timestamptz  NOT NULL DEFAULT now(),
    updated_at              timestamptz  NOT NULL DEFAULT now(),
    cancel_at_period_end    boolean      NOT NULL DEFAULT false,
    stripe_price_id         text,
    next_plan_type          text,
    past_due_since          timestamptz,
    cancel_at               timestamptz,
    payment_status          text,

    PRIMARY KEY (id, user_id),
    CONSTRAINT one_subscription_per_user UNIQUE (user_id),
    CONSTRAINT stripe_customer_is_unique UNIQUE (stripe_customer_id),
    CONSTRAINT stripe_subscription_is_unique UNIQUE (stripe_subscription_id),
    CONSTRAINT subscription_belongs_to_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE,
    CONSTRAINT subscription_has_plan
        FOREIGN KEY (plan_type) REFERENCES bambi.plans (plan_type),
    CONSTRAINT subscription_status_is_known CHECK
        (status IN ('trialing', 'active', 'past_due', 'paused', 'canceled',
                    'unpaid', 'incomplete', 'incomplete_expired')),
    CONSTRAINT payment_status_is_known CHECK
        (payment_status IN ('paid', 'failed', 'action_required')),
    CONSTRAINT period_ends_after_its_start CHECK
        (current_period_end >= current_period_start)
);
COMMENT ON TABLE bambi.subscriptions IS
    'The plan of each user.';
COMMENT ON COLUMN bambi.subscriptions.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi.subscriptions.user_id IS
    'Whose; one row a user.';
COMMENT ON COLUMN bambi.subscriptions.stripe_customer_id IS
    'Stripe''s name of the user; NULL if never a customer.';
COMMENT ON COLUMN bambi.subscriptions.stripe_subscription_id IS
    'Stripe''s name of the subscription; NULL for a plan without one.';
COMMENT ON COLUMN bambi.subscriptions.plan_type IS
    'The plan, as far as status grants it.';
COMMENT ON COLUMN bambi.subscriptions.status IS
    'In Stripe''s words. trialing, active and, for some days, past_due grant '
    'the plan; with any other the user has free.';
COMMENT ON COLUMN bambi.subscriptions.current_period_start IS
    'Since when the present billing period runs.';
COMMENT ON COLUMN bambi.subscriptions.current_period_end IS
    'When it ends; NULL: it is not billed, and grants the plan until it is '
    'changed.';
COMMENT ON COLUMN bambi.subscriptions.created_at IS
    'When the row was made.';
COMMENT ON COLUMN bambi.subscriptions.updated_at IS
    'When the row was last changed.';
COMMENT ON COLUMN bambi.subscriptions.cancel_at_period_end IS
    'Whether it ends with the present period.';
COMMENT ON COLUMN bambi.subscriptions.stripe_price_id IS
    'Stripe''s name of the price that is paid.';
COMMENT ON COLUMN bambi.subscriptions.next_plan_type IS
    'The plan from current_period_end on; NULL: the same.';
COMMENT ON COLUMN bambi.subscriptions.past_due_since IS
    'Since when a payment is missing: the plan is granted for '
    'bambi.past_due_grace_days more; NULL: none is missing.';
COMMENT ON COLUMN bambi.subscriptions.cancel_at IS
    'When it will end, or has; NULL: it goes on.';
COMMENT ON COLUMN bambi.subscriptions.payment_status IS
    'What came of its last invoice: paid, failed, or action_required of the '
    'payer.';

CREATE INDEX IF NOT EXISTS subscription_plan
    ON bambi.subscriptions (plan_type);

CREATE OR REPLACE TRIGGER date_the_change
    BEFORE UPDATE ON bambi.subscriptions
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION bambi_internal.set_updated_at();

-- Names must not live on in what the planner keeps of them.
ALTER TABLE bambi.subscriptions
    ALTER stripe_customer_id SET STATISTICS 0,
    ALTER stripe_subscription_id SET STATISTICS 0;

ALTER TABLE bambi.subscriptions OWNER TO bambi_owner;
ALTER TABLE bambi.subscriptions ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.subscriptions');
DROP POLICY IF EXISTS owner_reads ON bambi.subscriptions;
CREATE POLICY owner_reads ON bambi.subscriptions
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.subscriptions;
CREATE POLICY service_reads ON bambi.subscriptions
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT (id, user_id, plan_type, status, current_period_start,
              current_period_end, created_at, updated_at,
              cancel_at_period_end, next_plan_type, past_due_since,
              cancel_at, payment_status)
    ON bambi.subscriptions TO bambi_user, bambi_service;  -- for the views

CREATE OR REPLACE VIEW @extschema@.bambi_subscription
WITH (security_invoker = true) AS
SELECT id, user_id, plan_type, status, current_period_start,
       current_period_end, cancel_at_period_end, created_at, updated_at,
       next_plan_type, past_due_since, cancel_at, payment_status
  FROM bambi.subscriptions;
COMMENT ON VIEW @extschema@.bambi_subscription IS
    'Your subscription.';
COMMENT ON COLUMN @extschema@.bambi_subscription.id IS
    'Id of the subscription.';
COMMENT ON COLUMN @extschema@.bambi_subscription.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_subscription.plan_type IS
    'The plan; bambi_account says which one holds now.';
COMMENT ON COLUMN @extschema@.bambi_subscription.status IS
    'trialing, active, past_due, paused, canceled, unpaid, incomplete or '
    'incomplete_expired.';
COMMENT ON COLUMN @extschema@.bambi_subscription.current_period_start IS
    'Since when the present billing period runs.';
COMMENT ON COLUMN @extschema@.bambi_subscription.current_period_end IS
    'When it ends.';
COMMENT ON COLUMN @extschema@.bambi_subscription.cancel_at_period_end IS
    'Whether it ends with the present period.';
COMMENT ON COLUMN @extschema@.bambi_subscription.created_at IS
    'When it was made.';
COMMENT ON COLUMN @extschema@.bambi_subscription.updated_at IS
    'When it was last changed.';
COMMENT ON COLUMN @extschema@.bambi_subscription.next_plan_type IS
    'The plan from current_period_end on; NULL: the same.';
COMMENT ON COLUMN @extschema@.bambi_subscription.past_due_since IS
    'Since when a payment is missing; NULL: none is.';
COMMENT ON COLUMN @extschema@.bambi_subscription.cancel_at IS
    'When it will end, or has; NULL: it goes on.';
COMMENT ON COLUMN @extschema@.bambi_subscription.payment_status IS
    'What came of the last invoice: paid, failed, or action_required: look '
    'for Stripe''s letter.';
ALTER VIEW @extschema@.bambi_subscription OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_subscription');
GRANT SELECT ON @extschema@.bambi_subscription TO bambi_user, bambi_service;
