/*-------------------------------------------------------------------------
 *
 * bambi.c
 *		What happens when the library is loaded: settings, shared memory,
 *		hooks, launcher.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"

#include "database_ddl.h"
#include "guard.h"
#include "launcher.h"
#include "settings.h"
#include "shmem.h"

PG_MODULE_MAGIC;

static shmem_request_hook_type previous_shmem_request = NULL;
static shmem_startup_hook_type previous_shmem_startup = NULL;

static void
request_shmem(void)
{
	if (previous_shmem_request)
		previous_shmem_request();
	bambi_shmem_request();
}

static void
start_shmem(void)
{
	if (previous_shmem_startup)
		previous_shmem_startup();
	bambi_shmem_startup();
}

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	bambi_define_settings();
	bambi_guard_install();

	/* Loaded by a session: its functions work, but nobody is there to wake. */
	if (!process_shared_preload_libraries_in_progress)
		return;

	previous_shmem_request = shmem_request_hook;
	shmem_request_hook = request_shmem;
	previous_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = start_shmem;

	bambi_database_ddl_install();
	bambi_launcher_register();
}
