/*-------------------------------------------------------------------------
 *
 * quota_reset.c
 *		For bambi_reset_quotas(): the period of a user who does not ask.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client.h"
#include "quota.h"

PG_FUNCTION_INFO_V1(bambi_begin_period);

/* Argument: user uuid.  Whether the row told of a period that is over. */
static Datum
begin_period(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(bambi_quota_begin_period(PG_GETARG_UUID_P(0),
											GetCurrentTimestamp()));
}

Datum
bambi_begin_period(PG_FUNCTION_ARGS)
{
	return bambi_client_call(begin_period, fcinfo);
}
