-- Ids that carry their time, and who asks.

CREATE FUNCTION @extschema@.bambi_uuid_v7()
RETURNS uuid
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'bambi_uuid_v7';
COMMENT ON FUNCTION @extschema@.bambi_uuid_v7() IS
    'A new id (UUID version 7), greater than all that this session made '
    'before.';

CREATE FUNCTION @extschema@.bambi_uuid_floor("time" timestamptz)
RETURNS uuid
-- not leakproof: its error would tell of rows that a policy hides
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'bambi_uuid_floor';
COMMENT ON FUNCTION @extschema@.bambi_uuid_floor(timestamptz) IS
    'The lowest id of a millisecond: id >= bambi_uuid_floor(t) means "made at '
    't or later", and lets the planner leave out months that created_at does '
    'not. Error 22008 for a time after the year 10889.';

CREATE FUNCTION @extschema@.bambi_uuid_time(id uuid)
RETURNS timestamptz
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
AS 'MODULE_PATHNAME', 'bambi_uuid_time';
COMMENT ON FUNCTION @extschema@.bambi_uuid_time(uuid) IS
    'When an id was made, to the millisecond.';

CREATE FUNCTION @extschema@.bambi_user_id()
RETURNS uuid
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF
AS 'MODULE_PATHNAME', 'bambi_user_id';
COMMENT ON FUNCTION @extschema@.bambi_user_id() IS
    'The user for whom this session speaks, or NULL. For login roles named in '
    'bambi.authenticators it is the sub of request.jwt.claims; for others the '
    'setting bambi.user_id, which an operator gives a role by ALTER ROLE ... '
    'SET. A superuser may use either. Raises nothing.';

REVOKE ALL ON FUNCTION @extschema@.bambi_uuid_v7() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.bambi_uuid_floor(timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.bambi_uuid_time(uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.bambi_user_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_uuid_v7()
    TO bambi_owner, bambi_user, bambi_service, bambi_admin;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_uuid_floor(timestamptz)
    TO bambi_owner, bambi_user, bambi_service, bambi_admin;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_uuid_time(uuid)
    TO bambi_owner, bambi_user, bambi_service, bambi_admin;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_user_id()
    TO bambi_owner, bambi_user, bambi_service, bambi_admin;
