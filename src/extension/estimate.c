/*-------------------------------------------------------------------------
 *
 * estimate.c
 *		bambi_estimate: what a request would cost, without asking for it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "client.h"
#include "identity.h"
#include "price.h"
#include "refuse.h"
#include "request.h"

/* Columns of the result. */
enum
{
	LOW,
	EXPECTED,
	HIGH,
	IN_CURRENCY,
	IS_COMPLETE,
	RESULT_COLUMNS
};

PG_FUNCTION_INFO_V1(bambi_estimate);

static Datum
result(FunctionCallInfo fcinfo, const BambiEstimate *estimate)
{
	TupleDesc	description;
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};
	HeapTuple	tuple;

	if (get_call_result_type(fcinfo, NULL, &description) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "bambi_estimate must return a row");

	values[LOW] = NumericGetDatum(estimate->low);
	values[EXPECTED] = NumericGetDatum(estimate->expected);
	values[HIGH] = NumericGetDatum(estimate->high);
	nulls[LOW] = nulls[EXPECTED] = nulls[HIGH] = (estimate->high == NULL);
	values[IN_CURRENCY] = CStringGetTextDatum(BAMBI_CURRENCY);
	values[IS_COMPLETE] = BoolGetDatum(estimate->is_complete);

	tuple = heap_form_tuple(BlessTupleDesc(description), values, nulls);
	return HeapTupleHeaderGetDatum(SPI_returntuple(tuple, description));
}

/* Arguments: model text, parameters jsonb, prompt text, inputs integer. */
static Datum
estimate(PG_FUNCTION_ARGS)
{
	BambiRequest request;

	bambi_require_identity(&request.user);
	bambi_request_take_model(&request, fcinfo, 0);
	request.prompt = bambi_text_argument(fcinfo, 2, NULL);
	if (!PG_ARGISNULL(3))
		request.inputs = PG_GETARG_INT32(3);
	if (request.inputs < 0)
		bambi_refuse(BAMBI_BAD_VALUE, "inputs must not be negative", NULL,
					 "It is the number of pictures to edit.");
	bambi_request_look(&request);
	bambi_request_resolve_model(&request);
	return result(fcinfo, &request.price);
}

Datum
bambi_estimate(PG_FUNCTION_ARGS)
{
	return bambi_client_call(estimate, fcinfo);
}
