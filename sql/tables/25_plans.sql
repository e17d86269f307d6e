-- What a user may do in a period of time.

CREATE TABLE IF NOT EXISTS bambi.plans (
    plan_type               text         NOT NULL,
    name                    text         NOT NULL,
    description             text,
    generations_per_period  integer,
    period                  interval     NOT NULL DEFAULT '1 month',
    default_model_id        uuid,
    weight                  integer      NOT NULL DEFAULT 1,
    max_waiting             integer,
    generations_per_minute  integer,
    max_in_flight           integer,
    max_pictures            integer,
    models                  text[],
    key_checks_per_minute   integer      DEFAULT 5,
    key_checks_per_hour     integer      DEFAULT 20,
    store                   text,
    retention_days          integer,
    budget                  numeric(14,6),
    budget_currency         text         NOT NULL DEFAULT 'USD',
    rank                    integer      NOT NULL DEFAULT 0,
    is_active               boolean      NOT NULL DEFAULT true,
    created_at              timestamptz  NOT NULL DEFAULT now(),
    updated_at              timestamptz  NOT NULL DEFAULT now(),

    PRIMARY KEY (plan_type),
    CONSTRAINT plan_has_default_model
        FOREIGN KEY (default_model_id) REFERENCES bambi.models (id),
    CONSTRAINT quota_is_not_negative CHECK (generations_per_period >= 0),
    CONSTRAINT period_is_at_least_a_minute CHECK (period >= '1 minute'),
    CONSTRAINT store_is_known CHECK
        (store IN ('database', 'filesystem', 's3', 'supabase')),
    CONSTRAINT max_waiting_is_positive CHECK (max_waiting > 0),
    CONSTRAINT generations_per_minute_are_1_to_600 CHECK
        (generations_per_minute BETWEEN 1 AND 600),
    CONSTRAINT max_in_flight_is_positive CHECK (max_in_flight > 0),
    CONSTRAINT max_pictures_is_positive CHECK (max_pictures > 0),
    CONSTRAINT models_are_named_with_provider CHECK
        (array_to_string(models, ' ', '')
         ~ '^([^ /]+/[^ ]+( [^ /]+/[^ ]+)*)?$'),
    CONSTRAINT retention_is_at_least_a_day CHECK (retention_days > 0),
    CONSTRAINT plan_budget_is_not_negative CHECK
        (budget >= 0 AND budget <> 'NaN'),
    CONSTRAINT plan_budget_currency_is_a_code CHECK
        (budget_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT key_checks_are_positive CHECK
        (key_checks_per_minute > 0 AND key_checks_per_hour > 0),
    CONSTRAINT weight_is_between_1_and_100 CHECK (weight BETWEEN 1 AND 100)
);
COMMENT ON TABLE bambi.plans IS
    'Plans that subscriptions name; every user without another one has free.';
COMMENT ON COLUMN bambi.plans.plan_type IS
    'Name for programs.';
COMMENT ON COLUMN bambi.plans.name IS
    'Name for people.';
COMMENT ON COLUMN bambi.plans.description IS
    'What it offers, for people.';
COMMENT ON COLUMN bambi.plans.generations_per_period IS
    'How many generations a period has; NULL: any number.';
COMMENT ON COLUMN bambi.plans.period IS
    'How long a period is, by the calendar of UTC. A user''s first begins '
    'with the sign-up; later ones follow without a gap, however long nobody '
    'asks, so that the day of the month stays. Of a plan that a subscription '
    'with dates grants, periods are counted back from its '
    'current_period_end, and the first begins with current_period_start: so '
    'one that is billed by the year has twelve of a month.';
COMMENT ON COLUMN bambi.plans.default_model_id IS
    'Model of a generation that names none; NULL: it must name one.';
COMMENT ON COLUMN bambi.plans.max_waiting IS
    'Most generations of a user that wait or run at a time; NULL: any number.';
COMMENT ON COLUMN bambi.plans.generations_per_minute IS
    'Most generations that a user starts in any minute, whatever becomes of '
    'them; NULL: any number.';
COMMENT ON COLUMN bambi.plans.max_in_flight IS
    'Most calls of a user that run at a time; what else is queued waits; '
    'NULL: any number.';
COMMENT ON COLUMN bambi.plans.max_pictures IS
    'Most pictures that one generation may ask for; NULL: as many as the '
    'model makes.';
COMMENT ON COLUMN bambi.plans.models IS
    'Models that may be used: provider/model, or provider/* for all of a '
    'provider; NULL: any.';
COMMENT ON COLUMN bambi.plans.key_checks_per_minute IS
    'Most keys of a user that are shown to their providers in a minute, by '
    'bambi_add_key, bambi_replace_key and bambi_validate_key together: nobody '
    'shall find out here which of many stolen keys are good; NULL: any number.';
COMMENT ON COLUMN bambi.plans.key_checks_per_hour IS
    'The same in an hour.';
COMMENT ON COLUMN bambi.plans.store IS
    'Where pictures of its users are kept: database, filesystem, s3 or '
    'supabase; NULL: as bambi.store says.';
COMMENT ON COLUMN bambi.plans.retention_days IS
    'Days after which generations of its users lose their prompts, pictures '
    'and what else is content; NULL: never.';
COMMENT ON COLUMN bambi.plans.budget IS
    'Most that a user''s generations of a period may cost; NULL: any amount.';
COMMENT ON COLUMN bambi.plans.budget_currency IS
    'Currency of budget, a code of ISO 4217.';
COMMENT ON COLUMN bambi.plans.rank IS
    'Order of plans: a change to a higher rank is an upgrade.';
COMMENT ON COLUMN bambi.plans.weight IS
    'Share of the queue against users of other plans that wait too.';
COMMENT ON COLUMN bambi.plans.is_active IS
    'False: not offered to anybody new.';
COMMENT ON COLUMN bambi.plans.created_at IS
    'When the row was made.';
COMMENT ON COLUMN bambi.plans.updated_at IS
    'When the row was last changed.';

CREATE INDEX IF NOT EXISTS plan_default_model
    ON bambi.plans (default_model_id);

CREATE OR REPLACE TRIGGER date_the_change
    BEFORE UPDATE ON bambi.plans
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION bambi_internal.set_updated_at();
CREATE OR REPLACE TRIGGER tell_worker_of_limits
    AFTER INSERT OR UPDATE OF max_in_flight ON bambi.plans
    EXECUTE FUNCTION bambi_internal.tell_worker();

ALTER TABLE bambi.plans OWNER TO bambi_owner;
ALTER TABLE bambi.plans ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.plans');
DROP POLICY IF EXISTS user_reads ON bambi.plans;
CREATE POLICY user_reads ON bambi.plans
    FOR SELECT TO bambi_user
    USING (@extschema@.bambi_user_id() IS NOT NULL);
DROP POLICY IF EXISTS service_reads ON bambi.plans;
CREATE POLICY service_reads ON bambi.plans
    FOR SELECT TO bambi_service USING (true);
DROP POLICY IF EXISTS admin_manages ON bambi.plans;
CREATE POLICY admin_manages ON bambi.plans
    TO bambi_admin USING (true) WITH CHECK (true);
GRANT SELECT ON bambi.plans TO bambi_user, bambi_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON bambi.plans TO bambi_admin;

-- Seeds.
INSERT INTO bambi.plans
       (plan_type, name, description, generations_per_period, weight, rank,
        generations_per_minute, max_in_flight, max_pictures,
        default_model_id)
SELECT l.plan_type, l.name, l.description, l.generations, l.weight, l.rank,
       l.per_minute, l.in_flight, l.pictures, m.id
  FROM (VALUES
    ('free', 'Free', 'Ten generations a month.', 10, 1, 0, 10, 2, 4),
    ('premium', 'Premium', 'A thousand generations a month.', 1000, 4, 10,
     60, 10, NULL)
       ) l (plan_type, name, description, generations, weight, rank,
            per_minute, in_flight, pictures)
       CROSS JOIN bambi.models m
       JOIN bambi.api_providers p ON p.id = m.provider_id
 WHERE p.slug = 'sandbox' AND m.model_id = 'sandbox'
    ON CONFLICT DO NOTHING;
