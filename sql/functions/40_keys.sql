-- The keys that users bring.

CREATE FUNCTION bambi_internal.sealing_key()
RETURNS jsonb
LANGUAGE c STABLE PARALLEL UNSAFE
-- reads a table that its callers may not read
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_sealing_key';
REVOKE ALL ON FUNCTION bambi_internal.sealing_key() FROM PUBLIC;
ALTER FUNCTION bambi_internal.sealing_key() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.sealing_key() TO bambi_user;
COMMENT ON FUNCTION bambi_internal.sealing_key() IS
    'What bambi_sealing_key calls.';

CREATE FUNCTION @extschema@.bambi_sealing_key()
RETURNS jsonb
LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.sealing_key();
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_sealing_key() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_sealing_key() TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_sealing_key() IS
    'The public key that bambi_add_key wants sealed keys for, as a JSON Web '
    'Key.
Seal with RSA-OAEP-256 and A256GCM as a compact JWE; its header has alg, enc, '
    'kid (that of this key), sub (your user id) and prv (the slug of the '
    'provider), and nothing else. '
    'Error: PT503 "there is no key to seal with yet".';

CREATE FUNCTION bambi_internal.add_key(
    provider text, api_key text, name text, settings jsonb)
RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- stores the sealed key, which its callers may not even read
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_add_key';
REVOKE ALL ON FUNCTION bambi_internal.add_key(text, text, text, jsonb)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.add_key(text, text, text, jsonb)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.add_key(text, text, text, jsonb)
    TO bambi_user;
COMMENT ON FUNCTION bambi_internal.add_key(text, text, text, jsonb) IS
    'What bambi_add_key calls.';

CREATE FUNCTION @extschema@.bambi_add_key(
    provider text, api_key text, name text DEFAULT NULL,
    settings jsonb DEFAULT NULL)
RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.add_key($1, $2, $3, $4);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_add_key(text, text, text, jsonb)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_add_key(text, text, text, jsonb)
    TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_add_key(text, text, text, jsonb) IS
    'Stores a key of yours for a provider, sealed, and gives the id of its '
    'configuration.
provider is the slug (see bambi_providers); api_key is the key as plain '
    'text, or sealed by the client to bambi_sealing_key() as a compact JWE '
    'whose header names your user id (sub) and the provider (prv); name is '
    'what you call it, by default the provider''s name; settings are options '
    'of the provider. No function gives the key out again. The provider is '
    'asked whether it takes the key, for nothing: see the status in '
    'bambi_configurations. '
    'Errors: PT401; PT404 "provider does not exist"; PT409 "name is in use"; '
    'PT429 "too many keys to check"; '
    'PT503 "there is no key to seal with yet"; 42501 on a connection that '
    'others could read along; 22023 for what cannot be a key.';

CREATE FUNCTION bambi_internal.replace_key(configuration uuid, api_key text)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- as above
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_replace_key';
REVOKE ALL ON FUNCTION bambi_internal.replace_key(uuid, text) FROM PUBLIC;
ALTER FUNCTION bambi_internal.replace_key(uuid, text) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.replace_key(uuid, text)
    TO bambi_user;
COMMENT ON FUNCTION bambi_internal.replace_key(uuid, text) IS
    'What bambi_replace_key calls.';

CREATE FUNCTION @extschema@.bambi_replace_key(configuration uuid, api_key text)
RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.replace_key($1, $2);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_replace_key(uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_replace_key(uuid, text)
    TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_replace_key(uuid, text) IS
    'Puts a new key in the place of one of yours.
What is queued uses the new one, and so does, at once, what is held because '
    'the provider refused the old one. The new one is checked as by '
    'bambi_add_key. api_key is as for bambi_add_key. '
    'Errors: those of bambi_add_key; PT404 "configuration does not exist"; '
    'PT409 "key has been removed".';

CREATE FUNCTION bambi_internal.validate_key(configuration uuid)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- as above
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_validate_key';
REVOKE ALL ON FUNCTION bambi_internal.validate_key(uuid) FROM PUBLIC;
ALTER FUNCTION bambi_internal.validate_key(uuid) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.validate_key(uuid) TO bambi_user;
COMMENT ON FUNCTION bambi_internal.validate_key(uuid) IS
    'What bambi_validate_key calls.';

CREATE FUNCTION @extschema@.bambi_validate_key(configuration uuid)
RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.validate_key($1);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_validate_key(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_validate_key(uuid) TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_validate_key(uuid) IS
    'Has the provider asked once more whether it takes a key of yours, and '
    'gives the status that the key has until it answers.
The answer is in bambi_configurations: status, last_validated_at, last_error. '
    'It costs nothing, and does not tell whether there is money. A key that '
    'was refused and is taken again lets what was held because of it go on. '
    'Errors: PT401; PT404 "configuration does not exist"; PT409 "key has been '
    'removed"; PT429 "too many keys to check".';

CREATE FUNCTION bambi_internal.set_key_limit(
    configuration uuid, max_in_flight int)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- as above
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_set_key_limit';
REVOKE ALL ON FUNCTION bambi_internal.set_key_limit(uuid, int) FROM PUBLIC;
ALTER FUNCTION bambi_internal.set_key_limit(uuid, int) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.set_key_limit(uuid, int)
    TO bambi_user;
COMMENT ON FUNCTION bambi_internal.set_key_limit(uuid, int) IS
    'What bambi_set_key_limit calls.';

CREATE FUNCTION @extschema@.bambi_set_key_limit(
    configuration uuid, max_in_flight int DEFAULT NULL)
RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.set_key_limit($1, $2);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_set_key_limit(uuid, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_set_key_limit(uuid, int)
    TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_set_key_limit(uuid, int) IS
    'Says how many calls with a key of yours may run at a time; what else is '
    'queued with it waits, and holds up nothing else.
Without a number, or with null, as many as the operator allows for a key of '
    'its provider. It holds from the next call on. '
    'Errors: PT401; PT404 "configuration does not exist"; 22023 for less '
    'than 1.';

CREATE FUNCTION bambi_internal.remove_key(configuration uuid)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- as above
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_remove_key';
REVOKE ALL ON FUNCTION bambi_internal.remove_key(uuid) FROM PUBLIC;
ALTER FUNCTION bambi_internal.remove_key(uuid) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.remove_key(uuid) TO bambi_user;
COMMENT ON FUNCTION bambi_internal.remove_key(uuid) IS
    'What bambi_remove_key calls.';

CREATE FUNCTION @extschema@.bambi_remove_key(configuration uuid)
RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.remove_key($1);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_remove_key(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_remove_key(uuid) TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_remove_key(uuid) IS
    'Deletes a key of yours.
Its configuration stays as "revoked", for the history; what is queued with '
    'it, or held because of it, fails and does not count. Removing it twice '
    'is no error. '
    'Errors: PT401; PT404 "configuration does not exist".';
