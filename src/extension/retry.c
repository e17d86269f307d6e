/*-------------------------------------------------------------------------
 *
 * retry.c
 *		bambi_retry: the owner wants this generation tried once more.
 *
 * Allowed for what ended without a picture by no wish of the owner: failed,
 * uncertain and held.  An uncertain one may be paid twice then, which is why
 * only its owner can decide it (rule D8); what it may have cost before stays
 * in the books.  Its reservation still stands; one that was given back is
 * taken again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "client.h"
#include "identity.h"
#include "point.h"
#include "plan.h"
#include "quota.h"
#include "refuse.h"
#include "request.h"
#include "shmem.h"
#include "statements_client.h"
#include "wait.h"

/* Columns of bambi_client_lock_for_retry behind those of bambi_quota_read. */
enum
{
	LAST_TURN = BAMBI_QUOTA_COLUMNS + 1,
	STATUS,
	PERIOD,
	MODEL_IS_USABLE,
	MODEL_IS_ALLOWED,
	MODEL_NAME,
	CAPABILITIES,
	PARAMETERS,
	KEY_IS_USABLE
};

PG_FUNCTION_INFO_V1(bambi_retry);

static bool
truth(int column)
{
	bool		is_null;

	return DatumGetBool(bambi_result(0, column, &is_null));
}

static Jsonb *
document(int column)
{
	bool		is_null;

	return DatumGetJsonbP(bambi_result(0, column, &is_null));
}

static void
require_possible(const BambiQuota *quota)
{
	BambiModel	model;
	const char *status = bambi_result_text(0, STATUS);

	if (strcmp(status, "failed") != 0 && strcmp(status, "uncertain") != 0 &&
		strcmp(status, "held") != 0)
		bambi_refuse(BAMBI_WRONG_STATE, "generation cannot be retried",
					 psprintf("It is %s; only what is failed, uncertain or held can be.",
							  status), NULL);
	if (!truth(MODEL_IS_USABLE))
		bambi_refuse(BAMBI_NOT_FOUND, "model does not exist",
					 psprintf("Model \"%s\" is not offered any more.",
							  bambi_result_text(0, MODEL_NAME)),
					 "Call bambi_generate with another one.");
	model.name = bambi_result_text(0, MODEL_NAME);
	model.capabilities = document(CAPABILITIES);
	bambi_plan_require(quota, truth(MODEL_IS_ALLOWED), &model,
					   document(PARAMETERS));
	if (!truth(KEY_IS_USABLE))
		bambi_refuse(BAMBI_WRONG_STATE, "no usable key",
					 "The key of this generation has been removed, or its provider does not accept it.",
					 "Replace it with bambi_replace_key, or call bambi_generate with another one.");
}

/* Arguments: id uuid.  Gives the same id. */
static Datum
retry(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "id");
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz period;
	BambiQuota	quota;
	pg_uuid_t	user;
	Datum		values[6];
	Datum		turn;
	bool		has_turn;
	bool		is_null;

	bambi_require_identity(&user);
	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&user);
	values[2] = TimestampTzGetDatum(now);

	bambi_wake_at_commit(BAMBI_WAKE_UNLOCK);
	(void) bambi_execute(&bambi_client_lock_queued, values, NULL);
	if (bambi_execute(&bambi_client_lock_for_retry, values, NULL) == 0)
	{
		bambi_require_user(&user);
		bambi_refuse(BAMBI_NOT_FOUND, "generation does not exist", NULL,
					 "See bambi_generations for yours.");
	}
	bambi_quota_read(&quota);
	if (!quota.is_active)
		bambi_refuse_not_signed_in();
	require_possible(&quota);

	turn = bambi_result(0, LAST_TURN, &is_null);
	has_turn = !is_null;
	period = DatumGetTimestampTz(bambi_result(0, PERIOD, &is_null));
	if (is_null && !bambi_quota_reserve(&user, &quota, now, &period))
		bambi_quota_refuse(&user);

	values[3] = Int64GetDatum(bambi_next_turn(has_turn, DatumGetInt64(turn),
											  quota.weight));
	values[4] = TimestampTzGetDatum(period);
	values[5] = CStringGetTextDatum(quota.plan);
	bambi_execute(&bambi_client_requeue, values, NULL);
	bambi_wake_at_commit(BAMBI_WAKE_QUEUE);
	bambi_tell_waiters_at_commit(id);
	BAMBI_POINT("enqueue-before-commit");
	return bambi_return_uuid(id);
}

Datum
bambi_retry(PG_FUNCTION_ARGS)
{
	return bambi_client_call(retry, fcinfo);
}
