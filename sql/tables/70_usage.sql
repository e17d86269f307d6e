-- What was used and what it cost: one event per attempt that may have cost
-- something, and their sums.

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
    cost_source       text,

    PRIMARY KEY (id, user_id),
    CONSTRAINT event_belongs_to_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE,
    CONSTRAINT charged_is_known CHECK (charged IN ('no', 'unknown', 'yes')),
    CONSTRAINT event_cost_source_is_known CHECK
        (cost_source IN ('provider', 'tokens', 'table'))
);
COMMENT ON TABLE bambi.usage_events IS
    'Calls and their cost. Only the user is a foreign key: money outlives '
    'the history.';
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
COMMENT ON COLUMN bambi.usage_events.cost_source IS
    'Where cost is from: provider, tokens or table, as in image_generations.';

CREATE INDEX IF NOT EXISTS events_of_user ON bambi.usage_events (user_id, id);

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

CREATE TABLE IF NOT EXISTS bambi.api_usage (
    id                uuid           NOT NULL
                                     DEFAULT @extschema@.bambi_uuid_v7(),
    user_id           uuid           NOT NULL,
    configuration_id  uuid,
    provider_id       uuid           NOT NULL,
    request_type      text           NOT NULL DEFAULT 'generate',
    request_count     integer        NOT NULL DEFAULT 0,
    tokens_used       bigint         NOT NULL DEFAULT 0,
    cost_estimate     numeric(14,6)  NOT NULL DEFAULT 0,
    period_start      timestamptz    NOT NULL,
    period_end        timestamptz    NOT NULL,
    created_at        timestamptz    NOT NULL DEFAULT now(),
    updated_at        timestamptz    NOT NULL DEFAULT now(),
    granularity       text           NOT NULL DEFAULT 'day',

    PRIMARY KEY (id, user_id),
    CONSTRAINT one_sum_per_period UNIQUE NULLS NOT DISTINCT
        (user_id, granularity, period_start, provider_id, configuration_id,
         request_type),
    CONSTRAINT usage_belongs_to_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE,
    CONSTRAINT usage_is_of_own_configuration
        FOREIGN KEY (configuration_id, user_id)
        REFERENCES bambi.api_configurations (id, user_id),
    CONSTRAINT usage_has_provider
        FOREIGN KEY (provider_id) REFERENCES bambi.api_providers (id),
    CONSTRAINT granularity_is_known CHECK
        (granularity IN ('hour', 'day', 'month')),
    CONSTRAINT usage_period_ends_after_its_start CHECK
        (period_end > period_start),
    CONSTRAINT usage_is_not_negative CHECK
        (request_count >= 0 AND tokens_used >= 0 AND cost_estimate >= 0)
);
COMMENT ON TABLE bambi.api_usage IS
    'Usage by user, key and period: sums of usage_events.';
COMMENT ON COLUMN bambi.api_usage.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi.api_usage.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi.api_usage.configuration_id IS
    'With which key; NULL: without one.';
COMMENT ON COLUMN bambi.api_usage.provider_id IS
    'At which provider.';
COMMENT ON COLUMN bambi.api_usage.request_type IS
    'generate, edit.';
COMMENT ON COLUMN bambi.api_usage.request_count IS
    'Calls.';
COMMENT ON COLUMN bambi.api_usage.tokens_used IS
    'Tokens, as far as they are known.';
COMMENT ON COLUMN bambi.api_usage.cost_estimate IS
    'Cost in USD, as far as it is known.';
COMMENT ON COLUMN bambi.api_usage.period_start IS
    'First moment of the period.';
COMMENT ON COLUMN bambi.api_usage.period_end IS
    'First moment after it.';
COMMENT ON COLUMN bambi.api_usage.created_at IS
    'When the row was made.';
COMMENT ON COLUMN bambi.api_usage.updated_at IS
    'When it was last summed up.';
COMMENT ON COLUMN bambi.api_usage.granularity IS
    'Length of the period: hour, day or month (UTC).';

CREATE INDEX IF NOT EXISTS usage_of_configuration
    ON bambi.api_usage (configuration_id, user_id);
CREATE INDEX IF NOT EXISTS usage_of_provider ON bambi.api_usage (provider_id);
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

CREATE OR REPLACE VIEW @extschema@.bambi_usage
WITH (security_invoker = true) AS
SELECT user_id, provider_id, model_id, configuration_id, request_type,
       date_trunc('day', created_at, 'UTC') AS period_start,
       count(*) AS request_count,
       sum(images) AS images,
       sum(tokens_used)::bigint AS tokens_used,
       sum(cost) AS cost,
       currency,
       bool_or(is_estimate OR cost IS NULL) AS is_estimate
  FROM bambi.usage_events
 GROUP BY user_id, provider_id, model_id, configuration_id, request_type,
          date_trunc('day', created_at, 'UTC'), currency;
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
    'generate, edit.';
COMMENT ON COLUMN @extschema@.bambi_usage.period_start IS
    'First moment of the day.';
COMMENT ON COLUMN @extschema@.bambi_usage.request_count IS
    'Calls.';
COMMENT ON COLUMN @extschema@.bambi_usage.images IS
    'Pictures.';
COMMENT ON COLUMN @extschema@.bambi_usage.tokens_used IS
    'Tokens, as far as they are known.';
COMMENT ON COLUMN @extschema@.bambi_usage.cost IS
    'Cost, as far as it is known.';
COMMENT ON COLUMN @extschema@.bambi_usage.currency IS
    'Of the cost: ISO 4217.';
COMMENT ON COLUMN @extschema@.bambi_usage.is_estimate IS
    'Whether some of the cost is an estimate or not known.';
CREATE OR REPLACE TRIGGER nobody_writes
    INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.bambi_usage
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.refuse_write();
ALTER VIEW @extschema@.bambi_usage OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_usage');
GRANT SELECT ON @extschema@.bambi_usage TO bambi_user, bambi_service;
