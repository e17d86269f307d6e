-- What a user has: the plan that holds now, and what is used and left of it.

-- One row of users decides; the count of what runs is read only if asked for.
CREATE OR REPLACE VIEW @extschema@.bambi_account
WITH (security_invoker = true) AS
SELECT u.id AS user_id,
       a.plan_type,
       p.generations_per_period AS generations_limit,
       c.generations_used,
       -- greatest() alone would make none left of no limit
       CASE WHEN p.generations_per_period IS NOT NULL
            THEN greatest(p.generations_per_period - c.generations_used, 0)
       END AS generations_left,
       c.resets_at,
       u.email,
       u.is_active,
       u.created_at,
       p.generations_per_minute,
       p.max_waiting,
       p.max_in_flight,
       (SELECT count(*)::integer FROM bambi_internal.queue q
         WHERE q.user_id = u.id AND q.claimed_by IS NOT NULL) AS in_flight,
       p.max_pictures,
       p.models,
       p.store,
       p.retention_days,
       p.budget,
       p.budget_currency,
       c.period_start
  FROM bambi.users u
       LEFT JOIN bambi.subscriptions s ON s.user_id = u.id
       CROSS JOIN LATERAL (
           SELECT bambi_internal.plan_in_force(
                      s.status, s.plan_type, s.next_plan_type,
                      s.current_period_end, s.cancel_at_period_end,
                      s.past_due_since, now()) AS plan_type
       ) a
       LEFT JOIN bambi.plans p ON p.plan_type = a.plan_type
       CROSS JOIN LATERAL (
           SELECT bambi_internal.subscription_period(
                      p.plan_type, s.current_period_start,
                      s.current_period_end, p.period, now()) AS period
       ) b
       CROSS JOIN LATERAL (
           SELECT CASE WHEN bambi_internal.is_in_period(
                                u.reset_date, u.period_start,
                                lower(b.period), now())
                       THEN u.usage_count ELSE 0 END AS generations_used,
                  CASE WHEN bambi_internal.is_in_period(
                                u.reset_date, u.period_start,
                                lower(b.period), now())
                       THEN u.reset_date
                       ELSE upper(b.period) END AS resets_at,
                  CASE WHEN bambi_internal.is_in_period(
                                u.reset_date, u.period_start,
                                lower(b.period), now())
                       -- the length of a month is that of UTC
                       THEN coalesce(u.period_start,
                                     (u.reset_date AT TIME ZONE 'UTC'
                                      - p.period) AT TIME ZONE 'UTC')
                       ELSE lower(b.period) END AS period_start
       ) c;
COMMENT ON VIEW @extschema@.bambi_account IS
    'Your account: the plan, and what is used and left of it.';
COMMENT ON COLUMN @extschema@.bambi_account.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_account.plan_type IS
    'The plan that holds now.';
COMMENT ON COLUMN @extschema@.bambi_account.generations_limit IS
    'Generations a period; NULL: any number.';
COMMENT ON COLUMN @extschema@.bambi_account.generations_used IS
    'Generations in this period, those that wait included.';
COMMENT ON COLUMN @extschema@.bambi_account.generations_left IS
    'What is left in this period; NULL: any number.';
COMMENT ON COLUMN @extschema@.bambi_account.resets_at IS
    'When this period ends; NULL: it has ended, and the next generation '
    'begins another.';
COMMENT ON COLUMN @extschema@.bambi_account.email IS
    'Your e-mail address.';
COMMENT ON COLUMN @extschema@.bambi_account.is_active IS
    'False: you may look, but not do anything.';
COMMENT ON COLUMN @extschema@.bambi_account.created_at IS
    'Since when you are here.';
COMMENT ON COLUMN @extschema@.bambi_account.generations_per_minute IS
    'Generations that you may start in any minute; NULL: any number.';
COMMENT ON COLUMN @extschema@.bambi_account.max_waiting IS
    'Generations that may wait or run at a time; NULL: any number.';
COMMENT ON COLUMN @extschema@.bambi_account.max_in_flight IS
    'Generations that run at a time, while others wait; NULL: any number.';
COMMENT ON COLUMN @extschema@.bambi_account.in_flight IS
    'Generations that run now.';
COMMENT ON COLUMN @extschema@.bambi_account.max_pictures IS
    'Pictures that one generation may ask for; NULL: as many as the model '
    'makes.';
COMMENT ON COLUMN @extschema@.bambi_account.models IS
    'Models that you may use, provider/* for all of a provider; NULL: any.';
COMMENT ON COLUMN @extschema@.bambi_account.store IS
    'Where pictures are kept; NULL: where the operator keeps all.';
COMMENT ON COLUMN @extschema@.bambi_account.retention_days IS
    'Days after which generations lose their prompts and pictures; NULL: '
    'never.';
COMMENT ON COLUMN @extschema@.bambi_account.budget IS
    'Money that your generations may cost in this period by the plan; NULL: '
    'any amount.';
COMMENT ON COLUMN @extschema@.bambi_account.budget_currency IS
    'Currency of budget.';
COMMENT ON COLUMN @extschema@.bambi_account.period_start IS
    'When this period began; NULL: as with resets_at.';
CREATE OR REPLACE TRIGGER nobody_writes
    INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.bambi_account
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.refuse_write();
ALTER VIEW @extschema@.bambi_account OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_account');
GRANT SELECT ON @extschema@.bambi_account TO bambi_user, bambi_service;
