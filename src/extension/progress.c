/*-------------------------------------------------------------------------
 *
 * progress.c
 *		How far streamed generations are, for those who look.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "progress.h"
#include "statements_worker.h"
#include "transaction.h"

static void
store(TimestampTz now)
{
	foreach_bambi_call(call)
	{
		Datum		values[] = {
			UUIDPGetDatum(&call->id), UUIDPGetDatum(&call->user),
			Int32GetDatum(call->attempt), UUIDPGetDatum(&call->incarnation),
			Int16GetDatum(call->percent), PointerGetDatum(call->preview),
			TimestampTzGetDatum(now)
		};

		if (!call->has_progress || call->is_answered)
			continue;
		bambi_execute(&bambi_worker_progress, values,
					  call->preview ? NULL : "     n ");
		call->had_preview |= call->preview != NULL;
	}
}

void
bambi_progress_run(TimestampTz now)
{
	if (bambi_calls.progressed == 0)
		return;
	(void) bambi_in_transaction(store, now);
	foreach_bambi_call(call)
		bambi_call_forget_progress(call);
}

void
bambi_progress_end(BambiCall *call)
{
	Datum		values[] = {
		UUIDPGetDatum(&call->id), UUIDPGetDatum(&call->user)
	};

	/* what a worker before us has stored, nobody has told us */
	if (call->had_preview || call->is_adopted)
		bambi_execute(&bambi_worker_forget_preview, values, NULL);
}
