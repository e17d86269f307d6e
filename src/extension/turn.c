/*-------------------------------------------------------------------------
 *
 * turn.c
 *		One turn of the worker's loop: settle and claim, in one commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/builtins.h"

#include "adopt.h"
#include "agenda.h"
#include "calls.h"
#include "claim.h"
#include "courier_settings.h"
#include "gate.h"
#include "lanes.h"
#include "point.h"
#include "settle.h"
#include "statements_worker.h"
#include "transaction.h"
#include "turn.h"
#include "versions.h"

/* Calls that may fail by themselves before the others wait for another look. */
#define MOST_FAILURES	3

/* Of the turn that runs. */
static bool did_claim;
static bool did_adopt;
static BambiCall *single_call;

/* A turn failed: whatever it had been asked is asked again. */
static bool must_ask_again = false;

/* Why the tables are not ours to work on, or NULL. */
static const char *foreign_because = NULL;

/* ALTER EXTENSION has gone on to another version than this process's. */
static bool is_outdated = false;

static void
pause_for(const char *reason, const char *before)
{
	if (before == NULL || strcmp(before, reason) != 0)
		ereport(LOG, (errmsg("bambi pauses: %s", reason)));
	foreign_because = reason;
	bambi_agenda.is_paused = true;
	bambi_note_error(reason);
	bambi_set_state(BAMBI_WORKER_PAUSED);
}

/*
 * The tables may be new ones, without the key to seal with: the courier
 * tells it whenever it is told the settings.
 */
static void
ask_for_sealing_key(void)
{
	static bool was_asked = false;	/* by the first courier's start */

	if (was_asked && bambi_courier_is_there())
		bambi_courier_send_settings();
	was_asked = true;
}

static void
read_instance(TimestampTz now)
{
	Datum		values[] = {
		Int64GetDatum((int64) GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId)
	};
	const char *before = foreign_because;
	bool		is_null;

	bambi_agenda.must_read_instance = false;
	is_outdated = bambi_versions_misfit() != NULL;
	if (is_outdated)
		return;
	foreign_because = NULL;
	if (bambi_execute(&bambi_worker_instance, values, NULL) == 0)
		pause_for("bambi is not set up", before);
	else if (!DatumGetBool(bambi_result(0, 2, &is_null)))
		pause_for(BAMBI_IS_A_COPY, before);
	else if (DatumGetBool(bambi_result(0, 1, &is_null)))
	{
		bambi_agenda.is_paused = true;
		bambi_set_state(BAMBI_WORKER_PAUSED);
	}
	else
	{
		bambi_agenda.is_paused = false;
		bambi_agenda.may_have_work = true;
		bambi_limits_read();
		bambi_set_state(BAMBI_WORKER_RUNNING);
	}
	if (before != NULL && foreign_because == NULL)
		bambi_agenda.adopt_at = now;
}

static int
free_places(void)
{
	return bambi_max_in_flight - (bambi_calls.used - bambi_calls.answered);
}

static bool
may_claim(TimestampTz now)
{
	return !bambi_agenda.is_paused && bambi_agenda.may_have_work && bambi_courier_is_there() &&
		!ShutdownRequestPending && bambi_agenda.claim_at <= now &&
		free_places() > 0 && bambi_calls.used < BAMBI_MAX_IN_FLIGHT;
}

/* What is due already and not claimed waits for a place, or for its lock. */
static void
note_delays(TimestampTz now)
{
	bambi_agenda.delayed_at = bambi_claim_next_due();
	if (is_due(bambi_agenda.delayed_at, now))
	{
		bambi_agenda.may_have_work = true;
		bambi_agenda.delayed_at = in_ms(now, BAMBI_LOOK_AGAIN_MS);
	}
}

static void
claim(TimestampTz now)
{
	int			wanted = Min(free_places(),
							 BAMBI_MAX_IN_FLIGHT - bambi_calls.used);
	int			found = bambi_claim(wanted, now);

	did_claim = found > 0;
	if (found < wanted)
		bambi_agenda.may_have_work = bambi_claim_was_cut();
	/* not put off by the next claim, or it would never come in full traffic */
	if (bambi_agenda.check_at == 0)
		bambi_agenda.check_at = in_ms(now, BAMBI_LOOK_AGAIN_MS);
	if (did_claim)
		BAMBI_POINT("claim-before-commit");
}

/*
 * A claim may have passed by rows that somebody held, and who lets go of them
 * need not be a function of ours that wakes us.  One that found enough has
 * forgotten the lane of such a row, too.
 */
static void
check(TimestampTz now)
{
	Datum		values[] = {TimestampTzGetDatum(now)};
	bool		is_null;

	bambi_agenda.check_at = 0;
	bambi_lanes_forget();
	bambi_execute(&bambi_worker_is_waiting, values, NULL);
	if (DatumGetBool(bambi_result(0, 1, &is_null)))
		bambi_agenda.may_have_work = true;
	note_delays(now);
}

/* What was claimed in the original of a copy is not the copy's to end. */
static void
adopt(TimestampTz now)
{
	int			answered = bambi_calls.answered;

	bambi_agenda.adopt_at = 0;
	if (foreign_because == NULL)
		bambi_agenda.adopt_at = bambi_adopt(now);
	did_adopt = bambi_calls.answered > answered;
}

static void
turn(TimestampTz now)
{
	bool		has_delays = is_due(bambi_agenda.delayed_at, now);

	did_claim = false;
	did_adopt = false;
	if (must_ask_again && bambi_agenda.claim_at <= now)
	{
		must_ask_again = false;
		bambi_agenda.must_read_instance = true;
		bambi_agenda.must_cancel = true;
	}
	if (bambi_agenda.must_read_instance)
		read_instance(now);
	if (is_outdated)
		return;
	if (is_due(bambi_agenda.adopt_at, now))
		adopt(now);
	if (bambi_calls.answered > 0)
	{
		bambi_settle(now, is_due(bambi_agenda.settle_at, now));
		has_delays |= bambi_settle_has_delayed();
		BAMBI_POINT("settle-before-commit");
		if (did_adopt)
			BAMBI_POINT("adopt-before-commit");
	}
	if (bambi_agenda.must_cancel)
		bambi_claim_cancels();
	bambi_agenda.must_cancel = false;
	if (is_due(bambi_agenda.check_at, now))
		check(now);
	if (has_delays)
	{
		bambi_agenda.may_have_work = true;
		bambi_lanes_forget();	/* what is put off waits in one */
	}
	if (may_claim(now))
		claim(now);
	if (has_delays)
		note_delays(now);
}

bool
bambi_turn_is_needed(TimestampTz now)
{
	return bambi_agenda.must_read_instance || bambi_agenda.must_cancel ||
		is_due(bambi_agenda.adopt_at, now) || is_due(bambi_agenda.check_at, now) ||
		is_due(bambi_agenda.delayed_at, now) || is_due(bambi_agenda.settle_at, now) ||
		bambi_calls.answered > bambi_calls.locked ||
		may_claim(now);
}

static void
settle_single(TimestampTz now)
{
	bambi_settle_single(single_call, now);
}

static void
settle_refused(TimestampTz now)
{
	bambi_settle_refused(single_call, now);
}

static bool
settle_by_itself(BambiCall *call, TimestampTz now)
{
	single_call = call;
	if (bambi_in_transaction(settle_single, now) ||
		(!bambi_failure_is_passing() &&
		 bambi_in_transaction(settle_refused, now)))
	{
		bambi_settle_keep();
		return true;
	}
	bambi_settle_forget();
	return false;
}

/*
 * A batch failed: each of its calls gets a transaction of its own, so that
 * the bad one takes no other with it.  Those that fail again stay alone, and
 * are looked at again, no other with them, so that they hold up neither
 * settles nor claims.  Failing may take the whole lock_timeout: after a few
 * the rest waits for the next look.  True if some failed.
 */
static bool
settle_one_by_one(bool alone_only, TimestampTz now)
{
	int			count = bambi_calls.answered;
	int			failures = 0;

	while (count-- > 0 && !dlist_is_empty(&bambi_calls.waiting))
	{
		BambiCall  *call = dlist_head_element(BambiCall, node,
											  &bambi_calls.waiting);

		if (alone_only && failures == MOST_FAILURES)
			return true;
		/* to the end first, so that the next round takes another */
		dlist_delete(&call->node);
		dlist_push_tail(&bambi_calls.waiting, &call->node);

		if (alone_only && !call->is_alone)
			continue;
		if (failures < MOST_FAILURES && settle_by_itself(call, now))
			continue;
		failures = Min(failures + 1, MOST_FAILURES);
		call->is_alone = true;
		bambi_call_put_off(call);
	}
	return failures > 0;
}

bool
bambi_turn_run(TimestampTz now)
{
	uint64		mark;
	bool		with_alone = is_due(bambi_agenda.settle_at, now);
	bool		has_adoption = is_due(bambi_agenda.adopt_at, now);

	if (bambi_agenda.must_read_instance)
		ask_for_sealing_key();
	mark = bambi_courier_mark();
	if (bambi_in_transaction(turn, now))
	{
		/* the courier keeps the answers for a worker that fits */
		if (is_outdated)
			proc_exit(1);
		if (did_claim)
			BAMBI_POINT("claim-committed");
		if (bambi_calls.answered > 0)
			BAMBI_POINT("settle-committed");
		if (did_adopt)
			BAMBI_POINT("adopt-committed");
		bambi_claim_keep();
		bambi_settle_keep();
		if (with_alone)
			(void) settle_one_by_one(true, now);
		bambi_agenda.settle_at = bambi_calls.locked ? in_ms(now, BAMBI_LOOK_AGAIN_MS) : 0;
		return did_claim;
	}
	bambi_courier_cut(mark);
	bambi_claim_forget();
	bambi_settle_forget();
	bambi_adopt_forget();
	bambi_agenda.claim_at = in_ms(now, BAMBI_LOOK_AGAIN_MS);
	bambi_agenda.check_at = bambi_agenda.claim_at;
	bambi_agenda.may_have_work = true;
	bambi_agenda.must_read_instance = false;
	bambi_agenda.must_cancel = false;
	must_ask_again = true;
	if (has_adoption)
		bambi_agenda.adopt_at = bambi_agenda.claim_at;
	/* the courier keeps the answers for the next worker */
	if (bambi_gate_is_closed())
		proc_exit(1);
	/* if it was they who failed, the next claim will not */
	if (settle_one_by_one(false, now))
		bambi_agenda.claim_at = 0;
	bambi_agenda.settle_at = bambi_calls.locked ? in_ms(now, BAMBI_LOOK_AGAIN_MS) : 0;
	return false;
}

static void
begin(TimestampTz now)
{
	bambi_claim_begin();
	note_delays(now);
}

void
bambi_turn_begin(TimestampTz now)
{
	if (!bambi_in_transaction(begin, now))
		proc_exit(1);
	bambi_agenda.must_read_instance = true;
	bambi_agenda.must_cancel = true;
}
