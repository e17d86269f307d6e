-- The planner keeps no statistics of what people wrote, since EXPLAIN would
-- show other users' values through its estimates.  Months and hash partitions
-- are tables of their own.
SELECT attname, count(*) > 1 AS has_partitions,
       bool_and(attstattarget = 0) AS is_without_statistics
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'bambi'::regnamespace AND c.relkind IN ('r', 'p')
   AND (c.relname LIKE 'image_generations%'
        AND attname IN ('prompt', 'parameters', 'error_message')
        OR c.relname LIKE 'images%' AND attname = 'revised_prompt'
        OR c.relname = 'api_configurations'
        AND attname IN ('name', 'settings', 'key_hint', 'key_fingerprint',
                        'last_error'))
 GROUP BY attname ORDER BY attname;
