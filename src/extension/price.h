/*-------------------------------------------------------------------------
 *
 * price.h
 *		What a request will cost, as far as that is known before the call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PRICE_H
#define BAMBI_PRICE_H

#include "utils/array.h"
#include "utils/numeric.h"

#include "parameters.h"

/* The only one that prices are looked up in. */
#define BAMBI_CURRENCY	"USD"

/* A row of bambi.model_prices that holds now, in BAMBI_CURRENCY. */
typedef struct BambiPrice
{
	const char *unit;
	const char *size;			/* NULL: any */
	const char *quality;		/* NULL: any */
	Numeric		amount;
} BambiPrice;

typedef struct BambiPriceList
{
	int			count;
	BambiPrice *prices;
} BambiPriceList;

/* BAMBI_CURRENCY, rounded to six places; all three are NULL where nothing is known. */
typedef struct BambiEstimate
{
	Numeric		low;
	Numeric		expected;
	Numeric		high;
	bool		is_complete;	/* all that is billed has a known price */
} BambiEstimate;

/* The columns of several rows as arrays of one length; NULL for no row. */
extern void bambi_price_read(BambiPriceList *list, ArrayType *units,
							 ArrayType *sizes, ArrayType *qualities,
							 ArrayType *amounts);

/*
 * What a model will take for these parameters, a prompt of so many
 * characters and so many pictures to edit.
 *
 * A picture costs what is listed for its size and quality, or its tokens by
 * the formula of price.c where the model has one.  Where the provider may
 * choose (parameters.h), low and high are the cheapest and the dearest that
 * may be meant, and expected is the middle one of them.
 */
extern void bambi_price_estimate(BambiEstimate *estimate,
								 const BambiPriceList *list,
								 const BambiModel *model, Jsonb *parameters,
								 int prompt_length, int inputs);

#endif							/* BAMBI_PRICE_H */
