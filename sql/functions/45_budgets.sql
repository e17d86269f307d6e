-- How much generations may cost.

CREATE FUNCTION bambi_internal.set_budget(
    amount numeric, currency text, period text, configuration uuid)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- changes a table that users may only read
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_set_budget';
REVOKE ALL ON FUNCTION bambi_internal.set_budget(numeric, text, text, uuid)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.set_budget(numeric, text, text, uuid)
    OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION
    bambi_internal.set_budget(numeric, text, text, uuid) TO bambi_user;
COMMENT ON FUNCTION
    bambi_internal.set_budget(numeric, text, text, uuid) IS
    'What bambi_set_budget calls.';

CREATE FUNCTION @extschema@.bambi_set_budget(
    amount numeric, currency text DEFAULT 'USD', period text DEFAULT 'month',
    configuration uuid DEFAULT NULL)
RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.set_budget($1, $2, $3, $4);
END;
REVOKE ALL ON FUNCTION
    @extschema@.bambi_set_budget(numeric, text, text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    @extschema@.bambi_set_budget(numeric, text, text, uuid) TO bambi_user;
COMMENT ON FUNCTION
    @extschema@.bambi_set_budget(numeric, text, text, uuid) IS
    'Sets how much your generations may cost in a period, or, with an amount '
    'of NULL, that there is no such limit any more.
period is a day, month or year of the calendar (UTC), or total; configuration '
    'limits the budget to what is paid with that key. There is one for each '
    'key and one for all together. What would go beyond a budget, by what is '
    'spent and by the estimates of what is pending, is refused before it is '
    'sent, and so is what has no known price. See bambi_budgets. '
    'Errors: PT401; PT404 "configuration does not exist"; 22023 for a bad '
    'amount, currency or period.';
