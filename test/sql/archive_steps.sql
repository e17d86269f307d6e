-- A month's whole way to the archive and back, with a courier of SQL that has
-- a table for an archive: every step is one that the worker takes, and one that
-- fails says so in bambi_archives.
\set SHOW_CONTEXT never
\set a '\'00000000-0000-7000-8000-0000000000a1\''
\set b '\'00000000-0000-7000-8000-0000000000b1\''
\set sandbox '\'00000000-0000-7000-8000-000000000401\''
SET search_path = public;
SET client_min_messages = error;

BEGIN;
-- as the worker: nobody else takes rows of a month that leaves
SET LOCAL SESSION AUTHORIZATION bambi_owner;
CREATE TEMP TABLE stored (name text PRIMARY KEY, content bytea);
CREATE FUNCTION pg_temp.courier(
    errand jsonb, payload bytea, OUT is_done boolean, OUT answer jsonb,
    OUT content bytea)
LANGUAGE plpgsql AS $$
DECLARE
    sha256 text;
BEGIN
    IF errand ->> 'kind' = 'archive_put' THEN
        INSERT INTO stored VALUES (errand ->> 'name', payload)
        ON CONFLICT (name) DO UPDATE SET content = excluded.content;
    ELSIF errand ->> 'kind' = 'archive_erase' THEN
        DELETE FROM stored WHERE name = errand ->> 'name';
    END IF;
    SELECT s.content INTO content FROM stored s
     WHERE s.name = errand ->> 'name';
    is_done := content IS NOT NULL OR errand ->> 'kind' = 'archive_erase';
    sha256 := encode(sha256(content), 'hex');
    answer := CASE WHEN is_done
        THEN jsonb_build_object('bytes', octet_length(content),
                                'sha256', sha256, 'content_sha256', sha256)
        ELSE '{"error": "it is not there", "is_absent": true}' END;
END
$$;

-- Until a condition holds, nothing is left to do, or something fails: which
-- states the month went through, and the error.
CREATE FUNCTION pg_temp.run(is_enough text DEFAULT 'false')
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    states text[];
    a      record;
    step   record;
    said   record;
    enough boolean;
BEGIN
    FOR attempt IN 1 .. 2000 LOOP
        -- this transaction does not end before the first row is read
        UPDATE bambi.archives SET begun_by = '3';
        SELECT state, last_error INTO a FROM bambi_archives;
        IF a.state IS DISTINCT FROM states[cardinality(states)] THEN
            states := states || a.state;
        END IF;
        EXECUTE 'SELECT ' || is_enough INTO enough;
        EXIT WHEN enough OR a.last_error IS NOT NULL AND attempt > 1;
        SELECT * INTO step FROM bambi_internal.archive_step('{}');
        EXIT WHEN step.again_ms IS NULL;
        IF step.again_ms > 0 THEN
            PERFORM pg_sleep(0.01);     -- somebody holds a lock for a moment
        END IF;
        WHILE step.errand IS NOT NULL LOOP
            SELECT * INTO said
              FROM pg_temp.courier(step.errand, step.payload);
            SELECT *, 0 AS again_ms INTO step
              FROM bambi_internal.archive_answer(
                       step.task, said.is_done, said.answer, said.content);
        END LOOP;
    END LOOP;
    RETURN concat_ws(': ', array_to_string(states, ', '), a.last_error);
END
$$;

-- What is in the month.
CREATE FUNCTION pg_temp.look() RETURNS text
LANGUAGE sql AS $$
    SELECT string_agg(r.line, E'\n' ORDER BY r.line COLLATE "C")
      FROM (SELECT t::text AS line FROM bambi.image_generations t
             WHERE t.id < bambi_uuid_floor('2012-01-01 00:00Z')
             UNION ALL
            SELECT t::text FROM bambi.usage_events t
             WHERE t.id < bambi_uuid_floor('2012-01-01 00:00Z')
             UNION ALL
            SELECT t::text FROM bambi.change_log t
             WHERE t.id < bambi_uuid_floor('2012-01-01 00:00Z')
             UNION ALL
            SELECT t::text FROM bambi.images t
             WHERE t.generation_id < bambi_uuid_floor('2012-01-01 00:00Z')
             UNION ALL
            SELECT d::text FROM bambi.image_data d
             WHERE d.user_id IN ('00000000-0000-7000-8000-0000000000a1',
                                 '00000000-0000-7000-8000-0000000000b1')
             UNION ALL
            SELECT t::text FROM bambi.generation_inputs t
             WHERE t.generation_id < bambi_uuid_floor('2012-01-01 00:00Z')
           ) r
$$;

DO $$
BEGIN
    WHILE NOT (SELECT bool_and(bambi_internal.make_month(
                                   parent, '2011-02-01', settings))
                 FROM bambi_internal.monthly_tables())
    LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
INSERT INTO bambi.users (id, email)
VALUES (:a, 'steps@example.com'), (:b, 'more.steps@example.com');
SELECT bambi_uuid_floor('2011-02-02 00:00Z') AS g,
       bambi_uuid_floor('2011-02-03 00:00Z') AS h \gset
INSERT INTO bambi.image_generations (id, user_id, model_id, prompt, status)
VALUES (:'g', :a, :sandbox, 'a "fawn"', 'succeeded'),
       (:'h', :b, :sandbox, E'a\n\\fawn', 'failed');
INSERT INTO bambi.images (id, generation_id, user_id, bytes, sha256, store)
VALUES (:a, :'g', :a, 4, encode(sha256('fawn'), 'hex'), 'database');
INSERT INTO bambi.image_data (image_id, user_id, data) VALUES (:a, :a, 'fawn');
INSERT INTO bambi.generation_inputs
       (generation_id, user_id, position, format, width, height, bytes, data)
VALUES (:'h', :b, 0, 'png', 1, 1, 4, 'deer');
INSERT INTO bambi.usage_events (id, user_id, cost, charged, is_rolled_up,
                                created_at)
VALUES (:'g', :a, 0.25, 'yes', true, '2011-02-02 00:00Z'),
       (:'h', :b, NULL, 'unknown', true, '2011-02-03 00:00Z');
INSERT INTO bambi.change_log (id, user_id, table_name, row_key, operation,
                              columns, old_values, new_values, session_role)
VALUES (:'g', :a, 'users', '1', 'update', '{email}', '{}', '{}', 'x'),
       (:'h', NULL, 'plans', '1', 'update', '{name}', '{}', '{}', 'x');
SELECT pg_temp.look() AS before \gset

-- There and back; a step that fails says so; and what comes back no further
-- goes again.
CREATE FUNCTION pg_temp.send_off(name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM bambi.archives;
    INSERT INTO bambi.archives (table_name, month) VALUES (name, '2011-02-01');
    WHILE NOT (SELECT bambi_internal.archive_begin(id) FROM bambi.archives)
    LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
CREATE FUNCTION pg_temp.ask_back() RETURNS void
LANGUAGE sql AS $$
    UPDATE bambi.archives SET state = 'restoring', is_planned = false,
           last_error = NULL
$$;

SELECT pg_temp.send_off('image_generations');
CREATE TABLE bambi.mine (
    id uuid, user_id uuid,
    FOREIGN KEY (id, user_id) REFERENCES bambi.image_generations_2011_02);
INSERT INTO bambi.mine VALUES (:'h', :b);
SELECT pg_temp.run();
SELECT not_before > now() AS is_tried_again FROM bambi_archives;
DROP TABLE bambi.mine;
UPDATE bambi.archives SET not_before = NULL, last_error = NULL;
SELECT pg_temp.run();
SELECT count(*) FROM stored;
SELECT count(*) FROM bambi.images WHERE id = :a;
SELECT pg_temp.ask_back();
SELECT pg_temp.run();
SELECT pg_temp.look() = :'before' AS is_equal;

-- a picture that is kept where it is is not erased there
INSERT INTO bambi.images (id, generation_id, user_id, store, storage_path)
VALUES (:b, :'h', :b, 's3', 'there/1.png');
SELECT pg_temp.look() AS before \gset
SELECT pg_temp.send_off('image_generations');
UPDATE bambi.archives SET pictures = 'reference';
SELECT pg_temp.run();
SELECT count(*) FROM bambi_internal.outbox WHERE user_id = :b;
SELECT pg_temp.ask_back();
SELECT pg_temp.run('EXISTS (SELECT FROM bambi_internal.archive_objects
                             WHERE kind = ''lines'' AND state = ''loaded'')');
CREATE TEMP TABLE lost AS SELECT * FROM stored WHERE name LIKE '%/inputs/%';
DELETE FROM stored WHERE name LIKE '%/inputs/%';
SELECT pg_temp.run() ~ '^restoring: .*/inputs/.*: it is not there$' AS fails;
SELECT count(*) FROM bambi.image_generations WHERE id IN (:'g', :'h');
SELECT bambi_cancel_restore('image_generations/2011-02/manifest.json');
-- not while the courier is about something of it, whose answer is ignored
SELECT again_ms
  FROM bambi_internal.archive_step('{image_generations/2011-02/inputs/x}');
SELECT errand
  FROM bambi.archives a,
       bambi_internal.archive_answer(
           jsonb_build_object('archive', a.id, 'do', 'load_picture',
                              'name', 'x'),
           false, '{"error": "late", "is_absent": true}', NULL);
SELECT state, last_error FROM bambi_archives;
SELECT count(*) FROM bambi.image_generations WHERE id IN (:'g', :'h');
SELECT pg_temp.run();
SELECT count(*) FROM bambi.images WHERE id IN (:a, :b);
SELECT count(*) FROM bambi_internal.outbox WHERE user_id = :b;
SELECT to_regclass('bambi.image_generations_2011_02') IS NULL AS is_gone;
SELECT kind, state FROM bambi_internal.archive_objects;
-- what is lost between two looks is looked for a few times; then the month
-- goes again by itself
INSERT INTO stored TABLE lost;
SELECT pg_temp.ask_back();
SELECT pg_temp.run('EXISTS (SELECT FROM bambi_internal.archive_objects
                             WHERE kind = ''lines'' AND state = ''loaded'')');
DELETE FROM stored WHERE name LIKE '%/inputs/%';
SELECT regexp_replace(pg_temp.run(), ' image.*/inputs/[^:]*', ' it') AS first;
UPDATE bambi.archives SET not_before = NULL, last_error = NULL;
SELECT regexp_replace(pg_temp.run(), ' image.*/inputs/[^:]*', ' it') AS second;
UPDATE bambi.archives SET not_before = NULL, last_error = NULL;
SELECT regexp_replace(pg_temp.run(), ' image.*/inputs/[^:]*', ' it') AS third;
UPDATE bambi.archives SET last_error = NULL;
SELECT pg_temp.run();
SELECT to_regclass('bambi.image_generations_2011_02') IS NULL AS is_gone;
SELECT kind, state FROM bambi_internal.archive_objects;
INSERT INTO stored TABLE lost;
SELECT pg_temp.ask_back();
SELECT pg_temp.run();
SELECT pg_temp.look() = :'before' AS is_equal;

INSERT INTO bambi.budgets (user_id, amount, period)
VALUES (:a, 10, 'total'), (:b, 10, 'total');
SELECT spent, unpriced FROM bambi_budgets WHERE user_id IN (:a, :b)
 ORDER BY user_id;
SELECT pg_temp.send_off('usage_events');
SELECT pg_temp.run();
SELECT pg_temp.ask_back();
SELECT pg_temp.run('EXISTS (SELECT FROM bambi_internal.archive_objects
                             WHERE state = ''loaded'')');
SELECT bambi_cancel_restore('usage_events/2011-02/manifest.json');
SELECT pg_temp.run();
SELECT count(*) FROM bambi.usage_events WHERE user_id IN (:a, :b);
SELECT spent, unpriced FROM bambi_budgets WHERE user_id IN (:a, :b)
 ORDER BY user_id;
SELECT pg_temp.ask_back();
SELECT pg_temp.run();
SELECT spent, unpriced FROM bambi_budgets WHERE user_id IN (:a, :b)
 ORDER BY user_id;

SELECT pg_temp.send_off('change_log');
SELECT pg_temp.run();
SELECT pg_temp.ask_back();
SELECT pg_temp.run('EXISTS (SELECT FROM bambi_internal.archive_objects
                             WHERE state = ''loaded'')');
SELECT bambi_cancel_restore('change_log/2011-02/manifest.json');
SELECT pg_temp.run();
SELECT to_regclass('bambi.change_log_2011_02') IS NULL AS is_gone;
SELECT pg_temp.ask_back();
SELECT pg_temp.run();
SELECT pg_temp.look() = :'before' AS is_equal;
ROLLBACK;
