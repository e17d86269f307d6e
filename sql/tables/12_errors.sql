-- What can go wrong with a generation: what each code means, what is to be
-- done, and what it does to key, quota and bill.

CREATE TABLE IF NOT EXISTS bambi.error_codes (
    error_code        text         NOT NULL,
    meaning           text         NOT NULL,
    advice            text         NOT NULL,
    ends_as           text[]       NOT NULL,
    key_effect        text         NOT NULL DEFAULT 'none',
    gives_back_quota  boolean      NOT NULL,
    may_be_billed     boolean      NOT NULL,
    created_at        timestamptz  NOT NULL DEFAULT now(),
    updated_at        timestamptz  NOT NULL DEFAULT now(),

    PRIMARY KEY (error_code),
    CONSTRAINT error_ends_as_a_status CHECK
        (ends_as <@ '{failed,uncertain,held,cancelled}'),
    CONSTRAINT key_effect_is_known CHECK
        (key_effect IN ('none', 'failing', 'refused'))
);
COMMENT ON TABLE bambi.error_codes IS
    'What can go wrong with a generation, and what is to be done. Operators '
    'may put the texts in their users'' language.';
COMMENT ON COLUMN bambi.error_codes.error_code IS
    'As in image_generations.error_code.';
COMMENT ON COLUMN bambi.error_codes.meaning IS
    'What happened, for people.';
COMMENT ON COLUMN bambi.error_codes.advice IS
    'What the user is to do; shown as bambi_generations.error_hint.';
COMMENT ON COLUMN bambi.error_codes.ends_as IS
    'How a generation ends with it; empty: it waits.';
COMMENT ON COLUMN bambi.error_codes.key_effect IS
    'refused: the key''s status becomes dead, or rejected if it never was '
    'valid, and what is queued with it is held; failing: its status becomes '
    'failing until a generation succeeds; none: it stays.';
COMMENT ON COLUMN bambi.error_codes.gives_back_quota IS
    'Whether the place in the quota is given back when it ends so; what is '
    'uncertain or held keeps it until that is decided.';
COMMENT ON COLUMN bambi.error_codes.may_be_billed IS
    'Whether the provider may have taken money all the same.';
COMMENT ON COLUMN bambi.error_codes.created_at IS
    'When the row was made.';
COMMENT ON COLUMN bambi.error_codes.updated_at IS
    'When the row was last changed.';

CREATE OR REPLACE TRIGGER date_the_change
    BEFORE UPDATE ON bambi.error_codes
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION bambi_internal.set_updated_at();

ALTER TABLE bambi.error_codes OWNER TO bambi_owner;
ALTER TABLE bambi.error_codes ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.error_codes');
DROP POLICY IF EXISTS user_reads ON bambi.error_codes;
CREATE POLICY user_reads ON bambi.error_codes
    FOR SELECT TO bambi_user
    USING (@extschema@.bambi_user_id() IS NOT NULL);
DROP POLICY IF EXISTS service_reads ON bambi.error_codes;
CREATE POLICY service_reads ON bambi.error_codes
    FOR SELECT TO bambi_service USING (true);
DROP POLICY IF EXISTS admin_manages ON bambi.error_codes;
CREATE POLICY admin_manages ON bambi.error_codes
    TO bambi_admin USING (true) WITH CHECK (true);
GRANT SELECT ON bambi.error_codes TO bambi_user, bambi_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON bambi.error_codes TO bambi_admin;

CREATE OR REPLACE VIEW @extschema@.bambi_errors
WITH (security_invoker = true) AS
SELECT error_code, meaning, advice, ends_as, key_effect, gives_back_quota,
       may_be_billed
  FROM bambi.error_codes;
COMMENT ON VIEW @extschema@.bambi_errors IS
    'What can go wrong with a generation, and what is to be done.';
COMMENT ON COLUMN @extschema@.bambi_errors.error_code IS
    'As in bambi_generations.error_code.';
COMMENT ON COLUMN @extschema@.bambi_errors.meaning IS
    'What happened.';
COMMENT ON COLUMN @extschema@.bambi_errors.advice IS
    'What to do.';
COMMENT ON COLUMN @extschema@.bambi_errors.ends_as IS
    'How a generation ends with it; empty: it waits.';
COMMENT ON COLUMN @extschema@.bambi_errors.key_effect IS
    'refused: your key is rejected or dead by it, and what is queued with it '
    'is held; failing: it is failing until a generation succeeds; none: it '
    'stays as it is.';
COMMENT ON COLUMN @extschema@.bambi_errors.gives_back_quota IS
    'Whether your place in the quota is given back when it ends so.';
COMMENT ON COLUMN @extschema@.bambi_errors.may_be_billed IS
    'Whether the provider may have taken money all the same.';
ALTER VIEW @extschema@.bambi_errors OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_errors');
GRANT SELECT ON @extschema@.bambi_errors TO bambi_user, bambi_service;

-- Not only for new tables: what a generation may end with has its row.
INSERT INTO bambi.error_codes
       (error_code, ends_as, key_effect, gives_back_quota, may_be_billed,
        meaning, advice)
VALUES
    -- what the provider says
    ('invalid_key', '{held}', 'refused', false, false,
     'The provider refuses the key.',
     'Replace the key with bambi_replace_key: what is held with it goes on.'),
    ('quota_exhausted', '{failed}', 'failing', true, false,
     'Your account at the provider has no money or allowance left.',
     'Look at the provider''s console; call bambi_retry once there is some.'),
    ('rate_limited', '{failed}', 'none', true, false,
     'The provider had too many requests of yours, five times in a row.',
     'Call bambi_retry later, or ask for less at a time.'),
    ('content_blocked', '{failed}', 'none', true, true,
     'The provider''s moderation refused the prompt or the picture.',
     'Change the prompt and generate anew.'),
    ('bad_request', '{failed}', 'none', true, false,
     'The provider refuses the request, your region or your address.',
     'Read error_message; change what it names and generate anew.'),
    ('model_not_found', '{failed}', 'none', true, false,
     'The provider does not have the model, or not for your key.',
     'Generate with another model: see bambi_models.'),
    ('provider_unavailable', '{failed,uncertain}', 'none', true, true,
     'The provider could not be reached, or failed over the request.',
     'Call bambi_retry; where it is uncertain it may be charged twice.'),
    ('timeout', '{failed,uncertain}', 'none', true, true,
     'The provider took too long.',
     'Call bambi_retry; where it is uncertain it may be charged twice.'),
    ('unknown', '{failed,uncertain}', 'none', true, true,
     'The provider''s answer was not understood, or held no picture.',
     'Read error_message; call bambi_retry, or change the prompt.'),
    -- what the courier finds
    ('key_unreadable', '{failed}', 'none', true, false,
     'The stored key cannot be opened.',
     'Store it again with bambi_replace_key, then call bambi_retry.'),
    ('key_removed', '{failed}', 'none', true, false,
     'The key was removed before the request was sent.',
     'Generate anew with another key, or add one with bambi_add_key.'),
    ('key_service_down', '{}', 'none', false, false,
     'The service that opens keys cannot be reached.',
     'Wait: it is tried again by itself.'),
    ('store_down', '{}', 'none', false, true,
     'The store that keeps pictures cannot be reached.',
     'Wait: it is tried again by itself.'),
    ('address_refused', '{failed}', 'none', true, true,
     'The provider''s address, or the one that it gives for a picture, is one '
     'that must not be connected to.',
     'Tell whoever runs this service: see allowed_networks and image_hosts.'),
    ('response_too_large', '{uncertain}', 'none', false, true,
     'The provider''s answer was larger than is taken here.',
     'Ask for fewer or smaller pictures; bambi_cancel ends this one.'),
    ('cancelled', '{cancelled}', 'none', true, false,
     'It was cancelled before anything was sent.',
     'Generate anew if you want it after all.'),
    ('internal', '{failed}', 'none', true, true,
     'Something went wrong on our side.',
     'Report it, with the id of the generation.'),
    -- what becomes of it
    ('courier_died', '{uncertain,held}', 'none', false, true,
     'The program that sent it ended before the answer came.',
     'Call bambi_retry, which may be charged twice, or bambi_cancel.'),
    ('written_off', '{failed}', 'none', true, true,
     'Nobody learnt what came of it.',
     'Generate anew; look at the provider''s console for what it charged.')
    ON CONFLICT DO NOTHING;
