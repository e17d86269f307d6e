/*-------------------------------------------------------------------------
 *
 * client.c
 *		The frame around every function that clients call and that runs SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "client.h"
#include "months.h"
#include "refuse.h"
#include "shmem.h"
#include "statements.h"
#include "versions.h"

/* For PG_CATCH. The worker is told, so that a retry finds it. */
static void
refuse_missing_month(MemoryContext context)
{
	BambiWorkerSlot *slot = bambi_my_slot();
	ErrorData  *error;

	if (geterrcode() != ERRCODE_CHECK_VIOLATION)
		return;
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (bambi_month_is_missing(error))
	{
		FlushErrorState();
		if (slot)
			bambi_wake_now(slot, BAMBI_WAKE_MONTHS);
		bambi_month_refuse();
	}
	FreeErrorData(error);
	MemoryContextSwitchTo(ErrorContext);
}

Datum
bambi_client_call(PGFunction body, FunctionCallInfo fcinfo)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile Datum result = (Datum) 0;

	PG_TRY();
	{
		SPI_connect();
		bambi_versions_require();
		result = body(fcinfo);
		SPI_finish();
	}
	PG_CATCH();
	{
		refuse_missing_month(caller);
		bambi_refuse_conflict(caller);
	}
	PG_END_TRY();

	return result;
}

Datum
bambi_return_uuid(const pg_uuid_t *id)
{
	pg_uuid_t  *copy = SPI_palloc(sizeof(pg_uuid_t));

	*copy = *id;
	return UUIDPGetDatum(copy);
}

Datum
bambi_return_text(const char *string)
{
	int			length = strlen(string);
	text	   *copy = SPI_palloc(length + VARHDRSZ);

	SET_VARSIZE(copy, length + VARHDRSZ);
	memcpy(VARDATA(copy), string, length);
	return PointerGetDatum(copy);
}

static bool
is_missing(FunctionCallInfo fcinfo, int n, const char *required_name)
{
	if (!PG_ARGISNULL(n))
		return false;
	if (required_name)
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("argument \"%s\" is missing", required_name),
					 NULL, NULL);
	return true;
}

pg_uuid_t *
bambi_uuid_argument(FunctionCallInfo fcinfo, int n, const char *required_name)
{
	if (is_missing(fcinfo, n, required_name))
		return NULL;
	return PG_GETARG_UUID_P(n);
}

text *
bambi_text_argument(FunctionCallInfo fcinfo, int n, const char *required_name)
{
	if (is_missing(fcinfo, n, required_name))
		return NULL;
	return PG_GETARG_TEXT_PP(n);
}
