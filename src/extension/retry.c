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

#include "budget.h"
#include "client.h"
#include "identity.h"
#include "point.h"
#include "plan.h"
#include "quota.h"
#include "refuse.h"
#include "request.h"
#include "shmem.h"
#include "statements_budget.h"
#include "statements_client.h"
#include "wait.h"

/* Columns of bambi_client_lock_for_retry behind those of bambi_quota_read. */
enum
{
	STATUS = BAMBI_QUOTA_COLUMNS + 1,
	PERIOD,
	MODEL_IS_USABLE,
	MODEL_NAME,
	CAPABILITIES,
	PARAMETERS,
	KEY_IS_USABLE,
	CONFIGURATION,
	HAS_BUDGET,
	PROMPT_IS_GONE
};

/* What of the locked row is needed when others have been read. */
typedef struct Again
{
	pg_uuid_t	user;
	pg_uuid_t  *id;
	TimestampTz now;
	BambiQuota	quota;
	bool		is_reserved;
	TimestampTz period;
	pg_uuid_t  *configuration;	/* NULL: no key pays */
	bool		has_budget;
} Again;

PG_FUNCTION_INFO_V1(bambi_retry);

static bool
truth(int column)
{
	bool		is_null;

	return DatumGetBool(bambi_result(0, column, &is_null));
}

static void
read_row(Again *again)
{
	bool		is_null;
	Datum		value;

	bambi_quota_read(&again->quota, again->now);
	again->period = DatumGetTimestampTz(bambi_result(0, PERIOD, &is_null));
	again->is_reserved = !is_null;
	value = bambi_result(0, CONFIGURATION, &is_null);
	again->configuration = is_null ? NULL : DatumGetUUIDP(value);
	again->has_budget = truth(HAS_BUDGET);
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
	if (truth(PROMPT_IS_GONE))
		bambi_refuse(BAMBI_WRONG_STATE, "prompt was not kept",
					 "Prompts are not kept, or not for as long: see bambi_retention.",
					 "Call bambi_generate with the prompt again.");
	if (!truth(MODEL_IS_USABLE))
		bambi_refuse(BAMBI_NOT_FOUND, "model does not exist",
					 psprintf("Model \"%s\" is not offered any more.",
							  bambi_result_text(0, MODEL_NAME)),
					 "Call bambi_generate with another one.");
	model.name = bambi_result_text(0, MODEL_NAME);
	model.capabilities = document(CAPABILITIES);
	bambi_plan_require(quota, &model, document(PARAMETERS));
	if (!truth(KEY_IS_USABLE))
		bambi_refuse(BAMBI_WRONG_STATE, "no usable key",
					 "The key of this generation has been removed, or its provider does not accept it.",
					 "Replace it with bambi_replace_key, or call bambi_generate with another one.");
}

/* The generation and all that decides about it. */
static void
lock(Again *again)
{
	Datum		values[3];

	values[0] = UUIDPGetDatum(again->id);
	values[1] = UUIDPGetDatum(&again->user);
	values[2] = TimestampTzGetDatum(again->now);
	bambi_wake_at_commit(BAMBI_WAKE_UNLOCK);
	(void) bambi_execute(&bambi_client_lock_queued, values, NULL);
	if (bambi_execute(&bambi_client_lock_for_retry, values, NULL) == 0)
	{
		bambi_require_user(&again->user);
		bambi_refuse(BAMBI_NOT_FOUND, "generation does not exist", NULL,
					 "See bambi_generations for yours.");
	}
	read_row(again);
	if (!again->quota.is_active)
		bambi_refuse_not_signed_in();
	require_possible(&again->quota);
}

/* Its place in the quota, and the row that budgets are judged under. */
static void
reserve(Again *again)
{
	Datum		values[1];

	if (!again->is_reserved)
	{
		if (!bambi_quota_reserve(&again->user, &again->quota, again->now,
								 &again->period))
			bambi_quota_refuse(&again->user);
		return;
	}
	values[0] = UUIDPGetDatum(&again->user);
	if (again->has_budget)
		bambi_execute(&bambi_budget_touch_user, values, NULL);
}

/*
 * Where there is a budget the price is that of now: it may have been asked
 * before there was one, without all of it being known.
 */
static void
requeue(Again *again)
{
	BambiEstimate price = {0};
	Datum		values[8];
	bool		is_null;

	if (again->has_budget)
		bambi_budget_estimate(&price, again->id, &again->user, again->now);

	values[0] = UUIDPGetDatum(again->id);
	values[1] = UUIDPGetDatum(&again->user);
	values[2] = TimestampTzGetDatum(again->now);
	values[3] = Int64GetDatum(bambi_virtual_time());
	values[4] = TimestampTzGetDatum(again->period);
	values[5] = CStringGetTextDatum(again->quota.plan);
	values[6] = Int64GetDatum(bambi_turn_step(again->quota.weight));
	values[7] = NumericGetDatum(price.high);
	bambi_execute(&bambi_client_requeue, values,
				  price.high ? NULL : "       n");
	bambi_queued_at_commit(DatumGetInt64(bambi_result(0, 1, &is_null)));
	if (again->has_budget)
		bambi_budget_require(&again->user, again->configuration, &price);
}

/* Arguments: id uuid.  Gives the same id. */
static Datum
retry(PG_FUNCTION_ARGS)
{
	Again		again = {.now = GetCurrentTimestamp()};

	again.id = bambi_uuid_argument(fcinfo, 0, "id");
	bambi_require_identity(&again.user);
	lock(&again);
	reserve(&again);
	requeue(&again);
	bambi_tell_waiters_at_commit(again.id);
	BAMBI_POINT("enqueue-before-commit");
	return bambi_return_uuid(again.id);
}

Datum
bambi_retry(PG_FUNCTION_ARGS)
{
	return bambi_client_call(retry, fcinfo);
}
