-- Tables of 0.9 on their way to 1.0: what CREATE ... IF NOT EXISTS passes by.
-- All files of tables are run after this one.

ALTER TABLE bambi.users
    ADD COLUMN IF NOT EXISTS processing_withdrawn_at timestamptz,
    ADD COLUMN IF NOT EXISTS erased_at timestamptz,
    DROP CONSTRAINT IF EXISTS erased_user_is_empty,
    ADD CONSTRAINT erased_user_is_empty CHECK
        (erased_at IS NULL
         OR NOT is_active AND auth_provider = 'none'
            AND num_nonnulls(email, password_hash, auth_provider_id,
                             last_login_at, processing_withdrawn_at) = 0);

-- What is queued was queued here.
ALTER TABLE bambi_internal.queue
    ADD COLUMN IF NOT EXISTS timeline integer NOT NULL
        DEFAULT bambi_internal.timeline();

-- It has another condition now.
DROP INDEX IF EXISTS bambi_internal.queue_of_user;

-- The worker waits for these tables, so nobody does for the look at the rows.
ALTER TABLE bambi.usage_events
    DROP CONSTRAINT IF EXISTS event_is_not_negative,
    ADD CONSTRAINT event_is_not_negative CHECK
        (images >= 0 AND tokens_used >= 0 AND cost >= 0 AND cost <> 'NaN');
