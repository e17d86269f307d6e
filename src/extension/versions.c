/*-------------------------------------------------------------------------
 *
 * versions.c
 *		Are library, extension and tables of one version?
 *
 * An upgrade has three steps, in which anybody may call anything: the library
 * is replaced and the server restarted, ALTER EXTENSION, bambi_setup().
 * Between them nothing may run that was made for another version, so clients
 * are refused, and the worker waits.
 *
 * A session need not look again while it sees no function change: neither
 * ALTER EXTENSION nor bambi_setup() goes by without that, and the library
 * stays the same until the server's end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/inval.h"
#include "utils/syscache.h"

#include "refuse.h"
#include "statements.h"
#include "versions.h"

/*
 * Nothing here but what all versions have: the tables may be of any.  Gives
 * the versions of extension and tables.
 */
static BambiStatement versions_of_database = {
	.sql =
	"SELECT e.extversion, i.version"
	"  FROM pg_catalog.pg_extension e, bambi_internal.instance i"
	" WHERE e.extname = 'bambi'",
	.is_generic = true,
};

/* How often functions have changed; as of when all was seen to fit. */
static uint64 changes = 1;
static uint64 fits_as_of = 0;

static void
note_change(Datum arg, int cache, uint32 hash)
{
	changes++;
}

/* By the numbers between the dots. */
static int
compare(const char *a, const char *b)
{
	while (*a || *b)
	{
		char	   *a_end;
		char	   *b_end;
		long		x = strtol(a, &a_end, 10);
		long		y = strtol(b, &b_end, 10);

		if (x != y)
			return x < y ? -1 : 1;
		if (a_end == a && b_end == b)
			return strcmp(a, b);	/* no numbers */
		a = a_end + (*a_end == '.');
		b = b_end + (*b_end == '.');
	}
	return 0;
}

static char *
remedy(const char *extension, const char *tables)
{
	const char *newest = compare(extension, tables) < 0 ? tables : extension;

	if (compare(BAMBI_VERSION, newest) < 0)
		return psprintf("install bambi %s and restart the server", newest);
	if (strcmp(extension, BAMBI_VERSION) != 0)
		return pstrdup("run ALTER EXTENSION bambi UPDATE, then "
					   "SELECT bambi_setup()");
	return pstrdup("run SELECT bambi_setup()");
}

BambiMisfit *
bambi_versions_misfit(void)
{
	BambiMisfit *misfit;
	char	   *extension;
	char	   *tables;

	if (bambi_execute(&versions_of_database, NULL, NULL) == 0)
		return NULL;
	extension = bambi_result_text(0, 1);
	tables = bambi_result_text(0, 2);
	if (strcmp(extension, BAMBI_VERSION) == 0 &&
		strcmp(tables, BAMBI_VERSION) == 0)
		return NULL;
	misfit = palloc(sizeof(BambiMisfit));
	misfit->versions = psprintf("library %s, extension %s, tables %s",
								BAMBI_VERSION, extension, tables);
	misfit->remedy = remedy(extension, tables);
	return misfit;
}

void
bambi_versions_require(void)
{
	static bool is_registered = false;
	uint64		before = changes;
	BambiMisfit *misfit;

	if (fits_as_of == changes)
		return;
	if (!is_registered)
	{
		CacheRegisterSyscacheCallback(PROCOID, note_change, (Datum) 0);
		is_registered = true;
	}
	misfit = bambi_versions_misfit();
	if (misfit)
		bambi_refuse(BAMBI_TRY_LATER, "bambi is being upgraded",
					 psprintf("Versions do not fit together: %s.",
							  misfit->versions),
					 psprintf("Try again later. An operator is to %s.",
							  misfit->remedy));
	fits_as_of = before;
}
