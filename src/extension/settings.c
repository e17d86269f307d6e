/*-------------------------------------------------------------------------
 *
 * settings.c
 *		Every setting of bambi.
 *
 * What names a secret, a destination or a program belongs to the operator
 * (rule K4): PGC_SIGHUP or PGC_POSTMASTER, and shown to superusers only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "settings.h"
#include "uuid.h"

char	   *bambi_databases = NULL;
int			bambi_max_in_flight = 256;
int			bambi_call_timeout = 300;
int			bambi_max_response_bytes = 64 * 1024;
int			bambi_memory_budget = 64 * 1024;
int			bambi_shutdown_grace = 10;
char	   *bambi_key_service = NULL;
char	   *bambi_key_file = NULL;
char	   *bambi_ca_file = NULL;
char	   *bambi_courier_path = NULL;
char	   *bambi_spool_directory = NULL;
char	   *bambi_authenticators = NULL;
char	   *bambi_debug_points = NULL;
char	   *bambi_user_id_setting = NULL;

/* Empty, or absolute: the courier has another working directory. */
static bool
check_path(char **value, void **extra, GucSource source)
{
	if (**value == '\0' || is_absolute_path(*value))
		return true;
	GUC_check_errdetail("The path must be absolute.");
	return false;
}

/* Empty, or a uuid: a typing error must not look like "nobody". */
static bool
check_user_id(char **value, void **extra, GucSource source)
{
	pg_uuid_t	id;

	if (**value == '\0' || bambi_uuid_parse(*value, &id))
		return true;
	GUC_check_errdetail("The value must be a user's id, a uuid.");
	return false;
}

/*
 * A session that loads the library by itself may define nothing that is fixed
 * at the server's start: that would end it.
 */
static void
define_worker_settings(void)
{
	GucContext	at_start = PGC_POSTMASTER;

	if (!process_shared_preload_libraries_in_progress)
		at_start = PGC_SIGHUP;

	DefineCustomStringVariable("bambi.databases",
							   "Databases that get a worker, separated by commas.",
							   NULL,
							   &bambi_databases, "",
							   PGC_SIGHUP, GUC_LIST_INPUT,
							   NULL, NULL, NULL);
	DefineCustomIntVariable("bambi.max_in_flight",
							"Most calls of one database that run at a time.",
							NULL,
							&bambi_max_in_flight, 256, 1, BAMBI_MAX_IN_FLIGHT,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	DefineCustomStringVariable("bambi.courier_path",
							   "The program bambi-courier.",
							   "Empty: the one beside the server's programs.",
							   &bambi_courier_path, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   check_path, NULL, NULL);
	DefineCustomStringVariable("bambi.spool_directory",
							   "Where answers wait that no worker has taken.",
							   "Empty: \"bambi-spool\" beside the data directory.",
							   &bambi_spool_directory, "",
							   at_start, GUC_SUPERUSER_ONLY,
							   check_path, NULL, NULL);
	DefineCustomIntVariable("bambi.shutdown_grace",
							"Time that a courier takes to end calls when it "
							"is told to stop.",
							NULL,
							&bambi_shutdown_grace, 10, 0, 3600,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
}

static void
define_call_settings(void)
{
	DefineCustomIntVariable("bambi.call_timeout",
							"Longest time that a provider may take to answer.",
							NULL,
							&bambi_call_timeout, 300, 1, 3600,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomIntVariable("bambi.max_response_bytes",
							"Largest answer of a provider.",
							NULL,
							&bambi_max_response_bytes, 64 * 1024,
							64, 256 * 1024,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("bambi.memory_budget",
							"Memory for answers that arrive at one time.",
							"One answer may always go on.",
							&bambi_memory_budget, 64 * 1024,
							1024, 4 * 1024 * 1024,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomStringVariable("bambi.ca_file",
							   "Certificates that providers are checked by.",
							   "Empty: those of the system.",
							   &bambi_ca_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   check_path, NULL, NULL);
}

static void
define_key_settings(void)
{
	DefineCustomStringVariable("bambi.key_service",
							   "What holds the master key: \"file\".",
							   "Empty: no keys can be stored.",
							   &bambi_key_service, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("bambi.key_file",
							   "PEM file of the key service \"file\".",
							   NULL,
							   &bambi_key_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   check_path, NULL, NULL);
}

static void
define_identity_settings(void)
{
	DefineCustomStringVariable("bambi.authenticators",
							   "Roles whose sessions may speak for users by "
							   "request.jwt.claims.",
							   NULL,
							   &bambi_authenticators, "authenticator",
							   PGC_SIGHUP, GUC_LIST_INPUT,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("bambi.user_id",
							   "The user that a login role is.",
							   "Set by ALTER ROLE ... SET bambi.user_id.",
							   &bambi_user_id_setting, "",
							   PGC_SUSET, 0,
							   check_user_id, NULL, NULL);
}

void
bambi_define_settings(void)
{
	define_worker_settings();
	define_call_settings();
	define_key_settings();
	define_identity_settings();
	DefineCustomStringVariable("bambi.debug_points",
							   "Directory of files that hold a process at a "
							   "labelled point.",
							   "For tests.",
							   &bambi_debug_points, "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE,
							   check_path, NULL, NULL);
	MarkGUCPrefixReserved("bambi");
}

const char *
bambi_courier_program(void)
{
	static char path[MAXPGPATH];

	if (bambi_courier_path[0])
		return bambi_courier_path;
	strlcpy(path, my_exec_path, sizeof(path));
	get_parent_directory(path);
	join_path_components(path, path, "bambi-courier");
	return path;
}

const char *
bambi_spool_root(void)
{
	static char path[MAXPGPATH];

	if (bambi_spool_directory[0])
		return bambi_spool_directory;
	strlcpy(path, DataDir, sizeof(path));
	get_parent_directory(path);
	join_path_components(path, path, "bambi-spool");
	return path;
}
