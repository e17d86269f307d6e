-- What Redis is told: which values have to be written there, and what stands
-- in them.  None of it is worth a flush to disk: whoever begins to write to
-- Redis first makes all void that was written before.

CREATE UNLOGGED TABLE IF NOT EXISTS bambi_internal.cache_outbox (
    kind       text     NOT NULL,
    name       text     NOT NULL,
    is_change  boolean  NOT NULL,

    CONSTRAINT cache_kind_is_known CHECK
        (kind IN ('user', 'provider', 'model', 'all'))
)
WITH (
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0
);
COMMENT ON TABLE bambi_internal.cache_outbox IS
    'Values to be written to Redis: noted by the transactions that change '
    'them, several times perhaps, and taken by the worker after their '
    'commit. Empty while Redis is not in use or away.';
COMMENT ON COLUMN bambi_internal.cache_outbox.kind IS
    'user, provider or model; all: whatever was written before is void.';
COMMENT ON COLUMN bambi_internal.cache_outbox.name IS
    'Id of the user, slug of the provider, or full name of the model.';
COMMENT ON COLUMN bambi_internal.cache_outbox.is_change IS
    'Whether a row changed, so that subscribers are told; otherwise somebody '
    'missed the value, or it would soon expire.';

CREATE TABLE IF NOT EXISTS bambi_internal.cache_series (
    only_row  boolean  NOT NULL DEFAULT true,
    series    bigint   NOT NULL DEFAULT 0,

    PRIMARY KEY (only_row),
    CONSTRAINT cache_series_has_one_row CHECK (only_row),
    CONSTRAINT series_fits_into_a_version CHECK
        (series BETWEEN 0 AND 8589934591)
);
COMMENT ON TABLE bambi_internal.cache_series IS
    'Where the versions of values in Redis go on, one row.';
COMMENT ON COLUMN bambi_internal.cache_series.only_row IS
    'True.';
COMMENT ON COLUMN bambi_internal.cache_series.series IS
    'Upper 33 bits of the versions: counted up whenever somebody begins to '
    'write, and never less than the seconds since 1970, so that a database '
    'restored from a dump does not fall behind.';
INSERT INTO bambi_internal.cache_series DEFAULT VALUES ON CONFLICT DO NOTHING;

ALTER TABLE bambi_internal.cache_outbox OWNER TO bambi_owner;
ALTER TABLE bambi_internal.cache_outbox ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi_internal.cache_outbox');
DROP POLICY IF EXISTS admin_reads ON bambi_internal.cache_outbox;
CREATE POLICY admin_reads ON bambi_internal.cache_outbox
    FOR SELECT TO bambi_admin USING (true);
GRANT SELECT ON bambi_internal.cache_outbox TO bambi_admin;
ALTER TABLE bambi_internal.cache_series OWNER TO bambi_owner;
ALTER TABLE bambi_internal.cache_series ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi_internal.cache_series');

-- ---- what stands in the values

-- The next four are inlined where they are called, so that a batch of values
-- is one plan; hence no search_path.

CREATE OR REPLACE FUNCTION bambi_internal.cache_time(at timestamptz)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN isfinite(at)
            THEN to_char(at AT TIME ZONE 'UTC',
                         'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END;
COMMENT ON FUNCTION bambi_internal.cache_time(timestamptz) IS
    'A time as JavaScript writes it, whatever TimeZone says.';

CREATE OR REPLACE FUNCTION bambi_internal.cached_user(id uuid)
RETURNS TABLE (value jsonb, until timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT jsonb_build_object(
               'user_id', a.user_id,
               'is_active', a.is_active,
               'plan_type', a.plan_type,
               'generations_limit', a.generations_limit,
               'generations_used', a.generations_used,
               'generations_left', a.generations_left,
               'resets_at', bambi_internal.cache_time(a.resets_at),
               'generations_per_minute', a.generations_per_minute,
               'max_waiting', a.max_waiting,
               'max_pictures', a.max_pictures,
               'models', a.models,
               'subscription', CASE WHEN s.id IS NOT NULL THEN
                   jsonb_build_object(
                       'plan_type', s.plan_type,
                       'next_plan_type', s.next_plan_type,
                       'status', s.status,
                       'current_period_end',
                       bambi_internal.cache_time(s.current_period_end),
                       'cancel_at_period_end', s.cancel_at_period_end) END),
           (SELECT min(l.at)
              FROM make_interval(days => current_setting(
                       'bambi.past_due_grace_days')::int) grace,
                   LATERAL (VALUES (a.resets_at), (s.current_period_end),
                                   (s.current_period_end + grace),
                                   (s.past_due_since + grace)) l (at)
             WHERE l.at > now())
      FROM @extschema@.bambi_account a
           JOIN bambi.users u ON u.id = a.user_id AND u.erased_at IS NULL
           LEFT JOIN bambi.subscriptions s ON s.user_id = a.user_id
     WHERE a.user_id = $1
$$;
COMMENT ON FUNCTION bambi_internal.cached_user(uuid) IS
    'What Redis holds of a user, and until when that is true if nobody '
    'changes anything. Nothing personal but the id.';

CREATE OR REPLACE FUNCTION bambi_internal.cached_provider(slug text)
RETURNS TABLE (value jsonb, until timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT jsonb_build_object(
               'slug', p.slug, 'name', p.name, 'description', p.description,
               'website_url', p.website_url, 'is_active', p.is_active,
               'needs_key', p.needs_key),
           NULL::timestamptz
      FROM bambi.api_providers p
     WHERE p.slug = $1
$$;
COMMENT ON FUNCTION bambi_internal.cached_provider(text) IS
    'The same of a provider: what bambi_providers shows.';

CREATE OR REPLACE FUNCTION bambi_internal.cached_model(model text)
RETURNS TABLE (value jsonb, until timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT jsonb_build_object(
               'model', p.slug || '/' || m.model_id,
               'provider', p.slug, 'name', m.name,
               'description', m.description, 'task', m.task,
               'is_active', bambi_internal.is_offered(m, p, now()),
               'capabilities', m.capabilities,
               'deprecated_at', bambi_internal.cache_time(m.deprecated_at),
               'retired_at', bambi_internal.cache_time(m.retired_at),
               'successor', (
                   SELECT o.slug || '/' || n.model_id
                     FROM bambi.models n
                          JOIN bambi.api_providers o ON o.id = n.provider_id
                    WHERE n.id = m.successor_id)),
           CASE WHEN m.retired_at > now() THEN m.retired_at END
      FROM bambi.api_providers p
           JOIN bambi.models m
             ON m.provider_id = p.id
            AND m.model_id = substr($1, strpos($1, '/') + 1)
     WHERE p.slug = split_part($1, '/', 1) AND strpos($1, '/') > 0
$$;
COMMENT ON FUNCTION bambi_internal.cached_model(text) IS
    'The same of a model: what bambi_models shows.';

CREATE OR REPLACE FUNCTION bambi_internal.cached(kind text, name text)
RETURNS TABLE (value jsonb, until timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT u.*
      FROM bambi_internal.cached_user(
               CASE WHEN $1 = 'user' AND $2 ~
                         '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                    THEN $2::uuid END) u
     UNION ALL
    SELECT p.*
      FROM bambi_internal.cached_provider(
               CASE WHEN $1 = 'provider' THEN $2 END) p
     UNION ALL
    SELECT m.*
      FROM bambi_internal.cached_model(
               CASE WHEN $1 = 'model' THEN $2 END) m
$$;
COMMENT ON FUNCTION bambi_internal.cached(text, text) IS
    'The same of any of them; no row if there is no such thing.';

-- ---- who notes changes

-- The hot one is in C, and looks at the columns that matter only.
CREATE OR REPLACE TRIGGER note_for_cache
    AFTER INSERT OR UPDATE OR DELETE ON bambi.users
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.note_user_for_cache(
        'id', 'is_active', 'usage_count', 'reset_date', 'period_start');
CREATE OR REPLACE TRIGGER note_for_cache
    AFTER INSERT OR UPDATE OR DELETE ON bambi.subscriptions
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.note_user_for_cache(
        'user_id', 'plan_type', 'next_plan_type', 'status',
        'current_period_start', 'current_period_end', 'cancel_at_period_end',
        'past_due_since');

CREATE OR REPLACE FUNCTION bambi_internal.note_provider_for_cache()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- whoever changes a provider writes to the outbox
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    slugs text[];
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW
       OR NOT bambi_internal.cache_is_on() THEN
        RETURN NULL;
    END IF;
    slugs := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.slug]
                        WHEN 'DELETE' THEN ARRAY[OLD.slug]
                        ELSE ARRAY[OLD.slug, NEW.slug] END;
    PERFORM bambi_internal.note_for_cache('provider', s.slug, true)
       FROM (SELECT DISTINCT unnest(slugs)) s (slug);
    -- a model is offered if its provider is, and is named after it
    IF TG_OP = 'UPDATE' THEN
        PERFORM bambi_internal.note_for_cache(
                    'model', s.slug || '/' || m.model_id, true)
           FROM (SELECT DISTINCT unnest(slugs)) s (slug), bambi.models m
          WHERE m.provider_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.note_provider_for_cache() IS
    'Trigger of api_providers: Redis is told of the provider and its models.';

CREATE OR REPLACE FUNCTION bambi_internal.note_model_for_cache()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- whoever changes a model writes to the outbox
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW
       OR NOT bambi_internal.cache_is_on() THEN
        RETURN NULL;
    END IF;
    -- those that name it as their successor show its name
    PERFORM bambi_internal.note_for_cache(
                'model', p.slug || '/' || l.model_id, true)
       FROM (SELECT OLD.provider_id AS provider_id, OLD.model_id AS model_id
              WHERE TG_OP <> 'INSERT'
              UNION
             SELECT NEW.provider_id, NEW.model_id WHERE TG_OP <> 'DELETE'
              UNION
             SELECT m.provider_id, m.model_id FROM bambi.models m
              WHERE TG_OP = 'UPDATE' AND m.successor_id = NEW.id
                AND (OLD.provider_id, OLD.model_id)
                    <> (NEW.provider_id, NEW.model_id)) l
            JOIN bambi.api_providers p ON p.id = l.provider_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.note_model_for_cache() IS
    'Trigger of models: Redis is told of the model.';

CREATE OR REPLACE FUNCTION bambi_internal.note_all_for_cache()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- whoever changes a plan writes to the outbox
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF bambi_internal.cache_is_on() THEN
        PERFORM bambi_internal.note_for_cache('all', '', true);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.note_all_for_cache() IS
    'Trigger of what concerns too many values to name: all become void.';

CREATE OR REPLACE TRIGGER note_for_cache
    AFTER INSERT OR UPDATE OR DELETE ON bambi.api_providers
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.note_provider_for_cache();
CREATE OR REPLACE TRIGGER note_for_cache
    AFTER INSERT OR UPDATE OR DELETE ON bambi.models
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.note_model_for_cache();
CREATE OR REPLACE TRIGGER note_for_cache
    AFTER UPDATE ON bambi.plans
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION bambi_internal.note_all_for_cache();
CREATE OR REPLACE TRIGGER note_truncation_for_cache
    AFTER TRUNCATE ON bambi.users
    FOR EACH STATEMENT EXECUTE FUNCTION bambi_internal.note_all_for_cache();
CREATE OR REPLACE TRIGGER note_truncation_for_cache
    AFTER TRUNCATE ON bambi.subscriptions
    FOR EACH STATEMENT EXECUTE FUNCTION bambi_internal.note_all_for_cache();
CREATE OR REPLACE TRIGGER note_truncation_for_cache
    AFTER TRUNCATE ON bambi.api_providers
    FOR EACH STATEMENT EXECUTE FUNCTION bambi_internal.note_all_for_cache();
CREATE OR REPLACE TRIGGER note_truncation_for_cache
    AFTER TRUNCATE ON bambi.models
    FOR EACH STATEMENT EXECUTE FUNCTION bambi_internal.note_all_for_cache();

ALTER FUNCTION bambi_internal.cache_time(timestamptz) OWNER TO bambi_owner;
ALTER FUNCTION bambi_internal.cached_user(uuid) OWNER TO bambi_owner;
ALTER FUNCTION bambi_internal.cached_provider(text) OWNER TO bambi_owner;
ALTER FUNCTION bambi_internal.cached_model(text) OWNER TO bambi_owner;
ALTER FUNCTION bambi_internal.cached(text, text) OWNER TO bambi_owner;
ALTER FUNCTION bambi_internal.note_provider_for_cache() OWNER TO bambi_owner;
ALTER FUNCTION bambi_internal.note_model_for_cache() OWNER TO bambi_owner;
ALTER FUNCTION bambi_internal.note_all_for_cache() OWNER TO bambi_owner;
-- without the extension the rows can be changed, too
ALTER FUNCTION bambi_internal.note_provider_for_cache()
    DEPENDS ON EXTENSION bambi;
ALTER FUNCTION bambi_internal.note_model_for_cache()
    DEPENDS ON EXTENSION bambi;
ALTER FUNCTION bambi_internal.note_all_for_cache() DEPENDS ON EXTENSION bambi;
REVOKE ALL ON FUNCTION bambi_internal.cache_time(timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION bambi_internal.cached_user(uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION bambi_internal.cached_provider(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION bambi_internal.cached_model(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION bambi_internal.cached(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION bambi_internal.note_provider_for_cache() FROM PUBLIC;
REVOKE ALL ON FUNCTION bambi_internal.note_model_for_cache() FROM PUBLIC;
REVOKE ALL ON FUNCTION bambi_internal.note_all_for_cache() FROM PUBLIC;
