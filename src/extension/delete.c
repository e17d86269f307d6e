/*-------------------------------------------------------------------------
 *
 * delete.c
 *		bambi_delete: a generation goes, with its pictures, wherever they are.
 *
 * Rows go by cascade.  Objects outside the database cannot go in the same
 * transaction: a trigger of the images leaves an errand for each in the
 * outbox, whoever deletes them and why.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "client.h"
#include "identity.h"
#include "refuse.h"
#include "shmem.h"
#include "statements_client.h"
#include "statements_pictures.h"
#include "uuid.h"

PG_FUNCTION_INFO_V1(bambi_delete);
PG_FUNCTION_INFO_V1(bambi_erase_object);

static bool
is_one_of(const char *status, const char *const *list)
{
	for (; *list; list++)
	{
		if (strcmp(status, *list) == 0)
			return true;
	}
	return false;
}

static void
require_ended(bool is_in_queue, const char *status)
{
	static const char *const undecided[] = {"uncertain", "held", NULL};

	if (is_in_queue || strcmp(status, "queued") == 0)
		bambi_refuse(BAMBI_WRONG_STATE, "generation has not ended", NULL,
					 "Wait for it with bambi_wait, or cancel it with bambi_cancel.");
	if (is_one_of(status, undecided))
		bambi_refuse(BAMBI_WRONG_STATE, "generation has not ended",
					 psprintf("It is %s.", status),
					 "Decide about it with bambi_retry or bambi_cancel.");
}

/* Arguments: id uuid. */
static Datum
delete_generation(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "id");
	pg_uuid_t	user;
	Datum		values[2];
	bool		is_in_queue;

	bambi_require_user(&user);
	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&user);
	bambi_wake_at_commit(BAMBI_WAKE_UNLOCK);
	is_in_queue = bambi_execute(&bambi_client_lock_queued, values, NULL) > 0;
	if (bambi_execute(&bambi_client_lock_generation, values, NULL) == 0)
		bambi_refuse(BAMBI_NOT_FOUND, "generation does not exist", NULL,
					 "See bambi_generations for yours.");
	require_ended(is_in_queue, bambi_result_text(0, 1));
	bambi_execute(&bambi_picture_delete, values, NULL);
	PG_RETURN_VOID();
}

Datum
bambi_delete(PG_FUNCTION_ARGS)
{
	return bambi_client_call(delete_generation, fcinfo);
}

static Datum
column_of(HeapTuple row, TupleDesc columns, const char *name)
{
	int			number = SPI_fnumber(columns, name);
	bool		is_null;
	Datum		value;

	if (number == SPI_ERROR_NOATTRIBUTE)
		elog(ERROR, "images has no column \"%s\"", name);
	value = SPI_getbinval(row, columns, number, &is_null);
	if (is_null)
		elog(ERROR, "column \"%s\" of images is null", name);
	return value;
}

/* Trigger AFTER DELETE on images, for each row with a place in a store. */
Datum
bambi_erase_object(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	columns;
	pg_uuid_t	id;
	Datum		values[4];

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		elog(ERROR, "erase_object is a trigger after the deletion of a row");
	columns = RelationGetDescr(trigger->tg_relation);
	SPI_connect();
	bambi_uuid_make(&id);
	values[0] = UUIDPGetDatum(&id);
	values[1] = column_of(trigger->tg_trigtuple, columns, "user_id");
	values[2] = column_of(trigger->tg_trigtuple, columns, "store");
	values[3] = column_of(trigger->tg_trigtuple, columns, "storage_path");
	bambi_execute(&bambi_picture_erase_later, values, NULL);
	SPI_finish();
	bambi_wake_at_commit(BAMBI_WAKE_ERRAND);
	return PointerGetDatum(NULL);
}
