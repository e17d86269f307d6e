/*-------------------------------------------------------------------------
 *
 * stripe_signature_fuzz.c
 *		Whatever stands in the header Stripe-Signature, what is read of it lies
 *		inside of it, and has the form that it must have.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "fuzz.h"

/* a file of the extension, which needs nothing of the server */
#include "../../src/extension/stripe_signature.c"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *header = malloc(size + 1);
	StripeSignature signature;
	size_t		length;

	if (header == NULL)
		return 0;
	memcpy(header, data, size);
	header[size] = '\0';
	length = strlen(header);

	if (bambi_stripe_signature_read(header, &signature))
	{
		char		other[STRIPE_HEX_LENGTH];

		insist(length <= STRIPE_LONGEST_HEADER);
		insist(signature.count > 0 &&
			   signature.count <= STRIPE_MOST_SIGNATURES);
		insist(signature.time > header && signature.time_length > 0 &&
			   signature.time + signature.time_length <= header + length);
		insist(signature.seconds >= 0);
		for (int i = 0; i < signature.count; i++)
		{
			insist(signature.v1[i] > header &&
				   signature.v1[i] + STRIPE_HEX_LENGTH <= header + length);
			insist(bambi_stripe_signature_has(&signature, signature.v1[i]));
		}
		memset(other, 'g', sizeof(other));
		insist(!bambi_stripe_signature_has(&signature, other));
	}
	free(header);
	return 0;
}
