-- What a session has read of the catalogue is not read again until it changes,
-- or until the time comes at which it says something else.
\set SHOW_CONTEXT never
SET search_path = public;
SET client_min_messages = error;
\set ada '\'00000000-0000-7000-8000-0000000000a1\''
INSERT INTO bambi.users (id, email) VALUES (:ada, 'ada@example.org');
INSERT INTO bambi.api_providers (name, slug, adapter, needs_key)
VALUES ('Kept', 'kept', 'sandbox', false),
       ('Another', 'another', 'sandbox', false);
INSERT INTO bambi.models (provider_id, name, model_id)
SELECT id, 'Kept', 'kept' FROM bambi.api_providers WHERE slug = 'kept';
INSERT INTO bambi.model_prices (model_id, unit, price)
SELECT id, 'image', 1 FROM bambi.models WHERE model_id = 'kept';
SET bambi.user_id = :ada;

-- How often tables of the catalogue are looked at while an estimate is made.
CREATE FUNCTION pg_temp.looks() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(pg_stat_get_xact_numscans(r)
               + (SELECT coalesce(sum(pg_stat_get_xact_numscans(indexrelid)), 0)
                    FROM pg_index WHERE indrelid = r))
      FROM unnest('{bambi.api_providers, bambi.models, bambi.model_prices,
                    bambi.plans}'::regclass[]) r
$$;
CREATE FUNCTION pg_temp.ask(model text) RETURNS numeric LANGUAGE sql AS $$
    SELECT e.high FROM bambi_estimate(model) e
$$;
-- Whether it is asked without a look sooner or later; an autovacuum may make
-- one necessary.
CREATE FUNCTION pg_temp.is_kept(model text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
BEGIN
    FOR n IN 1 .. 10 LOOP
        before := pg_temp.looks();
        PERFORM pg_temp.ask(model);
        IF pg_temp.looks() = before THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;

-- By its name, without its provider, and as the plan's default.
SELECT pg_temp.ask('kept/kept'), pg_temp.is_kept('kept/kept');
SELECT pg_temp.ask('kept'), pg_temp.is_kept('kept');
SELECT pg_temp.ask(NULL), pg_temp.is_kept(NULL);

-- A change in the same transaction is seen by its next statement, until it is
-- taken back; nothing that was read meanwhile is kept.
BEGIN;
UPDATE bambi.model_prices SET price = 2
 WHERE model_id = (SELECT id FROM bambi.models WHERE model_id = 'kept');
SELECT pg_temp.ask('kept/kept'), pg_temp.is_kept('kept/kept');
ROLLBACK;
SELECT pg_temp.ask('kept/kept'), pg_temp.is_kept('kept/kept');
BEGIN;
TRUNCATE bambi.model_prices;
SELECT pg_temp.ask('kept/kept'), pg_temp.is_kept('kept/kept');
ROLLBACK;
SELECT pg_temp.ask('kept/kept'), pg_temp.is_kept('kept/kept');
-- by what operators call, and by SQL of their own
DO $$ BEGIN PERFORM bambi_set_price('kept/kept', 'image', 3); END $$;
SELECT pg_temp.ask('kept/kept');
UPDATE bambi.api_providers SET slug = 'renamed' WHERE slug = 'kept';
SELECT pg_temp.ask('kept/kept');
SELECT pg_temp.ask('renamed/kept');
-- a second model of that name, and then it is gone
SELECT pg_temp.ask('kept');
INSERT INTO bambi.models (provider_id, name, model_id)
SELECT id, 'Kept', 'kept' FROM bambi.api_providers WHERE slug = 'another';
SELECT pg_temp.ask('kept');
DELETE FROM bambi.models m USING bambi.api_providers p
 WHERE p.id = m.provider_id AND p.slug = 'another';
SELECT pg_temp.ask('kept');

-- Nothing is kept in, nor used by, a transaction with a snapshot of its own.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.ask('kept'), pg_temp.is_kept('kept');
COMMIT;

-- A price that begins at a time, and a model that ends at one, need no change.
CREATE PROCEDURE pg_temp.wait_for(wanted text) LANGUAGE plpgsql AS $$
DECLARE
    patience CONSTANT timestamptz := clock_timestamp() + interval '60 s';
    said     text;
BEGIN
    WHILE said IS DISTINCT FROM wanted LOOP
        ASSERT clock_timestamp() < patience, said;
        BEGIN
            said := (SELECT trim_scale(high) FROM bambi_estimate('kept'));
        EXCEPTION WHEN SQLSTATE 'PT404' THEN
            GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
        END;
        COMMIT;
    END LOOP;
END
$$;
DO $$ BEGIN
    PERFORM bambi_set_price('renamed/kept', 'image', 4,
                            valid_from => clock_timestamp()
                                          + interval '500 ms');
END $$;
CALL pg_temp.wait_for('4');
UPDATE bambi.models SET retired_at = clock_timestamp() + interval '500 ms'
 WHERE model_id = 'kept';
CALL pg_temp.wait_for('Model "renamed/kept" is not offered any more.');

-- More names than are kept.
UPDATE bambi.models SET retired_at = NULL WHERE model_id = 'kept';
INSERT INTO bambi.models (provider_id, name, model_id)
SELECT p.id, 'Many', 'many.' || n
  FROM bambi.api_providers p, generate_series(1, 1200) n
 WHERE p.slug = 'another';
DO $$ BEGIN PERFORM bambi_estimate('many.' || n)
  FROM generate_series(1, 1200) n; END $$;
SELECT count(*) FROM pg_backend_memory_contexts
 WHERE name = 'bambi catalogue entry' HAVING count(*) > 512;
SELECT pg_temp.ask('kept'), pg_temp.is_kept('kept');
DELETE FROM bambi.models WHERE model_id LIKE 'many.%';

-- Without one of its triggers nothing of it is kept.
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger
 WHERE tgname LIKE 'void_caches%' ORDER BY 1, 2;
ALTER TABLE bambi.plans DISABLE TRIGGER void_caches_of_rows;
SELECT pg_temp.ask('kept'), pg_temp.is_kept('kept');
ALTER TABLE bambi.plans ENABLE ALWAYS TRIGGER void_caches_of_rows;
SELECT pg_temp.ask('kept'), pg_temp.is_kept('kept');

RESET bambi.user_id;
DELETE FROM bambi.users WHERE email = 'ada@example.org';
DELETE FROM bambi.models WHERE model_id = 'kept';
DELETE FROM bambi.api_providers WHERE slug IN ('renamed', 'another');
