/*-------------------------------------------------------------------------
 *
 * status.c
 *		What shared memory knows of this database's worker.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#include "settings.h"
#include "shmem.h"

PG_FUNCTION_INFO_V1(bambi_worker_status);
PG_FUNCTION_INFO_V1(bambi_wake_worker);

#define STATUS_COLUMNS	13

static const char *const state_names[] = {
	[BAMBI_WORKER_NONE] = "none",
	[BAMBI_WORKER_STARTING] = "starting",
	[BAMBI_WORKER_WAITING] = "waiting",
	[BAMBI_WORKER_RUNNING] = "running",
	[BAMBI_WORKER_PAUSED] = "paused",
	[BAMBI_WORKER_STOPPED] = "stopped",
};

static Datum
text_or_null(const char *text, bool *is_null)
{
	*is_null = (text[0] == '\0');
	return *is_null ? (Datum) 0 : CStringGetTextDatum(text);
}

static Datum
pid_or_null(pid_t pid, bool *is_null)
{
	*is_null = (pid == 0);
	return Int32GetDatum((int32) pid);
}

static Datum
time_or_null(TimestampTz time, bool *is_null)
{
	*is_null = (time == 0);
	return TimestampTzGetDatum(time);
}

static void
read_slot(BambiWorkerSlot *slot, Datum *values, bool *nulls)
{
	BambiWorkerSlot copy;
	uint64		calls = pg_atomic_read_u64(&slot->calls);
	uint64		latency = pg_atomic_read_u64(&slot->latency_ms_sum);

	LWLockAcquire(bambi_shmem_lock(), LW_SHARED);
	memcpy(&copy, slot, offsetof(BambiWorkerSlot, asked));
	LWLockRelease(bambi_shmem_lock());

	values[0] = CStringGetTextDatum(state_names[copy.state]);
	values[1] = pid_or_null(copy.pid, &nulls[1]);
	values[2] = time_or_null(copy.worker_started_at, &nulls[2]);
	values[3] = pid_or_null(copy.courier_pid, &nulls[3]);
	values[4] = time_or_null(copy.courier_started_at, &nulls[4]);
	values[5] = Int32GetDatum(pg_atomic_read_u32(&slot->courier_starts));
	values[6] = Int32GetDatum(pg_atomic_read_u32(&slot->in_flight));
	values[7] = Int64GetDatum((int64) calls);
	values[8] = Int64GetDatum((int64) pg_atomic_read_u64(&slot->failures));
	values[9] = Int64GetDatum((int64) pg_atomic_read_u64(&slot->retries));
	nulls[10] = (calls == 0);
	values[10] = Float8GetDatum(calls ? (double) latency / (double) calls : 0);
	values[11] = text_or_null(copy.last_error, &nulls[11]);
	values[12] = time_or_null(copy.last_error_at, &nulls[12]);
}

static bool
is_named_in_databases(void)
{
	char	   *name = get_database_name(MyDatabaseId);
	List	   *names;
	ListCell   *cell;

	if (name == NULL ||
		!SplitIdentifierString(pstrdup(bambi_databases), ',', &names))
		return false;
	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

/* Why there is no worker, as far as the settings tell; or NULL. */
static const char *
why_none(void)
{
	if (!bambi_shmem_is_there())
		return "shared_preload_libraries does not name bambi";
	if (!is_named_in_databases())
		return "bambi.databases does not name this database";
	return NULL;
}

/*
 * bambi_internal.worker_status(): one row, as 90_operate.sql names its
 * columns; all NULL but the state and its reason where there is no worker.
 */
Datum
bambi_worker_status(PG_FUNCTION_ARGS)
{
	BambiWorkerSlot *slot = bambi_my_slot();
	TupleDesc	descriptor;
	Datum	   *values;
	bool	   *nulls;
	int			columns;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	/* declared by another version, it may have more columns, or fewer */
	columns = Max(descriptor->natts, STATUS_COLUMNS);
	values = palloc0(columns * sizeof(Datum));
	nulls = palloc(columns * sizeof(bool));
	memset(nulls, true, columns * sizeof(bool));
	if (slot)
	{
		memset(nulls, false, STATUS_COLUMNS * sizeof(bool));
		read_slot(slot, values, nulls);
	}
	else
	{
		const char *why = why_none();

		nulls[0] = false;
		values[0] = CStringGetTextDatum(bambi_shmem_is_there() ?
										"none" : "not preloaded");
		nulls[11] = (why == NULL);
		if (why)
			values[11] = CStringGetTextDatum(why);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor),
													  values, nulls)));
}

/* bambi_internal.wake_worker(): at commit it reads the instance anew. */
Datum
bambi_wake_worker(PG_FUNCTION_ARGS)
{
	bambi_wake_at_commit(BAMBI_WAKE_LOOK);
	PG_RETURN_VOID();
}
