/*-------------------------------------------------------------------------
 *
 * gate.c
 *		Whether a worker may touch this database's tables.
 *
 * Before bambi_setup() there are none.  Those of another version may lack
 * what a statement of ours names, or mean something else by it: so a worker
 * of another version sends nothing, settles nothing and starts no courier.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/lsyscache.h"
#include "utils/wait_event.h"

#include "agenda.h"
#include "courier_link.h"
#include "gate.h"
#include "transaction.h"
#include "versions.h"

static bool tables_are_there;
static char misfit_text[BAMBI_ERROR_SIZE];	/* empty: none */

/*
 * DROP EXTENSION ... CASCADE leaves tables that nothing can be settled in:
 * their generated column is gone until bambi_setup() brings it back.
 */
static void
look(TimestampTz now)
{
	Oid			internal = get_namespace_oid("bambi_internal", true);
	Oid			schema = get_namespace_oid("bambi", true);
	Oid			history = OidIsValid(schema) ?
	get_relname_relid("image_generations", schema) : InvalidOid;
	BambiMisfit *misfit = NULL;

	tables_are_there = OidIsValid(internal) &&
		OidIsValid(get_relname_relid("instance", internal)) &&
		OidIsValid(history) &&
		get_attnum(history, "created_at") != InvalidAttrNumber;
	if (tables_are_there)
		misfit = bambi_versions_misfit();
	if (misfit)
		snprintf(misfit_text, sizeof(misfit_text), "%s: %s",
				 misfit->versions, misfit->remedy);
	else
		misfit_text[0] = '\0';
}

static bool
is_open(void)
{
	return tables_are_there && misfit_text[0] == '\0';
}

bool
bambi_gate_is_closed(void)
{
	return bambi_in_transaction(look, GetCurrentTimestamp()) && !is_open();
}

static void
say_why_not(void)
{
	static char said[BAMBI_ERROR_SIZE];

	if (!tables_are_there)
	{
		bambi_set_state(BAMBI_WORKER_WAITING);
		return;
	}
	bambi_set_state(BAMBI_WORKER_PAUSED);
	bambi_note_error(misfit_text);
	if (strcmp(said, misfit_text) != 0)
		ereport(LOG, (errmsg("bambi pauses: %s", misfit_text)));
	strlcpy(said, misfit_text, sizeof(said));
}

void
bambi_gate_wait(void)
{
	for (;;)
	{
		int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;

		/* before the look: what is asked for already wakes nobody again */
		pg_atomic_exchange_u32(&bambi_my_slot()->asked, 0);
		if (!bambi_in_transaction(look, GetCurrentTimestamp()))
			events |= WL_TIMEOUT;	/* a lock, perhaps */
		else if (is_open())
			return;
		else
			say_why_not();
		(void) WaitLatch(MyLatch, events, BAMBI_LOOK_AGAIN_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ShutdownRequestPending)
			proc_exit(1);
	}
}
