/*-------------------------------------------------------------------------
 *
 * ask.c
 *		What a session asks of the courier, through the worker, and waits
 *		for.
 *
 * There are few places to ask from: whoever finds none free, or no courier, is
 * told to try later rather than made to wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "ask.h"
#include "refuse.h"
#include "shmem.h"

static void
refuse(const char *detail)
{
	bambi_refuse(BAMBI_TRY_LATER, NULL, detail, NULL);
}

/* A place, while it is ours. */
typedef struct Tenancy
{
	BambiAsk   *ask;
	uint32		serial;
} Tenancy;

/* A place with the question in it; refuses where there is none. */
static Tenancy
make_ask(BambiWorkerSlot *slot, const char *question)
{
	BambiAsk   *found = NULL;
	Tenancy		tenancy = {0};
	bool		has_courier;

	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	has_courier = slot->courier_pid != 0;
	for (int i = 0; i < BAMBI_MAX_ASKS && has_courier && !found; i++)
	{
		if (slot->asks[i].state == BAMBI_ASK_FREE)
			found = &slot->asks[i];
	}
	if (found)
	{
		found->state = BAMBI_ASK_MADE;
		tenancy.ask = found;
		tenancy.serial = ++found->serial;
		strlcpy(found->question, question, sizeof(found->question));
	}
	LWLockRelease(bambi_shmem_lock());
	if (!has_courier)
		refuse("The worker of this database has no courier at the moment.");
	if (found == NULL)
		refuse("Too many sessions ask the courier at the same moment.");
	return tenancy;
}

/* The reply, if it is there; its place is free then. */
static char *
take_reply(const Tenancy *tenancy, bool *is_done)
{
	BambiAsk   *ask = tenancy->ask;
	char	   *reply = NULL;

	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	if (ask->serial == tenancy->serial && ask->state == BAMBI_ASK_ANSWERED)
	{
		reply = pstrdup(ask->reply);
		*is_done = ask->is_done;
		ask->state = BAMBI_ASK_FREE;
	}
	LWLockRelease(bambi_shmem_lock());
	return reply;
}

/* Also when the session ends meanwhile. */
static void
leave(int code, Datum argument)
{
	Tenancy    *tenancy = (Tenancy *) DatumGetPointer(argument);
	BambiAsk   *ask = tenancy->ask;

	(void) code;
	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	if (ask->serial == tenancy->serial && ask->state != BAMBI_ASK_FREE)
		ask->state = ask->state == BAMBI_ASK_SENT ? BAMBI_ASK_ABANDONED :
			BAMBI_ASK_FREE;
	LWLockRelease(bambi_shmem_lock());
}

static char *
wait_for_reply(BambiWorkerSlot *slot, const Tenancy *tenancy, int patience_ms,
			   bool *is_done)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													patience_ms);
	char	   *reply;

	ConditionVariablePrepareToSleep(&slot->ask_answered);
	while ((reply = take_reply(tenancy, is_done)) == NULL)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														   until);

		if (left <= 0)
			break;
		(void) ConditionVariableTimedSleep(&slot->ask_answered, left,
										   PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
	return reply;
}

char *
bambi_ask_courier(const char *question, int patience_ms, bool *is_done)
{
	BambiWorkerSlot *slot = bambi_my_slot();
	Tenancy		tenancy;
	char	   *reply = NULL;

	if (slot == NULL)
		refuse("This database has no worker.");
	tenancy = make_ask(slot, question);
	PG_ENSURE_ERROR_CLEANUP(leave, PointerGetDatum(&tenancy));
	{
		bambi_wake_now(slot, BAMBI_WAKE_ASK);
		reply = wait_for_reply(slot, &tenancy, patience_ms, is_done);
	}
	PG_END_ENSURE_ERROR_CLEANUP(leave, PointerGetDatum(&tenancy));
	leave(0, PointerGetDatum(&tenancy));
	if (reply == NULL)
		refuse("There was no answer in time.");
	return reply;
}

/* ---- the worker's side ---- */

void
bambi_asks_send(void)
{
	BambiWorkerSlot *slot = bambi_my_slot();

	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < BAMBI_MAX_ASKS; i++)
	{
		BambiAsk   *ask = &slot->asks[i];
		FrameHead	head = {.type = FRAME_ERRAND};

		if (ask->state != BAMBI_ASK_MADE)
			continue;
		head.tag = ((uint64) ask->serial << 16) | BAMBI_ASK_TAG | i;
		bambi_courier_append(&head, NULL, ask->question);
		ask->state = BAMBI_ASK_SENT;
	}
	LWLockRelease(bambi_shmem_lock());
}

static void
answer(BambiAsk *ask, bool is_done, const char *reply, int length)
{
	if (ask->state == BAMBI_ASK_ABANDONED)
		ask->state = BAMBI_ASK_FREE;
	if (ask->state != BAMBI_ASK_SENT)
		return;
	ask->state = BAMBI_ASK_ANSWERED;
	ask->is_done = is_done && length < BAMBI_REPLY_SIZE;
	strlcpy(ask->reply, ask->is_done || !is_done ? reply :
			"{\"error\":\"the answer is too long\"}",
			Min(length + 1, BAMBI_REPLY_SIZE));
}

void
bambi_ask_answered(const BambiFrame *frame)
{
	BambiWorkerSlot *slot = bambi_my_slot();
	int			i = frame->head.tag & (BAMBI_ASK_TAG - 1);
	uint32		serial = (uint32) (frame->head.tag >> 16);

	if (i >= BAMBI_MAX_ASKS || frame->json == NULL)
		return;
	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	if (slot->asks[i].serial == serial)
		answer(&slot->asks[i], frame->head.status == 1,
			   VARDATA_ANY(frame->json), VARSIZE_ANY_EXHDR(frame->json));
	LWLockRelease(bambi_shmem_lock());
	ConditionVariableBroadcast(&slot->ask_answered);
}

void
bambi_asks_lost(void)
{
	static const char lost[] = "{\"error\":\"the courier is gone\"}";
	BambiWorkerSlot *slot = bambi_my_slot();

	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < BAMBI_MAX_ASKS; i++)
		answer(&slot->asks[i], false, lost, sizeof(lost) - 1);
	LWLockRelease(bambi_shmem_lock());
	ConditionVariableBroadcast(&slot->ask_answered);
}
