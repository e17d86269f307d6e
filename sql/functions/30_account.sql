-- Users.

CREATE FUNCTION bambi_internal.sign_up(email text, password text)
RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- makes rows that its callers may only read
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_sign_up';
REVOKE ALL ON FUNCTION bambi_internal.sign_up(text, text) FROM PUBLIC;
ALTER FUNCTION bambi_internal.sign_up(text, text) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.sign_up(text, text)
    TO bambi_service, bambi_admin;
COMMENT ON FUNCTION bambi_internal.sign_up(text, text) IS
    'What bambi_sign_up calls.';

CREATE FUNCTION @extschema@.bambi_sign_up(email text, password text)
RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.sign_up($1, $2);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_sign_up(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_sign_up(text, text)
    TO bambi_service, bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_sign_up(text, text) IS
    'Makes a user with the free plan and gives its id.
For trusted back ends (bambi_service) and operators (bambi_admin), not for '
    'anonymous callers: the password is hashed slowly on purpose (bcrypt, '
    'cost 12), and nobody has shown yet that the address is theirs. '
    'Errors: 22023 for an email that is no address or a password that is not '
    '8 to 72 bytes long; PT409 "email is in use".';

-- Plans and their periods.

CREATE FUNCTION bambi_internal.past_due_grace()
RETURNS interval
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'bambi_past_due_grace';
REVOKE ALL ON FUNCTION bambi_internal.past_due_grace() FROM PUBLIC;
ALTER FUNCTION bambi_internal.past_due_grace() OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.past_due_grace()
    TO bambi_user, bambi_service;  -- for bambi_account
COMMENT ON FUNCTION bambi_internal.past_due_grace() IS
    'bambi.past_due_grace_days.';

CREATE FUNCTION bambi_internal.subscription_period(
    plan_type text, current_period_start timestamptz,
    current_period_end timestamptz, period interval, at timestamptz)
RETURNS tstzrange
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'bambi_subscription_period';
REVOKE ALL ON FUNCTION bambi_internal.subscription_period(
    text, timestamptz, timestamptz, interval, timestamptz) FROM PUBLIC;
ALTER FUNCTION bambi_internal.subscription_period(
    text, timestamptz, timestamptz, interval, timestamptz)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.subscription_period(
    text, timestamptz, timestamptz, interval, timestamptz)
    TO bambi_user, bambi_service;  -- for bambi_account
COMMENT ON FUNCTION bambi_internal.subscription_period(
    text, timestamptz, timestamptz, interval, timestamptz) IS
    'The period of the quota that runs at a time, if a subscription decides '
    'it: periods of the plan are counted from current_period_end in both '
    'directions, by the calendar of UTC, and the first begins with '
    'current_period_start. NULL for the free plan, and for one that is not '
    'billed: there, periods follow each other from the sign-up on.';
