/*-------------------------------------------------------------------------
 *
 * claim.c
 *		From the queue to the courier.
 *
 * A claim looks only above the position of the last one: below it lie the
 * dead rows of what was settled, which cost time as long as anybody holds a
 * snapshot.  What was queued below the position meanwhile, by a transaction
 * that committed late, is found by starting over: whenever too few are
 * found, and in any case every START_OVER_MS.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "calls.h"
#include "claim.h"
#include "shmem.h"
#include "statements_worker.h"

#define START_OVER_MS	100

#define MOST_OUTGOING	(INT64CONST(512) * 1024 * 1024)

/* Above every claimed turn since the last start-over. */
typedef struct Position
{
	int64		turn;
	pg_uuid_t	id;
} Position;

static Position position;
static TimestampTz started_over_at = 0;

/* What the running turn has claimed, to be undone if it aborts. */
static BambiCall *claimed[BAMBI_CALL_PLACES];
static int	claimed_count = 0;
static Position position_before;

static void
start_over(TimestampTz now)
{
	memset(&position, 0, sizeof(position));
	position.turn = PG_INT64_MIN;
	started_over_at = now;
}

static void
advance(int64 turn, const pg_uuid_t *id)
{
	BambiWorkerSlot *slot = bambi_my_slot();

	if (turn > position.turn ||
		(turn == position.turn &&
		 memcmp(id->data, position.id.data, UUID_LEN) > 0))
	{
		position.turn = turn;
		position.id = *id;
	}
	if (turn > (int64) pg_atomic_read_u64(&slot->virtual_time))
		pg_atomic_write_u64(&slot->virtual_time, turn);
}

/* The pictures that it edits go before it. */
static void
hand_over_inputs(const BambiCall *call)
{
	Datum		values[] = {
		UUIDPGetDatum(&call->id), UUIDPGetDatum(&call->user)
	};
	SPITupleTable *claims = SPI_tuptable;
	uint64		rows = bambi_execute(&bambi_worker_inputs, values, NULL);

	for (uint64 row = 0; row < rows; row++)
	{
		FrameHead	head = {.type = FRAME_PICTURE,.tag = call->tag,
			.attempt = (uint32) call->attempt
		};
		bool		is_null;
		Datum		stored;
		bytea	   *picture;

		memcpy(head.id, call->id.data, UUID_LEN);
		head.status = (uint32) DatumGetInt16(bambi_result(row, 1, &is_null));
		stored = bambi_result(row, 2, &is_null);
		picture = DatumGetByteaPP(stored);
		bambi_courier_append_picture(&head, picture);
		if ((Pointer) picture != DatumGetPointer(stored))
			pfree(picture);
	}
	SPI_tuptable = claims;
}

static void
hand_over(uint64 row, TimestampTz now)
{
	BambiCall  *call = bambi_call_add();
	FrameHead	head = {.type = FRAME_JOB};
	bool		is_null;

	claimed[claimed_count++] = call;
	call->id = *DatumGetUUIDP(bambi_result(row, 1, &is_null));
	call->user = *DatumGetUUIDP(bambi_result(row, 2, &is_null));
	call->attempt = DatumGetInt32(bambi_result(row, 3, &is_null));
	call->key_is_valid = DatumGetBool(bambi_result(row, 7, &is_null));
	call->incarnation = bambi_calls.incarnation;
	call->claimed_at = now;
	call->input_bytes = DatumGetInt32(bambi_result(row, 8, &is_null));
	call->key_number = DatumGetInt32(bambi_result(row, 9, &is_null));
	bambi_calls.input_bytes += call->input_bytes;
	if (call->input_bytes > 0)
		hand_over_inputs(call);

	head.tag = call->tag;
	memcpy(head.id, call->id.data, UUID_LEN);
	head.attempt = call->attempt;
	call->sent_at = bambi_courier_append(&head, bambi_result_text(row, 5),
										 bambi_result_text(row, 6));
	advance(DatumGetInt64(bambi_result(row, 4, &is_null)), &call->id);
}

/*
 * Bytes of pictures to edit that there is room for: in the courier's memory,
 * and in what is to be sent to it, which may not have a gigabyte.
 */
static int64
room_for_inputs(void)
{
	int64		memory = bambi_memory_budget * INT64CONST(1024) -
	bambi_calls.input_bytes;

	return Min(memory, MOST_OUTGOING - (int64) bambi_courier_backlog());
}

static int
claim_above_position(int wanted, bool with_edits, TimestampTz now)
{
	ArrayType  *crowds = bambi_calls_crowds();
	char		nulls[] = "            n";
	Datum		values[] = {
		Int64GetDatum(position.turn),
		UUIDPGetDatum(&position.id),
		Int32GetDatum(wanted),
		UUIDPGetDatum(&bambi_calls.incarnation),
		TimestampTzGetDatum(now),
		CStringGetTextDatum(BAMBI_VERSION),
		Int64GetDatum((int64) GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId),
		CStringGetTextDatum(bambi_store),
		Int64GetDatum(room_for_inputs()),
		BoolGetDatum(bambi_calls.input_bytes == 0),
		BoolGetDatum(with_edits),
		PointerGetDatum(crowds)
	};
	int			found = (int) bambi_execute(&bambi_worker_claim, values,
											crowds == NULL ? nulls : NULL);

	for (int row = 0; row < found; row++)
		hand_over(row, now);
	return found;
}

int
bambi_claim(int wanted, TimestampTz now)
{
	int			found = 0;
	bool		is_from_start;

	claimed_count = 0;
	position_before = position;
	if (TimestampDifferenceExceeds(started_over_at, now, START_OVER_MS))
		start_over(now);

	is_from_start = (position.turn == PG_INT64_MIN);
	found = claim_above_position(wanted, true, now);
	if (found < wanted && !is_from_start)
	{
		start_over(now);
		found += claim_above_position(wanted - found, true, now);
	}

	/* edits without room, as many as were looked at, hold up nobody else */
	if (found < wanted && bambi_calls.input_bytes > 0)
	{
		start_over(now);
		found += claim_above_position(wanted - found, false, now);
	}
	return found;
}

void
bambi_claim_forget(void)
{
	while (claimed_count > 0)
		bambi_call_remove(claimed[--claimed_count]);
	position = position_before;
}

void
bambi_claim_keep(void)
{
	claimed_count = 0;
}

void
bambi_claim_begin(void)
{
	BambiWorkerSlot *slot = bambi_my_slot();
	bool		is_null;
	int64		turn;

	start_over(GetCurrentTimestamp());
	if (bambi_execute(&bambi_worker_lowest_turn, NULL, NULL) == 0)
		return;
	turn = DatumGetInt64(bambi_result(0, 1, &is_null));
	if (turn > (int64) pg_atomic_read_u64(&slot->virtual_time))
		pg_atomic_write_u64(&slot->virtual_time, turn);
}

TimestampTz
bambi_claim_next_due(void)
{
	bool		is_null;
	Datum		due;

	bambi_execute(&bambi_worker_next_not_before, NULL, NULL);
	due = bambi_result(0, 1, &is_null);
	return is_null ? 0 : DatumGetTimestampTz(due);
}

void
bambi_claim_cancels(void)
{
	Datum		values[] = {UUIDPGetDatum(&bambi_calls.incarnation)};
	uint64		rows = bambi_execute(&bambi_worker_cancels, values, NULL);

	for (uint64 row = 0; row < rows; row++)
	{
		bool		is_null;
		pg_uuid_t  *id = DatumGetUUIDP(bambi_result(row, 1, &is_null));
		int32		attempt = DatumGetInt32(bambi_result(row, 2, &is_null));

		foreach_bambi_call(call)
		{
			FrameHead	head = {.type = FRAME_CANCEL};

			if (call->is_answered || call->attempt != attempt ||
				memcmp(call->id.data, id->data, UUID_LEN) != 0)
				continue;
			head.tag = call->tag;
			memcpy(head.id, call->id.data, UUID_LEN);
			head.attempt = call->attempt;
			bambi_courier_append(&head, NULL, NULL);
			break;
		}
	}
}
