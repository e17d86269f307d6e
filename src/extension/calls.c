/*-------------------------------------------------------------------------
 *
 * calls.c
 *		The worker's table of calls.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "calls.h"
#include "settings.h"

/*
 * Answers of one user that may wait for a lock before no more is claimed of
 * them; and how many of all, from which on one is too many.
 */
#define CROWD			16
#define MOST_LOCKED		(BAMBI_MAX_IN_FLIGHT / 2)

BambiCalls	bambi_calls;

static int *free_places;		/* a stack of BAMBI_CALL_PLACES numbers */
static int	free_count;
static uint64 sequence = 0;

void
bambi_calls_initialize(void)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	bambi_calls.table = palloc0(BAMBI_CALL_PLACES * sizeof(BambiCall));
	free_places = palloc(BAMBI_CALL_PLACES * sizeof(int));
	for (int i = 0; i < BAMBI_CALL_PLACES; i++)
		free_places[i] = BAMBI_CALL_PLACES - 1 - i;
	free_count = BAMBI_CALL_PLACES;
	dlist_init(&bambi_calls.waiting);
	bambi_calls.context = AllocSetContextCreate(TopMemoryContext,
												"bambi answers",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
}

BambiCall *
bambi_call_add(void)
{
	int			place;
	BambiCall  *call;

	if (free_count == 0)
		elog(ERROR, "no place for another call");
	place = free_places[--free_count];
	call = &bambi_calls.table[place];
	memset(call, 0, sizeof(*call));
	call->is_used = true;
	call->tag = (++sequence << 16) | place;
	slist_init(&call->pictures);
	bambi_calls.used++;
	return call;
}

static void
forget_answer(BambiCall *call)
{
	while (!slist_is_empty(&call->pictures))
	{
		BambiPicture *picture = slist_container(BambiPicture, node,
												slist_pop_head_node(&call->pictures));

		pfree(picture->data);
		pfree(picture);
	}
	if (call->outcome)
		pfree(call->outcome);
	call->outcome = NULL;
	call->bytes = 0;
}

/* It is off the wire. */
static void
stop_running(BambiCall *call)
{
	if (call->is_counted)
		bambi_parties_count(&call->parties, -1);
	call->is_counted = false;
}

void
bambi_call_remove(BambiCall *call)
{
	stop_running(call);
	if (call->is_answered)
	{
		dlist_delete(&call->node);
		bambi_calls.answered--;
		bambi_calls.locked -= call->is_locked;
		bambi_calls.answered_bytes -= call->bytes;
	}
	forget_answer(call);
	bambi_call_forget_progress(call);
	bambi_calls.input_bytes -= call->input_bytes;
	call->is_used = false;
	free_places[free_count++] = (int) (call - bambi_calls.table);
	bambi_calls.used--;
}

void
bambi_call_put_off(BambiCall *call)
{
	dlist_delete(&call->node);
	dlist_push_tail(&bambi_calls.waiting, &call->node);
	if (!call->is_locked)
	{
		call->is_locked = true;
		bambi_calls.locked++;
	}
}

static int
compare_users(const void *a, const void *b)
{
	return memcmp(((const pg_uuid_t *) a)->data,
				  ((const pg_uuid_t *) b)->data, UUID_LEN);
}

ArrayType *
bambi_calls_crowds(void)
{
	int			most = bambi_calls.locked < MOST_LOCKED ? CROWD : 1;
	pg_uuid_t  *users;
	Datum	   *crowds;
	int			count = 0;
	int			crowd_count = 0;
	dlist_iter	iter;

	if (bambi_calls.locked < most)
		return NULL;
	users = palloc(bambi_calls.locked * sizeof(pg_uuid_t));
	crowds = palloc(bambi_calls.locked * sizeof(Datum));
	dlist_foreach(iter, &bambi_calls.waiting)
	{
		const BambiCall *call = dlist_container(BambiCall, node, iter.cur);

		if (call->is_locked)
			users[count++] = call->user;
	}
	qsort(users, count, sizeof(pg_uuid_t), compare_users);
	for (int i = 0, first = 0; i < count; i++)
	{
		if (compare_users(&users[first], &users[i]) != 0)
			first = i;
		if (i - first + 1 == most)
			crowds[crowd_count++] = UUIDPGetDatum(&users[i]);
	}
	return crowd_count == 0 ? NULL :
		construct_array(crowds, crowd_count, UUIDOID, UUID_LEN, false,
						TYPALIGN_CHAR);
}

BambiCall *
bambi_call_of_tag(uint64 tag)
{
	int			place = tag & 0xffff;
	BambiCall  *call;

	if (place >= BAMBI_CALL_PLACES)
		return NULL;
	call = &bambi_calls.table[place];
	return call->is_used && call->tag == tag ? call : NULL;
}

static void
become_answered(BambiCall *call, uint32 result)
{
	stop_running(call);
	call->result = result;
	call->is_answered = true;
	call->answered_at = GetCurrentTimestamp();
	dlist_push_tail(&bambi_calls.waiting, &call->node);
	bambi_calls.answered++;
	bambi_calls.answered_bytes += call->bytes;
}

static void
add_picture(BambiCall *call, const BambiFrame *frame)
{
	BambiPicture *picture = MemoryContextAlloc(bambi_calls.context,
											   sizeof(BambiPicture));

	picture->position = (int) frame->head.status;
	picture->data = frame->picture;
	slist_push_head(&call->pictures, &picture->node);
	call->bytes += VARSIZE(frame->picture);
}

void
bambi_call_take_frame(BambiCall *call, BambiFrame *frame)
{
	if (frame->head.type == FRAME_PICTURE && frame->picture)
	{
		add_picture(call, frame);
		frame->picture = NULL;
	}
	else if (frame->head.type == FRAME_OUTCOME && frame->json)
	{
		call->outcome = frame->json;
		call->bytes += VARSIZE(frame->json);
		frame->json = NULL;
		become_answered(call, frame->head.status);
	}
}

void
bambi_call_take_progress(BambiCall *call, BambiFrame *frame)
{
	if (frame->picture)
	{
		if (call->preview)
			pfree(call->preview);
		call->preview = frame->picture;
		frame->picture = NULL;
	}
	call->percent = Min((int) frame->head.status, 99);
	if (!call->has_progress)
		bambi_calls.progressed++;
	call->has_progress = true;
}

void
bambi_call_forget_progress(BambiCall *call)
{
	if (call->preview)
		pfree(call->preview);
	call->preview = NULL;
	if (call->has_progress)
		bambi_calls.progressed--;
	call->has_progress = false;
}

void
bambi_call_conclude(BambiCall *call, uint32 result,
					const char *code, const char *message)
{
	StringInfoData json;
	MemoryContext old;

	if (call->is_answered)
		return;
	forget_answer(call);

	old = MemoryContextSwitchTo(bambi_calls.context);
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"code\":");
	escape_json(&json, code);
	appendStringInfoString(&json, ",\"message\":");
	escape_json(&json, message);
	appendStringInfoString(&json, ",\"charged\":\"unknown\"}");
	call->outcome = cstring_to_text_with_len(json.data, json.len);
	pfree(json.data);
	MemoryContextSwitchTo(old);

	call->bytes = VARSIZE(call->outcome);
	become_answered(call, result);
}
