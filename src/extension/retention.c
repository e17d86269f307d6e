/*-------------------------------------------------------------------------
 *
 * retention.c
 *		What is kept no longer, a bit at a time.
 *
 * Once a day the worker goes through everything that may be past its time, in
 * parts that are short transactions with a pause between them.  Where it
 * stopped is only in its memory: the next worker begins anew, and finds
 * removed what was removed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "agenda.h"
#include "point.h"
#include "retention.h"
#include "statements_retention.h"
#include "transaction.h"

#define EVERY_MS	(24 * 60 * 60 * 1000)
#define AGAIN_MS	(60 * 1000)

/* Between two parts: about nine tenths of the time are for generations. */
#define PAUSE_MS	200

static const struct
{
	BambiStatement *statement;
	const char *removed;		/* for the log */
}			kinds[] = {
	{&bambi_retention_content, "generations' prompts and pictures"},
	{&bambi_retention_payments, "events of Stripe"},
};

/* Where the round is, and what it has removed of this kind. */
static int	kind = 0;
static char *place = NULL;
static uint64 removed = 0;

/* Somebody wants a round that begins now, and another one runs. */
static bool is_wanted = false;

/* Of the part that runs. */
static char *next_place;
static int	part_removed;

static void
do_part(TimestampTz now)
{
	Datum		values[] = {
		place ? CStringGetTextDatum(place) : (Datum) 0,
		TimestampTzGetDatum(now)
	};
	bool		is_null;
	char	   *next;

	bambi_execute(kinds[kind].statement, values, place ? NULL : "n ");
	next = bambi_result_text(0, 1);
	next_place = next ? MemoryContextStrdup(TopMemoryContext, next) : NULL;
	part_removed = DatumGetInt32(bambi_result(0, 2, &is_null));
	if (part_removed > 0)
		BAMBI_POINT("retention-before-commit");
}

/* True at the end of the round. */
static bool
end_kind(void)
{
	if (removed > 0)
		ereport(LOG,
				(errmsg("bambi removed what was past its time: "
						UINT64_FORMAT " %s", removed, kinds[kind].removed)));
	removed = 0;
	kind = (kind + 1) % lengthof(kinds);
	return kind == 0;
}

void
bambi_retention_ask(TimestampTz now)
{
	is_wanted = kind > 0 || place != NULL;
	bambi_agenda.retention_at = now;
}

void
bambi_retention_run(TimestampTz now)
{
	bool		is_end = false;

	if (bambi_agenda.is_paused || !is_due(bambi_agenda.retention_at, now))
		return;
	next_place = NULL;
	if (!bambi_in_transaction(do_part, now))
	{
		if (next_place)
			pfree(next_place);
		bambi_agenda.retention_at = in_ms(now, AGAIN_MS);
		return;
	}
	if (place)
		pfree(place);
	place = next_place;
	removed += part_removed;
	if (place == NULL)
		is_end = end_kind() && !is_wanted;
	if (kind == 0 && place == NULL)
		is_wanted = false;
	bambi_agenda.retention_at = in_ms(now, is_end ? EVERY_MS : PAUSE_MS);
}
