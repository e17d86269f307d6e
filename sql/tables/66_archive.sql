-- The archive: which months were written to it, in which objects, and how far
-- that is.
--
-- Objects are chunks of a month's rows, in the order of users, and files of
-- pictures.  What the worker does next follows from these tables alone, so
-- whoever dies, it goes on where it was.

CREATE TABLE IF NOT EXISTS bambi.archives (
    id               uuid         NOT NULL
                                  DEFAULT @extschema@.bambi_uuid_v7(),
    table_name       text         NOT NULL,
    month            date         NOT NULL,
    state            text         NOT NULL DEFAULT 'waiting',
    ends_as          text         NOT NULL DEFAULT 'archive',
    pictures         text         NOT NULL DEFAULT 'copy',
    is_asked         boolean      NOT NULL DEFAULT false,
    manifest         text,
    manifest_sha256  text,
    revision         integer      NOT NULL DEFAULT 0,
    is_stale         boolean      NOT NULL DEFAULT false,
    row_count        bigint,
    picture_count    bigint,
    bytes            bigint,
    rows_left_out    bigint       NOT NULL DEFAULT 0,
    next_number      integer      NOT NULL DEFAULT 1,
    after_user       uuid,
    after_id         uuid,
    is_planned       boolean      NOT NULL DEFAULT false,
    begun_by         xid8,
    attempts         integer      NOT NULL DEFAULT 0,
    not_before       timestamptz,
    last_error       text,
    created_at       timestamptz  NOT NULL DEFAULT now(),
    updated_at       timestamptz  NOT NULL DEFAULT now(),
    verified_at      timestamptz,
    archived_at      timestamptz,
    restored_at      timestamptz,

    PRIMARY KEY (id),
    CONSTRAINT one_archive_per_month UNIQUE (table_name, month),
    CONSTRAINT table_is_archived CHECK
        (table_name IN ('image_generations', 'usage_events', 'change_log')),
    CONSTRAINT month_begins_on_the_first CHECK (extract(day FROM month) = 1),
    CONSTRAINT archive_state_is_known CHECK
        (state IN ('waiting', 'writing', 'verified', 'removing', 'archived',
                   'deleted', 'restoring', 'restored', 'cancelling',
                   'failed')),
    CONSTRAINT archive_end_is_known CHECK (ends_as IN ('archive', 'delete')),
    CONSTRAINT archived_pictures_are_known CHECK
        (pictures IN ('reference', 'copy'))
);
COMMENT ON TABLE bambi.archives IS
    'Months that are past their time: how far each is archived, removed or '
    'brought back.';
COMMENT ON COLUMN bambi.archives.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi.archives.table_name IS
    'Of which table, in schema bambi.';
COMMENT ON COLUMN bambi.archives.month IS
    'First day of the month (UTC).';
COMMENT ON COLUMN bambi.archives.state IS
    'waiting (last_error says what for), writing, verified (all was read '
    'back), removing, archived, deleted (ends_as was delete), restoring, '
    'restored, cancelling (what was brought back goes again), failed (nothing '
    'of it could be restored).';
COMMENT ON COLUMN bambi.archives.ends_as IS
    'As in retention_policies when it began: archive or delete.';
COMMENT ON COLUMN bambi.archives.pictures IS
    'Likewise: reference or copy.';
COMMENT ON COLUMN bambi.archives.is_asked IS
    'Whether somebody asked for it with bambi_archive_month().';
COMMENT ON COLUMN bambi.archives.manifest IS
    'Name of the manifest in the archive.';
COMMENT ON COLUMN bambi.archives.manifest_sha256 IS
    'Hash of the manifest, hexadecimal.';
COMMENT ON COLUMN bambi.archives.revision IS
    'Which edition of the month the manifest is.';
COMMENT ON COLUMN bambi.archives.is_stale IS
    'Whether the manifest is to be written anew, since somebody was taken out '
    'of what it names.';
COMMENT ON COLUMN bambi.archives.row_count IS
    'Rows in the archive.';
COMMENT ON COLUMN bambi.archives.picture_count IS
    'Files of pictures in the archive.';
COMMENT ON COLUMN bambi.archives.bytes IS
    'Size of all objects in the archive.';
COMMENT ON COLUMN bambi.archives.rows_left_out IS
    'Rows that were not restored, since their users are gone.';
COMMENT ON COLUMN bambi.archives.next_number IS
    'Number of the next chunk.';
COMMENT ON COLUMN bambi.archives.after_user IS
    'How far the month is cut into chunks: the user.';
COMMENT ON COLUMN bambi.archives.after_id IS
    'And the row, of a user who fills more than a chunk.';
COMMENT ON COLUMN bambi.archives.is_planned IS
    'Whether all of it is cut.';
COMMENT ON COLUMN bambi.archives.begun_by IS
    'Transaction that began it: older ones have to end before the first row '
    'is read.';
COMMENT ON COLUMN bambi.archives.attempts IS
    'Failures since the last success.';
COMMENT ON COLUMN bambi.archives.not_before IS
    'Not to be tried again earlier; NULL: at once.';
COMMENT ON COLUMN bambi.archives.last_error IS
    'What it waits for, or why it failed; scrubbed.';
COMMENT ON COLUMN bambi.archives.created_at IS
    'When the row was made.';
COMMENT ON COLUMN bambi.archives.updated_at IS
    'When the row was last changed.';
COMMENT ON COLUMN bambi.archives.verified_at IS
    'When the manifest was read back.';
COMMENT ON COLUMN bambi.archives.archived_at IS
    'When the month left its table.';
COMMENT ON COLUMN bambi.archives.restored_at IS
    'When it was brought back.';

ALTER TABLE bambi.archives OWNER TO bambi_owner;
ALTER TABLE bambi.archives ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.archives');
DROP POLICY IF EXISTS admin_reads ON bambi.archives;
CREATE POLICY admin_reads ON bambi.archives
    FOR SELECT TO bambi_admin USING (true);
GRANT SELECT ON bambi.archives TO bambi_admin;

CREATE TABLE IF NOT EXISTS bambi_internal.archive_objects (
    id              uuid      NOT NULL DEFAULT gen_random_uuid(),
    archive_id      uuid      NOT NULL,
    kind            text      NOT NULL,
    state           text      NOT NULL,
    name            text,
    number          integer,
    version         integer   NOT NULL DEFAULT 1,
    first_user      uuid      NOT NULL,
    last_user       uuid      NOT NULL,
    first_id        uuid,
    last_id         uuid,
    row_count       bigint,
    bytes           bigint,
    sha256          text,
    content_sha256  text,
    object_id       uuid,
    item_id         uuid,
    position        smallint,
    store           text,
    location        text,

    PRIMARY KEY (id),
    CONSTRAINT object_belongs_to_archive
        FOREIGN KEY (archive_id) REFERENCES bambi.archives (id)
        ON DELETE CASCADE,
    CONSTRAINT one_object_per_name UNIQUE (archive_id, name),
    CONSTRAINT object_kind_is_known CHECK
        (kind IN ('lines', 'picture', 'reference')),
    CONSTRAINT object_state_is_known CHECK
        (state IN ('planned', 'filling', 'written', 'absent', 'old',
                   'superseded', 'removed', 'unchecked', 'checked', 'loaded',
                   'kept'))
);
COMMENT ON TABLE bambi_internal.archive_objects IS
    'What the archive holds of a month: chunks of its rows, and files of '
    'pictures while the month is written or brought back.';
COMMENT ON COLUMN bambi_internal.archive_objects.id IS
    'Random.';
COMMENT ON COLUMN bambi_internal.archive_objects.archive_id IS
    'Of which month.';
COMMENT ON COLUMN bambi_internal.archive_objects.kind IS
    'lines (a chunk of rows), picture (a file), reference (a file of the '
    'store "filesystem" that lines name, and that has to stay).';
COMMENT ON COLUMN bambi_internal.archive_objects.state IS
    'planned, filling (its pictures are put), written, absent (a picture that '
    'its store has lost), old (of the edition before), superseded (to be '
    'erased), removed (its rows have left the table); of what is brought '
    'back: unchecked, checked, loaded; kept: a reference.';
COMMENT ON COLUMN bambi_internal.archive_objects.name IS
    'Where it is, below the archive; NULL: nowhere.';
COMMENT ON COLUMN bambi_internal.archive_objects.number IS
    'Of a chunk: its place in the month.';
COMMENT ON COLUMN bambi_internal.archive_objects.version IS
    'Goes up when a row of it changes: an answer about an earlier one does '
    'not count.';
COMMENT ON COLUMN bambi_internal.archive_objects.first_user IS
    'First user in it; zeros: rows that are nobody''s.';
COMMENT ON COLUMN bambi_internal.archive_objects.last_user IS
    'Last user in it.';
COMMENT ON COLUMN bambi_internal.archive_objects.first_id IS
    'First row of the only user in it; NULL: all rows of its users are.';
COMMENT ON COLUMN bambi_internal.archive_objects.last_id IS
    'Last row of that user.';
COMMENT ON COLUMN bambi_internal.archive_objects.row_count IS
    'Rows in it.';
COMMENT ON COLUMN bambi_internal.archive_objects.bytes IS
    'Size of the object.';
COMMENT ON COLUMN bambi_internal.archive_objects.sha256 IS
    'Hash of the object as it is stored, hexadecimal.';
COMMENT ON COLUMN bambi_internal.archive_objects.content_sha256 IS
    'Hash of what is in it, before it is compressed.';
COMMENT ON COLUMN bambi_internal.archive_objects.object_id IS
    'Of a picture or reference: the chunk that names it.';
COMMENT ON COLUMN bambi_internal.archive_objects.item_id IS
    'Of a picture: the image, or the generation that edits it.';
COMMENT ON COLUMN bambi_internal.archive_objects.position IS
    'Of a picture that is edited: its place there.';
COMMENT ON COLUMN bambi_internal.archive_objects.store IS
    'Of a picture: which image store has it; NULL: the database.';
COMMENT ON COLUMN bambi_internal.archive_objects.location IS
    'Likewise: where.';

-- Two columns with two bounds would not do: an index by either column reads
-- half of the chunks for a user in the middle.
DO $$
BEGIN
    IF to_regtype('bambi_internal.uuid_range') IS NULL THEN
        CREATE TYPE bambi_internal.uuid_range AS RANGE (subtype = uuid);
    END IF;
END
$$;
ALTER TYPE bambi_internal.uuid_range OWNER TO bambi_owner;
COMMENT ON TYPE bambi_internal.uuid_range IS
    'Users from one id to another.';
CREATE INDEX IF NOT EXISTS objects_by_user
    ON bambi_internal.archive_objects
    USING gist (bambi_internal.uuid_range(first_user, last_user, '[]'))
    WHERE kind = 'lines';

CREATE INDEX IF NOT EXISTS objects_of_archive
    ON bambi_internal.archive_objects (archive_id, kind, state, number);
CREATE INDEX IF NOT EXISTS objects_to_write
    ON bambi_internal.archive_objects (archive_id, number)
    WHERE kind = 'lines' AND state IN ('planned', 'filling');
CREATE INDEX IF NOT EXISTS objects_of_chunk
    ON bambi_internal.archive_objects (object_id, state);
CREATE INDEX IF NOT EXISTS objects_to_erase
    ON bambi_internal.archive_objects (archive_id)
    WHERE state = 'superseded';
CREATE INDEX IF NOT EXISTS objects_by_item
    ON bambi_internal.archive_objects (item_id) WHERE kind = 'picture';
CREATE INDEX IF NOT EXISTS references_by_file
    ON bambi_internal.archive_objects (first_user, location)
    WHERE kind = 'reference';

ALTER TABLE bambi_internal.archive_objects OWNER TO bambi_owner;
ALTER TABLE bambi_internal.archive_objects ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges(
           'bambi_internal.archive_objects');
DROP POLICY IF EXISTS admin_reads ON bambi_internal.archive_objects;
CREATE POLICY admin_reads ON bambi_internal.archive_objects
    FOR SELECT TO bambi_admin USING (true);
GRANT SELECT ON bambi_internal.archive_objects TO bambi_admin;

-- A note, and no change of the chunk: nobody waits for anybody, and it counts
-- from the moment that the change does.
CREATE TABLE IF NOT EXISTS bambi_internal.archive_touches (
    id          uuid  NOT NULL DEFAULT gen_random_uuid(),
    archive_id  uuid  NOT NULL,
    user_id     uuid  NOT NULL,
    row_id      uuid  NOT NULL,

    PRIMARY KEY (id, user_id),
    CONSTRAINT touch_belongs_to_archive
        FOREIGN KEY (archive_id) REFERENCES bambi.archives (id)
        ON DELETE CASCADE
);
COMMENT ON TABLE bambi_internal.archive_touches IS
    'Rows that changed while their month is written: the worker writes their '
    'chunks again.';
COMMENT ON COLUMN bambi_internal.archive_touches.id IS
    'Random.';
COMMENT ON COLUMN bambi_internal.archive_touches.archive_id IS
    'In which month.';
COMMENT ON COLUMN bambi_internal.archive_touches.user_id IS
    'Whose row; zeros: nobody''s.';
COMMENT ON COLUMN bambi_internal.archive_touches.row_id IS
    'Which row.';
CREATE INDEX IF NOT EXISTS touches_of_archive
    ON bambi_internal.archive_touches (archive_id);

ALTER TABLE bambi_internal.archive_touches OWNER TO bambi_owner;
ALTER TABLE bambi_internal.archive_touches ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges(
           'bambi_internal.archive_touches');

-- Kept when it is done: so that the same user is not looked for again in what
-- covers the id.
CREATE TABLE IF NOT EXISTS bambi_internal.archive_erasures (
    user_id    uuid     NOT NULL,
    object_id  uuid     NOT NULL,
    is_done    boolean  NOT NULL DEFAULT false,

    PRIMARY KEY (object_id, user_id),
    CONSTRAINT erasure_is_of_an_object
        FOREIGN KEY (object_id) REFERENCES bambi_internal.archive_objects (id)
        ON DELETE CASCADE
);
COMMENT ON TABLE bambi_internal.archive_erasures IS
    'Users who are to be taken out of chunks, or were.';
COMMENT ON COLUMN bambi_internal.archive_erasures.user_id IS
    'Who.';
COMMENT ON COLUMN bambi_internal.archive_erasures.object_id IS
    'Out of which chunk.';
COMMENT ON COLUMN bambi_internal.archive_erasures.is_done IS
    'Whether the chunk has no rows of that user any more.';
CREATE INDEX IF NOT EXISTS erasures_to_do
    ON bambi_internal.archive_erasures (user_id) WHERE NOT is_done;

ALTER TABLE bambi_internal.archive_erasures OWNER TO bambi_owner;
ALTER TABLE bambi_internal.archive_erasures ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges(
           'bambi_internal.archive_erasures');

-- What a budget that never begins anew has cost in months of usage_events
-- that are gone.  Sums are made while the rows are there, chunk by chunk, and
-- count from the moment that carried_months has the month, which is that in
-- which the rows go.
CREATE TABLE IF NOT EXISTS bambi_internal.carried_costs (
    id                uuid           NOT NULL DEFAULT gen_random_uuid(),
    user_id           uuid           NOT NULL,
    archive_id        uuid           NOT NULL,
    object_id         uuid           NOT NULL,
    configuration_id  uuid,
    currency          text           NOT NULL,
    cost              numeric(20,6)  NOT NULL,
    unpriced          bigint         NOT NULL,

    PRIMARY KEY (id, user_id),
    CONSTRAINT one_sum_per_chunk UNIQUE NULLS NOT DISTINCT
        (user_id, object_id, configuration_id, currency),
    CONSTRAINT carried_cost_belongs_to_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE,
    CONSTRAINT carried_cost_belongs_to_archive
        FOREIGN KEY (archive_id) REFERENCES bambi.archives (id)
        ON DELETE CASCADE
);
COMMENT ON TABLE bambi_internal.carried_costs IS
    'Sums of usage_events that have left the table, for budgets that never '
    'begin anew.';
COMMENT ON COLUMN bambi_internal.carried_costs.id IS
    'Random.';
COMMENT ON COLUMN bambi_internal.carried_costs.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi_internal.carried_costs.archive_id IS
    'Of which month.';
COMMENT ON COLUMN bambi_internal.carried_costs.object_id IS
    'Of which chunk of it.';
COMMENT ON COLUMN bambi_internal.carried_costs.configuration_id IS
    'With which key.';
COMMENT ON COLUMN bambi_internal.carried_costs.currency IS
    'ISO 4217.';
COMMENT ON COLUMN bambi_internal.carried_costs.cost IS
    'What it cost.';
COMMENT ON COLUMN bambi_internal.carried_costs.unpriced IS
    'Calls of which the cost is not known.';
CREATE INDEX IF NOT EXISTS carried_of_archive
    ON bambi_internal.carried_costs (archive_id, object_id);

ALTER TABLE bambi_internal.carried_costs OWNER TO bambi_owner;
ALTER TABLE bambi_internal.carried_costs ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges(
           'bambi_internal.carried_costs');
DROP POLICY IF EXISTS owner_reads ON bambi_internal.carried_costs;
CREATE POLICY owner_reads ON bambi_internal.carried_costs
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi_internal.carried_costs;
CREATE POLICY service_reads ON bambi_internal.carried_costs
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT ON bambi_internal.carried_costs
    TO bambi_user, bambi_service;  -- for the view

CREATE TABLE IF NOT EXISTS bambi_internal.carried_months (
    archive_id  uuid  NOT NULL,

    PRIMARY KEY (archive_id),
    CONSTRAINT carried_month_is_an_archive
        FOREIGN KEY (archive_id) REFERENCES bambi.archives (id)
        ON DELETE CASCADE
);
COMMENT ON TABLE bambi_internal.carried_months IS
    'Months of usage_events whose carried_costs count, since the rows are '
    'gone.';
COMMENT ON COLUMN bambi_internal.carried_months.archive_id IS
    'Which month.';

ALTER TABLE bambi_internal.carried_months OWNER TO bambi_owner;
ALTER TABLE bambi_internal.carried_months ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges(
           'bambi_internal.carried_months');
-- a policy a role: a dump gives roles in any order
DROP POLICY IF EXISTS user_reads ON bambi_internal.carried_months;
CREATE POLICY user_reads ON bambi_internal.carried_months
    FOR SELECT TO bambi_user USING (true);
DROP POLICY IF EXISTS service_reads ON bambi_internal.carried_months;
CREATE POLICY service_reads ON bambi_internal.carried_months
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT ON bambi_internal.carried_months
    TO bambi_user, bambi_service;  -- for the view

CREATE OR REPLACE VIEW @extschema@.bambi_archives
WITH (security_invoker = true) AS
SELECT a.table_name, a.month, a.state, a.ends_as, a.pictures,
       o.chunks, o.chunks_done, a.row_count, a.picture_count, a.bytes,
       a.rows_left_out, a.manifest, a.manifest_sha256, a.revision,
       a.last_error, a.not_before, a.created_at, a.verified_at,
       a.archived_at, a.restored_at
  FROM bambi.archives a
       CROSS JOIN LATERAL (
           SELECT count(*) AS chunks,
                  count(*) FILTER (
                      WHERE o.state = CASE a.state
                                      WHEN 'removing' THEN 'removed'
                                      WHEN 'restoring' THEN 'loaded'
                                      ELSE 'written' END) AS chunks_done
             FROM bambi_internal.archive_objects o
            WHERE o.archive_id = a.id AND o.kind = 'lines'
              AND o.state NOT IN ('old', 'superseded')) o;
COMMENT ON VIEW @extschema@.bambi_archives IS
    'Months that are archived, or on the way there or back.';
COMMENT ON COLUMN @extschema@.bambi_archives.table_name IS
    'image_generations, usage_events or change_log.';
COMMENT ON COLUMN @extschema@.bambi_archives.month IS
    'First day of the month (UTC).';
COMMENT ON COLUMN @extschema@.bambi_archives.state IS
    'waiting, writing, verified, removing, archived, deleted, restoring, '
    'restored, cancelling or failed.';
COMMENT ON COLUMN @extschema@.bambi_archives.ends_as IS
    'archive or delete.';
COMMENT ON COLUMN @extschema@.bambi_archives.pictures IS
    'reference or copy.';
COMMENT ON COLUMN @extschema@.bambi_archives.chunks IS
    'Chunks of rows.';
COMMENT ON COLUMN @extschema@.bambi_archives.chunks_done IS
    'How many of them are through this state.';
COMMENT ON COLUMN @extschema@.bambi_archives.row_count IS
    'Rows in the archive.';
COMMENT ON COLUMN @extschema@.bambi_archives.picture_count IS
    'Files of pictures in the archive.';
COMMENT ON COLUMN @extschema@.bambi_archives.bytes IS
    'Size of all objects.';
COMMENT ON COLUMN @extschema@.bambi_archives.rows_left_out IS
    'Rows that were not restored, since their users are gone.';
COMMENT ON COLUMN @extschema@.bambi_archives.manifest IS
    'Name of the manifest: what bambi_restore_archive() is told.';
COMMENT ON COLUMN @extschema@.bambi_archives.manifest_sha256 IS
    'Hash of the manifest.';
COMMENT ON COLUMN @extschema@.bambi_archives.revision IS
    'Which edition of the month it is.';
COMMENT ON COLUMN @extschema@.bambi_archives.last_error IS
    'What it waits for, or why it failed.';
COMMENT ON COLUMN @extschema@.bambi_archives.not_before IS
    'When it is tried again.';
COMMENT ON COLUMN @extschema@.bambi_archives.created_at IS
    'When it was found to be due, or asked for.';
COMMENT ON COLUMN @extschema@.bambi_archives.verified_at IS
    'When all of it had been read back.';
COMMENT ON COLUMN @extschema@.bambi_archives.archived_at IS
    'When the month left its table.';
COMMENT ON COLUMN @extschema@.bambi_archives.restored_at IS
    'When it was brought back.';
CREATE OR REPLACE TRIGGER nobody_writes
    INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.bambi_archives
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.refuse_write();
ALTER VIEW @extschema@.bambi_archives OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_archives');
GRANT SELECT ON @extschema@.bambi_archives TO bambi_admin;

-- The worker is known by its session: it takes away what it has archived.
CREATE OR REPLACE FUNCTION bambi_internal.note_touch(
    archive_id uuid, user_id uuid, row_id uuid, may_remove boolean)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- shared: the worker takes no step that a change of this transaction
    -- could come too late for
    now_in CONSTANT text := (
        SELECT a.state FROM bambi.archives a
         WHERE a.id = note_touch.archive_id FOR SHARE);
BEGIN
    -- or nothing, once somebody has removed the archive
    IF now_in IS NULL
       AND current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'month began to be archived meanwhile'
            USING ERRCODE = 'serialization_failure',
                  DETAIL = 'This transaction reads what was there before.',
                  HINT = 'Try the transaction again.';
    ELSIF now_in IN ('writing', 'verified') THEN
        INSERT INTO bambi_internal.archive_touches
               (archive_id, user_id, row_id)
        VALUES (note_touch.archive_id,
                coalesce(note_touch.user_id,
                         '00000000-0000-0000-0000-000000000000'),
                note_touch.row_id);
    ELSIF now_in = 'removing'
          AND NOT (may_remove AND session_user = 'bambi_owner') THEN
        RAISE EXCEPTION 'month is being archived'
            USING ERRCODE = 'PT503',
                  DETAIL = 'Its rows leave the database just now.',
                  HINT = 'Try again in a minute: they are gone then, until '
                         'an operator calls bambi_restore_archive().';
    END IF;
END
$$;
COMMENT ON FUNCTION bambi_internal.note_touch(uuid, uuid, uuid, boolean) IS
    'Notes that a row changed whose month is written to the archive. Error: '
    'PT503 "month is being archived"; 40001 where the transaction is older '
    'than that, and does not see it.';

CREATE OR REPLACE FUNCTION bambi_internal.touch_row()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- nobody may write to the archive's tables
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM bambi_internal.note_touch(TG_ARGV[0]::uuid, OLD.user_id,
                                          OLD.id, TG_OP = 'DELETE');
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM bambi_internal.note_touch(TG_ARGV[0]::uuid, NEW.user_id,
                                          NEW.id, false);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.touch_row() IS
    'Trigger of a month that is written to the archive, and gone with it. '
    'Argument: id of the archive.';

CREATE OR REPLACE FUNCTION bambi_internal.touch_generation()
RETURNS trigger
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- nobody may write to the archive's tables
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- in any state: one that REPEATABLE READ sees may be an earlier one, and
    -- what locks the row finds that out
    PERFORM bambi_internal.note_touch(a.id, OLD.user_id, OLD.generation_id,
                                      true)
       FROM bambi.archives a
      WHERE a.table_name = 'image_generations'
        AND a.month = date_trunc('month',
                @extschema@.bambi_uuid_time(OLD.generation_id)
                AT TIME ZONE 'UTC')::date;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bambi_internal.touch_generation() IS
    'Trigger of what goes into the archive with a generation.';

DO $$
DECLARE
    routine text;
BEGIN
    FOREACH routine IN ARRAY ARRAY[
        'note_touch(uuid, uuid, uuid, boolean)', 'touch_row()',
        'touch_generation()']
    LOOP
        EXECUTE format('ALTER FUNCTION bambi_internal.%s OWNER TO '
                       'bambi_owner', routine);
        EXECUTE format('REVOKE ALL ON FUNCTION bambi_internal.%s FROM '
                       'PUBLIC', routine);
    END LOOP;
END
$$;
-- it calls what the extension has: so it goes with it, and with it the
-- triggers
ALTER FUNCTION bambi_internal.touch_generation() DEPENDS ON EXTENSION bambi;

CREATE OR REPLACE TRIGGER touch_generation
    AFTER UPDATE OR DELETE ON bambi.images
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.touch_generation();
CREATE OR REPLACE TRIGGER touch_generation
    AFTER UPDATE OR DELETE ON bambi.generation_inputs
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.touch_generation();
