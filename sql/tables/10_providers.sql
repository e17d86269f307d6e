-- Who makes pictures, and how to reach them.

CREATE TABLE IF NOT EXISTS bambi.api_providers (
    id                     uuid         NOT NULL
                                        DEFAULT @extschema@.bambi_uuid_v7(),
    name                   text         NOT NULL,
    slug                   text         NOT NULL,
    description            text,
    website_url            text,
    api_base_url           text,
    is_active              boolean      NOT NULL DEFAULT true,
    adapter                text         NOT NULL,
    needs_key              boolean      NOT NULL DEFAULT true,
    settings               jsonb        NOT NULL DEFAULT '{}',
    allowed_networks       cidr[]       NOT NULL DEFAULT '{}',
    created_at             timestamptz  NOT NULL DEFAULT now(),
    updated_at             timestamptz  NOT NULL DEFAULT now(),
    home_url               text,
    max_in_flight          integer,
    max_in_flight_per_key  integer,

    PRIMARY KEY (id),
    CONSTRAINT provider_slug_is_unique UNIQUE (slug),
    CONSTRAINT provider_slug_is_plain CHECK
        (slug ~ '^[a-z0-9][a-z0-9._-]*$'),
    CONSTRAINT provider_settings_are_an_object CHECK
        (jsonb_typeof(settings) = 'object'),
    CONSTRAINT provider_limits_are_positive CHECK
        (max_in_flight > 0 AND max_in_flight_per_key > 0)
);
COMMENT ON TABLE bambi.api_providers IS
    'Services that make pictures. An operator may add compatible ones.';
COMMENT ON COLUMN bambi.api_providers.id IS
    'UUIDv7; those that come with bambi are the same everywhere.';
COMMENT ON COLUMN bambi.api_providers.name IS
    'Name for people.';
COMMENT ON COLUMN bambi.api_providers.slug IS
    'Name for programs: the part before the slash of a model''s name. Sealed '
    'keys carry it, so a provider with stored keys must keep its slug.';
COMMENT ON COLUMN bambi.api_providers.description IS
    'What it offers, for people.';
COMMENT ON COLUMN bambi.api_providers.website_url IS
    'Where people read about it.';
COMMENT ON COLUMN bambi.api_providers.api_base_url IS
    'Address that the adapter''s paths are appended to; NULL if it has none.';
COMMENT ON COLUMN bambi.api_providers.is_active IS
    'False: nothing new is queued for it; its history stays visible.';
COMMENT ON COLUMN bambi.api_providers.adapter IS
    'Which protocol the courier speaks with it: openai, sandbox, ....';
COMMENT ON COLUMN bambi.api_providers.needs_key IS
    'Whether a generation must name a configuration with the user''s key.';
COMMENT ON COLUMN bambi.api_providers.settings IS
    'Options of the adapter, under those of the user''s configuration.';
COMMENT ON COLUMN bambi.api_providers.allowed_networks IS
    'Private networks that the courier may connect to for this provider; '
    'plain http only where one of them covers the address.';
COMMENT ON COLUMN bambi.api_providers.created_at IS
    'When the row was made.';
COMMENT ON COLUMN bambi.api_providers.updated_at IS
    'When the row was last changed.';
COMMENT ON COLUMN bambi.api_providers.home_url IS
    'The provider''s own address; NULL if it has none. While api_base_url is '
    'another one, a compatible server is asked, and models that the provider '
    'has retired are not refused.';
COMMENT ON COLUMN bambi.api_providers.max_in_flight IS
    'Most calls of all users together that run at a time; NULL: any number.';
COMMENT ON COLUMN bambi.api_providers.max_in_flight_per_key IS
    'The same for each key whose owner has set no other limit.';

CREATE OR REPLACE TRIGGER date_the_change
    BEFORE UPDATE ON bambi.api_providers
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION bambi_internal.set_updated_at();
CREATE OR REPLACE TRIGGER tell_worker_of_limits
    AFTER INSERT OR UPDATE OF max_in_flight, max_in_flight_per_key
    ON bambi.api_providers
    EXECUTE FUNCTION bambi_internal.tell_worker();

SELECT bambi_internal.void_caches_of('bambi.api_providers');

ALTER TABLE bambi.api_providers OWNER TO bambi_owner;
ALTER TABLE bambi.api_providers ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.api_providers');
DROP POLICY IF EXISTS user_reads ON bambi.api_providers;
CREATE POLICY user_reads ON bambi.api_providers
    FOR SELECT TO bambi_user
    USING (@extschema@.bambi_user_id() IS NOT NULL);
DROP POLICY IF EXISTS service_reads ON bambi.api_providers;
CREATE POLICY service_reads ON bambi.api_providers
    FOR SELECT TO bambi_service USING (true);
DROP POLICY IF EXISTS admin_manages ON bambi.api_providers;
CREATE POLICY admin_manages ON bambi.api_providers
    TO bambi_admin USING (true) WITH CHECK (true);
GRANT SELECT (id, name, slug, description, website_url, is_active, needs_key,
              created_at, updated_at)
    ON bambi.api_providers TO bambi_user, bambi_service;  -- for the view
GRANT SELECT, INSERT, UPDATE, DELETE ON bambi.api_providers TO bambi_admin;

CREATE OR REPLACE VIEW @extschema@.bambi_providers
WITH (security_invoker = true) AS
SELECT id, name, slug, description, website_url, is_active, needs_key,
       created_at, updated_at
  FROM bambi.api_providers;
COMMENT ON VIEW @extschema@.bambi_providers IS
    'Services that make pictures, inactive ones included.';
COMMENT ON COLUMN @extschema@.bambi_providers.id IS
    'Id of the provider.';
COMMENT ON COLUMN @extschema@.bambi_providers.name IS
    'Name for people.';
COMMENT ON COLUMN @extschema@.bambi_providers.slug IS
    'Name for programs: bambi_add_key takes it, and a model''s full name '
    'begins with it.';
COMMENT ON COLUMN @extschema@.bambi_providers.description IS
    'What it offers.';
COMMENT ON COLUMN @extschema@.bambi_providers.website_url IS
    'Where to read about it.';
COMMENT ON COLUMN @extschema@.bambi_providers.is_active IS
    'Whether new generations may use it.';
COMMENT ON COLUMN @extschema@.bambi_providers.needs_key IS
    'Whether it asks for a key of yours (bambi_add_key).';
COMMENT ON COLUMN @extschema@.bambi_providers.created_at IS
    'When it was added.';
COMMENT ON COLUMN @extschema@.bambi_providers.updated_at IS
    'When it was last changed.';
ALTER VIEW @extschema@.bambi_providers OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_providers');
GRANT SELECT ON @extschema@.bambi_providers TO bambi_user, bambi_service;

-- Seeds: their models follow in files of their own.
INSERT INTO bambi.api_providers
       (id, slug, name, adapter, needs_key, api_base_url, home_url,
        website_url, description)
SELECT l.id::uuid, l.slug, l.name, l.adapter, l.needs_key, l.home_url,
       l.home_url, l.website_url, l.description
  FROM (VALUES
    ('00000000-0000-7000-8000-000000000001', 'openai', 'OpenAI', 'openai',
     true, 'https://api.openai.com/v1', 'https://developers.openai.com',
     'The GPT image models.'),
    ('00000000-0000-7000-8000-000000000002', 'google', 'Google', 'google',
     true, 'https://generativelanguage.googleapis.com/v1',
     'https://ai.google.dev',
     'The Gemini image models, with an API key of the Gemini API.'),
    ('00000000-0000-7000-8000-000000000003', 'xai', 'xAI', 'xai',
     true, 'https://api.x.ai/v1', 'https://docs.x.ai',
     'The Grok Imagine models.'),
    ('00000000-0000-7000-8000-000000000004', 'sandbox', 'Sandbox', 'sandbox',
     false, NULL, NULL,
     'Draws a simple picture from the prompt on this machine: no network, no '
     'key, no cost.'),
    ('00000000-0000-7000-8000-000000000005', 'vertex', 'Google Vertex AI',
     'vertex', true, 'https://aiplatform.googleapis.com',
     'https://cloud.google.com/vertex-ai',
     'The Gemini image models in Google''s cloud. The key is an API key, or '
     'the whole JSON of a service account; settings project and location say '
     'where.')
       ) l (id, slug, name, adapter, needs_key, home_url, website_url,
            description)
    ON CONFLICT DO NOTHING;
