/*-------------------------------------------------------------------------
 *
 * promotion.c
 *		What was queued before this server was promoted.
 *
 * A standby may not have heard of a claim when its primary is lost: what waits
 * in its queue may have been sent.  A promotion begins a new timeline, and so
 * does a recovery to a point in time; every row of the queue carries the
 * timeline on which it was queued, and only those of the present one are
 * claimed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"

#include "agenda.h"
#include "promotion.h"
#include "settings.h"
#include "statements_claim.h"
#include "transaction.h"

PG_FUNCTION_INFO_V1(bambi_timeline);

/* bambi_internal.timeline() RETURNS integer; NULL on a standby. */
Datum
bambi_timeline(PG_FUNCTION_ARGS)
{
	if (RecoveryInProgress())
		PG_RETURN_NULL();
	PG_RETURN_INT32((int32) GetWALInsertionTimeLine());
}

static void
hold(TimestampTz now)
{
	Datum		values[] = {TimestampTzGetDatum(now)};
	uint64		held = bambi_execute(&bambi_claim_hold_older, values, NULL);

	if (held > 0)
		ereport(LOG,
				(errmsg("bambi holds " UINT64_FORMAT
						" generations that were queued before this server was promoted",
						held),
				 errhint("Their users decide with bambi_retry and bambi_cancel; see bambi.after_promotion.")));
}

static void
let_run(void)
{
	if (bambi_execute(&bambi_claim_renew_older, NULL, NULL) > 0)
		bambi_agenda.may_have_work = true;
}

static void
look(TimestampTz now)
{
	bool		is_null;

	if (bambi_after_promotion == BAMBI_PROMOTION_RUN)
		let_run();
	else
		hold(now);

	/* more than a batch, locked, or claimed on the timeline before */
	bambi_execute(&bambi_claim_has_older, NULL, NULL);
	if (DatumGetBool(bambi_result(0, 1, &is_null)))
		bambi_agenda.promotion_at = in_ms(now, BAMBI_LOOK_AGAIN_MS);
}

void
bambi_promotion_run(TimestampTz now)
{
	if (!is_due(bambi_agenda.promotion_at, now))
		return;
	bambi_agenda.promotion_at = 0;
	if (!bambi_in_transaction(look, now))
		bambi_agenda.promotion_at = in_ms(now, BAMBI_LOOK_AGAIN_MS);
}
