/*-------------------------------------------------------------------------
 *
 * sealing_key.c
 *		bambi_sealing_key: what a client seals its keys to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "client.h"
#include "jwk.h"
#include "refuse.h"
#include "statements_key_entry.h"

PG_FUNCTION_INFO_V1(bambi_sealing_key);

/* No arguments.  The JSON as text: its caller makes jsonb of it. */
static Datum
sealing_key(PG_FUNCTION_ARGS)
{
	char		jwk[JWK_MAX_SIZE];

	if (bambi_execute(&bambi_client_sealing_key, NULL, NULL) == 0)
		bambi_refuse(BAMBI_TRY_LATER, "there is no key to seal with yet",
					 "The courier has not offered a public key.",
					 "An operator sees why in bambi_status().");
	if (jwk_of_public_key(bambi_result_text(0, 2), bambi_result_text(0, 1),
						  jwk, sizeof(jwk)) != JWE_OK)
		elog(ERROR, "the public key cannot be read");
	return bambi_return_text(jwk);
}

Datum
bambi_sealing_key(PG_FUNCTION_ARGS)
{
	text	   *jwk = DatumGetTextPP(bambi_client_call(sealing_key, fcinfo));

	return DirectFunctionCall1(jsonb_in,
							   CStringGetDatum(text_to_cstring(jwk)));
}
