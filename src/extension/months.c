/*-------------------------------------------------------------------------
 *
 * months.c
 *		Is there a partition for what is made now?
 *
 * The worker makes months ahead, so the answer is yes, unless nobody could
 * make any for long: no worker ran, or somebody held a lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/wait_event.h"

#include "agenda.h"
#include "months.h"
#include "refuse.h"
#include "statements_worker.h"
#include "transaction.h"
#include "uuid.h"

#define MONTHS_AHEAD	3
#define EVERY_MS		(24 * 60 * 60 * 1000)
#define AGAIN_MS		(60 * 1000)

/* How long a request waits for its month, and between two looks at it. */
#define PATIENCE_MS		3000
#define LOOK_MS			20

PG_FUNCTION_INFO_V1(bambi_refuse_month);

/* By its name, as month_name() gives it: a look into the system caches. */
static bool
month_is_there(const pg_uuid_t *id)
{
	pg_time_t	seconds = timestamptz_to_time_t(bambi_uuid_made(id));
	struct pg_tm *time = pg_gmtime(&seconds);
	char		name[NAMEDATALEN];
	Oid			leaf;

	snprintf(name, sizeof(name), "image_generations_%04d_%02d",
			 time->tm_year + 1900, time->tm_mon + 1);
	leaf = get_relname_relid(name, get_namespace_oid("bambi", true));
	return OidIsValid(leaf) && get_rel_relispartition(leaf);
}

static bool
wait_for_month(const pg_uuid_t *id)
{
	BambiWorkerSlot *slot = bambi_my_slot();
	instr_time	begun;
	instr_time	now;

	if (slot == NULL)
		return false;
	INSTR_TIME_SET_CURRENT(begun);
	do
	{
		bambi_wake_now(slot, BAMBI_WAKE_MONTHS);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LOOK_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		AcceptInvalidationMessages();
		if (month_is_there(id))
			return true;
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, begun);
	} while (INSTR_TIME_GET_MILLISEC(now) < PATIENCE_MS);
	return false;
}

void
bambi_month_refuse(void)
{
	bambi_refuse(BAMBI_TRY_LATER, "the partition of this month is missing",
				 "Nothing was done.",
				 "Try again; if it stays so, an operator calls bambi_maintain().");
}

void
bambi_month_require(const pg_uuid_t *id)
{
	if (!month_is_there(id) && !wait_for_month(id))
		bambi_month_refuse();
}

bool
bambi_month_is_missing(const ErrorData *error)
{
	/* a row that breaks a constraint names it */
	return error->sqlerrcode == ERRCODE_CHECK_VIOLATION &&
		error->constraint_name == NULL &&
		error->schema_name != NULL && strcmp(error->schema_name, "bambi") == 0;
}

/* bambi_internal.refuse_month() RETURNS void */
Datum
bambi_refuse_month(PG_FUNCTION_ARGS)
{
	bambi_month_refuse();
}

bool
bambi_months_make(void)
{
	Datum		ahead[] = {Int32GetDatum(MONTHS_AHEAD)};
	bool		is_null;

	bambi_execute(&bambi_worker_ensure_months, ahead, NULL);
	return DatumGetInt32(bambi_result(0, 1, &is_null)) == 0;
}

static bool all_are_there;

static void
make_months(TimestampTz now)
{
	all_are_there = bambi_months_make();
}

/* In a transaction of its own, which holds its locks for no longer than this. */
void
bambi_months_run(TimestampTz now)
{
	if (!is_due(bambi_agenda.months_at, now))
		return;
	/* Somebody may hold a lock for a moment; there is time for it. */
	if (bambi_in_transaction(make_months, now) && all_are_there)
		bambi_agenda.months_at = in_ms(now, EVERY_MS);
	else
		bambi_agenda.months_at = in_ms(now, AGAIN_MS);
}
