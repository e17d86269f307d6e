/*-------------------------------------------------------------------------
 *
 * stripe_signature.c
 *		The header Stripe-Signature, which comes from anybody.
 *
 *-------------------------------------------------------------------------
 */
#include "stripe_signature.h"

#include <string.h>

#include <openssl/crypto.h>

/* Seconds since 1970 have ten digits until the year 2286. */
#define MOST_DIGITS	12

static bool
read_time(const char *text, size_t length, StripeSignature *signature)
{
	if (signature->time != NULL || length < 1 || length > MOST_DIGITS ||
		strspn(text, "0123456789") < length)
		return false;
	signature->time = text;

	signature->time_length = length;
	signature->seconds = 0;
	for (size_t i = 0; i < length; i++)
		signature->seconds = signature->seconds * 10 + (text[i] - '0');
	return true;
}

bool
bambi_stripe_signature_read(const char *header, StripeSignature *signature)
{
	memset(signature, 0, sizeof(*signature));
	if (strlen(header) > STRIPE_LONGEST_HEADER)
		return false;

	for (const char *part = header; part != NULL;)
	{
		size_t		length = strcspn(part, ",");

		if (strncmp(part, "t=", 2) == 0)
		{
			if (!read_time(part + 2, length - 2, signature))
				return false;
		}
		else if (strncmp(part, "v1=", 3) == 0 &&
				 length - 3 == STRIPE_HEX_LENGTH &&
				 strspn(part + 3, "0123456789abcdef") >= STRIPE_HEX_LENGTH)
			signature->v1[signature->count++] = part + 3;
		part = part[length] == ',' ? part + length + 1 : NULL;
	}
	return signature->time != NULL && signature->count > 0;
}

bool
bambi_stripe_signature_has(const StripeSignature *signature,
						   const char hex[STRIPE_HEX_LENGTH])
{
	int			found = 0;

	for (int i = 0; i < signature->count; i++)
		found |= CRYPTO_memcmp(signature->v1[i], hex, STRIPE_HEX_LENGTH) == 0;
	return found != 0;
}
