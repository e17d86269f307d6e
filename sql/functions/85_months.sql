-- Months, of which sql/tables/08_months.sql has the rest.

CREATE FUNCTION bambi_internal.refuse_month()
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_refuse_month';
REVOKE ALL ON FUNCTION bambi_internal.refuse_month() FROM PUBLIC;
ALTER FUNCTION bambi_internal.refuse_month() OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.refuse_month() IS
    'Raises PT503 "the partition of this month is missing".';
