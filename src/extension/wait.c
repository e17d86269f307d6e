/*-------------------------------------------------------------------------
 *
 * wait.c
 *		bambi_wait: sleep until a generation has ended, but not for ever.
 *
 * Each look takes a snapshot of its own; between looks the backend sleeps on
 * a condition variable that the worker broadcasts after a settle.  A sleeping
 * SELECT holds its outer snapshot and, over HTTP, one of PostgREST's few
 * connections: hence the limits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "client.h"
#include "identity.h"
#include "refuse.h"
#include "shmem.h"
#include "statements_client.h"
#include "uuid.h"
#include "wait.h"
#include "web.h"

#define LONGEST_WAIT_MS		30000
/* PostgREST's pool has ten connections by default, Supabase's more. */
#define WEB_WAIT_MS			5000
#define MOST_WEB_WAITERS	4
/* So long before the statement's time-out, which would be an error. */
#define BEFORE_TIMEOUT_MS	500
/* Between looks while there is no worker that would wake us. */
#define POLL_MS				100

/* Columns of bambi_client_state, and of the result behind generation_id. */
enum
{
	STATUS = 1,
	ERROR_CODE,
	ERROR_MESSAGE,
	COST,
	CHANGED_BY
};
#define RESULT_COLUMNS		6

PG_FUNCTION_INFO_V1(bambi_wait);

/* The lists that a commit tells, as bits of their numbers. */
static uint64 lists_to_tell = 0;
static bool callback_is_registered = false;

StaticAssertDecl(BAMBI_WAITER_LISTS <= 64, "a list needs a bit");

static void
tell_waiters(XactEvent event, void *arg)
{
	BambiWorkerSlot *slot = bambi_my_slot();
	uint64		lists = lists_to_tell;

	if (lists == 0 || event == XACT_EVENT_PRE_COMMIT ||
		event == XACT_EVENT_PRE_PREPARE)
		return;

	lists_to_tell = 0;
	if (event != XACT_EVENT_COMMIT || slot == NULL)
		return;
	for (int i = 0; i < BAMBI_WAITER_LISTS; i++)
	{
		if (lists & (UINT64CONST(1) << i))
			ConditionVariableBroadcast(&slot->waiters[i]);
	}
}

void
bambi_tell_waiters_at_commit(const pg_uuid_t *id)
{
	ConditionVariable *list = bambi_waiters_of(id);

	if (list == NULL)
		return;
	if (!callback_is_registered)
		RegisterXactCallback(tell_waiters, NULL);
	callback_is_registered = true;
	lists_to_tell |= UINT64CONST(1) << (list - bambi_my_slot()->waiters);
}

static bool
has_ended(const char *status)
{
	return strcmp(status, "queued") != 0 && strcmp(status, "running") != 0;
}

/* What the transaction itself holds back will not end before it does. */
static void
refuse_own_change(void)
{
	bool		is_null;
	Datum		changed_by = bambi_result(0, CHANGED_BY, &is_null);

	if (!is_null &&
		TransactionIdIsCurrentTransactionId(DatumGetTransactionId(changed_by)))
		bambi_refuse(BAMBI_WRONG_STATE, "generation is not committed yet",
					 "This transaction queued or changed it; the worker does not see that before the transaction ends.",
					 "COMMIT first, then call bambi_wait.");
}

static void
refuse_old_snapshot(void)
{
	if (IsolationUsesXactSnapshot())
		bambi_refuse(BAMBI_WRONG_STATE,
					 "a transaction with one snapshot cannot wait",
					 "REPEATABLE READ and SERIALIZABLE would never see the generation end.",
					 "Call bambi_wait outside of it, or under READ COMMITTED.");
}

/* Looks; true if it has ended. */
static bool
look(const pg_uuid_t *id, const pg_uuid_t *user)
{
	Datum		values[2];

	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(user);
	if (bambi_execute(&bambi_client_state, values, NULL) == 0)
		bambi_refuse(BAMBI_NOT_FOUND, "generation does not exist", NULL,
					 "See bambi_generations for yours.");
	return has_ended(bambi_result_text(0, STATUS));
}

static void
earlier(TimestampTz *end, TimeoutId timeout)
{
	TimestampTz limit;

	if (!get_timeout_active(timeout))
		return;
	limit = get_timeout_finish_time(timeout) - BEFORE_TIMEOUT_MS * 1000;
	*end = Min(*end, limit);
}

/* The moment at which to stop waiting, by the argument and by the limits. */
static TimestampTz
end_of_wait(FunctionCallInfo fcinfo, int n)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz end;

	if (PG_ARGISNULL(n))
		end = now + 1000 * (bambi_session_is_authenticator() ?
							WEB_WAIT_MS : LONGEST_WAIT_MS);
	else
		end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													  TimestampTzGetDatum(now),
													  PG_GETARG_DATUM(n)));
	if (end < now)
		bambi_refuse(BAMBI_BAD_VALUE, "timeout must not be negative", NULL,
					 NULL);

	end = Min(end, now + LONGEST_WAIT_MS * INT64CONST(1000));
	earlier(&end, STATEMENT_TIMEOUT);
#if PG_VERSION_NUM >= 170000
	earlier(&end, TRANSACTION_TIMEOUT);
#endif
	return end;
}

static void
sleep_until_ended(const pg_uuid_t *id, const pg_uuid_t *user,
				  ConditionVariable *list, TimestampTz end)
{
	ConditionVariablePrepareToSleep(list);
	while (!look(id, user))
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														   end);

		if (left <= 0)
			break;
		SPI_freetuptable(SPI_tuptable);
		(void) ConditionVariableTimedSleep(list, left, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

/*
 * Where no worker has come yet, as in a database that was just made, there is
 * no list to sleep on.
 */
static void
poll_until_ended(const pg_uuid_t *id, const pg_uuid_t *user, TimestampTz end)
{
	ConditionVariable *list;

	while ((list = bambi_waiters_of(id)) == NULL)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														   end);

		if (left <= 0)
			return;
		SPI_freetuptable(SPI_tuptable);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(left, POLL_MS), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (look(id, user))
			return;
	}
	SPI_freetuptable(SPI_tuptable);
	sleep_until_ended(id, user, list, end);
}

static void
leave(int code, Datum slot)
{
	pg_atomic_fetch_sub_u32(&((BambiWorkerSlot *) DatumGetPointer(slot))->web_waiters,
							1);
}

/* The same for a session of PostgREST, unless too many sleep already. */
static void
sleep_among_few(const pg_uuid_t *id, const pg_uuid_t *user,
				ConditionVariable *list, TimestampTz end)
{
	BambiWorkerSlot *slot = bambi_my_slot();
	Datum		arg = PointerGetDatum(slot);

	if (pg_atomic_fetch_add_u32(&slot->web_waiters, 1) >= MOST_WEB_WAITERS)
	{
		leave(0, arg);
		(void) look(id, user);
		return;
	}
	/* a terminated backend runs no PG_CATCH */
	PG_ENSURE_ERROR_CLEANUP(leave, arg);
	{
		sleep_until_ended(id, user, list, end);
	}
	PG_END_ENSURE_ERROR_CLEANUP(leave, arg);
	leave(0, arg);
}

static Datum
images(const pg_uuid_t *id, const pg_uuid_t *user)
{
	Datum		values[2];
	bool		is_null;

	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(user);
	(void) bambi_execute(&bambi_client_images, values, NULL);
	return bambi_result(0, 1, &is_null);
}

/* The row, of what the last look saw. */
static Datum
result(FunctionCallInfo fcinfo, const pg_uuid_t *id, const pg_uuid_t *user)
{
	TupleDesc	description;
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};
	HeapTuple	tuple;

	if (get_call_result_type(fcinfo, NULL, &description) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "bambi_wait must return a row");

	values[0] = UUIDPGetDatum(id);
	for (int column = STATUS; column <= COST; column++)
		values[column] = bambi_result(0, column, &nulls[column]);
	if (!has_ended(bambi_result_text(0, STATUS)) &&
		bambi_web_request_is("/rpc/bambi_wait"))
		bambi_web_answer(NULL, "[{\"Retry-After\": \"2\"}]");
	values[RESULT_COLUMNS - 1] = images(id, user);

	tuple = heap_form_tuple(BlessTupleDesc(description), values, nulls);
	return HeapTupleHeaderGetDatum(SPI_returntuple(tuple, description));
}

/* Arguments: id uuid, timeout interval. */
static Datum
wait_for(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "id");
	TimestampTz end = end_of_wait(fcinfo, 1);
	ConditionVariable *list = bambi_waiters_of(id);
	pg_uuid_t	user;

	bambi_require_user(&user);
	if (!look(id, &user) && end > GetCurrentTimestamp())
	{
		refuse_own_change();
		refuse_old_snapshot();
		/* without a worker's slot nobody counts sessions of PostgREST */
		if (bambi_session_is_authenticator())
		{
			if (list != NULL)
				sleep_among_few(id, &user, list, end);
		}
		else if (list != NULL)
			sleep_until_ended(id, &user, list, end);
		else
			poll_until_ended(id, &user, end);
	}
	return result(fcinfo, id, &user);
}

Datum
bambi_wait(PG_FUNCTION_ARGS)
{
	return bambi_client_call(wait_for, fcinfo);
}
