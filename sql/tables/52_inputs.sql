-- The pictures that generations edit, and previews of those that run.

CREATE TABLE IF NOT EXISTS bambi.generation_inputs (
    generation_id  uuid      NOT NULL,
    user_id        uuid      NOT NULL,
    position       smallint  NOT NULL,
    image_id       uuid,
    format         text      NOT NULL,
    width          integer   NOT NULL,
    height         integer   NOT NULL,
    bytes          bigint    NOT NULL,
    data           bytea,
    store          text,
    storage_path   text,

    PRIMARY KEY (generation_id, user_id, position),
    CONSTRAINT input_belongs_to_generation
        FOREIGN KEY (generation_id, user_id)
        REFERENCES bambi.image_generations (id, user_id) ON DELETE CASCADE,
    CONSTRAINT position_is_of_an_input CHECK (position BETWEEN 0 AND 16),
    CONSTRAINT input_is_in_one_place CHECK
        (data IS NULL OR storage_path IS NULL)
);
ALTER TABLE bambi.generation_inputs
    ALTER data SET STORAGE EXTERNAL,
    ALTER data SET STATISTICS 0;
COMMENT ON TABLE bambi.generation_inputs IS
    'Pictures that bambi_edit was given. Their bytes go when the generation '
    'has succeeded or was cancelled; what they were stays.';
COMMENT ON COLUMN bambi.generation_inputs.generation_id IS
    'Which generation edits it.';
COMMENT ON COLUMN bambi.generation_inputs.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi.generation_inputs.position IS
    'Its place in the request, from 1; 0 is the mask.';
COMMENT ON COLUMN bambi.generation_inputs.image_id IS
    'Which image of the same user it was, perhaps deleted since; NULL: it was '
    'given as bytes.';
COMMENT ON COLUMN bambi.generation_inputs.format IS
    'png, jpeg, webp or gif.';
COMMENT ON COLUMN bambi.generation_inputs.width IS
    'Pixels.';
COMMENT ON COLUMN bambi.generation_inputs.height IS
    'Pixels.';
COMMENT ON COLUMN bambi.generation_inputs.bytes IS
    'Size of the file.';
COMMENT ON COLUMN bambi.generation_inputs.data IS
    'The file, until the generation has succeeded or was cancelled.';
COMMENT ON COLUMN bambi.generation_inputs.store IS
    'Where else the file is, as in images.';
COMMENT ON COLUMN bambi.generation_inputs.storage_path IS
    'Likewise.';

ALTER TABLE bambi.generation_inputs OWNER TO bambi_owner;
ALTER TABLE bambi.generation_inputs ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.generation_inputs');
DROP POLICY IF EXISTS owner_reads ON bambi.generation_inputs;
CREATE POLICY owner_reads ON bambi.generation_inputs
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.generation_inputs;
CREATE POLICY service_reads ON bambi.generation_inputs
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT (generation_id, user_id, position, image_id, format, width,
              height, bytes)
    ON bambi.generation_inputs TO bambi_user, bambi_service;  -- for the view

CREATE OR REPLACE VIEW @extschema@.bambi_inputs
WITH (security_invoker = true) AS
SELECT generation_id, user_id, position, image_id, format, width, height,
       bytes
  FROM bambi.generation_inputs;
COMMENT ON VIEW @extschema@.bambi_inputs IS
    'The pictures that your generations edit.';
COMMENT ON COLUMN @extschema@.bambi_inputs.generation_id IS
    'Which generation edits it: bambi_generations.';
COMMENT ON COLUMN @extschema@.bambi_inputs.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_inputs.position IS
    'Its place in the request, from 1; 0 is the mask.';
COMMENT ON COLUMN @extschema@.bambi_inputs.image_id IS
    'Which of bambi_images it was; null: it came with the request.';
COMMENT ON COLUMN @extschema@.bambi_inputs.format IS
    'png, jpeg, webp or gif.';
COMMENT ON COLUMN @extschema@.bambi_inputs.width IS
    'Pixels.';
COMMENT ON COLUMN @extschema@.bambi_inputs.height IS
    'Pixels.';
COMMENT ON COLUMN @extschema@.bambi_inputs.bytes IS
    'Size of the file.';
ALTER VIEW @extschema@.bambi_inputs OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_inputs');
GRANT SELECT ON @extschema@.bambi_inputs TO bambi_user, bambi_service;

-- Unlogged: a crash takes what would be wrong after it anyway, and a preview
-- a second is no load.
CREATE UNLOGGED TABLE IF NOT EXISTS bambi.previews (
    generation_id  uuid         NOT NULL,
    user_id        uuid         NOT NULL,
    data           bytea        NOT NULL,
    updated_at     timestamptz  NOT NULL,

    PRIMARY KEY (generation_id, user_id),
    CONSTRAINT preview_belongs_to_generation
        FOREIGN KEY (generation_id, user_id)
        REFERENCES bambi.image_generations (id, user_id) ON DELETE CASCADE
);
ALTER TABLE bambi.previews
    ALTER data SET STORAGE EXTERNAL,
    ALTER data SET STATISTICS 0;
COMMENT ON TABLE bambi.previews IS
    'The newest preview of each streamed generation that runs; read by '
    'bambi_preview().';
COMMENT ON COLUMN bambi.previews.generation_id IS
    'Of which generation.';
COMMENT ON COLUMN bambi.previews.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi.previews.data IS
    'The file as it came.';
COMMENT ON COLUMN bambi.previews.updated_at IS
    'When it came.';

ALTER TABLE bambi.previews OWNER TO bambi_owner;
ALTER TABLE bambi.previews ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.previews');
