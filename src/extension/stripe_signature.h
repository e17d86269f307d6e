/*-------------------------------------------------------------------------
 *
 * stripe_signature.h
 *		The header Stripe-Signature: "t=<seconds>,v1=<hex>[,v1=<hex>...]".
 *
 * Nothing here allocates, raises anything or needs the server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STRIPE_SIGNATURE_H
#define BAMBI_STRIPE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A header has two signatures while a secret is rolled; this is plenty. */
#define STRIPE_LONGEST_HEADER	4096
#define STRIPE_HEX_LENGTH		64
#define STRIPE_MOST_SIGNATURES \
	(STRIPE_LONGEST_HEADER / (STRIPE_HEX_LENGTH + 4) + 1)

typedef struct StripeSignature
{
	const char *time;			/* as it was signed; lent by the header */
	size_t		time_length;
	int64_t		seconds;		/* the same as a number */
	int			count;
	const char *v1[STRIPE_MOST_SIGNATURES]; /* 64 characters each; lent */
} StripeSignature;

/*
 * False unless it has one time and a signature of scheme v1.  Other schemes,
 * such as v0, and signatures of another form count for nothing.
 */
extern bool bambi_stripe_signature_read(const char *header,
										StripeSignature *signature);

/* Whether one is this; the time it takes tells nothing of the answer. */
extern bool bambi_stripe_signature_has(const StripeSignature *signature,
									   const char hex[STRIPE_HEX_LENGTH]);

#endif							/* BAMBI_STRIPE_SIGNATURE_H */
