/*-------------------------------------------------------------------------
 *
 * errands.c
 *		From the outbox to the courier, and back.
 *
 * An errand may be done twice and is then as well done as once; so it is put
 * off for a minute when it is handed over, and is simply due again if nobody
 * said by then that it was done: whoever has died meanwhile.  A courier that
 * is slow about it is not given it twice.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "agenda.h"
#include "calls.h"
#include "errands.h"
#include "key_life.h"
#include "point.h"
#include "statements_worker.h"
#include "transaction.h"

#define PLACES			32
#define LEASE_MS		(60 * 1000)

/*
 * A key that nobody could ask about so often, in some two hours, is of unknown
 * state.
 */
#define MOST_CHECKS		12

typedef struct Errand
{
	bool		is_used;
	bool		is_answered;
	bool		is_done;
	bool		is_check;		/* of a key */
	int32		attempts;
	uint64		tag;
	pg_uuid_t	id;
	pg_uuid_t	user;
	char	   *key;			/* sealed, to be checked; as the body */
	char	   *body;			/* JSON, until it is handed over */
	text	   *answer;			/* JSON */
} Errand;

static Errand errands[PLACES];
static int	used = 0;
static int	answered = 0;
static uint64 sequence = 0;

static void
forget(Errand *errand)
{
	if (errand->key)
		pfree(errand->key);
	if (errand->body)
		pfree(errand->body);
	if (errand->answer)
		pfree(errand->answer);
	used--;
	answered -= errand->is_answered;
	memset(errand, 0, sizeof(*errand));
}

static void
note_answer(Errand *errand, TimestampTz now)
{
	Datum		values[] = {
		UUIDPGetDatum(&errand->id), UUIDPGetDatum(&errand->user),
		PointerGetDatum(errand->answer), TimestampTzGetDatum(now)
	};

	if (errand->is_check && errand->answer &&
		(errand->is_done || errand->attempts >= MOST_CHECKS))
		bambi_key_checked(&errand->id, &errand->user, errand->answer, now);
	else
		bambi_execute(errand->is_done ? &bambi_worker_errand_done :
					  &bambi_worker_errand_failed, values, NULL);
}

static void
note_what_is_answered(TimestampTz now)
{
	for (int i = 0; i < PLACES; i++)
	{
		if (errands[i].is_answered)
			note_answer(&errands[i], now);
	}
}

/* A copy for as long as the errand, or NULL. */
static char *
keep_text(uint64 row, int column)
{
	char	   *text = bambi_result_text(row, column);

	return text ? MemoryContextStrdup(bambi_calls.context, text) : NULL;
}

/* From a row of bambi_worker_take_errands. */
static void
add_errand(uint64 row, bool is_needed)
{
	Errand	   *errand = errands;
	bool		is_null;

	while (errand->is_used)
		errand++;
	errand->is_used = true;
	errand->tag = (++sequence << 16) | (errand - errands);
	errand->id = *DatumGetUUIDP(bambi_result(row, 1, &is_null));
	errand->user = *DatumGetUUIDP(bambi_result(row, 2, &is_null));
	errand->attempts = DatumGetInt32(bambi_result(row, 6, &is_null));
	if (is_needed)
	{
		errand->body = keep_text(row, 3);
		errand->key = keep_text(row, 5);
		errand->is_check = errand->key != NULL;
	}
	else
	{
		/*
		 * Somebody has the file again, or the key is gone: there is nothing
		 * to do.
		 */
		errand->is_answered = true;
		errand->is_done = true;
		answered++;
		bambi_agenda.errands_at = GetCurrentTimestamp();
	}
	used++;
}

static Datum
ids_in_hand(void)
{
	Datum		ids[PLACES];
	int			count = 0;

	for (int i = 0; i < PLACES; i++)
	{
		if (errands[i].is_used)
			ids[count++] = UUIDPGetDatum(&errands[i].id);
	}
	return PointerGetDatum(construct_array(ids, count, UUIDOID, UUID_LEN,
										   false, TYPALIGN_CHAR));
}

static void
take_what_is_due(TimestampTz now)
{
	Datum		values[] = {
		TimestampTzGetDatum(now), Int32GetDatum(PLACES - used),
		TimestampTzGetDatum(in_ms(now, LEASE_MS)), ids_in_hand()
	};
	uint64		rows = bambi_execute(&bambi_worker_take_errands, values, NULL);

	for (uint64 row = 0; row < rows; row++)
	{
		bool		is_null;

		add_errand(row, DatumGetBool(bambi_result(row, 4, &is_null)));
	}
}

static void
note_what_is_next(TimestampTz now)
{
	TimestampTz next;
	bool		is_null;

	if (bambi_execute(&bambi_worker_next_errand, NULL, NULL) == 0)
		return;
	next = DatumGetTimestampTz(bambi_result(0, 1, &is_null));

	/* what is due and was not taken waits for somebody, or for a place */
	sooner(&bambi_agenda.errands_at,
		   Max(next, in_ms(now, BAMBI_LOOK_AGAIN_MS)));
}

static void
run(TimestampTz now)
{
	bambi_agenda.errands_at = 0;
	note_what_is_answered(now);
	if (used < PLACES)
		take_what_is_due(now);
	note_what_is_next(now);
	BAMBI_POINT("errands-before-commit");
}

static void
hand_over(Errand *errand)
{
	FrameHead	head = {.type = FRAME_ERRAND,.tag = errand->tag};

	bambi_courier_append(&head, errand->key, errand->body);
	pfree(errand->body);
	errand->body = NULL;
	if (errand->key)
		pfree(errand->key);
	errand->key = NULL;
}

/* What the transaction was about; answers that it could not note wait. */
static void
keep(bool is_committed, const bool *was_answered)
{
	for (int i = 0; i < PLACES; i++)
	{
		Errand	   *errand = &errands[i];

		if (!errand->is_used)
			continue;
		if (errand->body && is_committed)
			hand_over(errand);
		else if (errand->body || (is_committed && was_answered[i]) ||
				 (!is_committed && errand->is_answered && !was_answered[i]))
			forget(errand);
	}
}

void
bambi_errands_run(TimestampTz now)
{
	bool		was_answered[PLACES];
	bool		is_committed;

	if (bambi_agenda.is_paused || !bambi_courier_is_there() ||
		(answered == 0 && !is_due(bambi_agenda.errands_at, now)))
		return;
	for (int i = 0; i < PLACES; i++)
		was_answered[i] = errands[i].is_answered;
	is_committed = bambi_in_transaction(run, now);
	BAMBI_POINT("errands-committed");
	keep(is_committed, was_answered);
	if (!is_committed)
		bambi_agenda.errands_at = in_ms(now, BAMBI_LOOK_AGAIN_MS);
}

void
bambi_errand_answered(BambiFrame *frame)
{
	int			place = frame->head.tag & 0xffff;
	Errand	   *errand;

	if (place >= PLACES || frame->json == NULL)
		return;
	errand = &errands[place];
	if (!errand->is_used || errand->is_answered ||
		errand->tag != frame->head.tag)
		return;
	errand->is_answered = true;
	errand->is_done = frame->head.status == 1;
	errand->answer = frame->json;
	frame->json = NULL;
	answered++;
}

void
bambi_errands_lost(void)
{
	static const char lost[] =
	"{\"error\":\"the courier ended before it was done\"}";
	MemoryContext old = MemoryContextSwitchTo(bambi_calls.context);

	for (int i = 0; i < PLACES; i++)
	{
		Errand	   *errand = &errands[i];

		if (!errand->is_used || errand->is_answered)
			continue;
		errand->is_answered = true;
		errand->answer = cstring_to_text(lost);
		answered++;
	}
	MemoryContextSwitchTo(old);
}
