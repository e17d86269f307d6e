-- Tables of 0.9 on their way to 1.0: what CREATE ... IF NOT EXISTS passes by.
-- All files of tables are run after this one.

ALTER TABLE bambi.users
    ADD COLUMN IF NOT EXISTS processing_withdrawn_at timestamptz,
    ADD COLUMN IF NOT EXISTS erased_at timestamptz;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint
                    WHERE conrelid = 'bambi.users'::regclass
                      AND conname = 'erased_user_is_empty') THEN
        ALTER TABLE bambi.users ADD CONSTRAINT erased_user_is_empty CHECK
            (erased_at IS NULL
             OR NOT is_active AND auth_provider = 'none'
                AND num_nonnulls(email, password_hash, auth_provider_id,
                                 last_login_at, processing_withdrawn_at) = 0);
    END IF;
END
$$;
-- what waits was queued on the timeline of now
ALTER TABLE bambi_internal.queue
    ADD COLUMN IF NOT EXISTS timeline integer NOT NULL
        DEFAULT bambi_internal.timeline();
