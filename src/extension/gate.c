/*-------------------------------------------------------------------------
 *
 * gate.c
 *		Whether a worker may touch this database's tables.
 *
 * Before bambi_setup() there are none.  Those of another version may lack
 * what a statement of ours names, or mean something else by it: so a worker
 * of another version sends nothing, settles nothing and starts no courier.
 * Nor does one in a copy that was not adopted, or in a database into which a
 * dump is just being restored: what it wrote would be in the way of the dump.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/lsyscache.h"
#include "utils/wait_event.h"

#include "agenda.h"
#include "courier_link.h"
#include "gate.h"
#include "statements_worker.h"
#include "transaction.h"
#include "versions.h"

static bool tables_are_there;
static bool are_in_the_making;	/* without the instance's row */
static char misfit_text[BAMBI_ERROR_SIZE];	/* empty: none */

/* A dropped extension may be back in a moment, and its instance is ours. */
static void
look_at_instance(void)
{
	Datum		values[] = {
		Int64GetDatum((int64) GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId)
	};
	bool		is_null;

	if (!OidIsValid(get_extension_oid("bambi", true)))
		return;
	if (bambi_execute(&bambi_worker_instance, values, NULL) == 0)
		are_in_the_making = true;
	else if (!DatumGetBool(bambi_result(0, 2, &is_null)))
		strlcpy(misfit_text, BAMBI_IS_A_COPY, sizeof(misfit_text));
}

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
	are_in_the_making = false;
	if (tables_are_there && !misfit)
		look_at_instance();
}

static bool
is_open(void)
{
	return tables_are_there && !are_in_the_making && misfit_text[0] == '\0';
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

	if (!tables_are_there || are_in_the_making)
	{
		bambi_set_state(BAMBI_WORKER_WAITING);
		return;
	}
	if (strcmp(said, misfit_text) != 0)
		ereport(LOG, (errmsg("bambi pauses: %s", misfit_text)));
	bambi_note_error(misfit_text);
	bambi_set_state(BAMBI_WORKER_PAUSED);
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
		if (are_in_the_making)
			events |= WL_TIMEOUT;	/* who restores a dump wakes nobody */
		/* a lock that the look waited for may have taken the latch */
		if (pg_atomic_read_u32(&bambi_my_slot()->asked) == 0 &&
			!ShutdownRequestPending)
			(void) WaitLatch(MyLatch, events, BAMBI_LOOK_AGAIN_MS,
							 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ShutdownRequestPending)
			proc_exit(1);
	}
}
