/*-------------------------------------------------------------------------
 *
 * cache_note.c
 *		Who changes what Redis holds notes it, in the same transaction.
 *
 * Nothing is noted unless the worker has said that it will write: whatever
 * happened before, it makes void when it begins.  The trigger of users runs
 * with every generation, so what it costs while Redis is not in use is one
 * look at shared memory.  A note is a plain INSERT without a unique key:
 * nobody can wait for anybody, nor fail to serialize.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "shmem.h"
#include "statements_cache.h"

PG_FUNCTION_INFO_V1(bambi_cache_is_on);
PG_FUNCTION_INFO_V1(bambi_note_for_cache);
PG_FUNCTION_INFO_V1(bambi_note_user_for_cache);

static bool
is_on(void)
{
	BambiWorkerSlot *slot = bambi_my_slot();

	return slot && pg_atomic_read_u32(&slot->cache_is_on) != 0;
}

/* bambi_internal.cache_is_on() RETURNS boolean */
Datum
bambi_cache_is_on(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(is_on());
}

static void
note(Datum kind, Datum name, bool is_change)
{
	Datum		values[] = {kind, name, BoolGetDatum(is_change)};

	SPI_connect();
	bambi_execute(&bambi_cache_note, values, NULL);
	SPI_finish();
	bambi_wake_at_commit(BAMBI_WAKE_CACHE);
}

/* bambi_internal.note_for_cache(kind, name, is_change) RETURNS void */
Datum
bambi_note_for_cache(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		elog(ERROR, "a note for the cache has no null");
	if (is_on())
		note(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_BOOL(2));
	PG_RETURN_VOID();
}

static int
column_number(TupleDesc columns, const char *name)
{
	int			number = SPI_fnumber(columns, name);

	if (number <= 0)
		elog(ERROR, "there is no column \"%s\" to note", name);
	return number;
}

static bool
is_equal(TupleDesc columns, const char *name, HeapTuple before,
		 HeapTuple after)
{
	int			number = column_number(columns, name);
	Form_pg_attribute column = TupleDescAttr(columns, number - 1);
	bool		was_null;
	bool		is_null;
	Datum		old = heap_getattr(before, number, columns, &was_null);
	Datum		new = heap_getattr(after, number, columns, &is_null);

	if (was_null || is_null)
		return was_null && is_null;
	return datum_image_eq(old, new, column->attbyval, column->attlen);
}

/* Of the trigger's arguments, the first names the user, the others count. */
static bool
has_changed(const TriggerData * trigger)
{
	const		Trigger *definition = trigger->tg_trigger;

	if (!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return true;
	for (int i = 0; i < definition->tgnargs; i++)
	{
		if (!is_equal(RelationGetDescr(trigger->tg_relation),
					  definition->tgargs[i], trigger->tg_trigtuple,
					  trigger->tg_newtuple))
			return true;
	}
	return false;
}

static void
note_user_of(const TriggerData * trigger, HeapTuple row)
{
	TupleDesc	columns = RelationGetDescr(trigger->tg_relation);
	bool		is_null;
	Datum		id = heap_getattr(row, column_number(columns, trigger->tg_trigger->tgargs[0]),
								  columns, &is_null);
	char	   *name = DatumGetCString(DirectFunctionCall1(uuid_out, id));

	note(CStringGetTextDatum("user"), CStringGetTextDatum(name), true);
}

/* Trigger AFTER INSERT OR UPDATE OR DELETE, for each row. */
Datum
bambi_note_user_for_cache(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Oid			user;
	int			context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		trigger->tg_trigger->tgnargs < 1)
		elog(ERROR, "note_user_for_cache is a trigger after the change of a row");
	if (!is_on() || !has_changed(trigger))
		return PointerGetDatum(NULL);

	/* whoever may change the row need not be allowed to write the note */
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(trigger->tg_relation->rd_rel->relowner,
						   context | SECURITY_LOCAL_USERID_CHANGE);
	note_user_of(trigger, trigger->tg_trigtuple);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) &&
		!is_equal(RelationGetDescr(trigger->tg_relation),
				  trigger->tg_trigger->tgargs[0], trigger->tg_trigtuple,
				  trigger->tg_newtuple))
		note_user_of(trigger, trigger->tg_newtuple);
	SetUserIdAndSecContext(user, context);
	return PointerGetDatum(NULL);
}
