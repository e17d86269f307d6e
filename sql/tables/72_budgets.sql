-- How much money a user's generations may cost in a period, and how much of
-- that is gone.
--
-- Nothing is counted here. What is spent stands in usage_events, what is
-- reserved in the queue and in generations that somebody has to decide about;
-- a generation goes from one to the other in the transaction that settles it.

CREATE TABLE IF NOT EXISTS bambi.budgets (
    id                uuid           NOT NULL
                                     DEFAULT @extschema@.bambi_uuid_v7(),
    user_id           uuid           NOT NULL,
    configuration_id  uuid,
    amount            numeric(14,6)  NOT NULL,
    currency          text           NOT NULL DEFAULT 'USD',
    period            text           NOT NULL DEFAULT 'month',
    created_at        timestamptz    NOT NULL DEFAULT now(),
    updated_at        timestamptz    NOT NULL DEFAULT now(),

    PRIMARY KEY (id, user_id),
    CONSTRAINT one_budget_per_user_and_key UNIQUE NULLS NOT DISTINCT
        (user_id, configuration_id),
    CONSTRAINT budget_belongs_to_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE,
    CONSTRAINT budget_is_of_own_configuration
        FOREIGN KEY (configuration_id, user_id)
        REFERENCES bambi.api_configurations (id, user_id) ON DELETE CASCADE,
    CONSTRAINT budget_is_not_negative CHECK
        (amount >= 0 AND amount <> 'NaN'),
    CONSTRAINT budget_currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT budget_period_is_known CHECK
        (period IN ('day', 'month', 'year', 'total'))
);
COMMENT ON TABLE bambi.budgets IS
    'Budgets that users set themselves, by bambi_set_budget(); that of a plan '
    'stands in plans.budget.';
COMMENT ON COLUMN bambi.budgets.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi.budgets.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi.budgets.configuration_id IS
    'For what is paid with this key; NULL: for all that the user asks for.';
COMMENT ON COLUMN bambi.budgets.amount IS
    'Most that a period may cost.';
COMMENT ON COLUMN bambi.budgets.currency IS
    'ISO 4217.';
COMMENT ON COLUMN bambi.budgets.period IS
    'day, month or year of the calendar (UTC), or total: it never begins anew.';
COMMENT ON COLUMN bambi.budgets.created_at IS
    'When it was first set.';
COMMENT ON COLUMN bambi.budgets.updated_at IS
    'When it was last set.';

CREATE INDEX IF NOT EXISTS budget_of_configuration
    ON bambi.budgets (configuration_id, user_id);

ALTER TABLE bambi.budgets OWNER TO bambi_owner;
ALTER TABLE bambi.budgets ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.budgets');
DROP POLICY IF EXISTS owner_reads ON bambi.budgets;
CREATE POLICY owner_reads ON bambi.budgets
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.budgets;
CREATE POLICY service_reads ON bambi.budgets
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT ON bambi.budgets TO bambi_user, bambi_service;

CREATE OR REPLACE FUNCTION bambi_internal.budget_period(
    period text, at timestamptz)
RETURNS TABLE (since timestamptz, resets_at timestamptz)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    -- in UTC by a timestamp without a zone: a month is added there, or the
    -- session's zone would decide how long it is
    SELECT CASE WHEN period = 'total' THEN '-infinity'
                ELSE date_trunc(period, at AT TIME ZONE 'UTC')
                     AT TIME ZONE 'UTC' END,
           CASE WHEN period <> 'total'
                THEN (date_trunc(period, at AT TIME ZONE 'UTC')
                      + CASE period WHEN 'day' THEN interval '1 day'
                                    WHEN 'month' THEN interval '1 month'
                                    ELSE interval '1 year' END)
                     AT TIME ZONE 'UTC' END;
END;
COMMENT ON FUNCTION bambi_internal.budget_period(text, timestamptz) IS
    'The period of a budget that a time lies in.';
ALTER FUNCTION bambi_internal.budget_period(text, timestamptz)
    OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.budget_period(text, timestamptz)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bambi_internal.budget_period(text, timestamptz)
    TO bambi_user, bambi_service;

-- The period of a plan is that of the quota, and has nothing spent where it
-- has ended and nobody asked since.  A budget that never begins anew counts
-- what has left the ledger, too.  By the bound on the id alone, months before
-- it are left out.
CREATE OR REPLACE VIEW @extschema@.bambi_budgets
WITH (security_invoker = true) AS
SELECT b.id, b.user_id, b.scope, b.configuration_id, b.amount, b.currency,
       b.period, s.spent + c.spent AS spent,
       q.reserved + h.reserved AS reserved,
       greatest(b.amount - s.spent - c.spent - q.reserved - h.reserved,
                0.000000)
           AS amount_left,
       b.resets_at,
       s.unpriced + c.unpriced + q.unpriced + h.unpriced AS unpriced
  FROM (SELECT o.id, o.user_id,
               CASE WHEN o.configuration_id IS NULL
                    THEN 'user' ELSE 'key' END AS scope,
               o.configuration_id, o.amount, o.currency, o.period,
               p.since, p.resets_at
          FROM bambi.budgets o
               CROSS JOIN LATERAL
               bambi_internal.budget_period(o.period, now()) p
         UNION ALL
        SELECT NULL AS id, a.user_id, 'plan' AS scope,
               NULL AS configuration_id, a.budget, a.budget_currency,
               'plan' AS period, coalesce(a.period_start, now()), a.resets_at
          FROM @extschema@.bambi_account a
         WHERE a.budget IS NOT NULL) b
       CROSS JOIN LATERAL (
           SELECT coalesce(sum(e.cost), 0.000000) AS spent,
                  count(*) FILTER (WHERE e.cost IS NULL) AS unpriced
             FROM bambi.usage_events e
            WHERE e.user_id = b.user_id
              AND e.id >= @extschema@.bambi_uuid_floor(b.since)
              AND e.currency = b.currency
              AND (b.configuration_id IS NULL
                   OR e.configuration_id = b.configuration_id)) s
       CROSS JOIN LATERAL (
           SELECT coalesce(sum(k.cost), 0.000000) AS spent,
                  coalesce(sum(k.unpriced), 0)::bigint AS unpriced
             FROM bambi_internal.carried_costs k
                  JOIN bambi_internal.carried_months m
                  ON m.archive_id = k.archive_id
            WHERE b.period = 'total' AND k.user_id = b.user_id
              AND k.currency = b.currency
              AND (b.configuration_id IS NULL
                   OR k.configuration_id = b.configuration_id)) c
       CROSS JOIN LATERAL (
           SELECT coalesce(sum(w.cost_estimate), 0.000000) AS reserved,
                  count(*) FILTER (WHERE w.cost_estimate IS NULL) AS unpriced
             FROM bambi_internal.queue w
            WHERE w.user_id = b.user_id
              -- for queue_of_user
              AND w.user_id >= '00000000-0000-0000-0000-000000000000'
              AND (b.configuration_id IS NULL
                   OR w.configuration_id = b.configuration_id)) q
       CROSS JOIN LATERAL (
           SELECT coalesce(sum(g.cost_estimate), 0.000000) AS reserved,
                  count(*) FILTER (WHERE g.cost_estimate IS NULL) AS unpriced
             FROM bambi.image_generations g
            WHERE g.user_id = b.user_id AND g.held_reason IS NOT NULL
              AND (b.configuration_id IS NULL
                   OR g.configuration_id = b.configuration_id)) h;
COMMENT ON VIEW @extschema@.bambi_budgets IS
    'Your budgets, and what is spent and left of them in this period: those '
    'of bambi_set_budget() and that of your plan.';
COMMENT ON COLUMN @extschema@.bambi_budgets.id IS
    'Id of the budget; NULL for that of the plan.';
COMMENT ON COLUMN @extschema@.bambi_budgets.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_budgets.scope IS
    'user: for all that you ask for; key: for what is paid with one key; '
    'plan: your plan''s, for all that you ask for.';
COMMENT ON COLUMN @extschema@.bambi_budgets.configuration_id IS
    'For which key: bambi_configurations.';
COMMENT ON COLUMN @extschema@.bambi_budgets.amount IS
    'Most that a period may cost.';
COMMENT ON COLUMN @extschema@.bambi_budgets.currency IS
    'Of all amounts: ISO 4217.';
COMMENT ON COLUMN @extschema@.bambi_budgets.period IS
    'day, month or year of the calendar (UTC); total: it never begins anew; '
    'plan: the period of the plan''s quota.';
COMMENT ON COLUMN @extschema@.bambi_budgets.spent IS
    'What this period has cost, by bambi.usage_events.';
COMMENT ON COLUMN @extschema@.bambi_budgets.reserved IS
    'What is thought to be the cost of what is queued, runs, is uncertain or '
    'held.';
COMMENT ON COLUMN @extschema@.bambi_budgets.amount_left IS
    'What the next generation may cost at the most.';
COMMENT ON COLUMN @extschema@.bambi_budgets.resets_at IS
    'When the next period begins; NULL: never, or with the next generation.';
COMMENT ON COLUMN @extschema@.bambi_budgets.unpriced IS
    'How many of these calls cost nobody knows what, and are in no sum: there '
    'are none but from before the budget was set.';
CREATE OR REPLACE TRIGGER nobody_writes
    INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.bambi_budgets
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.refuse_write();
ALTER VIEW @extschema@.bambi_budgets OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_budgets');
GRANT SELECT ON @extschema@.bambi_budgets TO bambi_user, bambi_service;

-- The library does not know the name of the schema that the view is in.
CREATE OR REPLACE FUNCTION bambi_internal.budgets_of(
    owner uuid, configuration uuid)
RETURNS TABLE (scope text, period text, amount numeric, currency text,
               spent numeric, reserved numeric, resets_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT b.scope, b.period, b.amount, b.currency, b.spent, b.reserved,
           b.resets_at
      FROM @extschema@.bambi_budgets b
     WHERE b.user_id = owner
       AND (b.configuration_id IS NULL OR b.configuration_id = configuration);
END;
COMMENT ON FUNCTION bambi_internal.budgets_of(uuid, uuid) IS
    'The budgets that a generation of a user with a key has to keep to.';
ALTER FUNCTION bambi_internal.budgets_of(uuid, uuid) OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.budgets_of(uuid, uuid) FROM PUBLIC;
