/*-------------------------------------------------------------------------
 *
 * prompts.c
 *		bambi_keep_prompts: whether a user's prompts outlive their generations.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client.h"
#include "identity.h"
#include "refuse.h"
#include "statements_retention.h"

PG_FUNCTION_INFO_V1(bambi_keep_prompts);

/* Arguments: keep boolean. */
static Datum
keep_prompts(PG_FUNCTION_ARGS)
{
	pg_uuid_t	user;
	Datum		values[1];

	if (PG_ARGISNULL(0))
		bambi_refuse(BAMBI_BAD_VALUE, "argument \"keep\" is missing", NULL,
					 NULL);
	bambi_require_user(&user);
	values[0] = UUIDPGetDatum(&user);
	bambi_execute(PG_GETARG_BOOL(0) ? &bambi_retention_keep_prompts :
				  &bambi_retention_forget_prompts, values, NULL);
	PG_RETURN_VOID();
}

Datum
bambi_keep_prompts(PG_FUNCTION_ARGS)
{
	return bambi_client_call(keep_prompts, fcinfo);
}
