-- What was used and what it cost: the ledger, an event for each call that may
-- be billed and for each key that was checked, and its sums.
--
-- An event is entered in the transaction that ends its call, and stays.
-- bambi_rollup_usage() adds it to the sums and marks it, in one statement; so
-- sums and unmarked events together are everything, once, in any snapshot.

CREATE TABLE IF NOT EXISTS bambi.usage_events (
    id                uuid           NOT NULL
                                     DEFAULT @extschema@.bambi_uuid_v7(),
    user_id           uuid           NOT NULL,
    generation_id     uuid,
    attempt           integer,
    configuration_id  uuid,
    provider_id       uuid,
    model_id          uuid,
    request_type      text           NOT NULL DEFAULT 'generate',
    images            integer        NOT NULL DEFAULT 0,
    tokens_used       bigint,
    usage             jsonb,
    cost              numeric(14,6),
    currency          text           NOT NULL DEFAULT 'USD',
    is_estimate       boolean        NOT NULL DEFAULT false,
    charged           text           NOT NULL DEFAULT 'unknown',
    created_at        timestamptz    NOT NULL DEFAULT now(),
    is_rolled_up      boolean        NOT NULL DEFAULT false,
    cost_source       text,

    -- by user first, unlike elsewhere: nobody asks for an event by its id, and
    -- the place of a second index is needed for the fresh ones
    PRIMARY KEY (user_id, id),
    CONSTRAINT event_belongs_to_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE,
    CONSTRAINT charged_is_known CHECK (charged IN ('no', 'unknown', 'yes')),
    -- or the sums, which are not negative either, could not take it
    CONSTRAINT event_is_not_negative CHECK
        (images >= 0 AND tokens_used >= 0 AND cost >= 0 AND cost <> 'NaN'),
    CONSTRAINT event_cost_source_is_known CHECK
        (cost_source IN ('provider', 'tokens', 'table'))
) PARTITION BY RANGE (id);
COMMENT ON TABLE bambi.usage_events IS
    'Calls that may be billed, checks of keys, and their cost. Only the user '
    'is a foreign key: money outlives the history.';
COMMENT ON COLUMN bambi.usage_events.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi.usage_events.user_id IS
    'Who pays.';
COMMENT ON COLUMN bambi.usage_events.generation_id IS
    'For which generation.';
COMMENT ON COLUMN bambi.usage_events.attempt IS
    'For which attempt of it.';
COMMENT ON COLUMN bambi.usage_events.configuration_id IS
    'With which key.';
COMMENT ON COLUMN bambi.usage_events.provider_id IS
    'To whom.';
COMMENT ON COLUMN bambi.usage_events.model_id IS
    'For which model.';
COMMENT ON COLUMN bambi.usage_events.request_type IS
    'generate, edit; validate: a key was checked, which costs nothing.';
COMMENT ON COLUMN bambi.usage_events.images IS
    'Pictures that came of it.';
COMMENT ON COLUMN bambi.usage_events.tokens_used IS
    'All tokens, by the provider''s answer.';
COMMENT ON COLUMN bambi.usage_events.usage IS
    'The same by kind.';
COMMENT ON COLUMN bambi.usage_events.cost IS
    'What it cost; NULL: not known.';
COMMENT ON COLUMN bambi.usage_events.currency IS
    'ISO 4217.';
COMMENT ON COLUMN bambi.usage_events.is_estimate IS
    'Whether cost is the estimate, because the answer did not tell.';
COMMENT ON COLUMN bambi.usage_events.charged IS
    'Whether the provider charges for it: no, unknown or yes.';
COMMENT ON COLUMN bambi.usage_events.created_at IS
    'When it was booked.';
COMMENT ON COLUMN bambi.usage_events.is_rolled_up IS
    'Whether api_usage has it.';
COMMENT ON COLUMN bambi.usage_events.cost_source IS
    'Where cost is from: provider, tokens or table, as in image_generations.';

CREATE INDEX IF NOT EXISTS fresh_events_of_user
    ON bambi.usage_events (user_id, id) WHERE NOT is_rolled_up;

ALTER TABLE bambi.usage_events OWNER TO bambi_owner;
ALTER TABLE bambi.usage_events ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.usage_events');
DROP POLICY IF EXISTS owner_reads ON bambi.usage_events;
CREATE POLICY owner_reads ON bambi.usage_events
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.usage_events;
CREATE POLICY service_reads ON bambi.usage_events
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT ON bambi.usage_events TO bambi_user, bambi_service;

SELECT bambi_internal.ensure_months(3);

CREATE TABLE IF NOT EXISTS bambi.api_usage (
    id                uuid           NOT NULL
                                     DEFAULT @extschema@.bambi_uuid_v7(),
    user_id           uuid           NOT NULL,
    configuration_id  uuid,
    provider_id       uuid           NOT NULL,
    request_type      text           NOT NULL DEFAULT 'generate',
    request_count     integer        NOT NULL DEFAULT 0,
    tokens_used       bigint         NOT NULL DEFAULT 0,
    cost_estimate     numeric(20,6)  NOT NULL DEFAULT 0,
    period_start      timestamptz    NOT NULL,
    period_end        timestamptz    NOT NULL,
    created_at        timestamptz    NOT NULL DEFAULT now(),
    updated_at        timestamptz    NOT NULL DEFAULT now(),
    granularity       text           NOT NULL DEFAULT 'day',
    model_id          uuid,
    currency          text           NOT NULL DEFAULT 'USD',
    images            integer        NOT NULL DEFAULT 0,
    unknown_costs     integer        NOT NULL DEFAULT 0,
    is_estimate       boolean        NOT NULL DEFAULT false,

    PRIMARY KEY (id, user_id),
    CONSTRAINT one_sum_per_period UNIQUE NULLS NOT DISTINCT
        (user_id, granularity, period_start, provider_id, configuration_id,
         request_type, model_id, currency),
    CONSTRAINT usage_belongs_to_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE,
    CONSTRAINT usage_is_of_own_configuration
        FOREIGN KEY (configuration_id, user_id)
        REFERENCES bambi.api_configurations (id, user_id),
    CONSTRAINT usage_has_provider
        FOREIGN KEY (provider_id) REFERENCES bambi.api_providers (id),
    CONSTRAINT usage_has_model
        FOREIGN KEY (model_id) REFERENCES bambi.models (id),
    CONSTRAINT granularity_is_known CHECK
        (granularity IN ('hour', 'day', 'month')),
    CONSTRAINT usage_period_ends_after_its_start CHECK
        (period_end > period_start),
    CONSTRAINT usage_is_not_negative CHECK
        (request_count >= 0 AND tokens_used >= 0 AND cost_estimate >= 0
         AND images >= 0),
    CONSTRAINT unknown_costs_are_of_calls CHECK
        (unknown_costs BETWEEN 0 AND request_count)
);
COMMENT ON TABLE bambi.api_usage IS
    'Usage by hour, day and month (UTC), user, key, provider, model and kind '
    'of call: sums of the usage_events that are rolled up.';
COMMENT ON COLUMN bambi.api_usage.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi.api_usage.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi.api_usage.configuration_id IS
    'With which key; NULL: without one.';
COMMENT ON COLUMN bambi.api_usage.provider_id IS
    'At which provider.';
COMMENT ON COLUMN bambi.api_usage.request_type IS
    'generate, edit, validate.';
COMMENT ON COLUMN bambi.api_usage.request_count IS
    'Calls.';
COMMENT ON COLUMN bambi.api_usage.tokens_used IS
    'Tokens, as far as they are known.';
COMMENT ON COLUMN bambi.api_usage.cost_estimate IS
    'Cost, as far as it is known.';
COMMENT ON COLUMN bambi.api_usage.period_start IS
    'First moment of the period.';
COMMENT ON COLUMN bambi.api_usage.period_end IS
    'First moment after it.';
COMMENT ON COLUMN bambi.api_usage.created_at IS
    'When the row was made.';
COMMENT ON COLUMN bambi.api_usage.updated_at IS
    'When it was last summed up.';
COMMENT ON COLUMN bambi.api_usage.granularity IS
    'Length of the period: hour, day or month (UTC). Each call is in one row '
    'of each.';
COMMENT ON COLUMN bambi.api_usage.model_id IS
    'For which model; NULL: for none.';
COMMENT ON COLUMN bambi.api_usage.currency IS
    'Of the cost: ISO 4217.';
COMMENT ON COLUMN bambi.api_usage.images IS
    'Pictures that came of it.';
COMMENT ON COLUMN bambi.api_usage.unknown_costs IS
    'Calls of which the cost is not known.';
COMMENT ON COLUMN bambi.api_usage.is_estimate IS
    'Whether some of the cost is an estimate.';

CREATE INDEX IF NOT EXISTS usage_of_configuration
    ON bambi.api_usage (configuration_id, user_id);
CREATE INDEX IF NOT EXISTS usage_of_provider ON bambi.api_usage (provider_id);
CREATE INDEX IF NOT EXISTS usage_of_model ON bambi.api_usage (model_id);
CREATE INDEX IF NOT EXISTS usage_by_period
    ON bambi.api_usage (period_start, period_end);

ALTER TABLE bambi.api_usage OWNER TO bambi_owner;
ALTER TABLE bambi.api_usage ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.api_usage');
DROP POLICY IF EXISTS owner_reads ON bambi.api_usage;
CREATE POLICY owner_reads ON bambi.api_usage
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.api_usage;
CREATE POLICY service_reads ON bambi.api_usage
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT ON bambi.api_usage TO bambi_user, bambi_service;

-- What all views of usage are made of: sums, and events that are not in them
-- yet.  Of one granularity it has each call once.
CREATE OR REPLACE VIEW bambi_internal.usage
WITH (security_invoker = true) AS
SELECT user_id, granularity, period_start, provider_id, model_id,
       configuration_id, request_type, currency, request_count, images,
       tokens_used, cost_estimate AS cost, unknown_costs, is_estimate
  FROM bambi.api_usage
 UNION ALL
SELECT e.user_id, g.granularity,
       date_trunc(g.granularity, e.created_at, 'UTC'), e.provider_id,
       e.model_id, e.configuration_id, e.request_type, e.currency, 1, e.images,
       coalesce(e.tokens_used, 0), coalesce(e.cost, 0),
       (e.cost IS NULL)::integer, e.is_estimate
  FROM bambi.usage_events e
       CROSS JOIN (VALUES ('hour'), ('day'), ('month')) g (granularity)
 WHERE NOT e.is_rolled_up;
COMMENT ON VIEW bambi_internal.usage IS
    'Usage rolled up and fresh, in each granularity.';
COMMENT ON COLUMN bambi_internal.usage.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi_internal.usage.granularity IS
    'hour, day or month.';
COMMENT ON COLUMN bambi_internal.usage.period_start IS
    'First moment of the period (UTC).';
COMMENT ON COLUMN bambi_internal.usage.provider_id IS
    'At which provider.';
COMMENT ON COLUMN bambi_internal.usage.model_id IS
    'With which model.';
COMMENT ON COLUMN bambi_internal.usage.configuration_id IS
    'With which key.';
COMMENT ON COLUMN bambi_internal.usage.request_type IS
    'generate, edit, validate.';
COMMENT ON COLUMN bambi_internal.usage.currency IS
    'Of the cost.';
COMMENT ON COLUMN bambi_internal.usage.request_count IS
    'Calls.';
COMMENT ON COLUMN bambi_internal.usage.images IS
    'Pictures.';
COMMENT ON COLUMN bambi_internal.usage.tokens_used IS
    'Tokens, as far as they are known.';
COMMENT ON COLUMN bambi_internal.usage.cost IS
    'Cost, as far as it is known.';
COMMENT ON COLUMN bambi_internal.usage.unknown_costs IS
    'Calls of which the cost is not known.';
COMMENT ON COLUMN bambi_internal.usage.is_estimate IS
    'Whether some of the cost is an estimate.';
ALTER VIEW bambi_internal.usage OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('bambi_internal.usage');
GRANT SELECT ON bambi_internal.usage TO bambi_user, bambi_service;

CREATE OR REPLACE VIEW @extschema@.bambi_usage
WITH (security_invoker = true) AS
SELECT user_id, provider_id, model_id, configuration_id, request_type,
       period_start,
       sum(request_count) AS request_count,
       sum(images) AS images,
       sum(tokens_used)::bigint AS tokens_used,
       CASE WHEN sum(unknown_costs) < sum(request_count) THEN sum(cost)
       END AS cost,
       currency,
       bool_or(is_estimate OR unknown_costs > 0) AS is_estimate
  FROM bambi_internal.usage
 WHERE granularity = 'day'
 GROUP BY user_id, provider_id, model_id, configuration_id, request_type,
          period_start, currency;
COMMENT ON VIEW @extschema@.bambi_usage IS
    'What you used and what it cost, by day (UTC), model and key.';
COMMENT ON COLUMN @extschema@.bambi_usage.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_usage.provider_id IS
    'At which provider: bambi_providers.';
COMMENT ON COLUMN @extschema@.bambi_usage.model_id IS
    'With which model: bambi_models.';
COMMENT ON COLUMN @extschema@.bambi_usage.configuration_id IS
    'With which key: bambi_configurations.';
COMMENT ON COLUMN @extschema@.bambi_usage.request_type IS
    'generate, edit, validate.';
COMMENT ON COLUMN @extschema@.bambi_usage.period_start IS
    'First moment of the day.';
COMMENT ON COLUMN @extschema@.bambi_usage.request_count IS
    'Calls.';
COMMENT ON COLUMN @extschema@.bambi_usage.images IS
    'Pictures.';
COMMENT ON COLUMN @extschema@.bambi_usage.tokens_used IS
    'Tokens, as far as they are known.';
COMMENT ON COLUMN @extschema@.bambi_usage.cost IS
    'Cost, as far as it is known; NULL: of no call.';
COMMENT ON COLUMN @extschema@.bambi_usage.currency IS
    'Of the cost: ISO 4217.';
COMMENT ON COLUMN @extschema@.bambi_usage.is_estimate IS
    'Whether some of the cost is an estimate or not known.';
CREATE OR REPLACE TRIGGER nobody_writes
    INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.bambi_usage
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.refuse_write();
ALTER VIEW @extschema@.bambi_usage OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_usage');
GRANT SELECT ON @extschema@.bambi_usage TO bambi_user, bambi_service;

CREATE OR REPLACE VIEW @extschema@.bambi_usage_by_month
WITH (security_invoker = true) AS
SELECT user_id, period_start,
       sum(request_count) AS request_count,
       sum(images) AS images,
       sum(tokens_used)::bigint AS tokens_used,
       CASE WHEN sum(unknown_costs) < sum(request_count) THEN sum(cost)
       END AS cost,
       currency,
       bool_or(is_estimate OR unknown_costs > 0) AS is_estimate
  FROM bambi_internal.usage
 WHERE granularity = 'month'
 GROUP BY user_id, period_start, currency;
COMMENT ON VIEW @extschema@.bambi_usage_by_month IS
    'What you used in a month (UTC), and what it cost.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_month.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_month.period_start IS
    'First moment of the month.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_month.request_count IS
    'Calls.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_month.images IS
    'Pictures.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_month.tokens_used IS
    'Tokens, as far as they are known.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_month.cost IS
    'Cost, as far as it is known; NULL: of no call.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_month.currency IS
    'Of the cost: ISO 4217.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_month.is_estimate IS
    'Whether some of the cost is an estimate or not known.';
CREATE OR REPLACE TRIGGER nobody_writes
    INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.bambi_usage_by_month
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.refuse_write();
ALTER VIEW @extschema@.bambi_usage_by_month OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_usage_by_month');
GRANT SELECT ON @extschema@.bambi_usage_by_month TO bambi_user, bambi_service;

CREATE OR REPLACE VIEW @extschema@.bambi_usage_by_model
WITH (security_invoker = true) AS
SELECT user_id, provider_id, model_id, period_start,
       sum(request_count) AS request_count,
       sum(images) AS images,
       sum(tokens_used)::bigint AS tokens_used,
       CASE WHEN sum(unknown_costs) < sum(request_count) THEN sum(cost)
       END AS cost,
       currency,
       bool_or(is_estimate OR unknown_costs > 0) AS is_estimate
  FROM bambi_internal.usage
 WHERE granularity = 'month'
 GROUP BY user_id, provider_id, model_id, period_start, currency;
COMMENT ON VIEW @extschema@.bambi_usage_by_model IS
    'The same by model.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_model.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_model.provider_id IS
    'At which provider: bambi_providers.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_model.model_id IS
    'With which model: bambi_models.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_model.period_start IS
    'First moment of the month.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_model.request_count IS
    'Calls.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_model.images IS
    'Pictures.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_model.tokens_used IS
    'Tokens, as far as they are known.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_model.cost IS
    'Cost, as far as it is known; NULL: of no call.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_model.currency IS
    'Of the cost: ISO 4217.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_model.is_estimate IS
    'Whether some of the cost is an estimate or not known.';
CREATE OR REPLACE TRIGGER nobody_writes
    INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.bambi_usage_by_model
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.refuse_write();
ALTER VIEW @extschema@.bambi_usage_by_model OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_usage_by_model');
GRANT SELECT ON @extschema@.bambi_usage_by_model TO bambi_user, bambi_service;

CREATE OR REPLACE VIEW @extschema@.bambi_usage_by_key
WITH (security_invoker = true) AS
SELECT user_id, provider_id, configuration_id, period_start,
       sum(request_count) AS request_count,
       sum(images) AS images,
       sum(tokens_used)::bigint AS tokens_used,
       CASE WHEN sum(unknown_costs) < sum(request_count) THEN sum(cost)
       END AS cost,
       currency,
       bool_or(is_estimate OR unknown_costs > 0) AS is_estimate
  FROM bambi_internal.usage
 WHERE granularity = 'month'
 GROUP BY user_id, provider_id, configuration_id, period_start, currency;
COMMENT ON VIEW @extschema@.bambi_usage_by_key IS
    'The same by key.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_key.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_key.provider_id IS
    'At which provider: bambi_providers.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_key.configuration_id IS
    'With which key: bambi_configurations.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_key.period_start IS
    'First moment of the month.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_key.request_count IS
    'Calls.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_key.images IS
    'Pictures.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_key.tokens_used IS
    'Tokens, as far as they are known.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_key.cost IS
    'Cost, as far as it is known; NULL: of no call.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_key.currency IS
    'Of the cost: ISO 4217.';
COMMENT ON COLUMN @extschema@.bambi_usage_by_key.is_estimate IS
    'Whether some of the cost is an estimate or not known.';
CREATE OR REPLACE TRIGGER nobody_writes
    INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.bambi_usage_by_key
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.refuse_write();
ALTER VIEW @extschema@.bambi_usage_by_key OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_usage_by_key');
GRANT SELECT ON @extschema@.bambi_usage_by_key TO bambi_user, bambi_service;
