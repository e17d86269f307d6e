-- What can make a picture, and which parameters it takes.

CREATE TABLE IF NOT EXISTS bambi.models (
    id             uuid         NOT NULL DEFAULT @extschema@.bambi_uuid_v7(),
    provider_id    uuid         NOT NULL,
    name           text         NOT NULL,
    model_id       text         NOT NULL,
    description    text,
    capabilities   jsonb        NOT NULL DEFAULT '{"parameters": {}}',
    is_active      boolean      NOT NULL DEFAULT true,
    created_at     timestamptz  NOT NULL DEFAULT now(),
    updated_at     timestamptz  NOT NULL DEFAULT now(),
    task           text         NOT NULL DEFAULT 'generate',
    deprecated_at  timestamptz,
    retired_at     timestamptz,
    successor_id   uuid,

    PRIMARY KEY (id),
    CONSTRAINT model_id_once_per_provider UNIQUE (provider_id, model_id),
    CONSTRAINT model_belongs_to_provider
        FOREIGN KEY (provider_id) REFERENCES bambi.api_providers (id),
    CONSTRAINT model_has_successor
        FOREIGN KEY (successor_id) REFERENCES bambi.models (id),
    CONSTRAINT model_id_is_not_empty CHECK (model_id <> ''),
    CONSTRAINT capabilities_list_parameters CHECK
        (jsonb_typeof(capabilities -> 'parameters') IS NOT DISTINCT FROM
         'object'),
    CONSTRAINT model_retires_after_deprecation CHECK
        (retired_at >= deprecated_at)
);
COMMENT ON TABLE bambi.models IS
    'Models of the providers, and which parameters each takes.';
COMMENT ON COLUMN bambi.models.id IS
    'UUIDv7; those that come with bambi are the same everywhere.';
COMMENT ON COLUMN bambi.models.provider_id IS
    'Who offers it.';
COMMENT ON COLUMN bambi.models.name IS
    'Name for people.';
COMMENT ON COLUMN bambi.models.model_id IS
    'The provider''s own name of it, sent as it is.';
COMMENT ON COLUMN bambi.models.description IS
    'What it is good for, for people.';
COMMENT ON COLUMN bambi.models.capabilities IS
    'What a request may say: {"prompt": {"max_length": n}, "parameters": '
    '{name: rule}}. A rule has "type" (string, integer, number, boolean, '
    'size, or json: any object or array), optionally "default", and by type '
    '"values", "max_length", "minimum", "maximum"; a size may have "free" '
    '("multiple_of", "max_side", "max_ratio", "min_area", "max_area") for '
    'sizes beyond the values. "requires" {other: [values]} says with what '
    'only it is allowed, "value_requires" {value: {other: [values]}} the same '
    'of one of its values; "unpriced": true says that nobody knows what it '
    'costs. "inputs" says which pictures it edits, and is absent where none: '
    '"max", "formats", "max_bytes" of each, "max_total_bytes" with the mask, '
    '"square", and "mask" where it takes one, which is PNG and as large as '
    'the first picture, with "mask_max_bytes". "bills" lists the units of '
    'model_prices that are charged beside the picture, and that of inputs '
    'those that pictures to edit are charged by. For estimates: "price_by" '
    '{"size": parameter, "quality": parameter} where these have other names, '
    '"tokens" {"q": {quality: factor}} for the formula of tokens a picture, '
    '"pictures_per_call" where more pictures take more requests.';
COMMENT ON COLUMN bambi.models.is_active IS
    'False: nothing new is queued for it, wherever it is; its history stays '
    'visible.';
COMMENT ON COLUMN bambi.models.created_at IS
    'When the row was made.';
COMMENT ON COLUMN bambi.models.updated_at IS
    'When the row was last changed.';
COMMENT ON COLUMN bambi.models.task IS
    'generate: from a prompt alone, and from pictures where capabilities have '
    'inputs; edit: from pictures and a prompt only.';
COMMENT ON COLUMN bambi.models.deprecated_at IS
    'Since when it is known to be going: the provider''s day, or else the day '
    'on which bambi learnt of it.';
COMMENT ON COLUMN bambi.models.retired_at IS
    'From when on the provider refuses it, and bambi with it while the '
    'provider is asked at its own address (api_providers.home_url).';
COMMENT ON COLUMN bambi.models.successor_id IS
    'What to use instead.';

CREATE INDEX IF NOT EXISTS model_successor ON bambi.models (successor_id);
CREATE INDEX IF NOT EXISTS model_by_name ON bambi.models (model_id);

CREATE OR REPLACE TRIGGER date_the_change
    BEFORE UPDATE ON bambi.models
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION bambi_internal.set_updated_at();

SELECT bambi_internal.void_caches_of('bambi.models');

ALTER TABLE bambi.models OWNER TO bambi_owner;
ALTER TABLE bambi.models ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.models');
DROP POLICY IF EXISTS user_reads ON bambi.models;
CREATE POLICY user_reads ON bambi.models
    FOR SELECT TO bambi_user
    USING (@extschema@.bambi_user_id() IS NOT NULL);
DROP POLICY IF EXISTS service_reads ON bambi.models;
CREATE POLICY service_reads ON bambi.models
    FOR SELECT TO bambi_service USING (true);
DROP POLICY IF EXISTS admin_manages ON bambi.models;
CREATE POLICY admin_manages ON bambi.models
    TO bambi_admin USING (true) WITH CHECK (true);
GRANT SELECT ON bambi.models TO bambi_user, bambi_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON bambi.models TO bambi_admin;

-- The one rule of what new generations may use; inlined where it is called
-- with two rows.
CREATE OR REPLACE FUNCTION bambi_internal.is_offered(
    model bambi.models, provider bambi.api_providers, at timestamptz)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN model.is_active AND provider.is_active
       AND (model.retired_at IS NULL OR model.retired_at > at
            OR rtrim(provider.api_base_url, '/')
               IS DISTINCT FROM rtrim(provider.home_url, '/'));
COMMENT ON FUNCTION bambi_internal.is_offered(
    bambi.models, bambi.api_providers, timestamptz) IS
    'Whether new generations may use a model of a provider at a time: both '
    'are active, and the model is not retired there. A server at another '
    'address than the provider''s own may have what the provider retired.';
ALTER FUNCTION bambi_internal.is_offered(
    bambi.models, bambi.api_providers, timestamptz) OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.is_offered(
    bambi.models, bambi.api_providers, timestamptz) FROM PUBLIC;

CREATE OR REPLACE FUNCTION bambi_internal.model_is_offered(model uuid)
RETURNS boolean
LANGUAGE sql STABLE STRICT PARALLEL SAFE
-- the addresses of providers are not for users
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT bambi_internal.is_offered(m, p, now())
      FROM bambi.models m JOIN bambi.api_providers p ON p.id = m.provider_id
     WHERE m.id = $1
$$;
COMMENT ON FUNCTION bambi_internal.model_is_offered(uuid) IS
    'The same of a model now, for the view.';
ALTER FUNCTION bambi_internal.model_is_offered(uuid) OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.model_is_offered(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bambi_internal.model_is_offered(uuid)
    TO bambi_user, bambi_service;

CREATE OR REPLACE VIEW @extschema@.bambi_models
WITH (security_invoker = true) AS
SELECT m.id, m.provider_id,
       (SELECT p.slug FROM bambi.api_providers p
         WHERE p.id = m.provider_id) || '/' || m.model_id AS model,
       m.name, m.model_id, m.description, m.capabilities,
       bambi_internal.model_is_offered(m.id) AS is_active,
       m.task, m.deprecated_at, m.retired_at, m.successor_id,
       m.created_at, m.updated_at
  FROM bambi.models m;
COMMENT ON VIEW @extschema@.bambi_models IS
    'Models of the providers, inactive and retired ones included.';
COMMENT ON COLUMN @extschema@.bambi_models.id IS
    'Id of the model.';
COMMENT ON COLUMN @extschema@.bambi_models.provider_id IS
    'Who offers it: bambi_providers.';
COMMENT ON COLUMN @extschema@.bambi_models.model IS
    'Full name, as bambi_generate takes it.';
COMMENT ON COLUMN @extschema@.bambi_models.name IS
    'Name for people.';
COMMENT ON COLUMN @extschema@.bambi_models.model_id IS
    'The provider''s own name; enough for bambi_generate if no other active '
    'provider has it.';
COMMENT ON COLUMN @extschema@.bambi_models.description IS
    'What it is good for.';
COMMENT ON COLUMN @extschema@.bambi_models.capabilities IS
    'Longest prompt, the parameters with allowed values, limits and '
    'defaults, and, as inputs, which pictures it edits.';
COMMENT ON COLUMN @extschema@.bambi_models.is_active IS
    'Whether new generations may use it now.';
COMMENT ON COLUMN @extschema@.bambi_models.task IS
    'generate: from a prompt alone, and from pictures where capabilities have '
    'inputs; edit: from pictures and a prompt only.';
COMMENT ON COLUMN @extschema@.bambi_models.deprecated_at IS
    'Since when it is known to be going.';
COMMENT ON COLUMN @extschema@.bambi_models.retired_at IS
    'From when on its provider refuses it.';
COMMENT ON COLUMN @extschema@.bambi_models.successor_id IS
    'What to use instead: bambi_models.';
COMMENT ON COLUMN @extschema@.bambi_models.created_at IS
    'When it was added.';
COMMENT ON COLUMN @extschema@.bambi_models.updated_at IS
    'When it was last changed.';
ALTER VIEW @extschema@.bambi_models OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_models');
GRANT SELECT ON @extschema@.bambi_models TO bambi_user, bambi_service;

-- Seeds: what needs no provider.  The models of each provider, and their
-- prices, stand in its own file.
INSERT INTO bambi.models
       (id, provider_id, model_id, name, description, capabilities)
SELECT '00000000-0000-7000-8000-000000000401', p.id, 'sandbox', 'Sandbox',
       'Draws a simple picture from the prompt; for trying bambi and for '
       'tests.',
       '{
        "prompt": {"max_length": 32000},
        "parameters": {
            "n": {"type": "integer", "minimum": 1, "maximum": 10,
                  "default": 1},
            "size": {"type": "size", "default": "512x512",
                     "values": ["64x64", "128x128", "256x256", "512x512",
                                "1024x1024", "1536x1024", "1024x1536"]}
        },
        "inputs": {"max": 4, "formats": ["png", "jpeg", "webp", "gif"],
                   "mask": true}
        }'
  FROM bambi.api_providers p WHERE p.slug = 'sandbox'
    ON CONFLICT DO NOTHING;
