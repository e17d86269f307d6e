-- The keys that users bring: sealed before they reach this table, never shown
-- again; and the public halves that they are sealed to.

CREATE TABLE IF NOT EXISTS bambi.encryption_keys (
    kid         text         NOT NULL,
    service     text         NOT NULL,
    public_key  text         NOT NULL,
    is_current  boolean      NOT NULL DEFAULT false,
    created_at  timestamptz  NOT NULL DEFAULT now(),
    retired_at  timestamptz,

    PRIMARY KEY (kid),
    CONSTRAINT retired_key_is_not_current CHECK
        (NOT (is_current AND retired_at IS NOT NULL))
);
COMMENT ON TABLE bambi.encryption_keys IS
    'Public halves of the master keys; the private ones never leave their '
    'key service.';
COMMENT ON COLUMN bambi.encryption_keys.kid IS
    'Name of the key and its version, as in the header of what it sealed.';
COMMENT ON COLUMN bambi.encryption_keys.service IS
    'Key service that holds the private half.';
COMMENT ON COLUMN bambi.encryption_keys.public_key IS
    'PEM (SubjectPublicKeyInfo), RSA.';
COMMENT ON COLUMN bambi.encryption_keys.is_current IS
    'Whether new keys are sealed to it.';
COMMENT ON COLUMN bambi.encryption_keys.created_at IS
    'When the courier first told of it.';
COMMENT ON COLUMN bambi.encryption_keys.retired_at IS
    'Since when nothing stored needs it, by bambi_retire_key(); nothing that is '
    'sealed to it is taken any more.';

CREATE UNIQUE INDEX IF NOT EXISTS one_current_encryption_key
    ON bambi.encryption_keys (is_current) WHERE is_current;

ALTER TABLE bambi.encryption_keys OWNER TO bambi_owner;
ALTER TABLE bambi.encryption_keys ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.encryption_keys');
DROP POLICY IF EXISTS admin_reads ON bambi.encryption_keys;
CREATE POLICY admin_reads ON bambi.encryption_keys
    FOR SELECT TO bambi_admin USING (true);
GRANT SELECT ON bambi.encryption_keys TO bambi_admin;

CREATE TABLE IF NOT EXISTS bambi.api_configurations (
    id                 uuid         NOT NULL
                                    DEFAULT @extschema@.bambi_uuid_v7(),
    user_id            uuid         NOT NULL,
    provider_id        uuid         NOT NULL,
    name               text         NOT NULL,
    encrypted_api_key  text         NOT NULL DEFAULT '',
    is_valid           boolean,
    last_validated_at  timestamptz,
    created_at         timestamptz  NOT NULL DEFAULT now(),
    updated_at         timestamptz  NOT NULL DEFAULT now(),
    settings           jsonb        NOT NULL DEFAULT '{}',
    key_hint           text,
    key_fingerprint    text,
    key_id             text,
    key_number         integer      NOT NULL DEFAULT 1,
    status             text         NOT NULL DEFAULT 'pending',
    last_error         text,
    max_in_flight      integer,

    PRIMARY KEY (id, user_id),
    CONSTRAINT configuration_belongs_to_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE,
    CONSTRAINT configuration_has_provider
        FOREIGN KEY (provider_id) REFERENCES bambi.api_providers (id),
    CONSTRAINT configuration_status_is_known CHECK
        (status IN ('pending', 'valid', 'failing', 'dead', 'rejected',
                    'unknown', 'revoked')),
    CONSTRAINT revoked_key_is_gone CHECK
        (status <> 'revoked' OR encrypted_api_key = ''),
    CONSTRAINT configuration_settings_are_an_object CHECK
        (jsonb_typeof(settings) = 'object'),
    CONSTRAINT configuration_limit_is_positive CHECK (max_in_flight > 0)
);
COMMENT ON TABLE bambi.api_configurations IS
    'Keys of users for providers. A removed key leaves its row, without the '
    'key, for the history that names it.';
COMMENT ON COLUMN bambi.api_configurations.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi.api_configurations.user_id IS
    'Whose; the sealed key names the same user, or does not open.';
COMMENT ON COLUMN bambi.api_configurations.provider_id IS
    'For which provider; the sealed key names its slug, or does not open.';
COMMENT ON COLUMN bambi.api_configurations.name IS
    'The user''s name for it, unique among the keys that are not removed.';
COMMENT ON COLUMN bambi.api_configurations.encrypted_api_key IS
    'Compact JWE (RSA-OAEP-256, A256GCM); only the courier can open it. '
    'Empty once removed.';
COMMENT ON COLUMN bambi.api_configurations.is_valid IS
    'Whether the provider takes the key, by what it last said of it; NULL '
    'before it said anything.';
COMMENT ON COLUMN bambi.api_configurations.last_validated_at IS
    'When it was last asked, or said something else of the key.';
COMMENT ON COLUMN bambi.api_configurations.created_at IS
    'When the key was added.';
COMMENT ON COLUMN bambi.api_configurations.updated_at IS
    'When the row was last changed.';
COMMENT ON COLUMN bambi.api_configurations.settings IS
    'The user''s options of the adapter, over those of the provider.';
COMMENT ON COLUMN bambi.api_configurations.key_hint IS
    'Last characters of the key, for its owner to tell it by.';
COMMENT ON COLUMN bambi.api_configurations.key_fingerprint IS
    'Keyed hash of the key: the same key gives the same value in this '
    'database only.';
COMMENT ON COLUMN bambi.api_configurations.key_id IS
    'Which master key it is sealed to: encryption_keys.kid.';
COMMENT ON COLUMN bambi.api_configurations.key_number IS
    'Counts the keys that were here, so that what is said of one is not taken '
    'for another.';
COMMENT ON COLUMN bambi.api_configurations.status IS
    'pending: being checked; valid: the provider takes it; unknown: nothing '
    'that it said tells; failing: it has no money or allowance left; rejected: '
    'the provider refuses it, and never took it; dead: it did once; revoked: '
    'removed by its owner.';
COMMENT ON COLUMN bambi.api_configurations.last_error IS
    'What the provider last said against it, scrubbed.';
COMMENT ON COLUMN bambi.api_configurations.max_in_flight IS
    'Most calls with it that run at a time; NULL: as the provider has it.';

CREATE UNIQUE INDEX IF NOT EXISTS configuration_name_once_per_user
    ON bambi.api_configurations (user_id, name) WHERE status <> 'revoked';
CREATE INDEX IF NOT EXISTS configuration_by_user
    ON bambi.api_configurations (user_id, provider_id);
CREATE INDEX IF NOT EXISTS configuration_by_provider
    ON bambi.api_configurations (provider_id);
CREATE INDEX IF NOT EXISTS configuration_by_key_id
    ON bambi.api_configurations (key_id, id);
CREATE INDEX IF NOT EXISTS configuration_to_validate
    ON bambi.api_configurations (last_validated_at)
    WHERE status IN ('valid', 'failing', 'unknown');

CREATE INDEX IF NOT EXISTS configuration_with_limit
    ON bambi.api_configurations (id) WHERE max_in_flight IS NOT NULL;

CREATE OR REPLACE TRIGGER tell_worker_of_limits
    AFTER UPDATE OF max_in_flight ON bambi.api_configurations
    EXECUTE FUNCTION bambi_internal.tell_worker();

-- EXPLAIN must not tell what others wrote, or whether they have a key too.
ALTER TABLE bambi.api_configurations
    ALTER name SET STATISTICS 0,
    ALTER settings SET STATISTICS 0,
    ALTER key_hint SET STATISTICS 0,
    ALTER key_fingerprint SET STATISTICS 0,
    ALTER last_error SET STATISTICS 0;

ALTER TABLE bambi.api_configurations OWNER TO bambi_owner;
ALTER TABLE bambi.api_configurations ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.api_configurations');
DROP POLICY IF EXISTS owner_reads ON bambi.api_configurations;
CREATE POLICY owner_reads ON bambi.api_configurations
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.api_configurations;
CREATE POLICY service_reads ON bambi.api_configurations
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT (id, user_id, provider_id, name, is_valid, last_validated_at,
              created_at, updated_at, settings, key_hint, key_fingerprint,
              status, last_error, max_in_flight)
    ON bambi.api_configurations TO bambi_user, bambi_service;  -- for the view

CREATE OR REPLACE VIEW @extschema@.bambi_configurations
WITH (security_invoker = true) AS
SELECT id, user_id, provider_id, name, status, is_valid, last_validated_at,
       last_error, key_hint, settings, created_at, updated_at,
       key_fingerprint, max_in_flight
  FROM bambi.api_configurations;
COMMENT ON VIEW @extschema@.bambi_configurations IS
    'Your keys, without the keys: nobody can read those back.';
COMMENT ON COLUMN @extschema@.bambi_configurations.id IS
    'Id of the configuration, as bambi_generate takes it.';
COMMENT ON COLUMN @extschema@.bambi_configurations.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_configurations.provider_id IS
    'For which provider: bambi_providers.';
COMMENT ON COLUMN @extschema@.bambi_configurations.name IS
    'Your name for it.';
COMMENT ON COLUMN @extschema@.bambi_configurations.status IS
    'pending (being checked), valid, unknown (the check tells nothing), '
    'failing (no money left), rejected, dead (rejected, and was valid once) or '
    'revoked.';
COMMENT ON COLUMN @extschema@.bambi_configurations.is_valid IS
    'Whether the provider takes the key; null before it said anything.';
COMMENT ON COLUMN @extschema@.bambi_configurations.last_validated_at IS
    'When it was last asked.';
COMMENT ON COLUMN @extschema@.bambi_configurations.last_error IS
    'What it last said against the key.';
COMMENT ON COLUMN @extschema@.bambi_configurations.key_hint IS
    'Last characters of the key.';
COMMENT ON COLUMN @extschema@.bambi_configurations.settings IS
    'Your options for calls with this key.';
COMMENT ON COLUMN @extschema@.bambi_configurations.created_at IS
    'When it was added.';
COMMENT ON COLUMN @extschema@.bambi_configurations.updated_at IS
    'When it was last changed.';
COMMENT ON COLUMN @extschema@.bambi_configurations.key_fingerprint IS
    'Tells whether two keys are the same, and nothing else.';
COMMENT ON COLUMN @extschema@.bambi_configurations.max_in_flight IS
    'Most calls with it that run at a time (bambi_set_key_limit); null: as '
    'the provider has it.';
ALTER VIEW @extschema@.bambi_configurations OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_configurations');
GRANT SELECT ON @extschema@.bambi_configurations TO bambi_user, bambi_service;

CREATE TABLE IF NOT EXISTS bambi_internal.key_checks (
    user_id  uuid           NOT NULL,
    times    timestamptz[]  NOT NULL,

    PRIMARY KEY (user_id),
    CONSTRAINT check_belongs_to_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE
);
COMMENT ON TABLE bambi_internal.key_checks IS
    'When users had keys checked, for the limits of their plans. A row a '
    'user, which is its own lock.';
COMMENT ON COLUMN bambi_internal.key_checks.user_id IS
    'Who.';
COMMENT ON COLUMN bambi_internal.key_checks.times IS
    'Those of the last hour, and perhaps older ones.';

ALTER TABLE bambi_internal.key_checks OWNER TO bambi_owner;
ALTER TABLE bambi_internal.key_checks ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi_internal.key_checks');

-- What the worker found when it had keys sealed to another master key.

CREATE TABLE IF NOT EXISTS bambi_internal.unreadable_keys (
    configuration_id  uuid         NOT NULL,
    user_id           uuid         NOT NULL,
    key_number        integer      NOT NULL,
    target            text         NOT NULL,
    reason            text,
    tried_at          timestamptz  NOT NULL,

    PRIMARY KEY (configuration_id, user_id),
    CONSTRAINT unreadable_key_has_configuration
        FOREIGN KEY (configuration_id, user_id)
        REFERENCES bambi.api_configurations (id, user_id) ON DELETE CASCADE
);
COMMENT ON TABLE bambi_internal.unreadable_keys IS
    'Keys that could not be sealed anew because they do not open.';
COMMENT ON COLUMN bambi_internal.unreadable_keys.configuration_id IS
    'Which.';
COMMENT ON COLUMN bambi_internal.unreadable_keys.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi_internal.unreadable_keys.key_number IS
    'As in api_configurations: a key that has replaced it is another one.';
COMMENT ON COLUMN bambi_internal.unreadable_keys.target IS
    'Master key that it was to be sealed to.';
COMMENT ON COLUMN bambi_internal.unreadable_keys.reason IS
    'What the courier said.';
COMMENT ON COLUMN bambi_internal.unreadable_keys.tried_at IS
    'When.';

ALTER TABLE bambi_internal.unreadable_keys OWNER TO bambi_owner;
ALTER TABLE bambi_internal.unreadable_keys ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges(
           'bambi_internal.unreadable_keys');

CREATE TABLE IF NOT EXISTS bambi_internal.rotation (
    only_row      boolean      NOT NULL DEFAULT true,
    asked_at      timestamptz  NOT NULL,
    is_scheduled  boolean      NOT NULL,
    kid           text,
    error         text,
    hint          text,

    PRIMARY KEY (only_row),
    CONSTRAINT rotation_has_one_row CHECK (only_row)
);
COMMENT ON TABLE bambi_internal.rotation IS
    'The last time that a new master key was asked for: one row at most.';
COMMENT ON COLUMN bambi_internal.rotation.only_row IS
    'True.';
COMMENT ON COLUMN bambi_internal.rotation.asked_at IS
    'When.';
COMMENT ON COLUMN bambi_internal.rotation.is_scheduled IS
    'By bambi.key_rotation_days, not by bambi_rotate_keys().';
COMMENT ON COLUMN bambi_internal.rotation.kid IS
    'The new one.';
COMMENT ON COLUMN bambi_internal.rotation.error IS
    'Why there is none.';
COMMENT ON COLUMN bambi_internal.rotation.hint IS
    'What the operator can do about it.';

ALTER TABLE bambi_internal.rotation OWNER TO bambi_owner;
ALTER TABLE bambi_internal.rotation ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi_internal.rotation');

CREATE OR REPLACE VIEW @extschema@.bambi_key_rotation
WITH (security_invoker = true) AS
SELECT * FROM bambi_internal.key_rotation();
COMMENT ON VIEW @extschema@.bambi_key_rotation IS
    'The master keys, and how many stored keys are sealed to each. For '
    'operators.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.kid IS
    'Name of the master key and its version.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.service IS
    'Key service that holds it.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.state IS
    'current (sealed to now), retiring (what is sealed to it is being sealed '
    'anew) or retired.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.created_at IS
    'When the courier first told of it.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.retired_at IS
    'When bambi_retire_key() was called.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.keys IS
    'Stored keys that are sealed to it.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.keys_behind IS
    'Of these, to be sealed to the current one; with 0 it can be retired.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.keys_unreadable IS
    'Of these, tried, and not opened: their owners have to replace them.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.unreadable_reason IS
    'What was said of the last of them.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.asked_at IS
    'Of the current one: when a rotation was last asked for, if ever.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.asked_by IS
    'bambi_rotate_keys or bambi.key_rotation_days.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.error IS
    'Why no new key came of that.';
COMMENT ON COLUMN @extschema@.bambi_key_rotation.hint IS
    'What can be done about it.';
ALTER VIEW @extschema@.bambi_key_rotation OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_key_rotation');
GRANT SELECT ON @extschema@.bambi_key_rotation TO bambi_admin;
