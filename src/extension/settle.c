/*-------------------------------------------------------------------------
 *
 * settle.c
 *		From the courier's answers to the tables.
 *
 * Success is the common case and is settled in batches, one statement for
 * all.  Everything else is settled one by one, since it touches the user's
 * quota.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "adopt.h"
#include "agenda.h"
#include "key_life.h"
#include "point.h"
#include "progress.h"
#include "settle.h"
#include "shmem.h"
#include "statements_personal.h"
#include "statements_worker.h"
#include "uuid.h"

/*
 * Most of one transaction, so that the worker is never away for long: about
 * 45 ms of work on an ordinary disk.
 */
#define BATCH_CALLS		200
#define BATCH_BYTES		(16 * 1024 * 1024)

#define COURIER_DEATHS	2		/* that make a generation held (rule D11) */

/* A batch of successes as the statement's arrays. */
typedef struct Batch
{
	int			count;
	BambiCall  *calls[BATCH_CALLS];
	pg_uuid_t	image_ids[BATCH_CALLS];
	bool		is_seen[BATCH_CALLS];
} Batch;

/* What the running transaction has ended. */
static BambiCall *ended[BATCH_CALLS];
static int	ended_count = 0;
static bool has_delayed = false;
static bool has_uncertain = false;

static bool
is_same(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a->data, b->data, UUID_LEN) == 0;
}

static Datum
array_of(Datum *elements, bool *nulls, int count, Oid type)
{
	int			dims[] = {count};
	int			lower[] = {1};

	switch (type)
	{
		case UUIDOID:
			return PointerGetDatum(construct_array(elements, count, type,
												   UUID_LEN, false,
												   TYPALIGN_CHAR));
		case INT4OID:
			return PointerGetDatum(construct_array(elements, count, type,
												   sizeof(int32), true,
												   TYPALIGN_INT));
		default:
			return PointerGetDatum(construct_md_array(elements, nulls, 1,
													  dims, lower, type, -1,
													  false, TYPALIGN_INT));
	}
}

/* ids, users, attempts and incarnations: what names a claim. */
static void
claim_arrays(BambiCall **calls, int count, Datum values[4])
{
	Datum	   *elements = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = UUIDPGetDatum(&calls[i]->id);
	values[0] = array_of(elements, NULL, count, UUIDOID);
	for (int i = 0; i < count; i++)
		elements[i] = UUIDPGetDatum(&calls[i]->user);
	values[1] = array_of(elements, NULL, count, UUIDOID);
	for (int i = 0; i < count; i++)
		elements[i] = Int32GetDatum(calls[i]->attempt);
	values[2] = array_of(elements, NULL, count, INT4OID);
	for (int i = 0; i < count; i++)
		elements[i] = UUIDPGetDatum(&calls[i]->incarnation);
	values[3] = array_of(elements, NULL, count, UUIDOID);
}

/* The picture at a position, or NULL. */
static bytea *
picture_at(BambiCall *call, int position)
{
	slist_iter	i;

	slist_foreach(i, &call->pictures)
	{
		BambiPicture *picture = slist_container(BambiPicture, node, i.cur);

		if (picture->position == position)
			return picture->data;
	}
	return NULL;
}

static bool
is_small(const bytea *picture)
{
	return VARSIZE(picture) - VARHDRSZ <= BAMBI_SMALL_PICTURE;
}

static void
insert_picture(const pg_uuid_t *image, const pg_uuid_t *user, bytea *data)
{
	Datum		values[] = {
		UUIDPGetDatum(image), UUIDPGetDatum(user), PointerGetDatum(data)
	};

	bambi_execute(&bambi_worker_insert_picture, values, NULL);
}

static uint64
run_batch(Batch *batch, TimestampTz now)
{
	int			n = batch->count;
	Datum	   *outcomes = palloc(n * sizeof(Datum));
	Datum	   *images = palloc(n * sizeof(Datum));
	Datum	   *pictures = palloc(n * sizeof(Datum));
	bool	   *nulls = palloc0(n * sizeof(bool));
	Datum		values[8];

	claim_arrays(batch->calls, n, values);
	for (int i = 0; i < n; i++)
	{
		bytea	   *picture = picture_at(batch->calls[i], 1);

		bambi_uuid_make(&batch->image_ids[i]);
		outcomes[i] = PointerGetDatum(batch->calls[i]->outcome);
		images[i] = UUIDPGetDatum(&batch->image_ids[i]);
		nulls[i] = (picture == NULL || !is_small(picture));
		pictures[i] = PointerGetDatum(picture);
	}
	values[4] = array_of(outcomes, NULL, n, TEXTOID);
	values[5] = array_of(images, NULL, n, UUIDOID);
	values[6] = array_of(pictures, nulls, n, BYTEAOID);
	values[7] = TimestampTzGetDatum(now);
	return bambi_execute(&bambi_worker_settle_succeeded, values, NULL);
}

/* Marks the call that a result row is about, and stores what is left of it. */
static void
read_image_row(Batch *batch, SPITupleTable *table, uint64 row)
{
	bool		is_null;
	pg_uuid_t  *id = DatumGetUUIDP(SPI_getbinval(table->vals[row],
												 table->tupdesc, 1, &is_null));
	pg_uuid_t  *image = DatumGetUUIDP(SPI_getbinval(table->vals[row],
													table->tupdesc, 2,
													&is_null));
	int			position = DatumGetInt16(SPI_getbinval(table->vals[row],
													   table->tupdesc, 3,
													   &is_null));

	for (int i = 0; i < batch->count; i++)
	{
		BambiCall  *call = batch->calls[i];
		bytea	   *picture;

		if (!is_same(&call->id, id))
			continue;
		batch->is_seen[i] = true;
		picture = picture_at(call, position);
		if (picture != NULL && (position > 1 || !is_small(picture)))
			insert_picture(image, &call->user, picture);
		return;
	}
}

/*
 * Nothing has the pictures of an answer that came too late; where its user is
 * gone, nothing ever will.
 */
static void
forsake(const BambiCall *call)
{
	Datum		values[] = {
		UUIDPGetDatum(&call->user), PointerGetDatum(call->outcome)
	};

	if (call->result == RESULT_SUCCEEDED &&
		bambi_execute(&bambi_personal_forsake, values, NULL) > 0)
		bambi_agenda.errands_at = GetCurrentTimestamp();
}

/*
 * Calls that a statement did not touch are either locked by somebody, and
 * wait, or their claim is over, and nothing is left to do.  Those that wait
 * are put off at once, not at commit, so that a claim of the same transaction
 * sees whose answers crowd.
 */
static void
sort_out(BambiCall **calls, int count)
{
	Datum		values[4];
	uint64		rows;
	int			first_ended = ended_count;

	if (count == 0)
		return;
	claim_arrays(calls, count, values);
	rows = bambi_execute(&bambi_worker_still_claimed, values, NULL);
	for (int i = 0; i < count; i++)
	{
		bool		is_locked = false;

		for (uint64 row = 0; row < rows && !is_locked; row++)
		{
			bool		is_null;

			is_locked = is_same(&calls[i]->id,
								DatumGetUUIDP(bambi_result(row, 1, &is_null)));
		}
		if (is_locked)
			bambi_call_put_off(calls[i]);
		else
			ended[ended_count++] = calls[i];
	}
	for (int i = first_ended; i < ended_count; i++)
		forsake(ended[i]);
}

static void
settle_succeeded(Batch *batch, TimestampTz now)
{
	uint64		rows;
	SPITupleTable *table;
	BambiCall **missing = palloc(batch->count * sizeof(BambiCall *));
	int			missing_count = 0;

	if (batch->count == 0)
		return;
	memset(batch->is_seen, 0, sizeof(batch->is_seen));
	rows = run_batch(batch, now);
	table = SPI_tuptable;
	for (uint64 row = 0; row < rows; row++)
		read_image_row(batch, table, row);

	for (int i = 0; i < batch->count; i++)
	{
		BambiCall  *call = batch->calls[i];

		if (!batch->is_seen[i])
			missing[missing_count++] = call;
		else
		{
			ended[ended_count++] = call;
			bambi_progress_end(call);
			if (!call->key_is_valid)
				(void) bambi_key_judge(call, now);
		}
	}
	sort_out(missing, missing_count);
}

static void
put_back(BambiCall *call, int tries, TimestampTz now)
{
	Datum		values[] = {
		UUIDPGetDatum(&call->id), UUIDPGetDatum(&call->user),
		TimestampTzGetDatum(now), Int32GetDatum(tries),
		PointerGetDatum(call->outcome)
	};

	bambi_execute(&bambi_worker_requeue, values, NULL);
	has_delayed = true;
}

static void
end(BambiCall *call, const char *status, bool gives_back,
	const char *held_reason, TimestampTz now)
{
	Datum		values[] = {
		UUIDPGetDatum(&call->id), UUIDPGetDatum(&call->user),
		CStringGetTextDatum(status), PointerGetDatum(call->outcome),
		BoolGetDatum(gives_back),
		held_reason ? CStringGetTextDatum(held_reason) : (Datum) 0,
		TimestampTzGetDatum(now)
	};

	bambi_execute(&bambi_worker_end, values,
				  held_reason ? NULL : "     n ");
}

static void
end_cancelled(BambiCall *call, TimestampTz now)
{
	end(call, "cancelled", true, NULL, now);
}

/*
 * What failed, and what is held because its key is refused; where that key
 * has been replaced since, the new one is tried.
 */
static void
end_failed(BambiCall *call, BambiKeyVerdict verdict, bool is_cancelled,
		   TimestampTz now)
{
	if (verdict != BAMBI_KEY_REFUSED && verdict != BAMBI_KEY_REPLACED)
		end(call, "failed", true, NULL, now);
	else if (is_cancelled)
		end_cancelled(call, now);
	else if (verdict == BAMBI_KEY_REFUSED)
		end(call, "held", false, BAMBI_KEY_HELD_REASON, now);
	else
		put_back(call, 0, now);
}

/* For what may say something against its key; the others do not need it. */
static BambiKeyVerdict
judge_key(BambiCall *call, TimestampTz now)
{
	switch ((FrameResult) call->result)
	{
		case RESULT_RETRY:
		case RESULT_WAIT:
		case RESULT_CANCELLED:
			return BAMBI_KEY_STANDS;
		default:
			return bambi_key_judge(call, now);
	}
}

static void
settle_other(BambiCall *call, TimestampTz now)
{
	Datum		values[] = {
		UUIDPGetDatum(&call->id), UUIDPGetDatum(&call->user),
		Int32GetDatum(call->attempt), UUIDPGetDatum(&call->incarnation)
	};
	bool		is_null;
	int			deaths;
	bool		is_cancelled;
	BambiKeyVerdict verdict;

	if (bambi_execute(&bambi_worker_lock_one, values, NULL) == 0)
	{
		sort_out(&call, 1);
		return;
	}
	deaths = DatumGetInt32(bambi_result(0, 1, &is_null)) + call->is_death;
	is_cancelled = DatumGetBool(bambi_result(0, 2, &is_null));
	verdict = judge_key(call, now);
	if (verdict == BAMBI_KEY_LOCKED)
	{
		bambi_call_put_off(call);
		return;
	}
	ended[ended_count++] = call;
	bambi_progress_end(call);

	switch ((FrameResult) call->result)
	{
		case RESULT_RETRY:
		case RESULT_WAIT:
			if (is_cancelled)
				end_cancelled(call, now);
			else
				put_back(call, call->result == RESULT_RETRY, now);
			return;
		case RESULT_CANCELLED:
			end_cancelled(call, now);
			return;
		case RESULT_UNCERTAIN:
			if (call->is_death && deaths >= COURIER_DEATHS)
				end(call, "held", false,
					"the courier died twice while it ran", now);
			else
				end(call, "uncertain", false,
					"it was sent, and nobody knows what came of it", now);
			has_uncertain = true;
			return;
		default:
			end_failed(call, verdict, is_cancelled, now);
			return;
	}
}

static bool
has_room(int count, Size bytes)
{
	return count < BATCH_CALLS && bytes < BATCH_BYTES;
}

void
bambi_settle(TimestampTz now, bool with_locked)
{
	Batch	   *batch = palloc(sizeof(Batch));
	BambiCall **others = palloc(BATCH_CALLS * sizeof(BambiCall *));
	int			other_count = 0;
	Size		bytes = 0;
	dlist_iter	i;

	ended_count = 0;
	batch->count = 0;
	dlist_foreach(i, &bambi_calls.waiting)
	{
		BambiCall  *call = dlist_container(BambiCall, node, i.cur);

		if (call->is_alone || (call->is_locked && !with_locked))
			continue;
		if (!has_room(batch->count + other_count, bytes))
			break;
		bytes += call->bytes;
		if (call->result == RESULT_SUCCEEDED)
			batch->calls[batch->count++] = call;
		else
			others[other_count++] = call;
	}

	settle_succeeded(batch, now);
	for (int n = 0; n < other_count; n++)
		settle_other(others[n], now);
}

void
bambi_settle_single(BambiCall *call, TimestampTz now)
{
	ended_count = 0;
	if (call->result == RESULT_SUCCEEDED)
	{
		Batch	   *batch = palloc(sizeof(Batch));

		batch->count = 1;
		batch->calls[0] = call;
		settle_succeeded(batch, now);
	}
	else
		settle_other(call, now);
}

void
bambi_settle_refused(BambiCall *call, TimestampTz now)
{
	static const char outcome[] =
	"{\"code\":\"internal\",\"charged\":\"yes\","
	"\"message\":\"the answer could not be stored\"}";
	Datum		values[] = {
		UUIDPGetDatum(&call->id), UUIDPGetDatum(&call->user),
		Int32GetDatum(call->attempt), UUIDPGetDatum(&call->incarnation)
	};
	text	   *answer;

	ended_count = 0;
	if (bambi_execute(&bambi_worker_lock_one, values, NULL) == 0)
	{
		sort_out(&call, 1);
		return;
	}
	answer = call->outcome;
	call->outcome = cstring_to_text(outcome);
	end(call, "failed", true, NULL, now);
	call->outcome = answer;
	ended[ended_count++] = call;
}

static void
count_outcome(BambiCall *call)
{
	BambiWorkerSlot *slot = bambi_my_slot();

	pg_atomic_fetch_add_u64(&slot->calls, 1);
	if (call->answered_at > call->claimed_at && !call->is_adopted)
		pg_atomic_fetch_add_u64(&slot->latency_ms_sum,
								(call->answered_at - call->claimed_at) / 1000);
	if (call->result == RESULT_RETRY || call->result == RESULT_WAIT)
		pg_atomic_fetch_add_u64(&slot->retries, 1);
	else if (call->result != RESULT_SUCCEEDED)
		pg_atomic_fetch_add_u64(&slot->failures, 1);
}

/* Whether settling it has put something into the outbox. */
static bool
has_leftovers(const BambiCall *call)
{
	static const char name[] = "\"leftovers\":";

	return call->result == RESULT_SUCCEEDED &&
		memmem(VARDATA(call->outcome), VARSIZE(call->outcome) - VARHDRSZ,
			   name, sizeof(name) - 1) != NULL;
}

void
bambi_settle_keep(void)
{
	for (int n = 0; n < ended_count; n++)
	{
		BambiCall  *call = ended[n];

		count_outcome(call);
		if (has_leftovers(call))
			bambi_agenda.errands_at = GetCurrentTimestamp();
		if (call->is_adopted)
			bambi_adopt_unlink(call);
		else if (is_same(&call->incarnation, &bambi_calls.incarnation))
		{
			FrameHead	head = {.type = FRAME_TAKEN,.tag = call->tag};

			bambi_courier_append(&head, NULL, NULL);
		}
		ConditionVariableBroadcast(bambi_waiters_of(&call->id));
		if (call->input_bytes > 0)
			bambi_agenda.may_have_work = true;	/* there is room for others */
		bambi_call_remove(call);
	}
	ended_count = 0;
}

void
bambi_settle_forget(void)
{
	ended_count = 0;
}

bool
bambi_settle_has_delayed(void)
{
	bool		had = has_delayed;

	has_delayed = false;
	return had;
}

bool
bambi_settle_has_uncertain(void)
{
	bool		had = has_uncertain;

	has_uncertain = false;
	return had;
}
