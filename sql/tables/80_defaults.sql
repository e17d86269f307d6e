-- The defaults of ids: in new tables they are there already, after DROP
-- EXTENSION ... CASCADE they are not.

DO $$
DECLARE
    place regclass;
BEGIN
    FOR place IN
        SELECT c.oid
          FROM pg_class c
               JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'bambi'::regnamespace
           AND c.relkind IN ('r', 'p')
           AND a.attname = 'id' AND NOT a.attisdropped AND NOT a.atthasdef
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN id '
                       'SET DEFAULT @extschema@.bambi_uuid_v7()', place);
    END LOOP;
END
$$;
