/*-------------------------------------------------------------------------
 *
 * stripe_signature_test.c
 *		What of the header Stripe-Signature is read, and what is not.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

/* a file of the extension, which needs nothing of the server */
#include "../../src/extension/stripe_signature.c"
#include "check.h"

#define A	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* Of these A counts, and B does not. */
static const char *const good[] = {
	"t=1700000000,v1=" A,
	"v1=" A ",t=1700000000",
	"t=1700000000,v1=" A ",v0=" B,
	"t=1700000000,v1=" A ",v2=" B ",v1=",
	"t=1700000000,v1=" B "b,v1=" A,
	",,t=1700000000,,v1=" A ",",
	"t=1700000000,v1=BBBB,v1=" A,
};

static const char *const bad[] = {
	"", ",", "t=", "v1=" A, "t=1700000000", "t=1700000000,v0=" A,
	"t=1700000000;v1=" A, "t=1700000000,V1=" A, "t= 1700000000,v1=" A,
	"t=-1700000000,v1=" A, "t=+1700000000,v1=" A, "t=1e9,v1=" A,
	"t=1700000000.5,v1=" A, "t=1700000000000,v1=" A, "t=,v1=" A,
	"t=1700000000,t=1700000000,v1=" A, "t=1700000000,v1=" A "a",
	"t=1700000000, v1=" A, "t=1700000000,v1= " A, "t=1700000000,v1",
};

static bool
is_read(const char *header)
{
	StripeSignature signature;

	return bambi_stripe_signature_read(header, &signature);
}

static void
test_many(void)
{
	char		header[STRIPE_LONGEST_HEADER + 100] = "t=1700000000";
	StripeSignature signature;

	while (strlen(header) + 68 <= STRIPE_LONGEST_HEADER)
		strcat(header, ",v1=" B);
	memcpy(header + strlen(header) - STRIPE_HEX_LENGTH, A,
		   STRIPE_HEX_LENGTH);
	CHECK(bambi_stripe_signature_read(header, &signature) &&
		  signature.count == 60 && bambi_stripe_signature_has(&signature, A),
		  "the last of 60 signatures counts");
	strcat(header, ",v1=" B);
	CHECK(!is_read(header), "a header that is too long does not");
}

int
main(void)
{
	StripeSignature signature;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
	{
		CHECK(bambi_stripe_signature_read(good[i], &signature) &&
			  signature.seconds == 1700000000 && signature.time_length == 10 &&
			  bambi_stripe_signature_has(&signature, A) &&
			  !bambi_stripe_signature_has(&signature, B),
			  "counts: %.30s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK(!is_read(bad[i]), "does not count: %.30s", bad[i]);
	test_many();
	return check_done();
}
