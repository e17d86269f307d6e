/*-------------------------------------------------------------------------
 *
 * shmem.h
 *		What backends, launcher and workers must know of each other.
 *
 * Without shared_preload_libraries there is no shared memory of ours: asking
 * is harmless then, and nothing wakes anybody.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SHMEM_H
#define BAMBI_SHMEM_H

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define BAMBI_MAX_DATABASES	32
#define BAMBI_WAITER_LISTS	64	/* waiters are spread over these by id */
#define BAMBI_ERROR_SIZE	256

typedef enum BambiWorkerState
{
	BAMBI_WORKER_NONE = 0,		/* slot is free */
	BAMBI_WORKER_STARTING,
	BAMBI_WORKER_WAITING,		/* no extension, or no tables yet */
	BAMBI_WORKER_RUNNING,
	BAMBI_WORKER_PAUSED,
	BAMBI_WORKER_STOPPED
} BambiWorkerState;

/* What a commit asks of the worker, as bits. */
#define BAMBI_WAKE_QUEUE	0x01	/* something was queued */
#define BAMBI_WAKE_CANCEL	0x02	/* a cancel of a claimed generation */
#define BAMBI_WAKE_LOOK		0x04	/* pause, resume, setup: read the instance */
#define BAMBI_WAKE_UNLOCK	0x08	/* a row that the worker may have skipped */
#define BAMBI_WAKE_ERRAND	0x10	/* something is in the outbox */
#define BAMBI_WAKE_ASK		0x20	/* a session asks the courier something */
#define BAMBI_WAKE_RESEAL	0x40	/* something is sealed to an old key */
#define BAMBI_WAKE_MAINTAIN 0x80	/* what comes round by the calendar, now */
#define BAMBI_WAKE_MONTHS	0x100	/* a partition is missing */
#define BAMBI_WAKE_CACHE	0x200	/* something is noted for Redis */
#define BAMBI_WAKE_ARCHIVE	0x400	/* something is to be archived */

#define BAMBI_MAX_ASKS		8
#define BAMBI_ASK_SIZE		2048
#define BAMBI_REPLY_SIZE	8192

typedef enum BambiAskState
{
	BAMBI_ASK_FREE = 0,
	BAMBI_ASK_MADE,				/* by a session */
	BAMBI_ASK_SENT,				/* by the worker, to the courier */
	BAMBI_ASK_ANSWERED,
	BAMBI_ASK_ABANDONED			/* sent, and the session has left */
} BambiAskState;

/* A session's question to the courier; the lock of BambiShared protects it. */
typedef struct BambiAsk
{
	BambiAskState state;
	uint32		serial;			/* tells the askers of a place apart */
	bool		is_done;		/* the answer is one */
	char		question[BAMBI_ASK_SIZE];	/* errand, JSON */
	char		reply[BAMBI_REPLY_SIZE];	/* JSON */
} BambiAsk;

/*
 * One database's worker.  The lock of BambiShared protects database, state,
 * pid, procno, courier_pid, held_by, times and last_error; the rest is atomic.
 */
typedef struct BambiWorkerSlot
{
	Oid			database;
	BambiWorkerState state;
	pid_t		pid;
	int			procno;			/* of its PGPROC, -1 if it has none */
	pid_t		courier_pid;
	TimestampTz worker_started_at;
	TimestampTz courier_started_at;
	pid_t		held_by;		/* a session that needs the database without a
								 * worker: see database_ddl.c */
	TimestampTz last_error_at;
	char		last_error[BAMBI_ERROR_SIZE];

	pg_atomic_uint32 asked;		/* BAMBI_WAKE_ bits not yet seen */
	pg_atomic_uint64 virtual_time;	/* highest turn that was claimed */
	pg_atomic_uint64 lowest_queued; /* of the turns that the worker has not
									 * been told of yet, as int64 */
	pg_atomic_uint32 in_flight;
	pg_atomic_uint64 calls;		/* outcomes since the server's start */
	pg_atomic_uint64 failures;
	pg_atomic_uint64 retries;
	pg_atomic_uint64 latency_ms_sum;
	pg_atomic_uint32 courier_starts;
	pg_atomic_uint32 cache_is_on;	/* changes are noted for Redis */

	BambiAsk	asks[BAMBI_MAX_ASKS];
	ConditionVariable ask_answered;

	pg_atomic_uint32 web_waiters;	/* bambi_wait of authenticators' sessions */
	ConditionVariable waiters[BAMBI_WAITER_LISTS];
} BambiWorkerSlot;

/* Size and creation; called by the hooks that bambi.c installs. */
extern void bambi_shmem_request(void);
extern void bambi_shmem_startup(void);
extern bool bambi_shmem_is_there(void);
extern LWLock *bambi_shmem_lock(void);

/*
 * The slot of this session's database, or NULL if no worker ever took one.
 * It stays the same as long as the database is there.
 */
extern BambiWorkerSlot *bambi_my_slot(void);

/* The slot of a database, made if there is none; NULL if all are taken. */
extern BambiWorkerSlot *bambi_slot_of(Oid database, bool make);

/* Gives back the slot of a database that is no more. */
extern void bambi_slot_free(Oid database);

/*
 * Asks the worker of this database for something when the transaction ends:
 * once, and after an abort too, since locks are gone then that it may have
 * passed by.
 */
extern void bambi_wake_at_commit(uint32 wake);

/* The same for something that is queued with this turn. */
extern void bambi_queued_at_commit(int64 turn);

/* The worker: the lowest turn queued since it last asked. */
extern int64 bambi_take_lowest_queued(void);

/* The same at once. */
extern void bambi_wake_now(BambiWorkerSlot *slot, uint32 wake);

/* The launcher: to look at held_by. */
extern void bambi_wake_launcher(void);
extern void bambi_launcher_is_me(bool is_me);

/*
 * Tells the workers of an earlier launcher to go: a new one cannot watch
 * them, and starts its own.
 */
extern void bambi_dismiss_workers(void);

/* Tag of start-time fair queuing: no turn of a new request lies before it. */
extern int64 bambi_virtual_time(void);

/* Where to sleep for a generation to end; NULL without shared memory. */
extern ConditionVariable *bambi_waiters_of(const pg_uuid_t *id);

#endif							/* BAMBI_SHMEM_H */
