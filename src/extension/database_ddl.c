/*-------------------------------------------------------------------------
 *
 * database_ddl.c
 *		Commands that need a database to be without sessions.
 *
 * DROP DATABASE, ALTER DATABASE ... RENAME TO and SET TABLESPACE, and CREATE
 * DATABASE ... TEMPLATE fail while anybody is connected.  Nobody should have
 * to know that a worker is: it is stopped for the time of the command, and
 * comes back unless the database is gone (rule W3).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"

#include "database_ddl.h"
#include "shmem.h"

#define LONGEST_WAIT_MS		5000
#define POLL_MS				10

static ProcessUtility_hook_type previous_utility = NULL;

/* Of the running transaction, or NULL. */
static BambiWorkerSlot *held_slot = NULL;

/* The value of an option by name, or NULL. */
static const char *
option_text(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0 && option->arg)
			return defGetString(option);
	}
	return NULL;
}

/* The name of the database that must be without sessions, or NULL. */
static const char *
database_of_command(Node *command)
{
	switch (nodeTag(command))
	{
		case T_DropdbStmt:
			return ((DropdbStmt *) command)->dbname;
		case T_CreatedbStmt:
			return option_text(((CreatedbStmt *) command)->options,
							   "template");
		case T_RenameStmt:
			if (((RenameStmt *) command)->renameType == OBJECT_DATABASE)
				return ((RenameStmt *) command)->subname;
			return NULL;
		case T_AlterDatabaseStmt:
			if (option_text(((AlterDatabaseStmt *) command)->options,
							"tablespace"))
				return ((AlterDatabaseStmt *) command)->dbname;
			return NULL;
		default:
			return NULL;
	}
}

/* Its slot, if it has one and the caller may do such things to it. */
static BambiWorkerSlot *
slot_to_hold(Node *command)
{
	const char *name = database_of_command(command);
	Oid			database;

	if (name == NULL || !bambi_shmem_is_there())
		return NULL;
	database = get_database_oid(name, true);
	if (!OidIsValid(database) || database == MyDatabaseId ||
#if PG_VERSION_NUM >= 160000
		!object_ownercheck(DatabaseRelationId, database, GetUserId()))
#else
		!pg_database_ownercheck(database, GetUserId()))
#endif
		return NULL;
	return bambi_slot_of(database, false);
}

static void
set_holder(BambiWorkerSlot *slot, pid_t pid)
{
	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	slot->held_by = pid;
	LWLockRelease(bambi_shmem_lock());
	bambi_wake_launcher();
}

static bool
has_worker(BambiWorkerSlot *slot)
{
	bool		has;

	LWLockAcquire(bambi_shmem_lock(), LW_SHARED);
	has = slot->pid != 0;
	LWLockRelease(bambi_shmem_lock());
	return has;
}

/*
 * The worker comes back when the transaction is over, not when the command
 * is: until then the launcher still sees the database under its old name.
 */
static void
let_go(XactEvent event, void *arg)
{
	if (held_slot == NULL ||
		(event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		 event != XACT_EVENT_PREPARE))
		return;
	set_holder(held_slot, 0);
	held_slot = NULL;
}

/* After LONGEST_WAIT_MS the command itself says who is in its way. */
static void
hold(BambiWorkerSlot *slot)
{
	set_holder(slot, MyProcPid);
	for (int waited = 0; waited < LONGEST_WAIT_MS && has_worker(slot);
		 waited += POLL_MS)
	{
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 POLL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
hold_until_end(BambiWorkerSlot *slot)
{
	static bool callback_is_registered = false;

	if (!callback_is_registered)
	{
		RegisterXactCallback(let_go, NULL);
		callback_is_registered = true;
	}
	/* two databases in one transaction: the first has its worker back */
	if (held_slot != NULL && held_slot != slot)
		set_holder(held_slot, 0);
	held_slot = slot;
	hold(slot);
}

static void
run_command(PlannedStmt * statement, const char *text, bool is_read_only_tree,
			ProcessUtilityContext context, ParamListInfo params,
			QueryEnvironment * environment, DestReceiver *destination,
			QueryCompletion * completion)
{
	if (previous_utility)
		previous_utility(statement, text, is_read_only_tree, context, params,
						 environment, destination, completion);
	else
		standard_ProcessUtility(statement, text, is_read_only_tree, context,
								params, environment, destination, completion);
}

static void
process_utility(PlannedStmt * statement, const char *text,
				bool is_read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment * environment,
				DestReceiver *destination, QueryCompletion * completion)
{
	BambiWorkerSlot *slot = slot_to_hold(statement->utilityStmt);

	if (slot != NULL)
		hold_until_end(slot);
	run_command(statement, text, is_read_only_tree, context, params,
				environment, destination, completion);
}

void
bambi_database_ddl_install(void)
{
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
