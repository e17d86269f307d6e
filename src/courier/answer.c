/*-------------------------------------------------------------------------
 *
 * answer.c
 *		What became of a job, as the frames that tell the worker.
 *
 * An answer is kept until the worker has committed it, and goes out, or into
 * the spool, as it lies in memory.  Small pictures are copied into the one
 * buffer of heads and JSON, so that most answers are a single piece.
 *
 *-------------------------------------------------------------------------
 */
#include "answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "text.h"

#define SMALL_PICTURE	(16 * 1024)

/* Most outcomes fit; the text grows where one does not. */
#define USUAL_OUTCOME	1024

/*
 * Limits of what a provider may make us repeat; ten prompts of this size,
 * each character escaped, stay below FRAME_MAX_JSON.
 */
#define MAX_REVISED_PROMPT	(16 * 1024)
#define MAX_REQUEST_ID		256
#define MAX_LOCATION		2048

static void print_outcome(Text *text, const AnswerFacts *facts);

static FrameHead
head_of(const AnswerFacts *facts, FrameType type, uint32_t status)
{
	FrameHead	head = {
		.type = (uint8_t) type,
		.tag = facts->tag,
		.attempt = facts->attempt,
		.status = status
	};

	memcpy(head.id, facts->id, sizeof(head.id));
	return head;
}

/* What was added to text since *from becomes a part. */
static void
end_part(Answer *answer, const Text *text, size_t *from)
{
	struct iovec *part = &answer->parts[answer->part_count++];

	/* an offset as yet: the text may still move */
	part->iov_base = NULL;
	part->iov_len = text->len - *from;
	*from = text->len;
}

void
answer_build(Answer *answer, AnswerFacts *facts)
{
	Text		text = {NULL, 0, 0};
	size_t		part_from = 0;
	size_t		outcome_at;
	size_t		room = USUAL_OUTCOME;
	size_t		kept = 0;
	size_t		at = 0;
	FrameHead	head;
	int			i;

	memset(answer, 0, sizeof(*answer));
	for (i = 0; i < facts->picture_count; i++)
	{
		if (facts->pictures[i].picture.len <= SMALL_PICTURE)
			room += FRAME_HEAD_SIZE + facts->pictures[i].picture.len;
	}
	text_reserve(&text, room);

	for (i = 0; i < facts->picture_count; i++)
	{
		Picture    *picture = &facts->pictures[i].picture;

		if (!facts->pictures[i].is_sent)
			continue;
		head = head_of(facts, FRAME_PICTURE, (uint32_t) i + 1);
		head.picture_len = (uint32_t) picture->len;
		frame_encode(&head,
					 (uint8_t *) text_reserve(&text, FRAME_HEAD_SIZE));
		text.len += FRAME_HEAD_SIZE;
		if (picture->len <= SMALL_PICTURE)
		{
			memcpy(text_reserve(&text, picture->len), picture->bytes,
				   picture->len);
			text.len += picture->len;
		}
		else
		{
			end_part(answer, &text, &part_from);
			answer->parts[answer->part_count].iov_base = picture->bytes;
			answer->parts[answer->part_count++].iov_len = picture->len;
			answer->pictures[i] = picture->bytes;
			picture->bytes = NULL;
			kept += picture->len;
		}
	}

	outcome_at = text.len;
	text_reserve(&text, FRAME_HEAD_SIZE);
	text.len += FRAME_HEAD_SIZE;
	print_outcome(&text, facts);
	head = head_of(facts, FRAME_OUTCOME, facts->result);
	head.flags = facts->wrote ? FRAME_FLAG_WROTE : 0;
	head.json_len = (uint32_t) (text.len - outcome_at - FRAME_HEAD_SIZE);
	frame_encode(&head, (uint8_t *) text.bytes + outcome_at);
	end_part(answer, &text, &part_from);

	answer->text = (uint8_t *) text.bytes;
	for (i = 0; i < answer->part_count; i++)
	{
		if (answer->parts[i].iov_base == NULL)
		{
			answer->parts[i].iov_base = answer->text + at;
			at += answer->parts[i].iov_len;
		}
	}
	for (i = 0; i < facts->picture_count; i++)
	{
		free(facts->pictures[i].picture.bytes);
		facts->pictures[i].picture.bytes = NULL;
	}
	budget_grow(&answer->share, kept);
}

static void
print_usage(Text *text, const Usage *usage)
{
	const struct
	{
		const char *name;
		long		tokens;
	}			counts[] =
	{
		{"\"text_input\":", usage->text_input},
		{"\"text_input_cached\":", usage->text_input_cached},
		{"\"image_input\":", usage->image_input},
		{"\"image_input_cached\":", usage->image_input_cached},
		{"\"image_output\":", usage->image_output},
		{"\"text_output\":", usage->text_output},
		{"\"total\":", usage->total},
	};
	bool		has_any = false;
	size_t		i;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
	{
		if (counts[i].tokens < 0)
			continue;
		text_add(text, has_any ? "," : "{");
		text_add(text, counts[i].name);
		text_add_number(text, counts[i].tokens);
		has_any = true;
	}
	text_add(text, has_any ? "}" : "null");
}

static void
print_picture(Text *text, const AnswerPicture *picture, int position)
{
	text_add(text, "{\"position\":");
	text_add_number(text, position);
	text_add(text, ",\"format\":\"");
	text_add(text, picture->format);
	text_add(text, "\",\"width\":");
	text_add_number(text, picture->width);
	text_add(text, ",\"height\":");
	text_add_number(text, picture->height);
	text_add(text, ",\"bytes\":");
	text_add_number(text, (long long) picture->picture.len);
	text_add(text, ",\"sha256\":\"");
	text_add(text, picture->sha256);
	text_add(text, "\",\"revised_prompt\":");
	text_add_string(text, picture->revised_prompt, MAX_REVISED_PROMPT);
	text_add(text, ",\"store\":");
	text_add_string(text, picture->store, MAX_REQUEST_ID);
	text_add(text, ",\"location\":");
	text_add_string(text, picture->location, MAX_LOCATION);
	text_add(text, ",\"url\":");
	text_add_string(text, picture->url, MAX_LOCATION);
	text_add(text, "}");
}

/* In dollars, exactly. */
static void
print_cost(Text *text, int64_t ticks)
{
	char		dollars[40];

	snprintf(dollars, sizeof(dollars), "%" PRId64 ".%010" PRId64,
			 ticks / TICKS_PER_USD, ticks % TICKS_PER_USD);
	text_add(text, ticks < 0 ? "null" : dollars);
}

/* What is to be erased, once the answer is settled: a member, if there is any. */
static void
print_leftovers(Text *text, const AnswerFacts *facts)
{
	const char *before = ",\"leftovers\":[";

	for (int i = 0; i < facts->picture_count; i++)
	{
		const AnswerPicture *picture = &facts->pictures[i];

		if (picture->left_at == NULL)
			continue;
		text_add(text, before);
		text_add(text, "{\"kind\":\"erase\",\"store\":");
		text_add_string(text, picture->left_in, MAX_REQUEST_ID);
		text_add(text, ",\"location\":");
		text_add_string(text, picture->left_at, MAX_LOCATION);
		text_add(text, "}");
		before = ",";
	}
	if (before[1] == '\0')
		text_add(text, "]");
}

static void
print_outcome(Text *text, const AnswerFacts *facts)
{
	const Fault *fault = facts->fault;
	bool		has_failed = fault->class != FAULT_NONE;
	int			i;

	text_add(text, "{\"code\":");
	text_add_string(text, fault_code(fault->class), MAX_REQUEST_ID);
	text_add(text, ",\"message\":");
	text_add_string(text, has_failed ? fault->message : NULL,
					FAULT_MESSAGE_MAX);
	text_add(text, ",\"retry_after_ms\":");
	text_add_number(text, facts->retry_after_ms);
	text_add(text, ",\"charged\":\"");
	text_add(text, fault_charged_name(fault->charged));
	text_add(text, "\",\"request_id\":");
	text_add_string(text, facts->request_id, MAX_REQUEST_ID);
	text_add(text, ",\"cost\":");
	print_cost(text, facts->cost_ticks);
	text_add(text, ",\"billed\":");
	text_add_number(text, facts->billed);
	text_add(text, ",\"note\":");
	text_add_string(text, facts->note, FAULT_MESSAGE_MAX);
	text_add(text, ",\"usage\":");
	if (facts->usage != NULL)
		print_usage(text, facts->usage);
	else
		text_add(text, "null");
	text_add(text, ",\"images\":[");
	for (i = 0; i < facts->picture_count; i++)
	{
		if (i > 0)
			text_add(text, ",");
		print_picture(text, &facts->pictures[i], i + 1);
	}
	text_add(text, "]");
	print_leftovers(text, facts);
	text_add(text, ",\"latency_ms\":");
	text_add_number(text, facts->latency_ms);
	text_add(text, ",\"key\":");
	text_add_string(text, facts->key_state, MAX_REQUEST_ID);
	text_add(text, "}");
}

void
answer_send(Answer *answer)
{
	int			i;

	for (i = 0; i < answer->part_count; i++)
		link_send(answer->parts[i].iov_base, answer->parts[i].iov_len,
				  &answer->unsent);
}

void
answer_free(Answer *answer)
{
	int			i;

	for (i = 0; i < MAX_PICTURES; i++)
		free(answer->pictures[i]);
	free(answer->text);
	budget_release(&answer->share);
	memset(answer, 0, sizeof(*answer));
}
