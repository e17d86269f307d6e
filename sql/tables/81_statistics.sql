-- What the planner must not keep: values of secrets and of content, which would
-- outlive their rows, and which EXPLAIN would tell others of.

DO $$
DECLARE
    kept record;
BEGIN
    FOR kept IN
        SELECT c.relation, c.column_name
          FROM bambi.data_classes AS c
               JOIN pg_catalog.pg_attribute AS a
                 ON a.attrelid = pg_catalog.to_regclass(c.relation)
                AND a.attname = c.column_name AND NOT a.attisdropped
         WHERE c.class IN ('secret', 'content') AND a.attstattarget <> 0
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s ALTER %I SET STATISTICS 0',
                                  kept.relation, kept.column_name);
    END LOOP;
END
$$;

-- That leaves what was gathered before.
DELETE FROM pg_catalog.pg_statistic s
 USING pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
 WHERE a.attrelid = s.starelid AND a.attnum = s.staattnum
   AND a.attstattarget = 0
   AND c.relnamespace IN ('bambi'::regnamespace,
                          'bambi_internal'::regnamespace);
