/*-------------------------------------------------------------------------
 *
 * quota_reset.c
 *		When does the period end that a user is in now?
 *
 * For bambi_reset_quotas(), which ends periods of users who do not ask; who
 * asks has it done by the reservation, which computes the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client.h"
#include "quota.h"
#include "statements_client.h"

PG_FUNCTION_INFO_V1(bambi_next_reset);

/* Argument: user uuid.  NULL for one who is not there. */
static Datum
next_reset(PG_FUNCTION_ARGS)
{
	Datum		values[] = {PG_GETARG_DATUM(0)};
	BambiQuota	quota;

	if (bambi_execute(&bambi_client_quota, values, NULL) == 0)
	{
		fcinfo->isnull = true;
		return (Datum) 0;
	}
	bambi_quota_read(&quota);
	return TimestampTzGetDatum(bambi_quota_next_reset(&quota,
													  GetCurrentTimestamp()));
}

Datum
bambi_next_reset(PG_FUNCTION_ARGS)
{
	return bambi_client_call(next_reset, fcinfo);
}
