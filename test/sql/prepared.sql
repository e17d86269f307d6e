-- A transaction in which something was queued cannot be prepared: whoever
-- commits it later wakes nobody.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
BEGIN;
SELECT bambi_pause();
PREPARE TRANSACTION 'regress_bambi';
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
SELECT is_paused FROM bambi_internal.instance;
