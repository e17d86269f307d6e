-- What waits or runs: one small row per pending generation, so that claiming
-- and settling never bloat the history.

CREATE TABLE IF NOT EXISTS bambi_internal.queue (
    id                uuid         NOT NULL,
    user_id           uuid         NOT NULL,
    configuration_id  uuid,
    provider_id       uuid         NOT NULL,
    waits_for         uuid,
    turn              bigint       NOT NULL,
    attempt           integer      NOT NULL DEFAULT 0,
    tries             integer      NOT NULL DEFAULT 0,
    deaths            integer      NOT NULL DEFAULT 0,
    claimed_by        uuid,
    claimed_at        timestamptz,
    not_before        timestamptz,
    cancel_requested  boolean      NOT NULL DEFAULT false,
    store             text,
    inputs            smallint     NOT NULL DEFAULT 0,
    input_bytes       integer      NOT NULL DEFAULT 0,
    cost_estimate     numeric(14,6),
    timeline          integer      NOT NULL DEFAULT bambi_internal.timeline(),

    PRIMARY KEY (id, user_id),
    CONSTRAINT queued_generation_exists
        FOREIGN KEY (id, user_id)
        REFERENCES bambi.image_generations (id, user_id) ON DELETE CASCADE
)
WITH (
    fillfactor = 70,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_threshold = 10000,
    autovacuum_analyze_scale_factor = 0
);
COMMENT ON TABLE bambi_internal.queue IS
    'Pending generations. A lock of the row is the right to change the '
    'generation.';
COMMENT ON COLUMN bambi_internal.queue.id IS
    'The generation.';
COMMENT ON COLUMN bambi_internal.queue.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi_internal.queue.configuration_id IS
    'Key that it is sent with: api_configurations; NULL where none is needed.';
COMMENT ON COLUMN bambi_internal.queue.provider_id IS
    'Where it is sent: api_providers.';
COMMENT ON COLUMN bambi_internal.queue.waits_for IS
    'User, key or provider in whose lane it stands, because as many of its '
    'calls run as its limit allows, or something of the same user stands '
    'there; NULL: it stands in the line.';
COMMENT ON COLUMN bambi_internal.queue.turn IS
    'Place in the line: tag of start-time fair queuing, by user and weight '
    'of the plan.';
COMMENT ON COLUMN bambi_internal.queue.attempt IS
    'Number of the last claim: what an older one brings is not taken.';
COMMENT ON COLUMN bambi_internal.queue.tries IS
    'Calls that ended in a way that allows another one.';
COMMENT ON COLUMN bambi_internal.queue.deaths IS
    'Claims that ended with the death of the courier.';
COMMENT ON COLUMN bambi_internal.queue.claimed_by IS
    'Incarnation of the worker that has it; NULL: it waits.';
COMMENT ON COLUMN bambi_internal.queue.claimed_at IS
    'Since when.';
COMMENT ON COLUMN bambi_internal.queue.not_before IS
    'Not to be claimed earlier; NULL: at once.';
COMMENT ON COLUMN bambi_internal.queue.cancel_requested IS
    'Its owner does not want it any more, and it is claimed.';
COMMENT ON COLUMN bambi_internal.queue.store IS
    'Where its pictures go, by the plan when it was queued; NULL: as '
    'bambi.store says.';
COMMENT ON COLUMN bambi_internal.queue.inputs IS
    'Pictures that it edits, mask included.';
COMMENT ON COLUMN bambi_internal.queue.input_bytes IS
    'Size of those that the database keeps and the worker hands over.';
COMMENT ON COLUMN bambi_internal.queue.cost_estimate IS
    'What it is thought to cost; as in image_generations, here for the sums '
    'that budgets take of what is pending.';
COMMENT ON COLUMN bambi_internal.queue.timeline IS
    'The server''s timeline when it was queued: after a promotion only what is '
    'queued on the new one is sent.';

-- DROP EXTENSION takes it
ALTER TABLE bambi_internal.queue
    ALTER timeline SET DEFAULT bambi_internal.timeline();

-- No index holds a column that a claim changes.
CREATE INDEX IF NOT EXISTS queue_in_turn
    ON bambi_internal.queue (turn, id) WHERE waits_for IS NULL;
CREATE INDEX IF NOT EXISTS queue_in_lane
    ON bambi_internal.queue (waits_for, user_id, id)
    WHERE waits_for IS NOT NULL;
CREATE INDEX IF NOT EXISTS queue_of_user
    ON bambi_internal.queue (user_id, waits_for, turn);
CREATE INDEX IF NOT EXISTS queue_to_cancel
    ON bambi_internal.queue (id) WHERE cancel_requested;
CREATE INDEX IF NOT EXISTS queue_to_wait
    ON bambi_internal.queue (not_before) WHERE not_before IS NOT NULL;

ALTER TABLE bambi_internal.queue OWNER TO bambi_owner;
ALTER TABLE bambi_internal.queue ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi_internal.queue');
DROP POLICY IF EXISTS owner_reads ON bambi_internal.queue;
CREATE POLICY owner_reads ON bambi_internal.queue
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi_internal.queue;
CREATE POLICY service_reads ON bambi_internal.queue
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT (id, user_id, claimed_by, claimed_at, configuration_id,
              cost_estimate)
    ON bambi_internal.queue TO bambi_user, bambi_service;  -- for the views

CREATE TABLE IF NOT EXISTS bambi_internal.idempotency_keys (
    user_id        uuid         NOT NULL,
    key            text         NOT NULL,
    generation_id  uuid         NOT NULL,
    request_hash   bytea        NOT NULL,
    created_at     timestamptz  NOT NULL DEFAULT now(),

    PRIMARY KEY (user_id, key),
    CONSTRAINT idempotency_key_has_generation
        FOREIGN KEY (generation_id, user_id)
        REFERENCES bambi.image_generations (id, user_id) ON DELETE CASCADE,
    CONSTRAINT idempotency_key_has_a_length CHECK
        (length(key) BETWEEN 1 AND 255)
);
COMMENT ON TABLE bambi_internal.idempotency_keys IS
    'Requests that may come twice. A table of its own, since such a key '
    'carries no date and cannot be unique over the months.';
COMMENT ON COLUMN bambi_internal.idempotency_keys.user_id IS
    'Whose; keys of different users do not meet.';
COMMENT ON COLUMN bambi_internal.idempotency_keys.key IS
    'The caller''s name of the request.';
COMMENT ON COLUMN bambi_internal.idempotency_keys.generation_id IS
    'What the first of them made.';
COMMENT ON COLUMN bambi_internal.idempotency_keys.request_hash IS
    'Hash of the request: with another one the key is refused.';
COMMENT ON COLUMN bambi_internal.idempotency_keys.created_at IS
    'When the first of them came.';

CREATE INDEX IF NOT EXISTS idempotency_key_of_generation
    ON bambi_internal.idempotency_keys (generation_id, user_id);

ALTER TABLE bambi_internal.idempotency_keys OWNER TO bambi_owner;
ALTER TABLE bambi_internal.idempotency_keys ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges(
           'bambi_internal.idempotency_keys');

-- One table in FROM: the newest come from its index in order, whatever else
-- is shown.  The queue is asked only about what is queued, and by its key: an
-- EXISTS could be hashed, which reads all that the user has waiting.
CREATE OR REPLACE VIEW @extschema@.bambi_generations
WITH (security_invoker = true) AS
SELECT g.id, g.user_id, g.configuration_id, g.model_id,
       (SELECT p.slug || '/' || m.model_id
          FROM bambi.models m JOIN bambi.api_providers p
               ON p.id = m.provider_id
         WHERE m.id = g.model_id) AS model,
       (SELECT m.name FROM bambi.models m
         WHERE m.id = g.model_id) AS model_name,
       g.prompt, g.parameters,
       CASE g.status
           WHEN 'queued' THEN
               CASE WHEN (SELECT q.claimed_by FROM bambi_internal.queue q
                           WHERE q.id = g.id AND q.user_id = g.user_id)
                         IS NOT NULL
                    THEN 'running' ELSE 'queued' END
           ELSE g.status
       END AS status,
       g.progress, g.error_code, g.error_message, g.held_reason,
       g.cost_estimate, g.cost, g.tokens_used, g.attempts,
       g.provider_request_id, g.cancel_requested_at, g.created_at,
       g.updated_at, g.started_at, g.finished_at,
       round(extract(epoch FROM g.finished_at - g.created_at), 3) AS seconds,
       (SELECT e.advice FROM bambi.error_codes e
         WHERE e.error_code = g.error_code) AS error_hint,
       g.cost_source
  FROM bambi.image_generations g;
COMMENT ON VIEW @extschema@.bambi_generations IS
    'Your generations: what you asked for and what became of it.';
COMMENT ON COLUMN @extschema@.bambi_generations.id IS
    'Id of the generation, as bambi_generate gave it. Newer ones are greater.';
COMMENT ON COLUMN @extschema@.bambi_generations.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_generations.configuration_id IS
    'With which key: bambi_configurations.';
COMMENT ON COLUMN @extschema@.bambi_generations.model_id IS
    'With which model: bambi_models.';
COMMENT ON COLUMN @extschema@.bambi_generations.model IS
    'Full name of the model.';
COMMENT ON COLUMN @extschema@.bambi_generations.model_name IS
    'Name of the model for people.';
COMMENT ON COLUMN @extschema@.bambi_generations.prompt IS
    'What the picture is to show; empty: it was not kept.';
COMMENT ON COLUMN @extschema@.bambi_generations.parameters IS
    'What else you asked for.';
COMMENT ON COLUMN @extschema@.bambi_generations.status IS
    'queued, running, succeeded, failed, cancelled, uncertain (sent, and '
    'nobody knows what came of it: bambi_retry decides) or held.';
COMMENT ON COLUMN @extschema@.bambi_generations.progress IS
    'Percent.';
COMMENT ON COLUMN @extschema@.bambi_generations.error_code IS
    'What went wrong, for programs.';
COMMENT ON COLUMN @extschema@.bambi_generations.error_message IS
    'What went wrong, for people.';
COMMENT ON COLUMN @extschema@.bambi_generations.held_reason IS
    'What is to be decided.';
COMMENT ON COLUMN @extschema@.bambi_generations.cost_estimate IS
    'What it was thought to cost when it was queued, in USD.';
COMMENT ON COLUMN @extschema@.bambi_generations.cost IS
    'What it did cost, in USD.';
COMMENT ON COLUMN @extschema@.bambi_generations.tokens_used IS
    'Tokens, where the provider counts them.';
COMMENT ON COLUMN @extschema@.bambi_generations.attempts IS
    'How many times it was tried.';
COMMENT ON COLUMN @extschema@.bambi_generations.provider_request_id IS
    'The provider''s name of the call, for its support.';
COMMENT ON COLUMN @extschema@.bambi_generations.cancel_requested_at IS
    'When you asked to cancel it.';
COMMENT ON COLUMN @extschema@.bambi_generations.created_at IS
    'When you asked for it.';
COMMENT ON COLUMN @extschema@.bambi_generations.updated_at IS
    'When it last changed.';
COMMENT ON COLUMN @extschema@.bambi_generations.started_at IS
    'When the last attempt began.';
COMMENT ON COLUMN @extschema@.bambi_generations.finished_at IS
    'When its end was known.';
COMMENT ON COLUMN @extschema@.bambi_generations.seconds IS
    'From asking to the end.';
COMMENT ON COLUMN @extschema@.bambi_generations.error_hint IS
    'What to do about what went wrong; bambi_errors tells more.';
COMMENT ON COLUMN @extschema@.bambi_generations.cost_source IS
    'Where cost is from. provider: the provider said it; tokens: its tokens at '
    'the prices of then; table: the estimate.';
ALTER VIEW @extschema@.bambi_generations OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_generations');
GRANT SELECT ON @extschema@.bambi_generations TO bambi_user, bambi_service;
