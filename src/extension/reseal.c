/*-------------------------------------------------------------------------
 *
 * reseal.c
 *		Has the courier seal anew what is sealed to an older master key.
 *
 * A pass goes through the keys in the order of their ids, a few at a time, so
 * that generations do not notice.  Nothing of it is written down but its
 * result, row by row: whoever dies, the rows tell what is left.  No lock is
 * held while the courier works; a key that was replaced meanwhile is not the
 * one that was taken, and stays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "agenda.h"
#include "calls.h"
#include "document.h"
#include "point.h"
#include "reseal.h"
#include "statements_rotation.h"
#include "transaction.h"

#define PLACES			32

/* Answers that are noted in one transaction; the other half is under way. */
#define BATCH			(PLACES / 2)

/* After a pass that had to leave a row, or all of them. */
#define AGAIN_MS		5000
#define DOWN_AGAIN_MS	(30 * 1000)

/* Before a key that does not open is tried again. */
#define UNREADABLE_FOR	USECS_PER_HOUR

typedef struct Reseal
{
	bool		is_used;
	bool		is_answered;
	bool		is_done;
	uint64		tag;
	pg_uuid_t	id;
	pg_uuid_t	user;
	char	   *kid;			/* to be sealed to */
	char	   *sealed;			/* as it was */
	char	   *body;			/* JSON, until it is handed over */
	text	   *answer;			/* JSON */
} Reseal;

/* The pass that runs. */
typedef struct Pass
{
	bool		runs;
	bool		has_more;
	int			again_ms;		/* something was left: when to look again */
	pg_uuid_t	last;			/* that was taken */
	uint64		resealed;
	uint64		unreadable;
} Pass;

static Reseal reseals[PLACES];
static int	used = 0;
static int	answered = 0;
static uint64 sequence = 0;
static Pass pass;

static void
forget(Reseal *reseal)
{
	pfree(reseal->kid);
	pfree(reseal->sealed);
	if (reseal->body)
		pfree(reseal->body);
	if (reseal->answer)
		pfree(reseal->answer);
	used--;
	answered -= reseal->is_answered;
	memset(reseal, 0, sizeof(*reseal));
}

static bool
is_unreadable(text *answer)
{
	Jsonb	   *object = bambi_document_parse(text_to_cstring(answer));

	return bambi_document_truth(&object->root, "is_unreadable");
}

static void
note_answer(Reseal *reseal, TimestampTz now)
{
	Datum		values[] = {
		UUIDPGetDatum(&reseal->id), UUIDPGetDatum(&reseal->user),
		CStringGetTextDatum(reseal->sealed), PointerGetDatum(reseal->answer),
		CStringGetTextDatum(reseal->kid), TimestampTzGetDatum(now)
	};

	if (reseal->is_done &&
		bambi_execute(&bambi_reseal_replace, values, NULL) > 0)
		pass.resealed++;
	else if (!reseal->is_done && is_unreadable(reseal->answer) &&
			 bambi_execute(&bambi_reseal_fail, values, NULL) > 0)
		pass.unreadable++;
	else if (reseal->is_done || is_unreadable(reseal->answer))
		/* replaced or locked: the next pass sees */
		pass.again_ms = Max(pass.again_ms, AGAIN_MS);
	else
	{
		/* the key service is down, or has another key: so it is for all */
		pass.has_more = false;
		pass.again_ms = DOWN_AGAIN_MS;
	}
}

static char *
make_body(uint64 row, const pg_uuid_t *user)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"kind\":\"reseal\",\"user\":");
	escape_json(&json, DatumGetCString(DirectFunctionCall1(uuid_out,
														   UUIDPGetDatum(user))));
	appendStringInfoString(&json, ",\"provider\":");
	escape_json(&json, bambi_result_text(row, 4));
	appendStringInfoString(&json, ",\"kid\":");
	escape_json(&json, bambi_result_text(row, 1));
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* A copy for as long as it is under way. */
static char *
keep_text(const char *text)
{
	return MemoryContextStrdup(bambi_calls.context, text);
}

/* From a row of bambi_reseal_take. */
static void
add_reseal(uint64 row)
{
	Reseal	   *reseal = reseals;
	bool		is_null;

	while (reseal->is_used)
		reseal++;
	reseal->is_used = true;
	reseal->tag = (++sequence << 16) | BAMBI_RESEAL_TAG | (reseal - reseals);
	reseal->kid = keep_text(bambi_result_text(row, 1));
	reseal->id = *DatumGetUUIDP(bambi_result(row, 2, &is_null));
	reseal->user = *DatumGetUUIDP(bambi_result(row, 3, &is_null));
	reseal->sealed = keep_text(bambi_result_text(row, 5));
	reseal->body = keep_text(make_body(row, &reseal->user));
	pass.last = reseal->id;
	used++;
}

static void
take_more(TimestampTz now)
{
	int			room = PLACES - used;
	Datum		values[] = {
		UUIDPGetDatum(&pass.last), Int32GetDatum(room),
		TimestampTzGetDatum(now - UNREADABLE_FOR)
	};
	uint64		rows = bambi_execute(&bambi_reseal_take, values, NULL);

	for (uint64 row = 0; row < rows; row++)
		add_reseal(row);
	pass.has_more = rows == (uint64) room;
}

static void
run(TimestampTz now)
{
	bool		has_answers = answered > 0;

	for (int i = 0; i < PLACES; i++)
	{
		if (!reseals[i].is_answered)
			continue;
		note_answer(&reseals[i], now);
		forget(&reseals[i]);
	}
	if (pass.has_more)
		take_more(now);
	if (has_answers)
		BAMBI_POINT("reseal-before-commit");
}

static void
hand_over(Reseal *reseal)
{
	FrameHead	head = {.type = FRAME_ERRAND,.tag = reseal->tag};

	bambi_courier_append(&head, reseal->sealed, reseal->body);
	pfree(reseal->body);
	reseal->body = NULL;
}

static void
end_pass(TimestampTz now)
{
	if (pass.resealed > 0 || pass.unreadable > 0)
		ereport(LOG,
				(errmsg("bambi sealed " UINT64_FORMAT " keys to the new master key, and could not open " UINT64_FORMAT,
						pass.resealed, pass.unreadable)));
	if (pass.again_ms > 0)
		sooner(&bambi_agenda.reseal_at, in_ms(now, pass.again_ms));
	memset(&pass, 0, sizeof(pass));
}

/* Whatever it was: all that is not done is found again by the next pass. */
static void
break_off(TimestampTz now)
{
	for (int i = 0; i < PLACES; i++)
	{
		if (reseals[i].is_used)
			forget(&reseals[i]);
	}
	memset(&pass, 0, sizeof(pass));
	sooner(&bambi_agenda.reseal_at, in_ms(now, BAMBI_LOOK_AGAIN_MS));
}

static void
begin_pass(TimestampTz now)
{
	bambi_agenda.reseal_at = 0;
	if (pass.runs)
	{
		/* what has come behind it is for the next one */
		pass.again_ms = Max(pass.again_ms, 1);
		return;
	}
	pass.runs = true;
	pass.has_more = true;
}

void
bambi_reseal_run(TimestampTz now)
{
	bool		is_begun = false;

	if (bambi_agenda.is_paused || !bambi_courier_is_there())
		return;
	if (is_due(bambi_agenda.reseal_at, now))
	{
		is_begun = !pass.runs;
		begin_pass(now);
	}
	if (!is_begun && (answered == 0 ||
					  (answered < BATCH && answered < used)))
		return;

	if (!bambi_in_transaction(run, now))
	{
		break_off(now);
		return;
	}
	BAMBI_POINT("reseal-committed");
	for (int i = 0; i < PLACES; i++)
	{
		if (reseals[i].body)
			hand_over(&reseals[i]);
	}
	if (used == 0)
		end_pass(now);
}

void
bambi_reseal_answered(BambiFrame *frame)
{
	int			place = frame->head.tag & (BAMBI_RESEAL_TAG - 1);
	Reseal	   *reseal;

	if (place >= PLACES || frame->json == NULL)
		return;
	reseal = &reseals[place];
	if (!reseal->is_used || reseal->is_answered ||
		reseal->tag != frame->head.tag)
		return;
	reseal->is_answered = true;
	reseal->is_done = frame->head.status == 1;
	reseal->answer = frame->json;
	frame->json = NULL;
	answered++;
}

void
bambi_reseal_lost(TimestampTz now)
{
	if (pass.runs)
		break_off(now);
}
