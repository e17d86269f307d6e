/*-------------------------------------------------------------------------
 *
 * setup.c
 *		bambi_setup(): makes the tables, or brings them to this version.
 *
 * The tables are no members of the extension, so that pg_dump saves them and
 * DROP EXTENSION cannot take them.  Their files lie in the extension's share
 * folder.  The function runs as the superuser that installed the extension,
 * since it makes what bambi_owner shall own; who may call it is a grant.
 *
 * What depends on the extension's functions (policies, defaults, a generated
 * column, views) goes with DROP EXTENSION ... CASCADE.  All of the files may
 * be run again, and are if something is missing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <sys/stat.h>

#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "client.h"
#include "shmem.h"

PG_FUNCTION_INFO_V1(bambi_setup);

/* This file is run on every call; all others only when their tables are due. */
#define ALWAYS_FILE		"95_roles.sql"
/* From here on a file has rows for new tables. */
#define SEEDS			"\n-- Seeds"
#define SECRET_SIZE		32
#define LARGEST_FILE	(1024 * 1024)

/*
 * Taken for the transaction, so that two operators do it one after another.
 * An advisory lock of a class that the SQL functions, which use 1 and 2,
 * cannot take: or anybody could hold it.
 */
#define SETUP_LOCK_CLASS	0x6262

/* What of the tables is missing, or NULL.  $1 the extension's schema. */
static const char missing_parts[] =
"SELECT string_agg(what, ', ' ORDER BY what) FROM ("
"  SELECT 'column bambi.image_generations.created_at' AS what"
"   WHERE NOT EXISTS ("
"         SELECT FROM pg_attribute"
"          WHERE attrelid = to_regclass('bambi.image_generations')"
"            AND attname = 'created_at' AND NOT attisdropped)"
"  UNION ALL"
"  SELECT 'default of bambi.' || c.relname || '.id'"
"    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
"   WHERE c.relnamespace = to_regnamespace('bambi')"
"     AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
"     AND a.attname = 'id'"
"     AND NOT a.attisdropped AND NOT a.atthasdef"
"  UNION ALL"
"  SELECT 'policy of users on ' || t.name"
"    FROM unnest('{bambi.api_configurations, bambi.api_providers,"
"                  bambi.api_usage, bambi.budgets, bambi.change_log,"
"                  bambi.error_codes,"
"                  bambi.generation_inputs,"
"                  bambi.image_generations, bambi.images,"
"                  bambi.model_prices, bambi.models, bambi.plans,"
"                  bambi.prompts_not_kept,"
"                  bambi.retention_policies,"
"                  bambi.subscriptions, bambi.usage_events, bambi.users,"
"                  bambi_internal.carried_costs,"
"                  bambi_internal.queue}'::text[]) t (name)"
"   WHERE NOT EXISTS ("
"         SELECT FROM pg_policy l JOIN pg_roles r ON r.oid = ANY (l.polroles)"
"          WHERE l.polrelid = to_regclass(t.name)"
"            AND r.rolname = 'bambi_user')"
"  UNION ALL"
"  SELECT 'view ' || v.name"
"    FROM unnest('{bambi_account, bambi_budgets, bambi_changes,"
"                  bambi_configurations, bambi_errors,"
"                  bambi_generations,"
"                  bambi_images, bambi_inputs, bambi_models,"
"                  bambi_providers,"
"                  bambi_report_active_users, bambi_report_failures,"
"                  bambi_report_latency, bambi_report_spend,"
"                  bambi_retention,"
"                  bambi_subscription, bambi_usage, bambi_usage_by_key,"
"                  bambi_usage_by_model, bambi_usage_by_month"
"                  }'::text[]) v (name)"
"   WHERE NOT EXISTS (SELECT FROM pg_class c"
"                      WHERE c.relname = v.name AND c.relkind = 'v'"
"                        AND c.relnamespace = to_regnamespace($1))"
"  UNION ALL"
"  SELECT 'materialized view bambi.' || v.name"
"    FROM unnest('{report_active_users, report_latency, report_outcomes,"
"                  report_spend}'::text[]) v (name)"
"   WHERE to_regclass('bambi.' || v.name) IS NULL) m";

static char *
tables_path(const char *name)
{
	char		share[MAXPGPATH];

	get_share_path(my_exec_path, share);
	return psprintf("%s/extension/bambi/tables/%s", share, name);
}

/* The text of a file; NULL if there is none. */
static char *
read_text(const char *path)
{
	FILE	   *file = AllocateFile(path, PG_BINARY_R);
	StringInfoData text;
	char		chunk[8192];
	size_t		n;

	if (file == NULL)
		return NULL;
	initStringInfo(&text);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
	{
		appendBinaryStringInfo(&text, chunk, (int) n);
		if (text.len > LARGEST_FILE)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("file \"%s\" is too large", path)));
	}
	FreeFile(file);
	pg_verify_mbstr(PG_UTF8, text.data, text.len, false);
	return text.data;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* The names of all NN_topic.sql, in order. */
static List *
topic_files(void)
{
	char	   *path = tables_path("");
	DIR		   *directory = AllocateDir(path);
	struct dirent *entry;
	List	   *names = NIL;

	while ((entry = ReadDir(directory, path)) != NULL)
	{
		size_t		len = strlen(entry->d_name);

		if (len > 4 && strcmp(entry->d_name + len - 4, ".sql") == 0)
			names = lappend(names, pstrdup(entry->d_name));
	}
	FreeDir(directory);
	list_sort(names, compare_names);
	return names;
}

static void
run_file(const char *name, const char *schema, bool with_seeds)
{
	char	   *path = tables_path(name);
	char	   *content = read_text(path);
	char	   *seeds;
	Datum		sql;
	int			result;

	if (content == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m", path),
				 errhint("Install bambi again: make install.")));
	seeds = strstr(content, SEEDS);
	if (seeds && !with_seeds)
		*seeds = '\0';
	sql = DirectFunctionCall3Coll(replace_text, C_COLLATION_OID,
								  CStringGetTextDatum(content),
								  CStringGetTextDatum("@extschema@"),
								  CStringGetTextDatum(quote_identifier(schema)));
	result = SPI_execute(TextDatumGetCString(sql), false, 0);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", path,
			 SPI_result_code_string(result));
}

static void
refuse_versions(const char *what, const char *version)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("library, extension and files of bambi do not fit together"),
			 errdetail("The library is version %s, %s %s.", BAMBI_VERSION,
					   what, version),
			 errhint("Install one version whole, restart the server, and run "
					 "ALTER EXTENSION bambi UPDATE.")));
}

static char *
single_text(const char *sql)
{
	if (SPI_execute(sql, true, 1) != SPI_OK_SELECT || SPI_processed == 0)
		return NULL;
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* Refuses unless library, extension and files are one version. */
static void
check_versions(void)
{
	char	   *files = read_text(tables_path("version"));
	char	   *extension =
	single_text("SELECT extversion FROM pg_catalog.pg_extension"
				" WHERE extname = 'bambi'");

	if (files == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("the files of bambi's tables are not installed"),
				 errhint("Install bambi again: make install.")));
	files[strcspn(files, "\r\n")] = '\0';
	if (strcmp(files, BAMBI_VERSION) != 0)
		refuse_versions("its table files are", files);
	if (extension == NULL || strcmp(extension, BAMBI_VERSION) != 0)
		refuse_versions("the extension is", extension ? extension : "none");
}

/* The version of the tables that are there, or NULL. */
static char *
version_of_tables(void)
{
	Oid			schema = get_namespace_oid("bambi_internal", true);

	if (!OidIsValid(schema) ||
		!OidIsValid(get_relname_relid("instance", schema)))
		return NULL;
	return single_text("SELECT version FROM bambi_internal.instance");
}

/* Who this database is, and the secret that fingerprints are made with. */
static void
record_instance(void)
{
	bytea	   *secret = palloc(VARHDRSZ + SECRET_SIZE);
	Oid			types[] = {TEXTOID, INT8OID, OIDOID, BYTEAOID};
	Datum		values[] = {
		CStringGetTextDatum(BAMBI_VERSION),
		Int64GetDatum((int64) GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId),
		PointerGetDatum(secret)
	};

	SET_VARSIZE(secret, VARHDRSZ + SECRET_SIZE);
	if (!pg_strong_random(VARDATA(secret), SECRET_SIZE))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not make random numbers")));
	SPI_execute_with_args("INSERT INTO bambi_internal.instance (version,"
						  " system_identifier, database_oid,"
						  " fingerprint_secret) VALUES ($1, $2, $3, $4)",
						  lengthof(types), types, values, NULL, false, 0);
}

static void
run_topic_files(const char *schema, bool with_seeds)
{
	ListCell   *cell;

	foreach(cell, topic_files())
	{
		if (strcmp(lfirst(cell), ALWAYS_FILE) != 0)
			run_file(lfirst(cell), schema, with_seeds);
	}
}

static char *
find_missing_parts(const char *schema)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(quote_identifier(schema))};

	SPI_execute_with_args(missing_parts, lengthof(types), types, values, NULL,
						  false, 1);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* Brings back what is missing; gives what that was, or NULL. */
static char *
repair_tables(const char *schema)
{
	char	   *missing = find_missing_parts(schema);
	char	   *still_missing;

	if (missing == NULL)
		return NULL;
	run_topic_files(schema, false);
	still_missing = find_missing_parts(schema);
	if (still_missing)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("parts of the tables of bambi are missing"),
				 errdetail("Missing: %s.", still_missing),
				 errhint("Restore them from a dump that has them.")));
	return missing;
}

/* Jobs and answers are JSON, which is UTF-8, and are passed through unread. */
static void
check_encoding(void)
{
	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("bambi needs a database with encoding UTF8"),
				 errdetail("This one has %s.",
						   GetDatabaseEncodingName()),
				 errhint("CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE "
						 "template0, and set bambi up there.")));
}

static void
lock_setup(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, SETUP_LOCK_CLASS);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/*
 * bambi_setup() RETURNS text
 *
 * Gives a sentence about what was done.  May be called at any time; refuses,
 * with OBJECT_NOT_IN_PREREQUISITE_STATE, versions that do not fit together.
 */
Datum
bambi_setup(PG_FUNCTION_ARGS)
{
	char	   *schema =
	get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid));
	char	   *version;
	char	   *repaired;
	const char *report;
	Datum		result;

	SPI_connect();
	lock_setup();
	check_encoding();
	check_versions();
	version = version_of_tables();
	if (version == NULL)
	{
		run_topic_files(schema, true);
		record_instance();
		report = "Made the tables of bambi " BAMBI_VERSION ".";
	}
	else if (strcmp(version, BAMBI_VERSION) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("tables of bambi %s cannot be brought to version %s",
						version, BAMBI_VERSION),
				 errhint("Install a version of bambi that knows both.")));
	else if ((repaired = repair_tables(schema)) != NULL)
		report = psprintf("Repaired the tables of bambi " BAMBI_VERSION
						  "; these were missing: %s.", repaired);
	else
		report = "The tables are those of bambi " BAMBI_VERSION
			" already; brought months and grants up to date.";
	run_file(ALWAYS_FILE, schema, true);
	result = bambi_return_text(report);
	SPI_finish();

	bambi_wake_at_commit(BAMBI_WAKE_LOOK);
	return result;
}
