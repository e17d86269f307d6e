/*-------------------------------------------------------------------------
 *
 * price.c
 *		What will this request cost?
 *
 * An estimate, not a promise: the provider decides how many tokens a picture
 * takes.  What it did cost is booked by the worker, from the answer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "client.h"
#include "identity.h"
#include "price.h"
#include "request.h"

/* English prose; other languages take more. */
#define CHARACTERS_PER_TOKEN	4
#define TOKENS_PER_PRICE		1000000
#define PLACES					6

PG_FUNCTION_INFO_V1(bambi_estimate);

static Datum
multiply(Numeric price, int64 count)
{
	return DirectFunctionCall2(numeric_mul, NumericGetDatum(price),
							   NumericGetDatum(int64_to_numeric(count)));
}

static Datum
text_cost(Numeric price, int length)
{
	int			tokens = (length + CHARACTERS_PER_TOKEN - 1) /
	CHARACTERS_PER_TOKEN;

	return DirectFunctionCall2(numeric_div, multiply(price, tokens),
							   NumericGetDatum(int64_to_numeric(TOKENS_PER_PRICE)));
}

Numeric
bambi_price_estimate(const BambiPrices *prices, int pictures,
					 int prompt_length)
{
	Datum		cost;

	if (prices->image == NULL)
		return NULL;
	cost = multiply(prices->image, pictures);
	if (prices->text_input)
		cost = DirectFunctionCall2(numeric_add, cost,
								   text_cost(prices->text_input,
											 prompt_length));
	return DatumGetNumeric(DirectFunctionCall2(numeric_round, cost,
											   Int32GetDatum(PLACES)));
}

static Datum
estimate(PG_FUNCTION_ARGS)
{
	BambiRequest request;
	Numeric		copy;

	bambi_require_identity(&request.user);
	bambi_request_take(&request, fcinfo, 0);
	bambi_request_look(&request);
	bambi_request_resolve_model(&request);
	if (request.estimate == NULL)
		PG_RETURN_NULL();

	copy = SPI_palloc(VARSIZE_ANY(request.estimate));
	memcpy(copy, request.estimate, VARSIZE_ANY(request.estimate));
	PG_RETURN_NUMERIC(copy);
}

Datum
bambi_estimate(PG_FUNCTION_ARGS)
{
	return bambi_client_call(estimate, fcinfo);
}
