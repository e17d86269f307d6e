-- Budgets in money: who sets them, what is refused under them, and that what
-- is spent and reserved is what the ledger and the queue say.
\set SHOW_CONTEXT never
SET search_path = public;
SET client_min_messages = error;
SET timezone = 'UTC';
\pset format unaligned
\set ada '00000000-0000-7000-8000-0000000bada1'
\set bob '00000000-0000-7000-8000-0000000bada2'
BEGIN;
SELECT bambi_pause('test') \gset
INSERT INTO bambi.users (id) VALUES (:'ada'), (:'bob');
INSERT INTO bambi.api_providers (id, name, slug, adapter, needs_key)
VALUES ('00000000-0000-7000-8000-0000000badc0', 'Priced', 'priced',
        'sandbox', true);
INSERT INTO bambi.models (provider_id, name, model_id, capabilities)
SELECT p.id, 'Priced', l.model_id, l.capabilities
  FROM bambi.api_providers p, (VALUES
    ('cheap', jsonb '{"parameters": {
        "n": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
        "size": {"type": "string", "values": ["auto", "1K", "4K"],
                 "default": "1K"}}, "inputs": {"max": 3}}'),
    ('billed', '{"parameters": {}, "bills": ["1M text output tokens"]}'),
    ('nothing', '{"parameters": {}}')) l (model_id, capabilities)
 WHERE p.slug = 'priced';
INSERT INTO bambi.model_prices (model_id, unit, size, price)
SELECT m.id, 'image', CASE m.model_id WHEN 'cheap' THEN '1K' END, 0.1
  FROM bambi.models m WHERE m.model_id IN ('cheap', 'billed');
INSERT INTO bambi.api_configurations (id, user_id, provider_id, name, status)
SELECT overlay(u.id::text PLACING k.name FROM 33)::uuid, u.id,
       '00000000-0000-7000-8000-0000000badc0', k.name, k.status
  FROM bambi.users u,
       (VALUES ('c001', 'valid'), ('c002', 'revoked')) k (name, status)
 WHERE u.id IN (:'ada', :'bob');
\set key_of_ada '00000000-0000-7000-8000-0000000bc001'
SELECT overlay(:'bob' PLACING 'c001' FROM 33)::uuid AS same_name \gset
UPDATE bambi.plans SET generations_per_period = NULL WHERE plan_type = 'free';

CREATE FUNCTION pg_temp.try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; advice text; result text;
BEGIN
    EXECUTE command INTO result;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        advice = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''),
                     nullif(regexp_replace(advice, '\d{4}-[-0-9 :+]*\d',
                                           'then'), ''));
END
$$;
CREATE VIEW pg_temp.state WITH (security_invoker = true) AS
SELECT scope, amount, currency, period, spent, reserved, amount_left,
       unpriced
  FROM bambi_budgets ORDER BY scope;
GRANT SELECT ON pg_temp.state TO bambi_user;
SET LOCAL bambi.user_id = :'ada';
SET LOCAL ROLE bambi_user;
