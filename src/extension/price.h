/*-------------------------------------------------------------------------
 *
 * price.h
 *		What a request will cost, as far as that is known before the call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PRICE_H
#define BAMBI_PRICE_H

#include "utils/numeric.h"

/* List prices in USD; NULL where none is known. */
typedef struct BambiPrices
{
	Numeric		image;			/* of one picture */
	Numeric		text_input;		/* of a million tokens */
} BambiPrices;

/*
 * USD for so many pictures of a prompt of so many characters, rounded to
 * six places; NULL if a picture's price is unknown, which is not zero.
 */
extern Numeric bambi_price_estimate(const BambiPrices *prices, int pictures,
									int prompt_length);

#endif							/* BAMBI_PRICE_H */
