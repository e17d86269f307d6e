-- What is not to be kept by the planner, of tables that are older than that
-- rule: SET STATISTICS 0 leaves what was gathered before.

DELETE FROM pg_catalog.pg_statistic s
 USING pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
 WHERE a.attrelid = s.starelid AND a.attnum = s.staattnum
   AND a.attstattarget = 0
   AND c.relnamespace IN ('bambi'::regnamespace,
                          'bambi_internal'::regnamespace);
