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

#include "shmem.h"

PG_FUNCTION_INFO_V1(bambi_setup);

/* This file is run on every call; all others only when their tables are due. */
#define ALWAYS_FILE		"95_roles.sql"
#define SECRET_SIZE		32
#define LARGEST_FILE	(1024 * 1024)

/* Taken for the transaction, so that two operators do it one after another. */
#define SETUP_LOCK		INT64CONST(0x62616d6269)	/* "bambi" */

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
run_file(const char *name, const char *schema)
{
	char	   *path = tables_path(name);
	char	   *content = read_text(path);
	Datum		sql;
	int			result;

	if (content == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m", path),
				 errhint("Install bambi again: make install.")));
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
make_tables(const char *schema)
{
	ListCell   *cell;

	foreach(cell, topic_files())
	{
		if (strcmp(lfirst(cell), ALWAYS_FILE) != 0)
			run_file(lfirst(cell), schema);
	}
	record_instance();
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
	const char *report;

	SPI_connect();
	DirectFunctionCall1(pg_advisory_xact_lock_int8,
						Int64GetDatum(SETUP_LOCK));
	check_versions();
	version = version_of_tables();
	if (version == NULL)
	{
		make_tables(schema);
		report = "Made the tables of bambi " BAMBI_VERSION ".";
	}
	else if (strcmp(version, BAMBI_VERSION) == 0)
		report = "The tables are those of bambi " BAMBI_VERSION
			" already; brought months and grants up to date.";
	else
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("tables of bambi %s cannot be brought to version %s",
						version, BAMBI_VERSION),
				 errhint("Install a version of bambi that knows both.")));
	run_file(ALWAYS_FILE, schema);
	SPI_finish();

	bambi_wake_at_commit(BAMBI_WAKE_LOOK);
	PG_RETURN_TEXT_P(cstring_to_text(report));
}
