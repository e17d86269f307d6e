-- Who changed what: one row a change of a user, a key, a subscription, a plan
-- or what stands in the catalogue of models.
--
-- Rows come in by triggers and by nothing else, and nobody but the owner of
-- the tables can change or remove them.  What is logged of which column
-- stands in bambi.data_classes.

CREATE TABLE IF NOT EXISTS bambi.change_log (
    id            uuid         NOT NULL
                               DEFAULT @extschema@.bambi_uuid_v7(),
    user_id       uuid,
    table_name    text         NOT NULL,
    row_key       text         NOT NULL,
    operation     text         NOT NULL,
    columns       text[]       NOT NULL,
    old_values    jsonb        NOT NULL,
    new_values    jsonb        NOT NULL,
    changed_by    uuid,
    session_role  text         NOT NULL,
    role          text,
    created_at    timestamptz  NOT NULL GENERATED ALWAYS AS
                               (@extschema@.bambi_uuid_time(id)) STORED,

    PRIMARY KEY (id),
    CONSTRAINT operation_is_known CHECK
        (operation IN ('insert', 'update', 'delete'))
) PARTITION BY RANGE (id);
-- as above, where DROP EXTENSION ... CASCADE took it
ALTER TABLE bambi.change_log
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL
    GENERATED ALWAYS AS (@extschema@.bambi_uuid_time(id)) STORED;
COMMENT ON TABLE bambi.change_log IS
    'Changes of users, keys, subscriptions, plans, providers, models and '
    'prices. The user is no foreign key: that somebody was removed is a '
    'change, too.';
COMMENT ON COLUMN bambi.change_log.id IS
    'UUIDv7: carries the time, and so the month that the row is in.';
COMMENT ON COLUMN bambi.change_log.user_id IS
    'Whose row was changed; NULL: nobody''s.';
COMMENT ON COLUMN bambi.change_log.table_name IS
    'Of which table, in schema bambi.';
COMMENT ON COLUMN bambi.change_log.row_key IS
    'Its id; of a plan its plan_type.';
COMMENT ON COLUMN bambi.change_log.operation IS
    'insert, update or delete.';
COMMENT ON COLUMN bambi.change_log.columns IS
    'The columns that changed, of those that are logged.';
COMMENT ON COLUMN bambi.change_log.old_values IS
    'What they were, as far as they may be shown; of a removed row nothing '
    'personal.';
COMMENT ON COLUMN bambi.change_log.new_values IS
    'What they became, likewise.';
COMMENT ON COLUMN bambi.change_log.changed_by IS
    'The user for whom the session spoke; NULL: for none.';
COMMENT ON COLUMN bambi.change_log.session_role IS
    'The role that had logged in; bambi_owner is the worker.';
COMMENT ON COLUMN bambi.change_log.role IS
    'The role that it had taken; NULL: none.';
COMMENT ON COLUMN bambi.change_log.created_at IS
    'When; from the id.';

CREATE INDEX IF NOT EXISTS changes_of_user
    ON bambi.change_log (user_id, id DESC) WHERE user_id IS NOT NULL;

ALTER TABLE bambi.change_log OWNER TO bambi_owner;
ALTER TABLE bambi.change_log ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.change_log');
DROP POLICY IF EXISTS owner_reads ON bambi.change_log;
CREATE POLICY owner_reads ON bambi.change_log
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.change_log;
CREATE POLICY service_reads ON bambi.change_log
    FOR SELECT TO bambi_service USING (true);
-- operators keep the catalogue, and do not see users
DROP POLICY IF EXISTS admin_reads ON bambi.change_log;
CREATE POLICY admin_reads ON bambi.change_log
    FOR SELECT TO bambi_admin USING (user_id IS NULL);
GRANT SELECT ON bambi.change_log TO bambi_user, bambi_service, bambi_admin;

-- EXPLAIN must not tell what others changed.
ALTER TABLE bambi.change_log
    ALTER row_key SET STATISTICS 0,
    ALTER old_values SET STATISTICS 0,
    ALTER new_values SET STATISTICS 0,
    ALTER session_role SET STATISTICS 0,
    ALTER role SET STATISTICS 0;

SELECT bambi_internal.bound_months('bambi.change_log');
SELECT bambi_internal.ensure_months(3);

-- A change that cannot be logged does not happen.  The log's months are made
-- on the spot if need be: no foreign key makes that wait for others.
CREATE OR REPLACE FUNCTION bambi_internal.log_change()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- nobody may write to the log
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key_column  CONSTANT text := TG_ARGV[0];
    user_column CONSTANT text := TG_ARGV[1];
    old_row     CONSTANT jsonb :=
        CASE TG_OP WHEN 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END;
    new_row     CONSTANT jsonb :=
        CASE TG_OP WHEN 'DELETE' THEN '{}' ELSE to_jsonb(NEW) END;
    any_row     CONSTANT jsonb := old_row || new_row;
    changed     text[] := '{}';
    old_values  jsonb := '{}';
    new_values  jsonb := '{}';
    month       timestamp :=
        date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
    listed      record;
BEGIN
    FOR listed IN
        SELECT c.column_name AS name, c.class, c.logged
          FROM bambi.data_classes c
         WHERE c.relation = format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME)
           AND c.logged IS NOT NULL
         ORDER BY c.column_name
    LOOP
        CONTINUE WHEN old_row ->> listed.name
                      IS NOT DISTINCT FROM new_row ->> listed.name;
        changed := changed || listed.name;
        CONTINUE WHEN listed.logged <> 'values';
        IF TG_OP <> 'INSERT'
           AND NOT (TG_OP = 'DELETE' AND listed.class = 'personal')
        THEN
            old_values := old_values || jsonb_build_object(
                              listed.name, old_row -> listed.name);
        END IF;
        IF TG_OP <> 'DELETE' THEN
            new_values := new_values || jsonb_build_object(
                              listed.name, new_row -> listed.name);
        END IF;
    END LOOP;
    IF changed = '{}' THEN
        RETURN NULL;
    END IF;

    IF NOT bambi_internal.has_month('bambi.change_log', month)
       AND NOT bambi_internal.make_month('bambi.change_log', month, NULL)
    THEN
        PERFORM bambi_internal.refuse_month();
    END IF;
    INSERT INTO bambi.change_log
           (user_id, table_name, row_key, operation, columns, old_values,
            new_values, changed_by, session_role, role)
    VALUES ((any_row ->> user_column)::uuid, TG_TABLE_NAME,
            any_row ->> key_column, lower(TG_OP), changed, old_values,
            new_values, @extschema@.bambi_user_id(), session_user,
            nullif(current_setting('role'), 'none'));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.log_change() IS
    'Trigger that writes change_log. Arguments: the columns with the row''s '
    'key and with its user.';
ALTER FUNCTION bambi_internal.log_change() OWNER TO bambi_owner;
-- it calls what the extension has: so it goes with it, and with it the triggers
ALTER FUNCTION bambi_internal.log_change() DEPENDS ON EXTENSION bambi;
REVOKE ALL ON FUNCTION bambi_internal.log_change() FROM PUBLIC;

-- A change of other columns does not so much as queue the trigger: usage_count
-- changes with every generation.
CREATE OR REPLACE FUNCTION bambi_internal.log_changes_of(watched regclass)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    listed text[] := (
        SELECT array_agg(a.attname ORDER BY a.attnum)
          FROM bambi.data_classes c
               JOIN pg_attribute a ON a.attrelid = watched
                                  AND a.attname = c.column_name
         WHERE c.relation = watched::text AND c.logged IS NOT NULL
           AND NOT a.attisdropped);
    call   text := (
        SELECT format('FOR EACH ROW %%s EXECUTE FUNCTION '
                      'bambi_internal.log_change(%L, %L)', a.attname,
                      CASE WHEN watched = to_regclass('bambi.users')
                           THEN 'id' ELSE 'user_id' END)
          FROM pg_index i
               JOIN pg_attribute a ON a.attrelid = i.indrelid
                                  AND a.attnum = i.indkey[0]
         WHERE i.indrelid = watched AND i.indisprimary);
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER log_row AFTER INSERT OR DELETE '
                   'ON %s %s', watched, format(call, ''));
    EXECUTE (
        SELECT format('CREATE OR REPLACE TRIGGER log_values AFTER UPDATE OF '
                      '%s ON %s %s', string_agg(quote_ident(n), ', '), watched,
                      format(call, format(
                          'WHEN (ROW(%s) IS DISTINCT FROM ROW(%s))',
                          string_agg(format('OLD.%I', n), ', '),
                          string_agg(format('NEW.%I', n), ', '))))
          FROM unnest(listed) n);
END
$$;
COMMENT ON FUNCTION bambi_internal.log_changes_of(regclass) IS
    'Gives a table the triggers that log its changes, by the columns that '
    'bambi.data_classes lists for it.';
ALTER FUNCTION bambi_internal.log_changes_of(regclass) OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.log_changes_of(regclass) FROM PUBLIC;

SELECT bambi_internal.log_changes_of(relation::regclass)
  FROM (SELECT DISTINCT relation FROM bambi.data_classes
         WHERE logged IS NOT NULL) watched;

CREATE OR REPLACE VIEW @extschema@.bambi_changes
WITH (security_invoker = true) AS
SELECT id, user_id, table_name, row_key, operation, columns, old_values,
       new_values, changed_by, session_role, role, created_at
  FROM bambi.change_log;
COMMENT ON VIEW @extschema@.bambi_changes IS
    'Who changed what of your account, keys and subscription; for operators: '
    'of plans, providers, models and prices.';
COMMENT ON COLUMN @extschema@.bambi_changes.id IS
    'Id of the change; later ones are greater.';
COMMENT ON COLUMN @extschema@.bambi_changes.user_id IS
    'Your id; NULL: a row that is nobody''s.';
COMMENT ON COLUMN @extschema@.bambi_changes.table_name IS
    'users, api_configurations, subscriptions; plans, retention_policies, '
    'stripe_prices, api_providers, models, model_prices.';
COMMENT ON COLUMN @extschema@.bambi_changes.row_key IS
    'Id of the row; of a plan its plan_type.';
COMMENT ON COLUMN @extschema@.bambi_changes.operation IS
    'insert, update or delete.';
COMMENT ON COLUMN @extschema@.bambi_changes.columns IS
    'What changed; some of it without values, such as password_hash.';
COMMENT ON COLUMN @extschema@.bambi_changes.old_values IS
    'What it was.';
COMMENT ON COLUMN @extschema@.bambi_changes.new_values IS
    'What it became.';
COMMENT ON COLUMN @extschema@.bambi_changes.changed_by IS
    'The user who did it; NULL: none, but session_role.';
COMMENT ON COLUMN @extschema@.bambi_changes.session_role IS
    'The role that had logged in; bambi_owner is the worker of bambi.';
COMMENT ON COLUMN @extschema@.bambi_changes.role IS
    'The role that it had taken; NULL: none.';
COMMENT ON COLUMN @extschema@.bambi_changes.created_at IS
    'When.';
ALTER VIEW @extschema@.bambi_changes OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_changes');
GRANT SELECT ON @extschema@.bambi_changes
    TO bambi_user, bambi_service, bambi_admin;
