/*-------------------------------------------------------------------------
 *
 * launcher.c
 *		Starts and stops one worker per database of bambi.databases.
 *
 * A worker that ends is started again after a delay that grows while it ends
 * at once.  A database that does not exist is looked for again now and then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

#include "launcher.h"
#include "settings.h"
#include "shmem.h"
#include "worker.h"

#define FIRST_DELAY_MS		1000
#define LONGEST_DELAY_MS	(60 * 1000)
#define LASTING_MS			(10 * 1000) /* who ran so long is no crasher */
#define HELD_DELAY_MS		1000
#define MISSING_DELAY_MS	(30 * 1000)

typedef struct Charge
{
	bool		is_used;
	bool		is_wanted;
	char		name[NAMEDATALEN];
	Oid			database;
	BackgroundWorkerHandle *handle; /* NULL if none runs */
	TimestampTz started_at;
	TimestampTz start_at;		/* not before */
	int			delay_ms;
} Charge;

extern PGDLLEXPORT void bambi_launcher_main(Datum arg);

static Charge charges[BAMBI_MAX_DATABASES];

void
bambi_launcher_register(void)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		/* not on a standby (rule W7) */
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = 1,
	};

	strlcpy(worker.bgw_name, "bambi launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "bambi launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "bambi", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "bambi_launcher_main", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

static Charge *
charge_of(const char *name)
{
	Charge	   *free_one = NULL;

	for (int i = 0; i < BAMBI_MAX_DATABASES; i++)
	{
		if (charges[i].is_used && strcmp(charges[i].name, name) == 0)
			return &charges[i];
		if (!charges[i].is_used && free_one == NULL)
			free_one = &charges[i];
	}
	if (free_one)
	{
		memset(free_one, 0, sizeof(*free_one));
		free_one->is_used = true;
		strlcpy(free_one->name, name, NAMEDATALEN);
	}
	return free_one;
}

static void
read_databases(void)
{
	char	   *text = pstrdup(bambi_databases);
	List	   *names;
	ListCell   *cell;

	for (int i = 0; i < BAMBI_MAX_DATABASES; i++)
		charges[i].is_wanted = false;
	if (!SplitIdentifierString(text, ',', &names))
	{
		ereport(LOG,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("list syntax is invalid in bambi.databases")));
		return;
	}
	foreach(cell, names)
	{
		Charge	   *charge = charge_of(lfirst(cell));

		if (charge)
			charge->is_wanted = true;
		else
			ereport(LOG,
					(errmsg("bambi serves at most %d databases",
							BAMBI_MAX_DATABASES)));
	}
}

/*
 * Finds the database by its name, and gives back the slot of a dropped one.
 *
 * As autovacuum's launcher does, by a scan: this process has no database, and
 * in a new cluster it cannot use the indexes of shared catalogs yet.
 */
static void
look_up_database(Charge *charge)
{
	Oid			before = charge->database;
	bool		is_dropped = OidIsValid(before);
	Relation	databases;
	TableScanDesc scan;
	HeapTuple	tuple;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	databases = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(databases, 0, NULL);
	charge->database = InvalidOid;
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		if (strcmp(NameStr(database->datname), charge->name) == 0)
			charge->database = database->oid;
		if (database->oid == before)
			is_dropped = false;
	}
	table_endscan(scan);
	table_close(databases, AccessShareLock);
	CommitTransactionCommand();
	if (is_dropped)
		bambi_slot_free(before);
}

/*
 * Somebody woke us: what was missing may be there now, and what was dropped
 * may have been made anew.  The delay of a worker that ended is not another
 * database's.
 */
static void
look_again(Charge *charge)
{
	Oid			before = charge->database;

	if (!charge->is_used || charge->handle != NULL)
		return;
	look_up_database(charge);
	if (charge->database == before)
		return;
	charge->delay_ms = 0;
	charge->start_at = 0;
}

static void
start(Charge *charge, TimestampTz now)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_notify_pid = MyProcPid,
	};

	look_up_database(charge);
	if (!OidIsValid(charge->database))
	{
		charge->start_at = TimestampTzPlusMilliseconds(now, MISSING_DELAY_MS);
		return;
	}
	snprintf(worker.bgw_name, BGW_MAXLEN, "bambi worker: %s", charge->name);
	strlcpy(worker.bgw_type, "bambi worker", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "bambi", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "bambi_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_extra, charge->name, BGW_EXTRALEN);
	worker.bgw_main_arg = ObjectIdGetDatum(charge->database);

	charge->started_at = now;
	if (!RegisterDynamicBackgroundWorker(&worker, &charge->handle))
	{
		charge->handle = NULL;
		charge->start_at = TimestampTzPlusMilliseconds(now, LONGEST_DELAY_MS);
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start the bambi worker of database \"%s\"",
						charge->name),
				 errhint("Increase max_worker_processes.")));
	}
}

/* True if the worker is gone, and forgotten. */
static bool
is_gone(Charge *charge, TimestampTz now)
{
	pid_t		pid;

	if (charge->handle == NULL)
		return true;
	if (GetBackgroundWorkerPid(charge->handle, &pid) != BGWH_STOPPED)
		return false;
	pfree(charge->handle);
	charge->handle = NULL;
	if (TimestampDifferenceExceeds(charge->started_at, now, LASTING_MS))
		charge->delay_ms = 0;
	charge->delay_ms = Min(Max(FIRST_DELAY_MS, charge->delay_ms * 2),
						   LONGEST_DELAY_MS);
	charge->start_at = TimestampTzPlusMilliseconds(now, charge->delay_ms);
	return true;
}

/*
 * Whether a session wants the database to be without a worker.  One that died
 * over it does not count.
 */
static bool
is_held(Charge *charge)
{
	BambiWorkerSlot *slot = bambi_slot_of(charge->database, false);
	pid_t		holder;

	if (slot == NULL || !OidIsValid(charge->database))
		return false;
	LWLockAcquire(bambi_shmem_lock(), LW_SHARED);
	holder = slot->held_by;
	LWLockRelease(bambi_shmem_lock());
	return holder != 0 && BackendPidGetProc(holder) != NULL;
}

/* Does what is due; gives the time of the next thing to do, or 0. */
static TimestampTz
care_for(Charge *charge, TimestampTz now)
{
	bool		is_running = !is_gone(charge, now);

	if (!charge->is_wanted)
	{
		if (is_running)
			TerminateBackgroundWorker(charge->handle);
		else
			charge->is_used = false;
		return 0;
	}
	if (is_held(charge))
	{
		if (is_running)
			TerminateBackgroundWorker(charge->handle);
		charge->start_at = 0;
		return TimestampTzPlusMilliseconds(now, HELD_DELAY_MS);
	}
	if (!is_running && charge->start_at <= now)
	{
		start(charge, now);
		is_running = charge->handle != NULL;
	}
	return is_running ? 0 : charge->start_at;
}

static void
leave(int code, Datum arg)
{
	bambi_launcher_is_me(false);
}

/* Milliseconds until something is due, or -1. */
static long
care_for_all(void)
{
	static TimestampTz before = 0;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = 0;

	for (int i = 0; i < BAMBI_MAX_DATABASES; i++)
	{
		TimestampTz at;

		if (!charges[i].is_used)
			continue;
		if (now < before)
			charges[i].start_at = 0;	/* somebody set the clock back */
		at = care_for(&charges[i], now);
		if (at != 0 && (next == 0 || at < next))
			next = at;
	}
	before = now;
	return next ? TimestampDifferenceMilliseconds(now, next) + 1 : -1;
}

void
bambi_launcher_main(Datum arg)
{
	MemoryContext context;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	before_shmem_exit(leave, (Datum) 0);
	bambi_launcher_is_me(true);
	bambi_dismiss_workers();

	context = AllocSetContextCreate(TopMemoryContext, "bambi launcher",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	read_databases();
	while (!ShutdownRequestPending)
	{
		/* a lock that read_databases() waited for may have taken the latch */
		long		timeout = ConfigReloadPending ? 0 : care_for_all();
		bool		is_woken;

		MemoryContextSwitchTo(context);
		is_woken = (WaitLatch(MyLatch,
							  WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
							  (timeout >= 0 ? WL_TIMEOUT : 0),
							  timeout, PG_WAIT_EXTENSION) & WL_LATCH_SET) != 0;
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			read_databases();
			for (int i = 0; i < BAMBI_MAX_DATABASES; i++)
				charges[i].start_at = 0;
		}
		if (is_woken)
			for (int i = 0; i < BAMBI_MAX_DATABASES; i++)
				look_again(&charges[i]);
	}
	/* with 0 it would never be started again, whoever told it to go */
	proc_exit(1);
}
