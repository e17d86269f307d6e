/*-------------------------------------------------------------------------
 *
 * stripe.c
 *		bambi_stripe_webhook: is it Stripe who says so?
 *
 * Anybody may call; what counts is the signature over the bytes of the body,
 * by one of the secrets in bambi.stripe_webhook_secret_file.  Whoever has no
 * such signature is told the same, whatever is wrong with it.  What a signed
 * event does is SQL's part (sql/functions/80_stripe.sql).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "client.h"
#include "hmac.h"
#include "refuse.h"
#include "secret_file.h"
#include "settings.h"
#include "statements_client.h"
#include "stripe_signature.h"
#include "web.h"

/* Stripe's own: an event that was caught is of no use later. */
#define TOLERANCE_SECONDS	300
/* Stripe's events have some kilobytes. */
#define LARGEST_PAYLOAD		(1024 * 1024)
/* While a secret is rolled, Stripe signs with the old one, too. */
#define MOST_SECRETS		2
/* Stripe's have 38; an empty line would be a secret that all know. */
#define SHORTEST_SECRET		16

PG_FUNCTION_INFO_V1(bambi_stripe_webhook);
PG_FUNCTION_INFO_V1(bambi_stripe_webhook_request);

static void refuse_signature(void) pg_attribute_noreturn();

static void
refuse_signature(void)
{
	bambi_refuse(BAMBI_BAD_VALUE, "Stripe's signature is not valid", NULL,
				 NULL);
	pg_unreachable();
}

/* The callers are strangers: the reason is for the server's log. */
static void
refuse_secrets(const char *problem)
{
	ereport(LOG,
			(errmsg("the file of bambi.stripe_webhook_secret_file%s",
					problem)));
	bambi_refuse(BAMBI_NOT_SET_UP, "Stripe's events cannot be checked",
				 "The server has no secret to check them by.",
				 "An operator sets bambi.stripe_webhook_secret_file; the server's log says what is wrong.");
}

/* The lines of the file that are not empty, the first two. */
static int
find_secrets(const char *bytes, size_t length,
			 BambiPiece secrets[MOST_SECRETS])
{
	static const char line_ends[] = "\r\n \t";
	size_t		at = 0;
	int			count = 0;

	while (at < length && count < MOST_SECRETS)
	{
		size_t		start;

		while (at < length && strchr(line_ends, bytes[at]) != NULL)
			at++;
		start = at;
		while (at < length && strchr(line_ends, bytes[at]) == NULL)
			at++;
		if (at - start > 0)
			secrets[count++] = (BambiPiece)
		{
			bytes + start, at - start
		};
	}
	return count;
}

/* NULL, or why it cannot be said, as the end of a sentence about the file. */
static const char *
look_for_signature(const StripeSignature *signature, const text *payload,
				   bool *is_found)
{
	uint8		file[SECRET_FILE_MAX];
	BambiPiece	secrets[MOST_SECRETS];
	size_t		length = 0;
	int			count;
	const char *problem;
	const BambiPiece pieces[] = {
		{signature->time, signature->time_length},
		{".", 1},
		{VARDATA_ANY(payload), VARSIZE_ANY_EXHDR(payload)}
	};

	*is_found = false;
	problem = secret_file_read(bambi_stripe_webhook_secret_file, DataDir, file,
							   &length);
	count = find_secrets((char *) file, length, secrets);
	if (problem == NULL && count == 0)
		problem = " has no secret in it";
	for (int i = 0; i < count && problem == NULL; i++)
	{
		uint8		mac[PG_SHA256_DIGEST_LENGTH];
		char		hex[STRIPE_HEX_LENGTH];

		if (secrets[i].length < SHORTEST_SECRET)
			problem = " has a secret of less than 16 characters in it";
		else if (!bambi_hmac(secrets[i], pieces, lengthof(pieces), mac))
			problem = " is not to be used without memory";
		else
		{
			hex_encode((char *) mac, sizeof(mac), hex);
			*is_found |= bambi_stripe_signature_has(signature, hex);
		}
	}
	OPENSSL_cleanse(file, sizeof(file));
	return problem;
}

static void
require_signature(const text *payload, const char *header)
{
	StripeSignature signature;
	int64		now = timestamptz_to_time_t(GetCurrentTimestamp());
	const char *problem;
	bool		is_found;

	if (header == NULL || VARSIZE_ANY_EXHDR(payload) > LARGEST_PAYLOAD ||
		!bambi_stripe_signature_read(header, &signature))
		refuse_signature();
	if (bambi_stripe_webhook_secret_file[0] == '\0')
		refuse_secrets(" is not set");
	problem = look_for_signature(&signature, payload, &is_found);
	if (problem != NULL)
		refuse_secrets(problem);
	if (!is_found || signature.seconds < now - TOLERANCE_SECONDS ||
		signature.seconds > now + TOLERANCE_SECONDS)
		refuse_signature();
}

static Datum
take_event(text *payload, const char *header)
{
	Datum		values[2];

	require_signature(payload, header);
	values[0] = PointerGetDatum(payload);
	values[1] = BoolGetDatum(bambi_stripe_livemode);
	bambi_execute(&bambi_client_stripe_event, values, NULL);
	return bambi_return_text(bambi_result_text(0, 1));
}

/* Arguments: payload text, signature text. */
static Datum
webhook(PG_FUNCTION_ARGS)
{
	text	   *payload = bambi_text_argument(fcinfo, 0, "payload");
	text	   *header = bambi_text_argument(fcinfo, 1, "signature");

	return take_event(payload, text_to_cstring(header));
}

Datum
bambi_stripe_webhook(PG_FUNCTION_ARGS)
{
	return bambi_client_call(webhook, fcinfo);
}

/* Argument: json, the body of a request; the signature is its header. */
static Datum
webhook_request(PG_FUNCTION_ARGS)
{
	text	   *payload = bambi_text_argument(fcinfo, 0, "payload");

	return take_event(payload, bambi_web_header("stripe-signature"));
}

Datum
bambi_stripe_webhook_request(PG_FUNCTION_ARGS)
{
	return bambi_client_call(webhook_request, fcinfo);
}
