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

	if (slot == NULL)
	{
		run_command(statement, text, is_read_only_tree, context, params,
					environment, destination, completion);
		return;
	}

	PG_TRY();
	{
		hold(slot);
		run_command(statement, text, is_read_only_tree, context, params,
					environment, destination, completion);
	}
	PG_FINALLY();
	{
		set_holder(slot, 0);
	}
	PG_END_TRY();
}

void
bambi_database_ddl_install(void)
{
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
