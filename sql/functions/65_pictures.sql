-- What becomes of pictures: looking at one that is made, links, deletion.

CREATE FUNCTION bambi_internal.preview(
    id uuid)
RETURNS bytea
LANGUAGE c STABLE PARALLEL UNSAFE
-- reads bytes that have no other way out
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_preview';
REVOKE ALL ON FUNCTION bambi_internal.preview(uuid)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.preview(uuid)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.preview(uuid)
    TO bambi_user;
COMMENT ON FUNCTION bambi_internal.preview(uuid) IS
    'What bambi_preview calls.';

CREATE FUNCTION @extschema@.bambi_preview(
    id uuid)
RETURNS bambi."*/*"
LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.preview($1)::bambi."*/*";
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_preview(uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_preview(uuid)
    TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_preview(uuid) IS
    'The newest preview of a generation of yours that runs.
Of a streamed one (parameters "stream", "partial_images"), until it has '
    'ended; bambi_generations.progress tells how far it is. Over HTTP the '
    'answer is the file itself. Not on a standby. '
    'Errors: PT401; PT404 "there is no preview".';

CREATE FUNCTION bambi_internal.image_url(
    id uuid, expires interval)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- reads the secret that links are signed with
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_image_url';
REVOKE ALL ON FUNCTION bambi_internal.image_url(uuid, interval)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.image_url(uuid, interval)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.image_url(uuid, interval)
    TO bambi_user;
COMMENT ON FUNCTION bambi_internal.image_url(uuid, interval) IS
    'What bambi_image_url calls.';

CREATE FUNCTION @extschema@.bambi_image_url(
    id uuid, expires interval DEFAULT NULL)
RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.image_url($1, $2);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_image_url(uuid, interval)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_image_url(uuid, interval)
    TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_image_url(uuid, interval) IS
    'A link to a picture of yours, for anybody who has it.
id is that of the image, or of the generation for its first picture. The '
    'link ends after expires, by default an hour, at most seven days; '
    'interval ''0'' gives the address that lasts (images.url), where the '
    'store hands out to anybody. s3 and supabase hand out themselves, '
    'database and filesystem by bambi_image_by_link. '
    'Errors: PT401; PT404 "image does not exist"; PT409 "image has no lasting '
    'address"; PT503 where the store gives no link now; 55000 "bambi.link_url '
    'is not set"; 22023 for expires out of range.';

CREATE FUNCTION bambi_internal.image_by_link(
    token text)
RETURNS bytea
LANGUAGE c STABLE PARALLEL UNSAFE
-- whoever has a link is nobody else
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_image_by_link';
REVOKE ALL ON FUNCTION bambi_internal.image_by_link(text)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.image_by_link(text)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.image_by_link(text)
    TO bambi_user, bambi_service;
COMMENT ON FUNCTION bambi_internal.image_by_link(text) IS
    'What bambi_image_by_link calls.';

CREATE FUNCTION @extschema@.bambi_image_by_link(
    token text)
RETURNS bambi."*/*"
LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.image_by_link($1)::bambi."*/*";
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_image_by_link(text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_image_by_link(text)
    TO bambi_user, bambi_service;
COMMENT ON FUNCTION @extschema@.bambi_image_by_link(text) IS
    'The bytes of the picture that a link names, until it ends.
For requests of anybody (role anon of PostgREST): the token is what '
    'bambi_image_url signed. '
    'Errors: PT404 "link is not valid", "image is not in the database"; 22023 '
    'without a token.';

CREATE FUNCTION bambi_internal.delete(
    id uuid)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- deletes rows, which users may not do by themselves
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_delete';
REVOKE ALL ON FUNCTION bambi_internal.delete(uuid)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.delete(uuid)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.delete(uuid)
    TO bambi_user;
COMMENT ON FUNCTION bambi_internal.delete(uuid) IS
    'What bambi_delete calls.';

CREATE FUNCTION @extschema@.bambi_delete(
    id uuid)
RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.delete($1);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_delete(uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_delete(uuid)
    TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_delete(uuid) IS
    'Deletes a generation of yours that has ended, with its pictures.
Objects in a store outside the database are erased soon after the commit. '
    'What it cost stays in the books. '
    'Errors: PT401; PT404 "generation does not exist"; PT409 "generation has '
    'not ended".';

CREATE FUNCTION bambi_internal.erase_object()
RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- whoever deletes an image writes to the outbox
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_erase_object';
REVOKE ALL ON FUNCTION bambi_internal.erase_object() FROM PUBLIC;
ALTER FUNCTION bambi_internal.erase_object() OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.erase_object() IS
    'Trigger of images: has the object of a deleted one erased.';
