/*-------------------------------------------------------------------------
 *
 * cache.c
 *		Has the courier write to Redis what changed.
 *
 * Sessions note changes in bambi_internal.cache_outbox while the worker says
 * that it writes; the worker takes the notes, reads the values in the same
 * snapshot, and hands both over, one batch at a time.
 *
 * The hard part is what nobody has noted: what changed before, or while Redis
 * was away.  So every connection begins with a new epoch, and a value of
 * another epoch is void, whoever reads it.  Before the first value of an
 * epoch is read, all transactions have ended that may have looked whether to
 * note and found no.  Then nothing needs to be kept for a Redis that is away:
 * noting stops, the outbox is emptied, and values come again when they are
 * asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "agenda.h"
#include "cache.h"
#include "calls.h"
#include "document.h"
#include "point.h"
#include "settings.h"
#include "statements_cache.h"
#include "transaction.h"

/* So that the changes of a busy moment make one value. */
#define GATHER_MS		100

/* Notes that are taken at a time: some 20 ms of this process. */
#define BATCH			200

/* When so many wait, Redis is too slow for them: all are void instead. */
#define MOST_NOTES		10000

/* Between two looks at transactions that have to end first. */
#define SETTLE_MS		50

#define FIRST_DELAY_MS	1000
#define LONGEST_DELAY_MS (30 * 1000)

/* Versions of a series: both fit into what a double holds exactly. */
#define PER_SERIES		(INT64CONST(1) << 20)

/* What is larger than a frame takes is not cached. */
#define MOST_JSON		(900 * 1024)

typedef enum CacheState
{
	CACHE_OFF,					/* not wanted, or not possible now */
	CACHE_AWAY,					/* Redis is; to be tried again */
	CACHE_OPENING,				/* asked: a connection, and a new epoch */
	CACHE_SETTLING,				/* sessions note; older ones have to end */
	CACHE_READY,
	CACHE_WRITING				/* asked: a batch */
} CacheState;

static CacheState state = CACHE_OFF;
static int64 version = 0;		/* the last one that was used */
static int64 epoch = 0;
static uint64 sequence = 0;
static uint64 opened_tag = 0;	/* of the connection */
static uint64 asked_tag = 0;	/* of what the courier was asked last */
static uint64 settled_at = 0;	/* transaction id; 0: not known yet */
static TimestampTz refresh_at = 0;
static int	delay_ms = 0;		/* before the next try */
static bool is_woken = false;	/* while something else was to be done */
static char said[BAMBI_ERROR_SIZE]; /* why it is away, in the log */

/* Of the transaction that runs. */
static StringInfo body = NULL;
static bool has_more;
static bool is_settled;

static void
set_noting(bool is_on)
{
	BambiWorkerSlot *slot = bambi_my_slot();

	if (slot)
		pg_atomic_write_u32(&slot->cache_is_on, is_on);
}

static bool
is_wanted(void)
{
	return bambi_redis_url && bambi_redis_url[0] && !bambi_agenda.is_paused &&
		bambi_courier_is_there();
}

static void
clear(TimestampTz now)
{
	bambi_execute(&bambi_cache_clear, NULL, NULL);
}

/* Whatever Redis holds is void when we come back, so nothing need be kept. */
static void
stop(CacheState new_state, TimestampTz now)
{
	set_noting(false);
	state = new_state;
	bambi_agenda.cache_at = 0;
	opened_tag = 0;
	asked_tag = 0;
	(void) bambi_in_transaction(clear, now);
}

static void
go_away(const char *reason, TimestampTz now)
{
	if (strncmp(said, reason, sizeof(said) - 1) != 0)
	{
		ereport(LOG, (errmsg("bambi writes nothing to Redis: %s", reason)));
		bambi_note_error(reason);
	}
	strlcpy(said, reason, sizeof(said));
	stop(CACHE_AWAY, now);
	bambi_agenda.cache_at = in_ms(now, delay_ms);
	delay_ms = Min(Max(FIRST_DELAY_MS, delay_ms * 2), LONGEST_DELAY_MS);
}

/* ---- what the courier is asked */

static int64
next_version(TimestampTz now)
{
	Datum		values[] = {TimestampTzGetDatum(now)};
	bool		is_null;

	if (version == 0 || ((version + 1) & (PER_SERIES - 1)) == 0)
	{
		bambi_execute(&bambi_cache_next_series, values, NULL);
		version = DatumGetInt64(bambi_result(0, 1, &is_null)) * PER_SERIES;
	}
	return ++version;
}

static void
begin_body(const char *kind)
{
	MemoryContext old = MemoryContextSwitchTo(bambi_calls.context);

	body = makeStringInfo();
	appendStringInfo(body, "{\"kind\":\"%s\",\"version\":" INT64_FORMAT
					 ",\"epoch\":" INT64_FORMAT ",\"life_ms\":%d",
					 kind, version, epoch, bambi_redis_ttl * 1000);
	MemoryContextSwitchTo(old);
}

static void
forget_body(void)
{
	if (body == NULL)
		return;
	pfree(body->data);
	pfree(body);
	body = NULL;
}

static void
ask(void)
{
	FrameHead	head = {.type = FRAME_ERRAND};

	asked_tag = (++sequence << 16) | BAMBI_CACHE_TAG;
	head.tag = asked_tag;
	bambi_courier_append(&head, NULL, body->data);
	forget_body();
}

/* ---- a connection, and its epoch */

static void
prepare_opening(TimestampTz now)
{
	version = 0;
	epoch = next_version(now);
	begin_body("cache_open");
	appendStringInfoChar(body, '}');
}

static void
look_whether_settled(TimestampTz now)
{
	Datum		values[] = {UInt64GetDatum(settled_at)};
	bool		is_null;

	bambi_execute(&bambi_cache_is_settled, values,
				  settled_at == 0 ? "n" : " ");
	is_settled = DatumGetBool(bambi_result(0, 1, &is_null));
	settled_at = DatumGetUInt64(bambi_result(0, 2, &is_null));
	if (is_settled)
		bambi_execute(&bambi_cache_note_catalogue, NULL, NULL);
}

/* ---- batches */

static void
add_value(uint64 row)
{
	bool		is_null;
	char	   *value = bambi_result_text(row, 3);

	appendStringInfoString(body, "{\"key\":");
	escape_json(body, bambi_result_text(row, 1));
	appendStringInfo(body, ",\"is_change\":%s,\"life_ms\":" INT64_FORMAT,
					 DatumGetBool(bambi_result(row, 2, &is_null)) ?
					 "true" : "false",
					 Max(1, DatumGetInt64(bambi_result(row, 4, &is_null))));
	if (value && body->len + strlen(value) * 2 < MOST_JSON)
	{
		appendStringInfoString(body, ",\"value\":");
		escape_json(body, value);
	}
	appendStringInfoString(body, "},");
}

static bool
has_void_of_all(uint64 rows)
{
	for (uint64 row = 0; row < rows; row++)
	{
		if (bambi_result_text(row, 1) == NULL)
			return true;
	}
	return false;
}

static void
add_values(uint64 rows)
{
	appendStringInfo(body, ",\"opened\":" UINT64_FORMAT ",\"values\":[",
					 opened_tag);
	for (uint64 row = 0; row < rows; row++)
	{
		if (bambi_result_text(row, 1) != NULL)
			add_value(row);
	}
	if (body->data[body->len - 1] == ',')
		body->data[--body->len] = '\0';
	appendStringInfoString(body, "]}");
}

static bool
is_swamped(void)
{
	Datum		values[] = {Int32GetDatum(MOST_NOTES)};
	bool		is_null;

	bambi_execute(&bambi_cache_has_more_than, values, NULL);
	if (!DatumGetBool(bambi_result(0, 1, &is_null)))
		return false;
	bambi_execute(&bambi_cache_clear, NULL, NULL);
	return true;
}

static void
prepare_batch(TimestampTz now)
{
	Datum		values[] = {
		Int32GetDatum(BATCH), Int64GetDatum(bambi_redis_ttl * INT64CONST(1000))
	};
	bool		is_all_void = is_swamped();
	bool		is_null;
	int64		this_version = next_version(now);
	uint64		rows;

	if (is_due(refresh_at, now))
		bambi_execute(&bambi_cache_note_catalogue, NULL, NULL);
	rows = bambi_execute(&bambi_cache_take, values, NULL);
	has_more = rows > 0 &&
		DatumGetInt64(bambi_result(0, 5, &is_null)) == BATCH;
	is_all_void |= has_void_of_all(rows);
	if (rows == 0 && !is_all_void)
		return;
	if (is_all_void)
		epoch = this_version;
	begin_body("cache_write");
	add_values(rows);
	if (is_all_void)
	{
		bambi_execute(&bambi_cache_note_catalogue, NULL, NULL);
		has_more = true;
	}
	BAMBI_POINT("cache-before-commit");
}

/* ---- the states */

static void
open_connection(TimestampTz now)
{
	if (!bambi_in_transaction(prepare_opening, now))
	{
		forget_body();
		bambi_agenda.cache_at = in_ms(now, BAMBI_LOOK_AGAIN_MS);
		return;
	}
	bambi_agenda.cache_at = 0;
	ask();
	opened_tag = asked_tag;
	state = CACHE_OPENING;
}

static void
settle(TimestampTz now)
{
	if (!bambi_in_transaction(look_whether_settled, now) || !is_settled)
	{
		bambi_agenda.cache_at = in_ms(now, SETTLE_MS);
		return;
	}
	ereport(LOG, (errmsg("bambi writes to Redis")));
	said[0] = '\0';
	delay_ms = 0;
	state = CACHE_READY;
	refresh_at = in_ms(now, bambi_redis_ttl * 500);
	bambi_agenda.cache_at = now;
}

static void
write_batch(TimestampTz now)
{
	bool		is_refresh = is_due(refresh_at, now);
	int64		epoch_before = epoch;

	is_woken = false;
	has_more = false;
	if (!bambi_in_transaction(prepare_batch, now))
	{
		epoch = epoch_before;
		version = 0;			/* its series may be rolled back */
		forget_body();
		bambi_agenda.cache_at = in_ms(now, BAMBI_LOOK_AGAIN_MS);
		return;
	}
	if (is_refresh)
		refresh_at = in_ms(now, bambi_redis_ttl * 500);
	bambi_agenda.cache_at = refresh_at;
	if (body)
	{
		is_woken |= has_more;
		ask();
		state = CACHE_WRITING;
	}
}

void
bambi_cache_run(TimestampTz now)
{
	if (!is_wanted())
	{
		if (state != CACHE_OFF)
			stop(CACHE_OFF, now);
		return;
	}
	if (state == CACHE_OFF)
	{
		state = CACHE_AWAY;
		bambi_agenda.cache_at = now;
	}
	if (!is_due(bambi_agenda.cache_at, now))
		return;
	switch (state)
	{
		case CACHE_AWAY:
			open_connection(now);
			break;
		case CACHE_SETTLING:
			settle(now);
			break;
		case CACHE_READY:
			write_batch(now);
			break;
		case CACHE_OFF:
		case CACHE_OPENING:
		case CACHE_WRITING:
			bambi_agenda.cache_at = 0;
			break;
	}
}

void
bambi_cache_woken(TimestampTz now)
{
	if (state == CACHE_READY)
		sooner(&bambi_agenda.cache_at, in_ms(now, GATHER_MS));
	else
		is_woken = true;
}

void
bambi_cache_try_again(TimestampTz now)
{
	delay_ms = 0;
	if (state == CACHE_AWAY)
		bambi_agenda.cache_at = now;
}

static void
go_on(TimestampTz now)
{
	if (state == CACHE_OPENING)
	{
		/* from here on they note, and then older ones have to end */
		set_noting(true);
		settled_at = 0;
		state = CACHE_SETTLING;
		bambi_agenda.cache_at = now;
	}
	else
	{
		state = CACHE_READY;
		bambi_agenda.cache_at = refresh_at;
		if (is_woken)
			sooner(&bambi_agenda.cache_at,
				   in_ms(now, has_more ? 0 : GATHER_MS));
	}
}

/* {"error": "..."}, made by the courier: nothing of it comes from Redis. */
static void
read_reason(const BambiFrame *frame, char reason[BAMBI_ERROR_SIZE])
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "bambi reason",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Jsonb	   *answer = bambi_document_parse(text_to_cstring(frame->json));
	char	   *error = bambi_document_string(&answer->root, "error");

	strlcpy(reason, error ? error : "the courier gave no reason",
			BAMBI_ERROR_SIZE);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

void
bambi_cache_answered(BambiFrame *frame)
{
	TimestampTz now = GetCurrentTimestamp();
	char		reason[BAMBI_ERROR_SIZE];

	if (frame->json == NULL || frame->head.tag == 0)
		return;
	if (frame->head.status != 1)
	{
		/* what was asked, or the connection that an opening has got */
		if (frame->head.tag == asked_tag || frame->head.tag == opened_tag)
		{
			read_reason(frame, reason);
			go_away(reason, now);
		}
	}
	else if (frame->head.tag == asked_tag)
	{
		asked_tag = 0;
		if (VARSIZE_ANY_EXHDR(frame->json) > strlen("{}"))
		{
			/* it was flushed: who wants a user's value asks for it */
			refresh_at = now;
			is_woken = true;
		}
		go_on(now);
	}
}

bool
bambi_cache_is_writing(void)
{
	return state == CACHE_WRITING;
}

bool
bambi_cache_is_away(void)
{
	return state == CACHE_AWAY || state == CACHE_OPENING;
}

void
bambi_cache_lost(TimestampTz now)
{
	if (state != CACHE_OFF)
		stop(CACHE_OFF, now);
}
