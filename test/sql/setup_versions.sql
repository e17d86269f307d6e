-- bambi_setup() touches nothing where library, extension and tables are of
-- different versions.
\set SHOW_CONTEXT never

BEGIN;
UPDATE bambi_internal.instance SET version = '0.0.1';
SELECT bambi_setup();
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

BEGIN;
UPDATE pg_catalog.pg_extension SET extversion = '9.9' WHERE extname = 'bambi';
SELECT bambi_setup();
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

SELECT version = e.extversion AS fits
  FROM bambi_internal.instance, pg_extension e WHERE extname = 'bambi';
