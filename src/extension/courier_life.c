/*-------------------------------------------------------------------------
 *
 * courier_life.c
 *		The worker's dealings with its courier: birth, words, death.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "agenda.h"
#include "archive.h"
#include "ask.h"
#include "cache.h"
#include "calls.h"
#include "courier_life.h"
#include "courier_link.h"
#include "courier_settings.h"
#include "errands.h"
#include "point.h"
#include "reseal.h"
#include "rotate.h"
#include "statements_worker.h"
#include "transaction.h"
#include "uuid.h"

/* Most that is read before it is settled. */
#define TURN_BYTES			(16 * 1024 * 1024)
#define TURN_CALLS			200

#define LONGEST_DELAY_MS	(60 * 1000)

static int	delay_ms = 0;		/* before the next start */
static text *sealing_key = NULL;	/* as it came, to be put in the table */

/*
 * The courier is gone.  What it never got is claimed for nothing and goes
 * back; the rest of its claims are orphans now.
 */
static void
lose_courier(TimestampTz now)
{
	uint64		sent = bambi_courier_sent();

	ereport(LOG, (errmsg("bambi lost its courier")));
	bambi_note_error("the courier died");
	foreach_bambi_call(call)
	{
		if (call->is_answered || call->is_adopted)
			continue;
		if (call->sent_at > sent)
			bambi_call_conclude(call, RESULT_WAIT, "", "was never sent");
		else
			bambi_call_remove(call);
	}
	bambi_errands_lost();
	bambi_reseal_lost(now);
	bambi_cache_lost(now);
	bambi_archive_lost(now);
	bambi_rotation_key_is_known(false);
	bambi_asks_lost();
	bambi_courier_let_go();
	bambi_uuid_make(&bambi_calls.incarnation);
	bambi_agenda.adopt_at = now;
	bambi_agenda.courier_at = in_ms(now, delay_ms);
	delay_ms = Min(Max(1000, delay_ms * 2),
				   LONGEST_DELAY_MS);
}

static void
start_courier(TimestampTz now)
{
	bambi_uuid_make(&bambi_calls.incarnation);
	if (bambi_courier_start(&bambi_calls.incarnation))
	{
		bambi_courier_send_settings();
		bambi_agenda.courier_at = 0;
		bambi_agenda.adopt_at = now;
		bambi_agenda.may_have_work = true;
		return;
	}
	delay_ms = Min(Max(1000, delay_ms * 2),
				   LONGEST_DELAY_MS);
	bambi_agenda.courier_at = in_ms(now, delay_ms);
}

static void
relay_log(const BambiFrame *frame)
{
	char	   *message = text_to_cstring(frame->json);

	switch ((FrameLevel) frame->head.status)
	{
		case LEVEL_WARNING:
			bambi_note_error(message);
			ereport(WARNING, (errmsg_internal("bambi courier: %s", message)));
			break;
		case LEVEL_LOG:
			ereport(LOG, (errmsg_internal("bambi courier: %s", message)));
			break;
		default:
			ereport(DEBUG1, (errmsg_internal("bambi courier: %s", message)));
			break;
	}
	pfree(message);
}

static void
store_sealing_key(TimestampTz now)
{
	Datum		values[] = {PointerGetDatum(sealing_key)};
	char	   *error;

	bambi_execute(&bambi_worker_sealing_key, values, NULL);
	error = bambi_result_text(0, 1);
	if (error)
	{
		bambi_note_error(error);
		ereport(WARNING, (errmsg("bambi has no key to seal with: %s", error)));
	}
	else
		bambi_agenda.reseal_at = now;
	bambi_rotation_key_is_known(error == NULL);
}

static void
take_sealing_key(TimestampTz now)
{
	if (sealing_key == NULL)
		return;
	bambi_in_transaction(store_sealing_key, now);
	pfree(sealing_key);
	sealing_key = NULL;
}

/* Takes over what it keeps of the frame, and leaves the rest. */
static void
take_frame(BambiFrame *frame)
{
	BambiCall  *call;

	switch ((FrameType) frame->head.type)
	{
		case FRAME_PICTURE:
		case FRAME_OUTCOME:
			delay_ms = 0;
			call = bambi_call_of_tag(frame->head.tag);
			if (call && !call->is_answered)
				bambi_call_take_frame(call, frame);
			break;
		case FRAME_PROGRESS:
			call = bambi_call_of_tag(frame->head.tag);
			if (call && !call->is_answered)
				bambi_call_take_progress(call, frame);
			break;
		case FRAME_ERRAND_DONE:
			if (frame->head.tag & BAMBI_ASK_TAG)
			{
				/* who asked for a new key finds it in the table */
				take_sealing_key(GetCurrentTimestamp());
				bambi_ask_answered(frame);
			}
			else if (frame->head.tag & BAMBI_RESEAL_TAG)
				bambi_reseal_answered(frame);
			else if (frame->head.tag & BAMBI_ROTATE_TAG)
				bambi_rotation_answered(frame);
			else if (frame->head.tag & BAMBI_CACHE_TAG)
				bambi_cache_answered(frame);
			else if (frame->head.tag & BAMBI_ARCHIVE_TAG)
				bambi_archive_answered(frame);
			else
				bambi_errand_answered(frame);
			break;
		case FRAME_LOG:
			if (frame->json)
				relay_log(frame);
			break;
		case FRAME_SEALING_KEY:
			if (sealing_key)
				pfree(sealing_key);
			sealing_key = frame->json;
			frame->json = NULL;
			break;
		default:
			break;
	}
}

void
bambi_courier_listen(TimestampTz now)
{
	int			answered = bambi_calls.answered;
	Size		bytes = bambi_calls.answered_bytes;

	while (bambi_courier_is_there() &&
		   bambi_calls.answered < answered + TURN_CALLS &&
		   bambi_calls.answered_bytes < bytes + TURN_BYTES)
	{
		BambiFrame	frame;
		BambiReceived received = bambi_courier_receive(&frame,
													   bambi_calls.context);

		if (received == BAMBI_NOTHING)
			break;
		if (received == BAMBI_GONE)
		{
			lose_courier(now);
			break;
		}
		take_frame(&frame);
		if (frame.json)
			pfree(frame.json);
		if (frame.picture)
			pfree(frame.picture);
	}
	if (bambi_calls.answered > answered)
		BAMBI_POINT("outcome-received");
	take_sealing_key(now);
}

void
bambi_courier_care(TimestampTz now)
{
	if (!bambi_courier_is_there() && is_due(bambi_agenda.courier_at, now))
		start_courier(now);
}
