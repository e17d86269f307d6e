/*-------------------------------------------------------------------------
 *
 * cancel.c
 *		bambi_cancel: the owner wants this generation no more.
 *
 * The user's row is locked first, as by all who want it in the end: the count
 * goes back there.  The queue row is the mutex of a pending generation;
 * the worker passes it by meanwhile (rule D12) and is told when the lock is
 * gone.  What was not claimed ends here.  What was claimed is the worker's:
 * it aborts the call if no byte was sent, and lets it end otherwise, because
 * aborting does not stop the bill (rule D15).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "client.h"
#include "identity.h"
#include "quota.h"
#include "refuse.h"
#include "shmem.h"
#include "statements_client.h"
#include "wait.h"

/* Retries that come between our looks: an accident, not a rule. */
#define MOST_LOOKS		10

PG_FUNCTION_INFO_V1(bambi_cancel);

/* A locked generation. */
typedef struct Pending
{
	Datum		values[3];		/* id, user, now: as the statements take them */
	bool		is_in_queue;
	bool		is_claimed;
	char	   *status;
	bool		has_period;
	TimestampTz period;			/* of its quota reservation */
} Pending;

static bool
is_in_state(const Pending *pending, const char *status)
{
	return strcmp(pending->status, status) == 0;
}

static void
lock_once(Pending *pending)
{
	bool		is_null;

	pending->is_in_queue =
		bambi_execute(&bambi_client_lock_queued, pending->values, NULL) > 0;
	pending->is_claimed = pending->is_in_queue &&
		DatumGetBool(bambi_result(0, 1, &is_null));

	if (bambi_execute(&bambi_client_lock_generation, pending->values,
					  NULL) == 0)
		bambi_refuse(BAMBI_NOT_FOUND, "generation does not exist", NULL,
					 "See bambi_generations for yours.");
	pending->status = bambi_result_text(0, 1);
	pending->period = DatumGetTimestampTz(bambi_result(0, 2, &is_null));
	pending->has_period = !is_null;
}

/*
 * A generation that is pending has a queue row; if it has none, another
 * session was just retrying it, and the next look sees what came of that.
 */
static void
lock(Pending *pending)
{
	for (int look = 0; look < MOST_LOOKS; look++)
	{
		lock_once(pending);
		if (pending->is_in_queue || !is_in_state(pending, "queued"))
			return;
	}
	bambi_refuse(BAMBI_TRY_LATER, NULL, NULL, NULL);
}

/* Ends it by a statement that forgets its reservation. */
static void
end(Pending *pending, BambiStatement *statement, const pg_uuid_t *id,
	const pg_uuid_t *user)
{
	bambi_execute(statement, pending->values, NULL);
	if (pending->has_period)
		bambi_quota_release(user, pending->period);
	bambi_tell_waiters_at_commit(id);
}

/* Arguments: id uuid.  Gives the status that it has now. */
static Datum
cancel(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "id");
	pg_uuid_t	user;
	Pending		pending;

	bambi_lock_user(&user);
	pending.values[0] = UUIDPGetDatum(id);
	pending.values[1] = UUIDPGetDatum(&user);
	pending.values[2] = TimestampTzGetDatum(GetCurrentTimestamp());

	bambi_wake_at_commit(BAMBI_WAKE_UNLOCK);
	lock(&pending);

	if (pending.is_claimed)
	{
		bambi_execute(&bambi_client_cancel_claimed, pending.values, NULL);
		bambi_wake_at_commit(BAMBI_WAKE_QUEUE | BAMBI_WAKE_CANCEL);
		return bambi_return_text("running");
	}
	if (pending.is_in_queue || is_in_state(&pending, "held"))
	{
		end(&pending, &bambi_client_cancel_queued, id, &user);
		return bambi_return_text("cancelled");
	}
	if (is_in_state(&pending, "uncertain"))
	{
		end(&pending, &bambi_client_write_off, id, &user);
		return bambi_return_text("failed");
	}
	if (!is_in_state(&pending, "cancelled"))
		bambi_refuse(BAMBI_WRONG_STATE, "generation has already ended",
					 psprintf("It is %s.", pending.status), NULL);
	return bambi_return_text("cancelled");
}

Datum
bambi_cancel(PG_FUNCTION_ARGS)
{
	return bambi_client_call(cancel, fcinfo);
}
