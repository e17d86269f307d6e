-- What the courier is to do besides generations, until it is done: erasing
-- pictures whose rows are gone, and asking providers whether keys are good.

CREATE TABLE IF NOT EXISTS bambi_internal.outbox (
    id          uuid         NOT NULL,
    user_id     uuid         NOT NULL,
    errand      jsonb        NOT NULL,
    created_at  timestamptz  NOT NULL DEFAULT clock_timestamp(),
    attempts    integer      NOT NULL DEFAULT 0,
    not_before  timestamptz,
    last_error  text,

    PRIMARY KEY (id, user_id),
    CONSTRAINT errand_is_an_object CHECK (jsonb_typeof(errand) = 'object')
);
COMMENT ON TABLE bambi_internal.outbox IS
    'Errands: written in the transaction that makes them necessary, removed '
    'when they are done, repeated until then.';
COMMENT ON COLUMN bambi_internal.outbox.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi_internal.outbox.user_id IS
    'Whom it is about, perhaps deleted since.';
COMMENT ON COLUMN bambi_internal.outbox.errand IS
    '{"kind": "erase", "store", "location"}, as the courier takes it, or '
    '{"kind": "validate", "configuration"}.';
COMMENT ON COLUMN bambi_internal.outbox.created_at IS
    'When it became necessary.';
COMMENT ON COLUMN bambi_internal.outbox.attempts IS
    'How many times it was tried.';
COMMENT ON COLUMN bambi_internal.outbox.not_before IS
    'Not to be tried earlier; NULL: at once.';
COMMENT ON COLUMN bambi_internal.outbox.last_error IS
    'Why the last attempt failed; scrubbed.';

CREATE INDEX IF NOT EXISTS outbox_when_due
    ON bambi_internal.outbox (not_before NULLS FIRST, id);
CREATE INDEX IF NOT EXISTS outbox_of_user
    ON bambi_internal.outbox (user_id);
CREATE INDEX IF NOT EXISTS outbox_of_configuration
    ON bambi_internal.outbox ((errand->>'configuration'))
    WHERE errand->>'kind' = 'validate';

ALTER TABLE bambi_internal.outbox OWNER TO bambi_owner;
ALTER TABLE bambi_internal.outbox ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi_internal.outbox');
DROP POLICY IF EXISTS admin_reads ON bambi_internal.outbox;
CREATE POLICY admin_reads ON bambi_internal.outbox
    FOR SELECT TO bambi_admin USING (true);
GRANT SELECT ON bambi_internal.outbox TO bambi_admin;

-- Whoever deletes an image, by whatever cascade: the object goes too.
CREATE OR REPLACE TRIGGER erase_object
    AFTER DELETE ON bambi.images
    FOR EACH ROW WHEN (OLD.storage_path IS NOT NULL)
    EXECUTE FUNCTION bambi_internal.erase_object();

-- A file in the store "filesystem" may be that of several images of a user.
CREATE INDEX IF NOT EXISTS images_by_file
    ON bambi.images (user_id, storage_path) WHERE store = 'filesystem';
