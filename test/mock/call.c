/*-------------------------------------------------------------------------
 *
 * call.c
 *		Books a call and lets it end as its plan says.
 *
 * The ledger has the line before the first byte of the answer goes.
 *
 *-------------------------------------------------------------------------
 */
#include "call.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bad.h"
#include "echo.h"

#define COLOURS			24

long		call_picture_bytes;

size_t
characters(const char *text)
{
	size_t		n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

int
prompt_tokens(const char *prompt)
{
	return (characters(prompt) + 3) / 4;
}

unsigned
prompt_colour(const char *prompt)
{
	unsigned	h = 2166136261u;

	for (; *prompt != '\0'; prompt++)
		h = (h ^ (unsigned char) *prompt) * 16777619u;
	return h % COLOURS;
}

Blob *
call_picture(const Plan *plan, const PictureWish *wish)
{
	PictureWish picture = *wish;

	if (plan->bad >= BAD_BASE64)
		return bad_picture(plan->bad);
	picture.bytes = plan->picture_bytes > 0 ? plan->picture_bytes :
		call_picture_bytes;
	snprintf(picture.comment, sizeof(picture.comment), "%s", plan->comment);
	return picture_get(&picture);
}

void
call_headers(char *headers, size_t size, const Plan *plan, uint64_t sequence)
{
	snprintf(headers, size,
			 "content-type: application/json\r\nopenai-processing-ms: %ld\r\n"
			 "x-request-id: req_mock%012" PRIx64 "\r\n", plan->delay_ms,
			 sequence);
}

/* ---- booking ---- */

static void
book(Entry *entry, const Call *call, const Plan *plan)
{
	entry->accepted = true;
	entry->charged = true;
	entry->status = 200;
	entry->fault = plan_name(plan);
	if (plan->fixture != NULL)
	{
		entry->charged = plan->fixture->charged;
		entry->status = plan->fixture->status;
	}
	else if (plan->block[0] != '\0' || plan->finish[0] != '\0')
	{
		entry->charged = false;
		entry->status = 400;
		if (call->book_block != NULL)
			call->book_block(plan, entry);
	}
	else if (plan->echo[0] != '\0')
	{
		entry->charged = false;
		entry->status = 400;
	}
	if (plan->bad == BAD_STATUS_999)
		entry->status = 999;
	if (plan->reset == RESET_AFTER)
		entry->status = 0;
	if (plan->charged != CHARGED_AS_IS)
		entry->charged = plan->charged == CHARGED_YES;
}

void
call_accept(Connection *c, const Request *request, Call *call,
			const Plan *plan)
{
	uint64_t	sequence;

	book(&call->entry, call, plan);
	if (c->is_stale)
	{
		call->entry.status = 0;
		call->entry.charged = true;
		call->entry.fault = "stale";
	}
	sequence = ledger_append(request, &call->entry);
	if (c->is_stale)
	{
		connection_close(c);
		return;
	}

	c->call = sequence;
	ledger_call_begins(sequence);
	c->is_held = plan->hold;
	c->cut_answer = plan->reset == RESET_BODY;
	c->is_stale = plan->stale == STALE_NEXT;
	c->close_after |= plan->stale == STALE_IDLE;
	if (plan->reset == RESET_AFTER)
		connection_reset(c);
	else if (plan->fixture != NULL)
	{
		answer_bytes(c, plan->fixture->body, strlen(plan->fixture->body));
		connection_answer(c, plan->fixture->status, plan->fixture->headers,
						  plan->delay_ms);
	}
	else if (plan->echo[0] != '\0')
		echo_answer(c, request, plan->echo);
	else if (plan->bad != BAD_NOTHING && plan->bad < BAD_BASE64 &&
			 plan->bad != BAD_SLOW_BODY)
		bad_answer(c, plan, call->opening, call->closing);
	else
	{
		if (plan->bad == BAD_SLOW_BODY)
			answer_drip(c, 1, 1000);
		call->answer(c, request, call, plan, sequence);
	}
}

void
call_refuse(const Request *request, const Call *call, int status,
			const char *fault)
{
	Entry		entry = call->entry;

	entry.accepted = entry.charged = false;
	entry.status = status;
	entry.fault = fault;
	ledger_append(request, &entry);
}
