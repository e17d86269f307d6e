-- The pictures: what they are, where they are, and the bytes of those that
-- are kept in the database.

CREATE TABLE IF NOT EXISTS bambi.images (
    id              uuid         NOT NULL DEFAULT @extschema@.bambi_uuid_v7(),
    generation_id   uuid         NOT NULL,
    storage_path    text,
    url             text,
    width           integer,
    height          integer,
    format          text,
    created_at      timestamptz  NOT NULL DEFAULT now(),
    user_id         uuid         NOT NULL,
    position        smallint     NOT NULL DEFAULT 1,
    bytes           bigint,
    sha256          text,
    store           text         NOT NULL DEFAULT 'database',
    revised_prompt  text,

    PRIMARY KEY (id, user_id),
    -- in the order of the foreign key, whose index it is as well
    CONSTRAINT one_image_per_position
        UNIQUE (generation_id, user_id, position),
    CONSTRAINT image_belongs_to_generation
        FOREIGN KEY (generation_id, user_id)
        REFERENCES bambi.image_generations (id, user_id) ON DELETE CASCADE,
    CONSTRAINT image_has_a_size CHECK (width > 0 AND height > 0),
    CONSTRAINT position_counts_from_1 CHECK (position >= 1),
    CONSTRAINT bytes_are_not_negative CHECK (bytes >= 0),
    CONSTRAINT sha256_is_hex CHECK (length(sha256) = 64)
) PARTITION BY HASH (user_id);
COMMENT ON TABLE bambi.images IS
    'Pictures of generations; what is said of them is read from the pictures '
    'themselves.';
COMMENT ON COLUMN bambi.images.id IS
    'UUIDv7.';
COMMENT ON COLUMN bambi.images.generation_id IS
    'Which generation it came of.';
COMMENT ON COLUMN bambi.images.storage_path IS
    'Its place in the store (a file below the directory, an object''s key); '
    'NULL: in image_data.';
COMMENT ON COLUMN bambi.images.url IS
    'Where anybody may fetch it for good; NULL where the store hands out to '
    'nobody: bambi_image_url() gives links that expire.';
COMMENT ON COLUMN bambi.images.width IS
    'Pixels.';
COMMENT ON COLUMN bambi.images.height IS
    'Pixels.';
COMMENT ON COLUMN bambi.images.format IS
    'png, jpeg, webp or gif.';
COMMENT ON COLUMN bambi.images.created_at IS
    'When it was stored.';
COMMENT ON COLUMN bambi.images.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi.images.position IS
    'Which of the generation''s pictures, from 1.';
COMMENT ON COLUMN bambi.images.bytes IS
    'Size of the file.';
COMMENT ON COLUMN bambi.images.sha256 IS
    'Hash of the file, hexadecimal.';
COMMENT ON COLUMN bambi.images.store IS
    'Which store keeps it: database (image_data), filesystem, s3, supabase.';
COMMENT ON COLUMN bambi.images.revised_prompt IS
    'The prompt that the provider made of it, if it tells.';

CREATE INDEX IF NOT EXISTS images_of_user ON bambi.images (user_id, id DESC);

DO $$
DECLARE
    leaf text;
BEGIN
    FOR remainder IN 0 .. 3
    LOOP
        leaf := format('images_%s', remainder);
        CONTINUE WHEN to_regclass(format('bambi.%I', leaf)) IS NOT NULL;
        EXECUTE format(
            'CREATE TABLE bambi.%I (LIKE bambi.images INCLUDING COMMENTS '
            'INCLUDING CONSTRAINTS INCLUDING DEFAULTS INCLUDING STORAGE)',
            leaf);
        EXECUTE format('COMMENT ON TABLE bambi.%I IS %L', leaf,
                       'A quarter of the users'' images.');
        EXECUTE format('ALTER TABLE bambi.%I OWNER TO bambi_owner', leaf);
        EXECUTE format('ALTER TABLE bambi.%I ENABLE ROW LEVEL SECURITY', leaf);
        PERFORM bambi_internal.revoke_default_privileges(
                    format('bambi.%I', leaf)::regclass);
        EXECUTE format(
            'ALTER TABLE bambi.images ATTACH PARTITION bambi.%I '
            'FOR VALUES WITH (MODULUS 4, REMAINDER %s)', leaf, remainder);
    END LOOP;
END
$$;

-- EXPLAIN must not tell what others' pictures are said to show.
ALTER TABLE bambi.images ALTER revised_prompt SET STATISTICS 0;

ALTER TABLE bambi.images OWNER TO bambi_owner;
ALTER TABLE bambi.images ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.images');
DROP POLICY IF EXISTS owner_reads ON bambi.images;
CREATE POLICY owner_reads ON bambi.images
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.images;
CREATE POLICY service_reads ON bambi.images
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT ON bambi.images TO bambi_user, bambi_service;

CREATE TABLE IF NOT EXISTS bambi.image_data (
    image_id  uuid   NOT NULL,
    user_id   uuid   NOT NULL,
    data      bytea  NOT NULL,

    PRIMARY KEY (image_id, user_id),
    CONSTRAINT data_belongs_to_image
        FOREIGN KEY (image_id, user_id)
        REFERENCES bambi.images (id, user_id) ON DELETE CASCADE
);
ALTER TABLE bambi.image_data
    ALTER data SET STORAGE EXTERNAL,
    ALTER data SET STATISTICS 0;
COMMENT ON TABLE bambi.image_data IS
    'The database store: files of images. Read by bambi_image().';
COMMENT ON COLUMN bambi.image_data.image_id IS
    'The image.';
COMMENT ON COLUMN bambi.image_data.user_id IS
    'Whose.';
COMMENT ON COLUMN bambi.image_data.data IS
    'The file as it came; not compressed again.';

ALTER TABLE bambi.image_data OWNER TO bambi_owner;
ALTER TABLE bambi.image_data ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.image_data');

CREATE OR REPLACE VIEW @extschema@.bambi_images
WITH (security_invoker = true) AS
SELECT id, user_id, generation_id, position, width, height, format, bytes,
       sha256, revised_prompt, store, storage_path, url, created_at
  FROM bambi.images;
COMMENT ON VIEW @extschema@.bambi_images IS
    'Your pictures; bambi_image(generation_id, position) gives the bytes, '
    'bambi_image_url(id) a link.';
COMMENT ON COLUMN @extschema@.bambi_images.id IS
    'Id of the picture.';
COMMENT ON COLUMN @extschema@.bambi_images.user_id IS
    'Your id.';
COMMENT ON COLUMN @extschema@.bambi_images.generation_id IS
    'Which generation it came of: bambi_generations.';
COMMENT ON COLUMN @extschema@.bambi_images.position IS
    'Which of the generation''s pictures, from 1.';
COMMENT ON COLUMN @extschema@.bambi_images.width IS
    'Pixels.';
COMMENT ON COLUMN @extschema@.bambi_images.height IS
    'Pixels.';
COMMENT ON COLUMN @extschema@.bambi_images.format IS
    'png, jpeg, webp or gif.';
COMMENT ON COLUMN @extschema@.bambi_images.bytes IS
    'Size of the file.';
COMMENT ON COLUMN @extschema@.bambi_images.sha256 IS
    'Hash of the file, hexadecimal.';
COMMENT ON COLUMN @extschema@.bambi_images.revised_prompt IS
    'The prompt that the provider made of yours, if it tells.';
COMMENT ON COLUMN @extschema@.bambi_images.store IS
    'Which store keeps it.';
COMMENT ON COLUMN @extschema@.bambi_images.storage_path IS
    'Where the store keeps it; null: in the database.';
COMMENT ON COLUMN @extschema@.bambi_images.url IS
    'Where anybody may fetch it for good; null: bambi_image_url() gives links '
    'that expire.';
COMMENT ON COLUMN @extschema@.bambi_images.created_at IS
    'When it was stored.';
ALTER VIEW @extschema@.bambi_images OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_images');
GRANT SELECT ON @extschema@.bambi_images TO bambi_user, bambi_service;
