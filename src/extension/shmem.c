/*-------------------------------------------------------------------------
 *
 * shmem.c
 *		What backends, launcher and workers must know of each other.
 *
 * Processes are named by their number in the server's array, not by pointer:
 * a latch that is set for a process already gone wakes its successor for
 * nothing, which is harmless.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"

#include "point.h"
#include "shmem.h"

#define TRANCHE		"bambi"

typedef struct BambiShared
{
	LWLock	   *lock;
	int			launcher_procno;	/* protected by lock; -1 if there is none */
	BambiWorkerSlot slots[BAMBI_MAX_DATABASES];
} BambiShared;

static BambiShared *shared = NULL;

/* What this transaction asks for when it ends. */
static uint32 wake_at_end = 0;
static int64 lowest_queued_at_end = PG_INT64_MAX;
static bool callback_is_registered = false;

void
bambi_shmem_request(void)
{
	RequestAddinShmemSpace(sizeof(BambiShared));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
initialize_slot(BambiWorkerSlot *slot)
{
	memset(slot, 0, sizeof(*slot));
	slot->procno = -1;
	pg_atomic_init_u32(&slot->asked, 0);
	pg_atomic_init_u64(&slot->virtual_time, 0);
	pg_atomic_init_u64(&slot->lowest_queued, (uint64) PG_INT64_MAX);
	pg_atomic_init_u32(&slot->in_flight, 0);
	pg_atomic_init_u64(&slot->calls, 0);
	pg_atomic_init_u64(&slot->failures, 0);
	pg_atomic_init_u64(&slot->retries, 0);
	pg_atomic_init_u64(&slot->latency_ms_sum, 0);
	pg_atomic_init_u32(&slot->courier_starts, 0);
	pg_atomic_init_u32(&slot->cache_is_on, 0);
	pg_atomic_init_u32(&slot->web_waiters, 0);
	ConditionVariableInit(&slot->ask_answered);
	for (int i = 0; i < BAMBI_WAITER_LISTS; i++)
		ConditionVariableInit(&slot->waiters[i]);
}

void
bambi_shmem_startup(void)
{
	bool		found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("bambi", sizeof(BambiShared), &found);
	if (!found)
	{
		shared->lock = &(GetNamedLWLockTranche(TRANCHE))->lock;
		shared->launcher_procno = -1;
		for (int i = 0; i < BAMBI_MAX_DATABASES; i++)
			initialize_slot(&shared->slots[i]);
	}
	LWLockRelease(AddinShmemInitLock);
}

bool
bambi_shmem_is_there(void)
{
	return shared != NULL;
}

LWLock *
bambi_shmem_lock(void)
{
	return shared->lock;
}

BambiWorkerSlot *
bambi_slot_of(Oid database, bool make)
{
	BambiWorkerSlot *found = NULL;
	BambiWorkerSlot *free_one = NULL;

	if (shared == NULL)
		return NULL;

	LWLockAcquire(shared->lock, make ? LW_EXCLUSIVE : LW_SHARED);
	for (int i = 0; i < BAMBI_MAX_DATABASES; i++)
	{
		BambiWorkerSlot *slot = &shared->slots[i];

		if (slot->database == database)
		{
			found = slot;
			break;
		}
		/* not at once: its own may come behind one that was given back */
		if (free_one == NULL && !OidIsValid(slot->database))
			free_one = slot;
	}
	if (found == NULL && make && free_one != NULL)
	{
		found = free_one;
		found->database = database;
	}
	LWLockRelease(shared->lock);
	return found;
}

void
bambi_slot_free(Oid database)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < BAMBI_MAX_DATABASES; i++)
	{
		if (OidIsValid(database) && shared->slots[i].database == database)
			initialize_slot(&shared->slots[i]);
	}
	LWLockRelease(shared->lock);
}

BambiWorkerSlot *
bambi_my_slot(void)
{
	static BambiWorkerSlot *mine = NULL;

	if (mine == NULL)
		mine = bambi_slot_of(MyDatabaseId, false);
	return mine;
}

static void
set_latch_of(int procno)
{
	if (procno >= 0)
		SetLatch(&ProcGlobal->allProcs[procno].procLatch);
}

void
bambi_wake_now(BambiWorkerSlot *slot, uint32 wake)
{
	/* Somebody has asked for this already, and it has not been seen yet. */
	if ((pg_atomic_fetch_or_u32(&slot->asked, wake) & wake) == wake)
		return;
	set_latch_of(slot->procno);
}

void
bambi_wake_launcher(void)
{
	int			procno;

	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_SHARED);
	procno = shared->launcher_procno;
	LWLockRelease(shared->lock);
	set_latch_of(procno);
}

static void
lower_lowest_queued(BambiWorkerSlot *slot, int64 turn)
{
	uint64		lowest = pg_atomic_read_u64(&slot->lowest_queued);

	while (turn < (int64) lowest &&
		   !pg_atomic_compare_exchange_u64(&slot->lowest_queued, &lowest,
										   (uint64) turn))
		;
}

int64
bambi_take_lowest_queued(void)
{
	return (int64) pg_atomic_exchange_u64(&bambi_my_slot()->lowest_queued,
										  (uint64) PG_INT64_MAX);
}

/*
 * After an abort there is nothing new, but a row lock is gone that the worker
 * may have passed by.
 */
static void
at_transaction_end(XactEvent event, void *arg)
{
	uint32		wake = wake_at_end;
	int64		turn = lowest_queued_at_end;
	BambiWorkerSlot *slot;

	if (wake == 0)
		return;

	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
			wake = BAMBI_WAKE_UNLOCK;
			turn = PG_INT64_MAX;
			break;
		case XACT_EVENT_PRE_PREPARE:
			/* nothing of ours runs when it is committed, perhaps years later */
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction in which bambi has something to do"),
					 errhint("Call bambi's functions in a transaction that ends by COMMIT.")));
			return;
		default:
			return;
	}

	wake_at_end = 0;
	lowest_queued_at_end = PG_INT64_MAX;
	if (event == XACT_EVENT_COMMIT)
		BAMBI_POINT("enqueue-committed");
	slot = bambi_my_slot();
	if (slot)
	{
		/* first: who is woken shall find it */
		lower_lowest_queued(slot, turn);
		bambi_wake_now(slot, wake);
	}
	else
		bambi_wake_launcher();	/* it may not know this database yet */
}

void
bambi_wake_at_commit(uint32 wake)
{
	if (shared == NULL)
		return;
	if (!callback_is_registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		callback_is_registered = true;
	}
	wake_at_end |= wake;
}

void
bambi_queued_at_commit(int64 turn)
{
	bambi_wake_at_commit(BAMBI_WAKE_QUEUE);
	lowest_queued_at_end = Min(lowest_queued_at_end, turn);
}

void
bambi_dismiss_workers(void)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < BAMBI_MAX_DATABASES; i++)
	{
		pid_t		pid = shared->slots[i].pid;

		if (pid != 0 && BackendPidGetProc(pid) != NULL)
			kill(pid, SIGTERM);
	}
	LWLockRelease(shared->lock);
}

void
bambi_launcher_is_me(bool is_me)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher_procno = is_me ? MyProc->pgprocno : -1;
	LWLockRelease(shared->lock);
}

int64
bambi_virtual_time(void)
{
	BambiWorkerSlot *slot = bambi_my_slot();

	return slot ? (int64) pg_atomic_read_u64(&slot->virtual_time) : 0;
}

ConditionVariable *
bambi_waiters_of(const pg_uuid_t *id)
{
	BambiWorkerSlot *slot = bambi_my_slot();
	uint32		hash;

	if (slot == NULL)
		return NULL;
	hash = DatumGetUInt32(hash_any(id->data, UUID_LEN));
	return &slot->waiters[hash % BAMBI_WAITER_LISTS];
}
