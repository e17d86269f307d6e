-- CREATE EXTENSION brings the engine, bambi_setup() the tables that the other
-- tests of this database use.  It may be called again at any time.
SET client_min_messages = warning;
CREATE EXTENSION bambi CASCADE;
SELECT extname FROM pg_extension
 WHERE extname IN ('bambi', 'pgcrypto') ORDER BY extname;


-- Before it was called, nothing else does anything.
\set SHOW_CONTEXT never
SELECT bambi_pause();
\echo :LAST_ERROR_SQLSTATE
SELECT bambi_resume();
\echo :LAST_ERROR_SQLSTATE
SELECT bambi_adopt();
\echo :LAST_ERROR_SQLSTATE
SELECT bambi_setup() ~ 'Made the tables' AS made;
SELECT bambi_setup() ~ 'Made the tables' AS made_again;
-- whatever text means to the session
SET quote_all_identifiers = on;
SET standard_conforming_strings = off;
SELECT bambi_setup() ~ 'Made the tables' AS made_again;
RESET standard_conforming_strings;
RESET quote_all_identifiers;

-- The tables belong to nobody's extension: pg_dump saves them, and DROP
-- EXTENSION leaves them.
SELECT count(*) AS members
  FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
 WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
   AND c.relnamespace IN ('bambi'::regnamespace, 'bambi_internal'::regnamespace);

-- Only operators may call it.
CREATE ROLE regress_bambi_visitor;
SET ROLE regress_bambi_visitor;
SELECT bambi_setup();
RESET ROLE;
DROP ROLE regress_bambi_visitor;
