-- What people agreed to, and took back: a row each time, never changed.

CREATE TABLE IF NOT EXISTS bambi.consents (
    id          uuid         NOT NULL DEFAULT @extschema@.bambi_uuid_v7(),
    user_id     uuid         NOT NULL,
    purpose     text         NOT NULL,
    granted     boolean      NOT NULL,
    version     text         NOT NULL,
    created_at  timestamptz  NOT NULL DEFAULT now(),

    PRIMARY KEY (id, user_id),
    CONSTRAINT consent_belongs_to_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE,
    CONSTRAINT purpose_is_a_name CHECK
        (purpose ~ '^[a-z][a-z0-9_.:-]{0,99}$'),
    CONSTRAINT version_is_short CHECK
        (version ~ '^[^[:cntrl:]]{1,100}$')
);
COMMENT ON TABLE bambi.consents IS
    'Consents given and withdrawn. Nobody but the owner of the tables can '
    'write here; of an erased person what proves them stays, under the id '
    'alone.';
COMMENT ON COLUMN bambi.consents.id IS
    'UUIDv7; the last one of a purpose counts.';
COMMENT ON COLUMN bambi.consents.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi.consents.purpose IS
    'For what: processing, without which no generation is taken, or a name of '
    'the application''s. Of an erased person, other names than processing are '
    'sha256: and their digest.';
COMMENT ON COLUMN bambi.consents.granted IS
    'True: given; false: withdrawn.';
COMMENT ON COLUMN bambi.consents.version IS
    'Of which text. Of an erased person sha256: and the digest of it.';
COMMENT ON COLUMN bambi.consents.created_at IS
    'When.';

CREATE INDEX IF NOT EXISTS consents_of_user
    ON bambi.consents (user_id, purpose, id DESC);

ALTER TABLE bambi.consents
    ALTER purpose SET STATISTICS 0,
    ALTER version SET STATISTICS 0;

ALTER TABLE bambi.consents OWNER TO bambi_owner;
ALTER TABLE bambi.consents ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.consents');
DROP POLICY IF EXISTS owner_reads ON bambi.consents;
CREATE POLICY owner_reads ON bambi.consents
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.consents;
CREATE POLICY service_reads ON bambi.consents
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT ON bambi.consents TO bambi_user, bambi_service;

CREATE OR REPLACE VIEW @extschema@.bambi_consents
WITH (security_invoker = true) AS
SELECT c.id, c.user_id, c.purpose, c.granted, c.version, c.created_at,
       NOT EXISTS (SELECT FROM bambi.consents l
                    WHERE l.user_id = c.user_id AND l.purpose = c.purpose
                      AND l.id > c.id) AS is_current
  FROM bambi.consents c;
COMMENT ON VIEW @extschema@.bambi_consents IS
    'What you agreed to and took back, with all that was before.';
COMMENT ON COLUMN @extschema@.bambi_consents.id IS
    'Id of the row; later ones are greater.';
COMMENT ON COLUMN @extschema@.bambi_consents.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_consents.purpose IS
    'For what: processing is what generations need.';
COMMENT ON COLUMN @extschema@.bambi_consents.granted IS
    'True: given; false: withdrawn.';
COMMENT ON COLUMN @extschema@.bambi_consents.version IS
    'Of which text.';
COMMENT ON COLUMN @extschema@.bambi_consents.created_at IS
    'When.';
COMMENT ON COLUMN @extschema@.bambi_consents.is_current IS
    'Whether it is the last word for its purpose.';
CREATE OR REPLACE TRIGGER nobody_writes
    INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.bambi_consents
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.refuse_write();
ALTER VIEW @extschema@.bambi_consents OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_consents');
GRANT SELECT ON @extschema@.bambi_consents TO bambi_user, bambi_service;
