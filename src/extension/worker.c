/*-------------------------------------------------------------------------
 *
 * worker.c
 *		One database's worker: claim, hand over, settle, maintain.
 *
 * The loop never blocks but in wait_for_work, and no transaction is open
 * there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "agenda.h"
#include "archive.h"
#include "ask.h"
#include "cache.h"
#include "calls.h"
#include "courier_life.h"
#include "courier_settings.h"
#include "erase.h"
#include "errands.h"
#include "gate.h"
#include "lanes.h"
#include "maintain.h"
#include "months.h"
#include "point.h"
#include "progress.h"
#include "promotion.h"
#include "reseal.h"
#include "retention.h"
#include "rotate.h"
#include "settle.h"
#include "transaction.h"
#include "turn.h"
#include "worker.h"

BambiAgenda bambi_agenda = {.is_paused = true};

static BambiWorkerSlot *slot;
static WaitEventSet *events = NULL;
static pg_uuid_t events_incarnation;	/* of the courier in the set */
static int	courier_event;
static bool courier_event_writes;

void
bambi_set_state(BambiWorkerState state)
{
	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	slot->state = state;
	LWLockRelease(bambi_shmem_lock());
}

static void
see_what_was_asked(TimestampTz now)
{
	uint32		asked = pg_atomic_exchange_u32(&slot->asked, 0);

	if (asked & BAMBI_WAKE_LOOK)
		bambi_agenda.must_read_instance = true;
	if (asked & BAMBI_WAKE_CANCEL)
		bambi_agenda.must_cancel = true;
	if (asked & (BAMBI_WAKE_QUEUE | BAMBI_WAKE_UNLOCK))
		bambi_agenda.may_have_work = true;
	if (asked & BAMBI_WAKE_ERRAND)
		bambi_agenda.errands_at = now;
	if (asked & BAMBI_WAKE_RESEAL)
		bambi_agenda.reseal_at = now;
	if (asked & BAMBI_WAKE_MAINTAIN)
	{
		bambi_agenda.maintain_at = now;
		bambi_retention_ask(now);
	}
	if (asked & BAMBI_WAKE_MONTHS)
		bambi_agenda.months_at = now;
	if (asked & BAMBI_WAKE_ERASE)
		bambi_agenda.erase_at = now;
	if (asked & BAMBI_WAKE_ARCHIVE)
		bambi_agenda.archive_at = now;
	if (asked & BAMBI_WAKE_CACHE)
		bambi_cache_woken(now);
	if (asked & BAMBI_WAKE_ASK)
		bambi_agenda.must_ask = true;
	if (asked & BAMBI_WAKE_UNLOCK)
		bambi_lanes_forget();
	if ((asked & BAMBI_WAKE_UNLOCK) && bambi_agenda.settle_at != 0)
		bambi_agenda.settle_at = now;
}

static void
reread_settings_if_asked(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	if (bambi_courier_is_there())
		bambi_courier_send_settings();
	else
		bambi_agenda.courier_at = GetCurrentTimestamp();
	bambi_agenda.may_have_work = true;
	bambi_agenda.maintain_at = GetCurrentTimestamp();
	bambi_agenda.errands_at = bambi_agenda.maintain_at;
	bambi_cache_try_again(bambi_agenda.maintain_at);
}

/*
 * Whether somebody has told us something that no turn has seen.  The latch may
 * be gone that was set for it: a lock or a helper of a query, waited for in the
 * middle of a turn, takes it.  And nobody would set it again, as all that is
 * asked for stands there already.
 */
static bool
was_told(void)
{
	return pg_atomic_read_u32(&slot->asked) != 0 || ConfigReloadPending ||
		ShutdownRequestPending;
}

/* Milliseconds to sleep, -1 for until something happens. */
static long
time_to_wait(void)
{
	TimestampTz deadline = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (was_told() || bambi_turn_is_needed(now))
		return 0;
	sooner(&deadline, bambi_agenda.adopt_at);
	sooner(&deadline, bambi_agenda.check_at);
	sooner(&deadline, bambi_agenda.delayed_at);
	sooner(&deadline, bambi_agenda.settle_at);
	sooner(&deadline, bambi_agenda.promotion_at);
	sooner(&deadline, bambi_agenda.months_at);
	sooner(&deadline, bambi_agenda.maintain_at);
	if (!bambi_agenda.is_paused)
	{
		sooner(&deadline, bambi_agenda.retention_at);
		sooner(&deadline, bambi_agenda.erase_at);
	}
	if (!bambi_agenda.is_paused && bambi_courier_is_there())
	{
		sooner(&deadline, bambi_agenda.errands_at);
		sooner(&deadline, bambi_agenda.reseal_at);
		sooner(&deadline, bambi_agenda.cache_at);
		sooner(&deadline, bambi_agenda.archive_at);
	}
	if (bambi_agenda.claim_at > now)
		sooner(&deadline, bambi_agenda.claim_at);
	if (!bambi_courier_is_there())
		sooner(&deadline, bambi_agenda.courier_at);
	if (deadline == 0)
		return -1;
	/* one more, since a wait is cut to whole milliseconds */
	return TimestampDifferenceMilliseconds(now, deadline) + 1;
}

/* A set cannot drop a socket, so each courier has a set of its own. */
static void
make_events(void)
{
	if (events)
		FreeWaitEventSet(events);
	events = CreateWaitEventSet(TopMemoryContext, 3);
	AddWaitEventToSet(events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL,
					  NULL);
	courier_event = -1;
	courier_event_writes = false;
	events_incarnation = bambi_calls.incarnation;
	if (bambi_courier_is_there())
		courier_event = AddWaitEventToSet(events, WL_SOCKET_READABLE,
										  bambi_courier_socket(), NULL, NULL);
}

static void
wait_for_work(long timeout, bool must_write)
{
	WaitEvent	event;

	if (events == NULL || memcmp(&events_incarnation,
								 &bambi_calls.incarnation, UUID_LEN) != 0)
		make_events();
	if (courier_event >= 0 && must_write != courier_event_writes)
	{
		ModifyWaitEvent(events, courier_event,
						WL_SOCKET_READABLE |
						(must_write ? WL_SOCKET_WRITEABLE : 0), NULL);
		courier_event_writes = must_write;
	}
	pgstat_report_activity(STATE_IDLE, NULL);
	(void) WaitEventSetWait(events, timeout, &event, 1, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	pgstat_report_activity(STATE_RUNNING, "bambi: a turn");
}

/* Whoever set the clock back did not mean to put off what was due soon. */
static void
mind_the_clock(TimestampTz now)
{
	static TimestampTz before = 0;
	TimestampTz *const times[] = {
		&bambi_agenda.claim_at, &bambi_agenda.adopt_at,
		&bambi_agenda.delayed_at, &bambi_agenda.check_at,
		&bambi_agenda.settle_at, &bambi_agenda.promotion_at,
		&bambi_agenda.months_at, &bambi_agenda.maintain_at,
		&bambi_agenda.retention_at, &bambi_agenda.courier_at,
		&bambi_agenda.errands_at, &bambi_agenda.reseal_at,
		&bambi_agenda.cache_at, &bambi_agenda.erase_at,
		&bambi_agenda.archive_at
	};

	for (int i = 0; now < before && i < (int) lengthof(times); i++)
	{
		if (*times[i] != 0)
			*times[i] = now;
	}
	before = now;
}

static void
run_once(void)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		did_claim = false;
	bool		must_write;

	mind_the_clock(now);
	reread_settings_if_asked();
	see_what_was_asked(now);
	bambi_courier_care(now);
	bambi_courier_listen(now);
	bambi_progress_run(now);
	bambi_months_run(now);
	if (bambi_turn_is_needed(now))
		did_claim = bambi_turn_run(now);
	bambi_promotion_run(now);
	if (bambi_settle_has_uncertain())
		sooner(&bambi_agenda.maintain_at, now + BAMBI_WRITE_OFF_AFTER);
	bambi_maintain(now);
	bambi_retention_run(now);
	bambi_rotation_run(now);
	bambi_erase_run(now);
	bambi_errands_run(now);
	bambi_reseal_run(now);
	bambi_cache_run(now);
	bambi_archive_run(now);
	if (bambi_agenda.must_ask && bambi_courier_is_there())
	{
		bambi_agenda.must_ask = false;
		bambi_asks_send();
	}
	must_write = bambi_courier_send();
	if (did_claim)
		BAMBI_POINT("jobs-sent");
	pg_atomic_write_u32(&slot->in_flight,
						bambi_calls.used - bambi_calls.answered);
	wait_for_work(time_to_wait(), must_write);
}

static void
leave_slot(int code, Datum arg)
{
	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	slot->state = BAMBI_WORKER_STOPPED;
	slot->pid = 0;
	slot->procno = -1;
	slot->courier_pid = 0;
	LWLockRelease(bambi_shmem_lock());
	pg_atomic_write_u32(&slot->in_flight, 0);
	pg_atomic_write_u32(&slot->cache_is_on, 0);
}

/* One that an earlier launcher started may still be about to go. */
static bool
slot_is_taken(void)
{
	return slot->pid != 0 && slot->pid != MyProcPid &&
		BackendPidGetProc(slot->pid) != NULL;
}

static void
take_slot(void)
{
	slot = bambi_slot_of(MyDatabaseId, true);
	if (slot == NULL)
		ereport(FATAL,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("bambi serves at most %d databases",
						BAMBI_MAX_DATABASES)));
	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	if (slot_is_taken())
	{
		LWLockRelease(bambi_shmem_lock());
		ereport(FATAL,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("this database has a bambi worker already")));
	}
	before_shmem_exit(leave_slot, (Datum) 0);
	slot->state = BAMBI_WORKER_STARTING;
	slot->pid = MyProcPid;
	slot->procno = MyProc->pgprocno;
	slot->worker_started_at = GetCurrentTimestamp();
	LWLockRelease(bambi_shmem_lock());
}

/*
 * The worker is the owner of the tables and no more: what stands in them, it
 * may do, and nothing else in the database.
 */
static void
become_owner(TimestampTz now)
{
	SPI_execute("SET SESSION AUTHORIZATION bambi_owner", false, 0);
}

static void
set_session(void)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"lock_timeout", "100ms"},
		{"statement_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{"synchronous_commit", "on"},
		/* What text means, whatever the database's sessions prefer. */
		{"datestyle", "ISO, MDY"},
		{"intervalstyle", "postgres"},
		{"standard_conforming_strings", "on"},
		{"quote_all_identifiers", "off"},
		{"array_nulls", "on"},
		/* Or each check of a foreign key is planned anew. */
		{"plan_cache_mode", "force_generic_plan"},
		/* Kept plans were made when the tables were small. */
		{"enable_hashjoin", "off"},
		{"enable_mergejoin", "off"},
		{"enable_seqscan", "off"},
		{"enable_bitmapscan", "off"},	/* it would sort the whole queue */
		{"jit", "off"},
	};

	for (int i = 0; i < (int) lengthof(settings); i++)
		SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET,
						PGC_S_OVERRIDE);
}

/*
 * What has come back is settled; what still runs, the courier ends and
 * spools, and the next worker adopts.
 */
static void
take_leave(void)
{
	TimestampTz now = GetCurrentTimestamp();

	bambi_courier_listen(now);
	if (bambi_calls.answered > 0)
		(void) bambi_turn_run(now);
	(void) bambi_courier_send();
	bambi_courier_let_go();
}

void
bambi_worker_main(Datum arg)
{
	TimestampTz now;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg),
											  InvalidOid, 0);
	take_slot();
	set_session();
	bambi_gate_wait();
	if (!bambi_in_transaction(become_owner, GetCurrentTimestamp()))
		proc_exit(1);
	bambi_calls_initialize();
	bambi_courier_initialize();
	bambi_asks_lost();			/* those of a worker before this one */

	now = GetCurrentTimestamp();
	bambi_turn_begin(now);
	bambi_agenda.promotion_at = now;	/* who is promoted has a new worker */
	bambi_agenda.months_at = now;
	bambi_agenda.maintain_at = now;
	bambi_agenda.retention_at = now;
	bambi_agenda.courier_at = now;
	bambi_agenda.errands_at = now;
	bambi_agenda.reseal_at = now;
	bambi_agenda.erase_at = now;
	bambi_agenda.must_ask = true;	/* what it was asked and did not pass on */
	while (!ShutdownRequestPending)
		run_once();
	take_leave();
	proc_exit(1);
}
