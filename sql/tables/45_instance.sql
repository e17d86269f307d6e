-- Which database this is, so that a copy of it sends nothing by itself.

CREATE TABLE IF NOT EXISTS bambi_internal.instance (
    only_row            boolean      NOT NULL DEFAULT true,
    version             text         NOT NULL,
    system_identifier   bigint       NOT NULL,
    database_oid        oid          NOT NULL,
    is_paused           boolean      NOT NULL DEFAULT false,
    paused_reason       text,
    fingerprint_secret  bytea        NOT NULL DEFAULT
                                     sha256(uuid_send(gen_random_uuid())
                                            || uuid_send(gen_random_uuid())),
    link_secret         bytea        NOT NULL DEFAULT
                                     sha256(uuid_send(gen_random_uuid())
                                            || uuid_send(gen_random_uuid())),
    created_at          timestamptz  NOT NULL DEFAULT now(),
    updated_at          timestamptz  NOT NULL DEFAULT now(),

    PRIMARY KEY (only_row),
    CONSTRAINT instance_has_one_row CHECK (only_row)
);
COMMENT ON TABLE bambi_internal.instance IS
    'This installation, one row, written by bambi_setup().';
COMMENT ON COLUMN bambi_internal.instance.only_row IS
    'True.';
COMMENT ON COLUMN bambi_internal.instance.version IS
    'Version of the tables.';
COMMENT ON COLUMN bambi_internal.instance.system_identifier IS
    'Of the cluster that the tables were made in or adopted by; in another '
    'one nothing is sent before bambi_adopt().';
COMMENT ON COLUMN bambi_internal.instance.database_oid IS
    'Of the database, likewise.';
COMMENT ON COLUMN bambi_internal.instance.is_paused IS
    'Whether claiming is stopped: bambi_pause(), bambi_resume().';
COMMENT ON COLUMN bambi_internal.instance.paused_reason IS
    'Why.';
COMMENT ON COLUMN bambi_internal.instance.fingerprint_secret IS
    'Key of api_configurations.key_fingerprint; nobody may read it.';
COMMENT ON COLUMN bambi_internal.instance.link_secret IS
    'Key of the links that bambi_image_url() signs; nobody may read it. A new '
    'one ends all links.';
COMMENT ON COLUMN bambi_internal.instance.created_at IS
    'When the tables were made.';
COMMENT ON COLUMN bambi_internal.instance.updated_at IS
    'When the row was last changed.';

ALTER TABLE bambi_internal.instance OWNER TO bambi_owner;
ALTER TABLE bambi_internal.instance ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi_internal.instance');
DROP POLICY IF EXISTS admin_reads ON bambi_internal.instance;
CREATE POLICY admin_reads ON bambi_internal.instance
    FOR SELECT TO bambi_admin USING (true);
GRANT SELECT (only_row, version, system_identifier, database_oid, is_paused,
              paused_reason, created_at, updated_at)
    ON bambi_internal.instance TO bambi_admin;
