/*-------------------------------------------------------------------------
 *
 * archive.c
 *		Has the courier write months to the archive and read them from it.
 *
 * What is next is decided by functions over the archive's tables, one piece a
 * turn, so that generations do not notice.  Here is only what the courier is
 * about: nothing of it is written down, and whoever dies, it is asked again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "agenda.h"
#include "archive.h"
#include "calls.h"
#include "point.h"
#include "statements_archive.h"
#include "transaction.h"

PG_FUNCTION_INFO_V1(bambi_wake_archive);

/* Errands under way: so that one writes while another waits for a disk. */
#define PLACES			4

/* While so much is to be sent still, there is no more. */
#define MOST_BACKLOG	(4 * 1024 * 1024)

typedef struct ArchiveErrand
{
	bool		is_used;
	bool		is_answered;
	bool		is_done;
	uint64		tag;
	char	   *name;			/* of the object */
	char	   *task;			/* JSON */
	char	   *body;			/* JSON, until it is handed over */
	bytea	   *payload;		/* likewise, or NULL */
	text	   *answer;			/* JSON */
	bytea	   *content;		/* what was read, or NULL */
} ArchiveErrand;

/* Columns of the statements. */
enum
{
	TASK = 1,
	ERRAND,
	PAYLOAD,
	AGAIN_MS,
	NAME
};

static ArchiveErrand errands[PLACES];
static bool must_look = false;	/* for months that are due */
static uint64 sequence = 0;

static void
free_if_any(void *pointer)
{
	if (pointer)
		pfree(pointer);
}

static void
forget(ArchiveErrand *errand)
{
	free_if_any(errand->name);
	free_if_any(errand->task);
	free_if_any(errand->body);
	free_if_any(errand->payload);
	free_if_any(errand->answer);
	free_if_any(errand->content);
	memset(errand, 0, sizeof(*errand));
}

static ArchiveErrand *
find_answered(void)
{
	for (int i = 0; i < PLACES; i++)
	{
		if (errands[i].is_answered)
			return &errands[i];
	}
	return NULL;
}

static ArchiveErrand *
find_free(void)
{
	for (int i = 0; i < PLACES; i++)
	{
		if (!errands[i].is_used)
			return &errands[i];
	}
	return NULL;
}

static Datum
names_under_way(void)
{
	Datum		names[PLACES];
	int			count = 0;

	for (int i = 0; i < PLACES; i++)
	{
		if (errands[i].is_used)
			names[count++] = CStringGetTextDatum(errands[i].name);
	}
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* Copies for as long as it is under way; nothing where there is no errand. */
static void
add_errand(void)
{
	ArchiveErrand *errand = find_free();
	MemoryContext old;
	bool		is_null;
	Datum		payload;

	if (bambi_result_text(0, ERRAND) == NULL)
		return;
	old = MemoryContextSwitchTo(bambi_calls.context);
	errand->task = pstrdup(bambi_result_text(0, TASK));
	errand->name = pstrdup(bambi_result_text(0, NAME));
	errand->body = pstrdup(bambi_result_text(0, ERRAND));
	payload = bambi_result(0, PAYLOAD, &is_null);
	if (!is_null)
		errand->payload = DatumGetByteaPCopy(payload);
	MemoryContextSwitchTo(old);
	errand->tag = (++sequence << 16) | BAMBI_ARCHIVE_TAG | (errand - errands);
	errand->is_used = true;
}

static void
take_answer(TimestampTz now)
{
	ArchiveErrand *errand = find_answered();
	Datum		values[] = {
		CStringGetTextDatum(errand->task), BoolGetDatum(errand->is_done),
		PointerGetDatum(errand->answer), PointerGetDatum(errand->content)
	};

	bambi_execute(&bambi_archive_answer, values,
				  errand->content ? NULL : "   n");
	forget(errand);
	bambi_agenda.archive_at = now;
	/* of who is taken out of a chunk, the image store may have something */
	bambi_agenda.errands_at = now;
	add_errand();
	BAMBI_POINT("archive-answer-before-commit");
}

static void
take_step(TimestampTz now)
{
	Datum		values[] = {names_under_way()};
	bool		is_null;
	int32		again_ms;

	bambi_agenda.archive_at = 0;
	bambi_execute(&bambi_archive_step, values, NULL);
	again_ms = DatumGetInt32(bambi_result(0, AGAIN_MS, &is_null));
	if (!is_null)
		bambi_agenda.archive_at = in_ms(now, again_ms);
	add_errand();
	BAMBI_POINT("archive-step-before-commit");
}

static void
hand_over(ArchiveErrand *errand)
{
	FrameHead	head = {.type = FRAME_ERRAND,.tag = errand->tag};

	bambi_courier_append_picture(&head, errand->body, errand->payload);
	pfree(errand->body);
	errand->body = NULL;
	free_if_any(errand->payload);
	errand->payload = NULL;
}

/* After a transaction: an errand of one that failed was never given. */
static void
hand_over_all(bool is_committed)
{
	for (int i = 0; i < PLACES; i++)
	{
		if (errands[i].body == NULL)
			continue;
		if (is_committed)
			hand_over(&errands[i]);
		else
			forget(&errands[i]);
	}
}

static void
look(TimestampTz now)
{
	bambi_execute(&bambi_archive_look_for_due, NULL, NULL);
}

void
bambi_archive_look(TimestampTz now)
{
	must_look = true;
	bambi_agenda.archive_at = now;
}

void
bambi_archive_run(TimestampTz now)
{
	ArchiveErrand *answered = find_answered();
	bool		is_committed;

	if (bambi_agenda.is_paused || !bambi_courier_is_there() ||
		!is_due(bambi_agenda.archive_at, now))
		return;
	if (must_look)
	{
		must_look = !bambi_in_transaction(look, now);
		bambi_agenda.archive_at =
			in_ms(now, must_look ? BAMBI_LOOK_AGAIN_MS : 0);
		return;
	}
	if (answered == NULL &&
		(find_free() == NULL || bambi_courier_backlog() > MOST_BACKLOG))
	{
		/* an answer, or room, brings us back */
		bambi_agenda.archive_at =
			find_free() == NULL ? 0 : in_ms(now, BAMBI_LOOK_AGAIN_MS);
		return;
	}
	is_committed = bambi_in_transaction(answered ? take_answer : take_step,
										now);
	BAMBI_POINT(answered ? "archive-answer-committed" :
				"archive-step-committed");
	if (!is_committed)
	{
		if (answered && answered->is_answered)
			forget(answered);
		bambi_agenda.archive_at = in_ms(now, BAMBI_LOOK_AGAIN_MS);
	}
	hand_over_all(is_committed);
}

void
bambi_archive_answered(BambiFrame *frame)
{
	int			place = frame->head.tag & (BAMBI_ARCHIVE_TAG - 1);
	ArchiveErrand *errand;

	if (place >= PLACES || frame->json == NULL)
		return;
	errand = &errands[place];
	if (!errand->is_used || errand->is_answered ||
		errand->tag != frame->head.tag)
		return;
	errand->is_answered = true;
	errand->is_done = frame->head.status == 1;
	errand->answer = frame->json;
	errand->content = frame->picture;
	frame->json = NULL;
	frame->picture = NULL;
	bambi_agenda.archive_at = GetCurrentTimestamp();
	BAMBI_POINT("archive-answered");
}

void
bambi_archive_lost(TimestampTz now)
{
	for (int i = 0; i < PLACES; i++)
	{
		if (errands[i].is_used)
			forget(&errands[i]);
	}
	bambi_agenda.archive_at = now;
}

/* bambi_internal.wake_archive() RETURNS void */
Datum
bambi_wake_archive(PG_FUNCTION_ARGS)
{
	bambi_wake_at_commit(BAMBI_WAKE_ARCHIVE);
	PG_RETURN_VOID();
}
