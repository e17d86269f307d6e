-- Models that a provider has retired: refused where it is asked at its own
-- address, and not where a compatible server stands in for it.
SET search_path = public;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
\set ada '00000000-0000-7000-8000-00000000ada4'
SELECT bambi_pause('test');
BEGIN;
CREATE FUNCTION pg_temp.try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n  ', state || ' ' || message, detail, hint);
END
$$;
INSERT INTO bambi.users (id) VALUES (:'ada');
INSERT INTO bambi.subscriptions (user_id, plan_type)
VALUES (:'ada', 'premium');
INSERT INTO bambi.api_providers
       (name, slug, adapter, needs_key, api_base_url, home_url)
VALUES ('House', 'house', 'sandbox', false, 'https://h.example/v1',
        'https://h.example/v1');
INSERT INTO bambi.models (provider_id, name, model_id, retired_at)
SELECT p.id, m.name, m.name, m.retired_at
  FROM bambi.api_providers p, (VALUES
    ('new', NULL), ('going', now() + interval '1 day'),
    ('old', now() - interval '1 day')) m (name, retired_at)
 WHERE p.slug = 'house';
UPDATE bambi.models SET successor_id =
       (SELECT id FROM bambi.models WHERE model_id = 'new')
 WHERE model_id IN ('going', 'old');
CREATE ROLE regress_bambi_late IN ROLE bambi_user;
SET LOCAL bambi.user_id = :'ada';

CREATE FUNCTION pg_temp.look() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT m.model_id || ': ' || CASE WHEN m.is_active THEN 'shown as active, '
                                 ELSE 'shown as inactive, ' END
           || pg_temp.try(format('SELECT bambi_generate(''a'', %L)', m.model))
      FROM public.bambi_models m WHERE m.model LIKE 'house/%' ORDER BY 1;
$$;
SET LOCAL ROLE regress_bambi_late;

\echo *** at home
SELECT pg_temp.look();
SELECT pg_temp.try('SELECT bambi_estimate(''house/old'')');
\echo *** a bare name means what is offered
SELECT pg_temp.try('SELECT bambi_generate(''a'', ''old'')');

\echo *** a slash more is the same address
RESET ROLE;
UPDATE bambi.api_providers SET api_base_url = 'https://h.example/v1/'
 WHERE slug = 'house';
SET LOCAL ROLE regress_bambi_late;
SELECT pg_temp.look();

\echo *** elsewhere
RESET ROLE;
UPDATE bambi.api_providers SET api_base_url = 'https://elsewhere.example/v1'
 WHERE slug = 'house';
SET LOCAL ROLE regress_bambi_late;
SELECT pg_temp.look();
SELECT pg_temp.try('SELECT bambi_generate(''a'', ''old'')');
SELECT bambi_generate('again', 'house/old') AS id \gset
RESET ROLE;
DELETE FROM bambi_internal.queue WHERE id = :'id';
UPDATE bambi.image_generations SET status = 'failed' WHERE id = :'id';
SET LOCAL ROLE regress_bambi_late;
SELECT bambi_retry(:'id') = :'id';

\echo *** what an operator has switched off is off everywhere
RESET ROLE;
UPDATE bambi.models SET is_active = false WHERE model_id = 'old';
SET LOCAL ROLE regress_bambi_late;
SELECT pg_temp.look();

\echo *** home again: nothing of it can be tried once more either
RESET ROLE;
UPDATE bambi.models SET is_active = true WHERE model_id = 'old';
UPDATE bambi.api_providers SET api_base_url = home_url WHERE slug = 'house';
DELETE FROM bambi_internal.queue WHERE id = :'id';
UPDATE bambi.image_generations SET status = 'failed' WHERE id = :'id';
SET LOCAL ROLE regress_bambi_late;
SELECT pg_temp.try(format('SELECT bambi_retry(%L)', :'id'));

\echo *** a provider without addresses is at home, one without a home is not
RESET ROLE;
UPDATE bambi.api_providers SET api_base_url = NULL, home_url = NULL
 WHERE slug = 'house';
SELECT pg_temp.look();
UPDATE bambi.api_providers SET api_base_url = 'https://h.example/v1'
 WHERE slug = 'house';
SELECT pg_temp.look();

\echo *** users see no address, nor ask about one
SET LOCAL ROLE regress_bambi_late;
SELECT pg_temp.try('SELECT api_base_url FROM bambi.api_providers'),
       pg_temp.try('SELECT home_url FROM bambi.api_providers'),
       pg_temp.try('SELECT bambi_internal.is_offered(NULL, NULL, now())');

\echo *** the rule costs no call where it is asked with rows
RESET ROLE;
CREATE FUNCTION pg_temp.plan(command text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || command;
END
$$;
SELECT count(*) AS lines, count(*) FILTER (WHERE line LIKE '%is_offered%')
  FROM pg_temp.plan('SELECT bambi_internal.is_offered(m, p, now())
                       FROM bambi.models m, bambi.api_providers p') line;
ROLLBACK;
SELECT bambi_resume();
