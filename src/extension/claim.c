/*-------------------------------------------------------------------------
 *
 * claim.c
 *		From the queue to the courier.
 *
 * A claim looks only above the position of the last one: below it lie the
 * dead rows of what was settled, which cost time as long as anybody holds a
 * snapshot.  Who queues below the position meanwhile, in a transaction that
 * read virtual time and committed later, says so, and the next claim goes back
 * there: nobody may be passed by for a whole claim.  What was locked is found
 * by starting over: whenever too few are found, and in any case every
 * START_OVER_MS.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "calls.h"
#include "choose.h"
#include "claim.h"
#include "lanes.h"
#include "queue_growth.h"
#include "shmem.h"
#include "statements_claim.h"
#include "statements_worker.h"

#define START_OVER_MS	100

/* What a claim looks at before others have their turn, if all of it waits. */
#define MOST_LOOKED		1000

/* ... and at least at a time, once some of it does. */
#define LOOKED_AT_ONCE	100

/* Of the values of the statements that claim. */
#define LINE_VALUES		13
#define LOOK_VALUES		15
#define THESE_VALUES	10

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
static bool was_cut = false;
static uint32 claim_number = 0;

static void
start_over(TimestampTz now)
{
	memset(&position, 0, sizeof(position));
	position.turn = PG_INT64_MIN;
	started_over_at = now;
}

static void
advance_virtual_time(int64 turn)
{
	BambiWorkerSlot *slot = bambi_my_slot();

	if (turn > (int64) pg_atomic_read_u64(&slot->virtual_time))
		pg_atomic_write_u64(&slot->virtual_time, turn);
}

/* To what was queued below the position and is not known yet. */
static void
go_back(void)
{
	int64		turn = bambi_take_lowest_queued();

	if (turn > position.turn)
		return;
	memset(&position, 0, sizeof(position));
	position.turn = turn;
}

static void
advance(int64 turn, const pg_uuid_t *id)
{
	if (turn > position.turn ||
		(turn == position.turn &&
		 memcmp(id->data, position.id.data, UUID_LEN) > 0))
	{
		position.turn = turn;
		position.id = *id;
	}
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
		bambi_courier_append_picture(&head, NULL, picture);
		if ((Pointer) picture != DatumGetPointer(stored))
			pfree(picture);
	}
	SPI_tuptable = claims;
}

static void
read_parties(BambiParties *parties, uint64 row)
{
	bool		is_null;
	Datum		key = bambi_result(row, 10, &is_null);

	parties->has_key = !is_null;
	if (!is_null)
		parties->key = *DatumGetUUIDP(key);
	parties->user = *DatumGetUUIDP(bambi_result(row, 2, &is_null));
	parties->provider = *DatumGetUUIDP(bambi_result(row, 11, &is_null));
}

/* Whether it is counted for its parties already. */
static void
hand_over(uint64 row, bool is_counted, TimestampTz now)
{
	BambiCall  *call = bambi_call_add();
	FrameHead	head = {.type = FRAME_JOB};
	bool		is_null;

	claimed[claimed_count++] = call;
	call->id = *DatumGetUUIDP(bambi_result(row, 1, &is_null));
	call->user = *DatumGetUUIDP(bambi_result(row, 2, &is_null));
	read_parties(&call->parties, row);
	call->is_counted = is_counted;
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

/* What all the statements take: $1 to $8. */
static void
set_values(Datum *values, char *nulls, bool with_edits, TimestampTz now)
{
	ArrayType  *crowds = bambi_calls_crowds();

	values[0] = UUIDPGetDatum(&bambi_calls.incarnation);
	values[1] = TimestampTzGetDatum(now);
	values[2] = CStringGetTextDatum(BAMBI_VERSION);
	values[3] = Int64GetDatum((int64) GetSystemIdentifier());
	values[4] = ObjectIdGetDatum(MyDatabaseId);
	values[5] = BoolGetDatum(with_edits);
	values[6] = PointerGetDatum(crowds);
	nulls[6] = crowds == NULL ? 'n' : ' ';
	values[7] = CStringGetTextDatum(bambi_store);
}

static int
claim_in_line(int wanted, bool with_edits, TimestampTz now)
{
	Datum		values[LINE_VALUES];
	char		nulls[LINE_VALUES + 1] = "             ";
	int			found;

	set_values(values, nulls, with_edits, now);
	values[8] = Int64GetDatum(position.turn);
	values[9] = UUIDPGetDatum(&position.id);
	values[10] = Int32GetDatum(wanted);
	values[11] = Int64GetDatum(room_for_inputs());
	values[12] = BoolGetDatum(bambi_calls.input_bytes == 0);
	found = (int) bambi_execute(&bambi_claim_line, values, nulls);

	for (int row = 0; row < found; row++)
	{
		bool		is_null;
		int64		turn = DatumGetInt64(bambi_result(row, 4, &is_null));

		hand_over(row, false, now);
		advance(turn, DatumGetUUIDP(bambi_result(row, 1, &is_null)));
		advance_virtual_time(turn);
	}
	return found;
}

static void
claim_these(const BambiChoice *choice, bool with_edits, TimestampTz now)
{
	int			count = choice->taken_count;
	Datum	   *ids = palloc(count * sizeof(Datum));
	Datum	   *users = palloc(count * sizeof(Datum));
	Datum		values[THESE_VALUES];
	char		nulls[THESE_VALUES + 1] = "          ";

	for (int i = 0; i < count; i++)
	{
		ids[i] = UUIDPGetDatum(&choice->taken[i]->id);
		users[i] = UUIDPGetDatum(&choice->taken[i]->parties.user);
		advance_virtual_time(choice->taken[i]->tag);
	}
	set_values(values, nulls, with_edits, now);
	values[8] = PointerGetDatum(construct_array(ids, count, UUIDOID, UUID_LEN,
												false, TYPALIGN_CHAR));
	values[9] = PointerGetDatum(construct_array(users, count, UUIDOID,
												UUID_LEN, false,
												TYPALIGN_CHAR));
	if (bambi_execute(&bambi_claim_these, values, nulls) != (uint64) count)
		elog(ERROR, "could not claim what is locked");
	for (int row = 0; row < count; row++)
		hand_over(row, true, now);
}

/* As many as the limits allow, of the line and the lanes. */
static int
claim_by_limits(int wanted, bool with_edits, TimestampTz now)
{
	int			found = 0;
	int			looked = 0;
	BambiChoice choice = {.most = wanted,.has_more = true};

	choice.claim = ++claim_number;
	while (found < wanted && choice.has_more)
	{
		Datum		values[LOOK_VALUES];
		char		nulls[LOOK_VALUES + 1] = "               ";

		if (looked >= MOST_LOOKED)
		{
			was_cut = true;
			break;
		}
		set_values(values, nulls, with_edits, now);
		values[8] = Int64GetDatum(position.turn);
		values[9] = UUIDPGetDatum(&position.id);
		choice.wanted = wanted - found;
		choice.room = room_for_inputs();
		choice.may_exceed = bambi_calls.input_bytes == 0;
		bambi_choose(&choice, values, nulls);
		if (choice.last)
			advance(choice.last->turn, &choice.last->id);
		if (choice.taken_count > 0)
			claim_these(&choice, with_edits, now);
		found += choice.taken_count;
		looked += choice.looked;
		choice.most = Max(wanted - found, LOOKED_AT_ONCE);
	}
	return found;
}

static int
claim_above_position(int wanted, bool with_edits, TimestampTz now)
{
	return bambi_lanes_are_needed() ?
		claim_by_limits(wanted, with_edits, now) :
		claim_in_line(wanted, with_edits, now);
}

int
bambi_claim(int wanted, TimestampTz now)
{
	int			found = 0;
	bool		is_from_start;

	claimed_count = 0;
	was_cut = false;
	bambi_queue_growth_look();
	bambi_lanes_read_if_forgotten();
	if (TimestampDifferenceExceeds(started_over_at, now, START_OVER_MS))
		start_over(now);
	else
		go_back();

	is_from_start = (position.turn == PG_INT64_MIN);
	found = claim_above_position(wanted, true, now);
	if (found < wanted && !is_from_start && !was_cut)
	{
		start_over(now);
		found += claim_above_position(wanted - found, true, now);
	}

	/* edits without room, as many as were looked at, hold up nobody else */
	if (found < wanted && bambi_calls.input_bytes > 0 && !was_cut)
	{
		start_over(now);
		found += claim_above_position(wanted - found, false, now);
	}
	return found;
}

bool
bambi_claim_was_cut(void)
{
	return was_cut;
}

void
bambi_claim_forget(void)
{
	while (claimed_count > 0)
		bambi_call_remove(claimed[--claimed_count]);
	bambi_parties_recount();
	bambi_lanes_forget();
	bambi_queue_growth_forget();
	start_over(GetCurrentTimestamp());
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
