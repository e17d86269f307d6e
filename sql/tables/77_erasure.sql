-- People who are erased: what was asked, how far it is, and what was found and
-- removed in each place.

CREATE TABLE IF NOT EXISTS bambi.erasure_requests (
    id            uuid         NOT NULL
                               DEFAULT @extschema@.bambi_uuid_v7(),
    user_id       uuid         NOT NULL,
    state         text         NOT NULL DEFAULT 'waiting',
    requested_by  text         NOT NULL,
    requested_at  timestamptz  NOT NULL,
    finished_at   timestamptz,
    report        jsonb        NOT NULL DEFAULT '{}',
    horizon       xid8,
    not_before    timestamptz,
    attempts      integer      NOT NULL DEFAULT 0,
    last_error    text,

    PRIMARY KEY (id, user_id),
    CONSTRAINT one_erasure_per_user UNIQUE (user_id),
    CONSTRAINT erasure_is_of_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE,
    CONSTRAINT erasure_state_is_known CHECK
        (state IN ('waiting', 'erasing', 'outside', 'done')),
    CONSTRAINT erasure_is_asked_by CHECK
        (requested_by IN ('user', 'operator')),
    CONSTRAINT finished_when_done CHECK
        ((state = 'done') = (finished_at IS NOT NULL)),
    CONSTRAINT report_is_an_object CHECK (jsonb_typeof(report) = 'object')
);
COMMENT ON TABLE bambi.erasure_requests IS
    'Erasures of persons. It names nobody: the id is all that is left.';
COMMENT ON COLUMN bambi.erasure_requests.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi.erasure_requests.user_id IS
    'Who was.';
COMMENT ON COLUMN bambi.erasure_requests.state IS
    'waiting (calls that were sent have to end), erasing (rows), outside '
    '(objects in stores, archives and Redis have to go) or done.';
COMMENT ON COLUMN bambi.erasure_requests.requested_by IS
    'user or operator.';
COMMENT ON COLUMN bambi.erasure_requests.requested_at IS
    'When.';
COMMENT ON COLUMN bambi.erasure_requests.finished_at IS
    'When nothing was left anywhere.';
COMMENT ON COLUMN bambi.erasure_requests.report IS
    'By place: {"found", "removed", "remaining"}. What is kept, emptied of '
    'the person, stands there as "kept".';
COMMENT ON COLUMN bambi.erasure_requests.horizon IS
    'Transactions before this one have to end first: they may have looked '
    'before the request was there.';
COMMENT ON COLUMN bambi.erasure_requests.not_before IS
    'When the worker looks again; NULL: at once.';
COMMENT ON COLUMN bambi.erasure_requests.attempts IS
    'How many times in a row something was in the way.';
COMMENT ON COLUMN bambi.erasure_requests.last_error IS
    'SQLSTATE of what it was.';

CREATE INDEX IF NOT EXISTS erasure_when_due
    ON bambi.erasure_requests (not_before NULLS FIRST, id)
    WHERE state <> 'done';

ALTER TABLE bambi.erasure_requests OWNER TO bambi_owner;
ALTER TABLE bambi.erasure_requests ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.erasure_requests');
DROP POLICY IF EXISTS owner_reads ON bambi.erasure_requests;
CREATE POLICY owner_reads ON bambi.erasure_requests
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.erasure_requests;
CREATE POLICY service_reads ON bambi.erasure_requests
    FOR SELECT TO bambi_service USING (true);
DROP POLICY IF EXISTS admin_reads ON bambi.erasure_requests;
CREATE POLICY admin_reads ON bambi.erasure_requests
    FOR SELECT TO bambi_admin USING (true);
GRANT SELECT ON bambi.erasure_requests
    TO bambi_user, bambi_service, bambi_admin;

CREATE OR REPLACE VIEW @extschema@.bambi_erasure
WITH (security_invoker = true) AS
SELECT id, user_id, state, requested_by, requested_at, finished_at, report,
       last_error
  FROM bambi.erasure_requests;
COMMENT ON VIEW @extschema@.bambi_erasure IS
    'Your erasure, if you asked for it; for operators, everybody''s.';
COMMENT ON COLUMN @extschema@.bambi_erasure.id IS
    'Id of the request.';
COMMENT ON COLUMN @extschema@.bambi_erasure.user_id IS
    'Whose it is; after it, a number that names nobody.';
COMMENT ON COLUMN @extschema@.bambi_erasure.state IS
    'waiting (calls that were sent have to end), erasing (rows), outside '
    '(objects in stores, archives and Redis have to go) or done.';
COMMENT ON COLUMN @extschema@.bambi_erasure.requested_by IS
    'user or operator.';
COMMENT ON COLUMN @extschema@.bambi_erasure.requested_at IS
    'When.';
COMMENT ON COLUMN @extschema@.bambi_erasure.finished_at IS
    'When nothing was left anywhere.';
COMMENT ON COLUMN @extschema@.bambi_erasure.report IS
    'What was found and removed, by place; what is kept without the person.';
COMMENT ON COLUMN @extschema@.bambi_erasure.last_error IS
    'What was last in the way: a SQLSTATE.';
ALTER VIEW @extschema@.bambi_erasure OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_erasure');
GRANT SELECT ON @extschema@.bambi_erasure
    TO bambi_user, bambi_service, bambi_admin;

-- What is emptied instead of removed.
CREATE OR REPLACE FUNCTION bambi_internal.configuration_tells(
    c bambi.api_configurations)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN c.name <> '' OR c.settings <> '{}' OR c.encrypted_api_key <> ''
       OR c.status <> 'revoked'
       OR num_nonnulls(c.key_hint, c.key_fingerprint, c.key_id, c.last_error,
                       c.last_validated_at, c.max_in_flight) > 0;
COMMENT ON FUNCTION bambi_internal.configuration_tells(
    bambi.api_configurations) IS
    'Whether a configuration still says something of its user.';
ALTER FUNCTION bambi_internal.configuration_tells(bambi.api_configurations)
    OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.configuration_tells(
    bambi.api_configurations) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bambi_internal.consent_tells(c bambi.consents)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN c.version !~ '^sha256:[0-9a-f]{64}$'
       OR c.purpose <> 'processing' AND c.purpose !~ '^sha256:[0-9a-f]{64}$';
COMMENT ON FUNCTION bambi_internal.consent_tells(bambi.consents) IS
    'Whether a consent still has words in it that the application chose.';
ALTER FUNCTION bambi_internal.consent_tells(bambi.consents)
    OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.consent_tells(bambi.consents)
    FROM PUBLIC;

-- Nothing of the person comes back, whoever writes it.  What every generation
-- writes is looked at only where it does not come from bambi itself, which has
-- looked already.
DO $$
DECLARE
    place text;
BEGIN
    FOREACH place IN ARRAY ARRAY[
        'api_configurations', 'subscriptions', 'budgets', 'consents']
    LOOP
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER refuse_erased BEFORE INSERT ON '
            'bambi.%I FOR EACH ROW EXECUTE FUNCTION '
            'bambi_internal.refuse_erased()', place);
    END LOOP;
    FOREACH place IN ARRAY ARRAY[
        'image_generations', 'generation_inputs', 'images', 'image_data']
    LOOP
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER refuse_erased BEFORE INSERT ON '
            'bambi.%I FOR EACH ROW WHEN (current_user <> ''bambi_owner'') '
            'EXECUTE FUNCTION bambi_internal.refuse_erased()', place);
    END LOOP;
END
$$;
CREATE OR REPLACE TRIGGER stay_erased
    BEFORE UPDATE OF id, erased_at ON bambi.users
    FOR EACH ROW WHEN (OLD.erased_at IS NOT NULL)
    EXECUTE FUNCTION bambi_internal.stay_erased();
