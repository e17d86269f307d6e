/*-------------------------------------------------------------------------
 *
 * key_limit.c
 *		bambi_set_key_limit: how many calls with a key may run at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client.h"
#include "identity.h"
#include "refuse.h"
#include "statements_keys.h"
#include "uuid.h"

PG_FUNCTION_INFO_V1(bambi_set_key_limit);

/* Arguments: configuration uuid, max_in_flight int. */
static Datum
set_key_limit(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "configuration");
	pg_uuid_t	user;
	Datum		values[3];
	char		nulls[4] = "   ";

	bambi_require_user(&user);
	if (!PG_ARGISNULL(1) && PG_GETARG_INT32(1) < 1)
		bambi_refuse(BAMBI_BAD_VALUE, "limit must be at least 1", NULL,
					 "NULL takes the limit that the provider has.");
	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&user);
	values[2] = PG_GETARG_DATUM(1);
	nulls[2] = PG_ARGISNULL(1) ? 'n' : ' ';
	if (bambi_execute(&bambi_key_set_limit, values, nulls) == 0)
		bambi_refuse(BAMBI_NOT_FOUND, "configuration does not exist", NULL,
					 "See bambi_configurations for yours.");
	PG_RETURN_VOID();
}

Datum
bambi_set_key_limit(PG_FUNCTION_ARGS)
{
	return bambi_client_call(set_key_limit, fcinfo);
}
