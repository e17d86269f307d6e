-- Who uses bambi, and how much of the period's quota is used.

CREATE TABLE IF NOT EXISTS bambi.users (
    id                uuid         NOT NULL
                                   DEFAULT @extschema@.bambi_uuid_v7(),
    email             text,
    password_hash     text,
    created_at        timestamptz  NOT NULL DEFAULT now(),
    updated_at        timestamptz  NOT NULL DEFAULT now(),
    last_login_at     timestamptz,
    auth_provider     text         NOT NULL DEFAULT 'password',
    auth_provider_id  text,
    is_active         boolean      NOT NULL DEFAULT true,
    usage_count       integer      NOT NULL DEFAULT 0,
    reset_date        timestamptz,
    period_start      timestamptz,
    recent_starts     timestamptz[],
    processing_withdrawn_at  timestamptz,
    erased_at         timestamptz,

    PRIMARY KEY (id),
    CONSTRAINT user_with_password_has_email CHECK
        (email IS NOT NULL OR password_hash IS NULL),
    CONSTRAINT usage_count_is_not_negative CHECK (usage_count >= 0),
    CONSTRAINT erased_user_is_empty CHECK
        (erased_at IS NULL
         OR NOT is_active AND auth_provider = 'none'
            AND num_nonnulls(email, password_hash, auth_provider_id,
                             last_login_at, processing_withdrawn_at) = 0)
)
WITH (autovacuum_vacuum_scale_factor = 0.05);  -- usage_count changes often
COMMENT ON TABLE bambi.users IS
    'People, one row each. Where another service signs them in, id is the '
    'subject of its tokens.';
COMMENT ON COLUMN bambi.users.id IS
    'The user: every key of a user''s row ends in it.';
COMMENT ON COLUMN bambi.users.email IS
    'Unique whatever its case; NULL where another service knows it.';
COMMENT ON COLUMN bambi.users.password_hash IS
    'bcrypt; NULL where another service signs the user in.';
COMMENT ON COLUMN bambi.users.created_at IS
    'When the user was made.';
COMMENT ON COLUMN bambi.users.updated_at IS
    'When e-mail, password or is_active was last changed.';
COMMENT ON COLUMN bambi.users.last_login_at IS
    'When the user last signed in here.';
COMMENT ON COLUMN bambi.users.auth_provider IS
    'Who signs the user in: password is bambi itself.';
COMMENT ON COLUMN bambi.users.auth_provider_id IS
    'The user''s name at that service.';
COMMENT ON COLUMN bambi.users.is_active IS
    'False: every function refuses the user.';
COMMENT ON COLUMN bambi.users.usage_count IS
    'Generations of the period that ends at reset_date.';
COMMENT ON COLUMN bambi.users.reset_date IS
    'When the period ends, and which one it is: what was reserved in it '
    'goes back to no other. NULL: none has begun yet.';
COMMENT ON COLUMN bambi.users.period_start IS
    'When the period began, if it is one of a subscription''s; NULL: it is '
    'one of those that follow the sign-up.';
COMMENT ON COLUMN bambi.users.recent_starts IS
    'When the latest generations were reserved, oldest first: as many as the '
    'plan allows in a minute; NULL while it does not limit them.';
COMMENT ON COLUMN bambi.users.processing_withdrawn_at IS
    'Since when the user''s consent to processing is withdrawn: no generation '
    'is taken; NULL: it is not.';
COMMENT ON COLUMN bambi.users.erased_at IS
    'When the person was erased. The row stays, as the pseudonym of what was '
    'paid, and so that nothing can come back under this id; NULL: a person.';

CREATE UNIQUE INDEX IF NOT EXISTS email_is_unique
    ON bambi.users (lower(email));
CREATE INDEX IF NOT EXISTS user_by_auth_provider
    ON bambi.users (auth_provider, auth_provider_id);
CREATE INDEX IF NOT EXISTS user_by_usage_count ON bambi.users (usage_count);

-- Names must not live on in what the planner keeps of them.
ALTER TABLE bambi.users
    ALTER email SET STATISTICS 0,
    ALTER password_hash SET STATISTICS 0,
    ALTER auth_provider_id SET STATISTICS 0;
ALTER INDEX bambi.email_is_unique ALTER COLUMN 1 SET STATISTICS 0;

-- The one rule of whether a user's count is that of the present period;
-- inlined where it is called.
CREATE OR REPLACE FUNCTION bambi_internal.is_in_period(
    reset_date timestamptz, period_start timestamptz,
    subscription_start timestamptz, at timestamptz)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN subscription_start IS NULL THEN reset_date > at
            ELSE period_start >= subscription_start END;
COMMENT ON FUNCTION bambi_internal.is_in_period(
    timestamptz, timestamptz, timestamptz, timestamptz) IS
    'Whether the period that users.reset_date and users.period_start tell of '
    'still runs. subscription_start is when the present period of the '
    'subscription began, NULL where none grants the plan.';
ALTER FUNCTION bambi_internal.is_in_period(
    timestamptz, timestamptz, timestamptz, timestamptz) OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.is_in_period(
    timestamptz, timestamptz, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bambi_internal.is_in_period(
    timestamptz, timestamptz, timestamptz, timestamptz)
    TO bambi_user, bambi_service;  -- for bambi_account

ALTER TABLE bambi.users OWNER TO bambi_owner;
ALTER TABLE bambi.users ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.users');
DROP POLICY IF EXISTS owner_reads ON bambi.users;
CREATE POLICY owner_reads ON bambi.users
    FOR SELECT TO bambi_user
    USING (id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.users;
CREATE POLICY service_reads ON bambi.users
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT (id, email, created_at, updated_at, last_login_at, is_active,
              usage_count, reset_date, period_start,
              processing_withdrawn_at)
    ON bambi.users TO bambi_user, bambi_service;  -- for bambi_account
