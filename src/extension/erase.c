/*-------------------------------------------------------------------------
 *
 * erase.c
 *		Removes people who asked for it, a step a turn of the worker.
 *
 * What a step does stands in sql/functions/36_erasure.sql.  Here is when, and
 * what only the worker knows: which answers lie in the spool, and whether
 * values are on their way to Redis.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "storage/fd.h"
#include "utils/array.h"

#include "agenda.h"
#include "cache.h"
#include "courier_link.h"
#include "erase.h"
#include "maintain.h"
#include "point.h"
#include "statements_personal.h"
#include "statements_worker.h"
#include "transaction.h"
#include "uuid.h"

PG_FUNCTION_INFO_V1(bambi_spooled);

/* Adds the generations of a courier's directory. */
static ArrayBuildState *
add_answers(ArrayBuildState * ids, const char *directory)
{
	DIR		   *answers = AllocateDir(directory);
	struct dirent *entry;

	if (answers == NULL)
		return ids;
	while ((entry = ReadDirExtended(answers, directory, LOG)) != NULL)
	{
		char	   *dot = strchr(entry->d_name, '.');
		pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

		if (dot == NULL || dot == entry->d_name)
			continue;
		*dot = '\0';
		if (bambi_uuid_parse(entry->d_name, id))
			ids = accumArrayResult(ids, UUIDPGetDatum(id), false, UUIDOID,
								   CurrentMemoryContext);
	}
	FreeDir(answers);
	return ids;
}

/* bambi_internal.spooled() RETURNS uuid[] */
Datum
bambi_spooled(PG_FUNCTION_ARGS)
{
	const char *spool = bambi_spool_of_database();
	ArrayBuildState *ids = initArrayResult(UUIDOID, CurrentMemoryContext,
										   false);
	DIR		   *couriers = AllocateDir(spool);
	struct dirent *entry;

	while (couriers &&
		   (entry = ReadDirExtended(couriers, spool, LOG)) != NULL)
	{
		if (entry->d_name[0] != '.')
			ids = add_answers(ids, psprintf("%s/%s", spool, entry->d_name));
	}
	if (couriers)
		FreeDir(couriers);
	PG_RETURN_DATUM(makeArrayResult(ids, CurrentMemoryContext));
}

/* So that the money is booked before what it was for is gone. */
static void
write_off_first(TimestampTz now)
{
	bool		is_null;

	bambi_execute(&bambi_personal_has_uncertain, NULL, NULL);
	if (DatumGetBool(bambi_result(0, 1, &is_null)))
		(void) bambi_write_off(now);
}

static void
step(TimestampTz now)
{
	Datum		values[] = {
		TimestampTzGetDatum(now), BoolGetDatum(bambi_cache_is_writing()),
		BoolGetDatum(bambi_cache_is_away())
	};
	bool		did_any;
	bool		is_null;
	TimestampTz next;

	write_off_first(now);
	bambi_execute(&bambi_personal_erasure_step, values, NULL);
	did_any = DatumGetBool(bambi_result(0, 1, &is_null));
	next = DatumGetTimestampTz(bambi_result(0, 2, &is_null));
	bambi_agenda.erase_at = 0;
	if (is_null)
		return;

	/* what is due and was not taken is locked by somebody */
	bambi_agenda.erase_at = did_any ? Max(next, now) :
		Max(next, in_ms(now, BAMBI_LOOK_AGAIN_MS));
	bambi_agenda.errands_at = now;
	BAMBI_POINT("erase-before-commit");
}

void
bambi_erase_run(TimestampTz now)
{
	if (bambi_agenda.is_paused || !is_due(bambi_agenda.erase_at, now))
		return;
	if (!bambi_in_transaction(step, now))
		bambi_agenda.erase_at = in_ms(now, BAMBI_LOOK_AGAIN_MS);
	BAMBI_POINT("erase-committed");
}
