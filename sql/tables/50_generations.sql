-- The history: every generation, a partition a month.
--
-- The id carries the time, so the months are ranges of ids.  There is no
-- DEFAULT partition: with one, "newest first" would become a merge of all
-- months instead of a walk from the newest.

CREATE TABLE IF NOT EXISTS bambi.image_generations (
    id                   uuid         NOT NULL
                                      DEFAULT @extschema@.bambi_uuid_v7(),
    user_id              uuid         NOT NULL,
    configuration_id     uuid,
    model_id             uuid         NOT NULL,
    prompt               text         NOT NULL,
    parameters           jsonb        NOT NULL DEFAULT '{}',
    status               text         NOT NULL DEFAULT 'queued',
    error_message        text,
    created_at           timestamptz  NOT NULL GENERATED ALWAYS AS
                                      (@extschema@.bambi_uuid_time(id))
                                      STORED,
    updated_at           timestamptz  NOT NULL DEFAULT now(),
    attempts             integer      NOT NULL DEFAULT 0,
    progress             smallint     NOT NULL DEFAULT 0,
    cost_estimate        numeric(14,6),
    cost                 numeric(14,6),
    tokens_used          bigint,
    quota_period         timestamptz,
    error_code           text,
    held_reason          text,
    cancel_requested_at  timestamptz,
    provider_request_id  text,
    started_at           timestamptz,
    finished_at          timestamptz,
    cost_source          text,

    PRIMARY KEY (id, user_id),
    CONSTRAINT generation_belongs_to_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE,
    CONSTRAINT generation_uses_own_configuration
        FOREIGN KEY (configuration_id, user_id)
        REFERENCES bambi.api_configurations (id, user_id),
    CONSTRAINT generation_has_model
        FOREIGN KEY (model_id) REFERENCES bambi.models (id),
    CONSTRAINT generation_status_is_known CHECK
        (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled',
                    'uncertain', 'held')),
    CONSTRAINT generation_cost_source_is_known CHECK
        (cost_source IN ('provider', 'tokens', 'table')),
    CONSTRAINT generation_parameters_are_an_object CHECK
        (jsonb_typeof(parameters) = 'object'),
    CONSTRAINT progress_is_a_percentage CHECK (progress BETWEEN 0 AND 100)
) PARTITION BY RANGE (id);
-- as above, where DROP EXTENSION ... CASCADE took it
ALTER TABLE bambi.image_generations
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL
    GENERATED ALWAYS AS (@extschema@.bambi_uuid_time(id)) STORED;
COMMENT ON TABLE bambi.image_generations IS
    'What users asked for and what became of it.';
COMMENT ON COLUMN bambi.image_generations.id IS
    'UUIDv7: carries the time, and so the month that the row is in.';
COMMENT ON COLUMN bambi.image_generations.user_id IS
    'Who asked.';
COMMENT ON COLUMN bambi.image_generations.configuration_id IS
    'With which key, one of the same user; NULL: the provider needs none.';
COMMENT ON COLUMN bambi.image_generations.model_id IS
    'With which model.';
COMMENT ON COLUMN bambi.image_generations.prompt IS
    'What the picture is to show; empty: it was not kept.';
COMMENT ON COLUMN bambi.image_generations.parameters IS
    'What else was asked for, by the model''s capabilities.';
COMMENT ON COLUMN bambi.image_generations.status IS
    'queued, succeeded, failed, cancelled, uncertain (sent, and nobody knows '
    'what came of it) or held (not to be sent before somebody decides). '
    'running is shown, not stored: a queued one whose row in the queue is '
    'claimed.';
COMMENT ON COLUMN bambi.image_generations.error_message IS
    'What went wrong, for people; scrubbed.';
COMMENT ON COLUMN bambi.image_generations.created_at IS
    'When it was asked for; from the id.';
COMMENT ON COLUMN bambi.image_generations.updated_at IS
    'When the row was last changed.';
COMMENT ON COLUMN bambi.image_generations.attempts IS
    'How many times it was claimed.';
COMMENT ON COLUMN bambi.image_generations.progress IS
    'Percent.';
COMMENT ON COLUMN bambi.image_generations.cost_estimate IS
    'What it was thought to cost by the prices of when it was queued; NULL: '
    'not known.';
COMMENT ON COLUMN bambi.image_generations.cost IS
    'What it did cost, as cost_source says; NULL: nothing, or not known.';
COMMENT ON COLUMN bambi.image_generations.tokens_used IS
    'Tokens by the provider''s answer; NULL where it does not count any.';
COMMENT ON COLUMN bambi.image_generations.quota_period IS
    'users.reset_date of the period that it is counted in; NULL: in none.';
COMMENT ON COLUMN bambi.image_generations.error_code IS
    'What went wrong, for programs: what the provider said (invalid_key, '
    'quota_exhausted, rate_limited, content_blocked, bad_request, '
    'model_not_found, provider_unavailable, timeout, unknown), what the '
    'courier found (key_unreadable, key_removed, address_refused, '
    'response_too_large, cancelled, internal), or what became of it '
    '(courier_died, written_off).';
COMMENT ON COLUMN bambi.image_generations.held_reason IS
    'What is to be decided; set while status is held or uncertain.';
COMMENT ON COLUMN bambi.image_generations.cancel_requested_at IS
    'When its owner asked to cancel it.';
COMMENT ON COLUMN bambi.image_generations.provider_request_id IS
    'The provider''s name of the call, for its support.';
COMMENT ON COLUMN bambi.image_generations.started_at IS
    'When the last attempt was claimed.';
COMMENT ON COLUMN bambi.image_generations.finished_at IS
    'When its end was known.';
COMMENT ON COLUMN bambi.image_generations.cost_source IS
    'Where cost is from. provider: the answer said it; tokens: those of the '
    'answer at the prices of the moment that it was settled; table: the '
    'estimate.';

-- No index holds a column that settling a success changes, and a page has
-- room for a second version of each of its rows: so settling needs no new
-- index entry (6 us a row against 21).  Hence held_reason, and not status.
CREATE INDEX IF NOT EXISTS generations_of_user
    ON bambi.image_generations (user_id, id DESC);
CREATE INDEX IF NOT EXISTS generations_of_configuration
    ON bambi.image_generations (configuration_id, user_id)
    WHERE configuration_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS generations_of_model
    ON bambi.image_generations (model_id);
CREATE INDEX IF NOT EXISTS generations_to_decide
    ON bambi.image_generations (user_id, id) WHERE held_reason IS NOT NULL;

ALTER TABLE bambi.image_generations OWNER TO bambi_owner;
ALTER TABLE bambi.image_generations ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.image_generations');
DROP POLICY IF EXISTS owner_reads ON bambi.image_generations;
CREATE POLICY owner_reads ON bambi.image_generations
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.image_generations;
CREATE POLICY service_reads ON bambi.image_generations
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT (id, user_id, configuration_id, model_id, prompt, parameters,
              status, error_message, created_at, updated_at, attempts,
              progress, cost_estimate, cost, tokens_used, error_code,
              held_reason, cancel_requested_at, provider_request_id,
              started_at, finished_at, cost_source)
    ON bambi.image_generations TO bambi_user, bambi_service;  -- for the view

-- The planner knows everybody's values, and EXPLAIN shows what it makes of
-- them: of what people wrote it shall know nothing.
ALTER TABLE bambi.image_generations
    ALTER prompt SET STATISTICS 0,
    ALTER parameters SET STATISTICS 0,
    ALTER error_message SET STATISTICS 0;

SELECT bambi_internal.bound_months('bambi.image_generations');
SELECT bambi_internal.ensure_months(3);
