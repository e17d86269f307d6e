-- The rules of models.capabilities: what each lets through, what it refuses,
-- and what it says then.
SET search_path = public;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
\set ada '00000000-0000-7000-8000-00000000ada2'
SELECT bambi_pause('test');
CREATE FUNCTION pg_temp.try(parameters text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text;
BEGIN
    PERFORM bambi_generate('a fawn', 'ruled/model', parameters::jsonb);
    RETURN 'taken: ' || parameters;
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(E'\n  ', message, nullif(detail, ''));
END
$$;
INSERT INTO bambi.users (id) VALUES (:'ada');
INSERT INTO bambi.subscriptions (user_id, plan_type)
VALUES (:'ada', 'premium');
INSERT INTO bambi.api_providers (name, slug, adapter, needs_key)
VALUES ('Ruled', 'ruled', 'sandbox', false);
INSERT INTO bambi.models (provider_id, name, model_id, capabilities)
SELECT id, 'Ruled', 'model', '{"parameters": {
    "whole": {"type": "integer", "minimum": -2147483648,
              "maximum": 2147483647},
    "number": {"type": "number", "minimum": 0, "maximum": 1.5},
    "switch": {"type": "boolean", "default": false},
    "word": {"type": "string", "values": ["auto", "one", "two"],
             "default": "one"},
    "text": {"type": "string", "max_length": 3},
    "document": {"type": "json", "max_length": 40},
    "big": {"type": "json"},
    "with_switch": {"type": "integer", "minimum": 0, "maximum": 3,
                    "requires": {"switch": [true]}},
    "picky": {"type": "string", "values": ["free", "clear"],
              "value_requires": {"clear": {"word": ["two", "three"],
                                           "switch": [true]}}},
    "turn": {"type": "boolean",
             "value_requires": {"true": {"word": ["two"]}}},
    "count": {"type": "integer", "minimum": 0, "maximum": 9,
              "value_requires": {"9": {"switch": [true]}}}
    }}'
  FROM bambi.api_providers WHERE slug = 'ruled';
CREATE ROLE regress_bambi_rules IN ROLE bambi_user;
SET bambi.user_id = :'ada';
SET ROLE regress_bambi_rules;

\echo *** numbers
SELECT pg_temp.try(parameters) FROM (VALUES
    ('{"whole": 2147483647}'), ('{"whole": -2147483648}'),
    ('{"whole": 2147483648}'), ('{"whole": 99999999999}'),
    ('{"whole": 1.0}'), ('{"number": 0}'), ('{"number": 1.5}'),
    ('{"number": 1.51}'), ('{"number": "1"}'), ('{"switch": 1}'))
    v (parameters);

\echo *** documents
SELECT pg_temp.try(parameters) FROM (VALUES
    ('{"document": {}}'), ('{"document": [1, {"a": null}]}'),
    ('{"document": "{}"}'), ('{"document": 1}'),
    ('{"document": {"a": "' || repeat('b', 31) || '"}}'),
    ('{"document": {"a": "' || repeat('b', 32) || '"}}'),
    ('{"document": {"a": "' || repeat('ü', 31) || '"}}'),
    ('{"document": ' || repeat('[', 16) || repeat(']', 16) || '}'),
    ('{"document": ' || repeat('[', 17) || repeat(']', 17) || '}'))
    v (parameters);
SELECT left(pg_temp.try('{"big": ["' || repeat('b', length) || '"]}'), 60)
  FROM (VALUES (16380), (16381)) v (length);
\echo *** a null is the default, and stays where it is inside a document
SELECT bambi_generate('b', 'ruled/model', '{"switch": null, "text": null,
    "document": {"a": null, "b": [null]}}') AS id \gset
SELECT parameters FROM bambi_generations WHERE id = :'id';

\echo *** what needs another parameter
SELECT pg_temp.try(parameters) FROM (VALUES
    ('{"with_switch": 0}'), ('{"with_switch": 0, "switch": false}'),
    ('{"with_switch": 0, "switch": true}')) v (parameters);
\echo *** and what of it does
SELECT pg_temp.try(parameters) FROM (VALUES
    ('{"picky": "free"}'), ('{"picky": "clear"}'),
    ('{"picky": "clear", "word": "auto", "switch": true}'),
    ('{"picky": "clear", "word": "two"}'),
    ('{"picky": "clear", "word": "two", "switch": true}'),
    ('{"turn": false}'), ('{"turn": true}'),
    ('{"turn": true, "word": "two"}'),
    ('{"count": 8}'), ('{"count": 9}'), ('{"count": 9, "switch": true}'))
    v (parameters);

RESET ROLE;
DELETE FROM bambi.users WHERE id = :'ada';
DELETE FROM bambi.models WHERE model_id = 'model';
DELETE FROM bambi.api_providers WHERE slug = 'ruled';
DROP ROLE regress_bambi_rules;
SELECT bambi_resume();
