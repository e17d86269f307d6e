/*-------------------------------------------------------------------------
 *
 * statements.c
 *		How C runs SQL: plans made at first use and kept.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "refuse.h"
#include "statements.h"
#include "versions.h"

PG_FUNCTION_INFO_V1(bambi_require_tables);

/*
 * A statement on tables that are not there would raise "relation does not
 * exist", which tells a user nothing.
 */
static void
require_tables(void)
{
	Oid			schema = get_namespace_oid("bambi_internal", true);

	if (!OidIsValid(schema) ||
		!OidIsValid(get_relname_relid("instance", schema)))
		bambi_refuse(BAMBI_NOT_SET_UP, NULL,
					 "The tables of bambi are not in this database.",
					 "An operator runs SELECT bambi_setup().");
}

/* bambi_internal.require_tables() RETURNS void */
Datum
bambi_require_tables(PG_FUNCTION_ARGS)
{
	require_tables();
	SPI_connect();
	bambi_versions_require();
	SPI_finish();
	PG_RETURN_VOID();
}

static SPIPlanPtr
prepare(BambiStatement *statement)
{
	SPIPlanPtr	plan;

	require_tables();
	plan = SPI_prepare_cursor(statement->sql, statement->nargs,
							  statement->types,
							  statement->is_generic ?
							  CURSOR_OPT_GENERIC_PLAN : 0);
	if (plan == NULL)
		elog(ERROR, "could not prepare a statement: %s",
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

uint64
bambi_execute(BambiStatement *statement, Datum *values, const char *nulls)
{
	int			result;

	if (statement->plan == NULL)
		statement->plan = prepare(statement);

	result = SPI_execute_plan(statement->plan, values, nulls,
							  statement->is_read_only, 0);
	if (result < 0)
		elog(ERROR, "could not run a statement: %s",
			 SPI_result_code_string(result));
	return SPI_processed;
}

Datum
bambi_result(uint64 row, int column, bool *is_null)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						 column, is_null);
}

char *
bambi_result_text(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						column);
}
