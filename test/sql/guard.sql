-- The guard of logs and statistics, seen by a client: its own errors are as
-- they were, its activity is not, and of other statements only a key is gone.
SET search_path = public;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
\set ada '00000000-0000-7000-8000-0000000ada01'
INSERT INTO bambi.users (id, email) VALUES (:'ada', 'ada@guard.example');
CREATE ROLE regress_bambi_guarded IN ROLE bambi_user, pg_read_all_stats;
DO $$
BEGIN
    FOR i IN 1 .. 2000 LOOP
        EXIT WHEN EXISTS (SELECT FROM bambi.encryption_keys WHERE is_current);
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
SET compute_query_id = on;
SET bambi.user_id = :'ada';
SET ROLE regress_bambi_guarded;

\echo *** others see that a statement runs, and no word of one that has a key
SELECT query, query_id IS NOT NULL
  FROM pg_stat_activity WHERE pid = pg_backend_pid();
SELECT bambi_add_key('openai', 'nothing-like-a-key') IS NOT NULL,
       query, query_id IS NOT NULL
  FROM pg_stat_activity WHERE pid = pg_backend_pid();
SELECT query -- as ever, after the next message
  FROM pg_stat_activity WHERE pid = pg_backend_pid();
DO $$
BEGIN
    RAISE NOTICE '%', (SELECT query FROM pg_stat_activity
                        WHERE pid = pg_backend_pid());
    PERFORM bambi_add_key('openai', 'nothing-like-a-key', 'again');
END
$$;
PREPARE add(text, text) AS
SELECT bambi_add_key('openai', $1, $2) IS NOT NULL, query
  FROM pg_stat_activity WHERE pid = pg_backend_pid();
EXECUTE add('nothing-like-a-key', 'one');
EXECUTE add('nothing-like-a-key', 'two');
DEALLOCATE add;

\echo *** of another one, what looks like a key
SELECT query /* sk-0123456789 */ FROM pg_stat_activity
 WHERE pid = pg_backend_pid();
SELECT query -- sk-012, or bambi_add_key('openai', 'x')
  FROM pg_stat_activity WHERE pid = pg_backend_pid();

\echo *** the client, who sent it, is told everything
SELECT bambi_replace_key('sk-0123456789', 'x');
SELECT bambi_add_key('openai', 'sk-0123456789', 'a', '{}', 5);
SELECT bambi_add_key('openai', 'sk-0123456789' 'a');
SELECT bambi_add_key('openai', 'nothing-like-a-key', 'one');
SELECT 'sk-0123456789'::int;
DO $$ BEGIN RAISE WARNING 'it was sk-0123456789'; END $$;

RESET ROLE;
RESET compute_query_id;
RESET bambi.user_id;
DELETE FROM bambi.api_configurations WHERE user_id = :'ada';
DELETE FROM bambi.users WHERE id = :'ada';
DROP ROLE regress_bambi_guarded;
