/*-------------------------------------------------------------------------
 *
 * transaction.c
 *		The worker's transactions: the only place where they begin and end,
 *		and the only one that catches SQL errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "agenda.h"
#include "courier_link.h"
#include "months.h"
#include "refuse.h"
#include "transaction.h"

static int	failed_sqlstate = 0;
static bool failed_for_month = false;

static void
remember_error(ErrorData *error)
{
	failed_sqlstate = error->sqlerrcode;
	failed_for_month = bambi_month_is_missing(error);
	if (failed_for_month)
		bambi_agenda.months_at = GetCurrentTimestamp();
	bambi_note_error(error->message ? error->message : "unknown error");
}

bool
bambi_in_transaction(void (*work) (TimestampTz now), TimestampTz now)
{
	volatile bool is_done = false;
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		SPI_connect();
		PushActiveSnapshot(GetTransactionSnapshot());
		work(now);
		SPI_finish();
		PopActiveSnapshot();
		ForceSyncCommit();
		CommitTransactionCommand();
		is_done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		remember_error(error);
		EmitErrorReport();
		FreeErrorData(error);
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	pgstat_report_stat(false);
	return is_done;
}

bool
bambi_failure_is_passing(void)
{
	if (failed_for_month || bambi_refused_for_now(failed_sqlstate))
		return true;
	switch (ERRCODE_TO_CATEGORY(failed_sqlstate))
	{
		case ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES):
		case ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION):
		case ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR):
		case ERRCODE_TO_CATEGORY(ERRCODE_T_R_SERIALIZATION_FAILURE):
		case ERRCODE_TO_CATEGORY(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE):
			return true;
		default:
			return false;
	}
}
