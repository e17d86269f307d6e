/*-------------------------------------------------------------------------
 *
 * answers.h
 *		Lets an adapter read whatever a provider may answer: it must end in
 *		pictures or in a fault with a message, never with a key in it, and ask
 *		for nothing again that may have cost.
 *
 * An input is one answer or several, with 0x1e between them; the last one
 * comes again if more are asked for.  An answer is three digits of status, a
 * letter, and the body.  The letter's bits say: 1, it is a stream of events;
 * 2, it breaks off; 4, its first line is the header Retry-After; the others,
 * in pieces of what length it comes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ANSWERS_H
#define BAMBI_ANSWERS_H

#include "../unit/play.h"
#include "fuzz.h"

#define SEPARATOR	0x1e
#define MAX_ANSWERS	32

/* Cuts the next answer off the rest; false if there is none. */
static inline bool
answers_next(const uint8_t **rest, size_t *left, const uint8_t **answer,
			 size_t *len)
{
	const uint8_t *end;

	if (*left < 4)
		return false;
	*answer = *rest;
	end = memchr(*rest, SEPARATOR, *left);
	*len = end != NULL ? (size_t) (end - *rest) : *left;
	*rest += *len;
	*left -= *len;
	if (*left > 0)
	{
		(*rest)++;
		(*left)--;
	}
	return *len >= 4;
}

static inline Next
answers_give(Play *play, const uint8_t *answer, size_t len)
{
	long		status = (answer[0] & 7) * 100 + (answer[1] & 15) * 10 +
	(answer[2] & 15);
	char	   *body = arena_strndup(play->x.arena, (const char *) answer + 4,
									 len - 4);
	char	   *line = body;

	if ((answer[3] & 1) != 0)
		play_reply_header(play, "content-type", "text/event-stream");
	if ((answer[3] & 2) != 0)
		play->x.reply.transport = TRANSPORT_RESET_BODY;
	if ((answer[3] & 4) != 0 && strchr(body, '\n') != NULL)
		play_reply_header(play, "retry-after", strsep(&line, "\n"));
	return play_answer(play, status, line, 1 + (answer[3] >> 3));
}

/* key is what the other side may echo, or NULL. */
static inline bool
answers_tell(const char *text, const char *key)
{
	return text != NULL && key != NULL && strstr(text, key) != NULL;
}

static inline void
answers_check_pictures(const Outcome *outcome, const char *key)
{
	insist(outcome->picture_count >= 1);
	insist(outcome->picture_count <= MAX_PICTURES);
	insist(outcome->missing_billed >= 0);
	insist(!answers_tell(outcome->note, key));
	for (int i = 0; i < outcome->picture_count; i++)
	{
		const OutcomePicture *picture = &outcome->pictures[i];

		insist((picture->picture.len > 0) != (picture->url != NULL));
		insist(!answers_tell(picture->revised_prompt, key));
	}
}

/*
 * status is that of the last answer, which was to a paid request or not; some
 * providers say that no answer of 500 and above has cost.
 */
static inline void
answers_check_fault(const Fault *fault, const char *key, bool was_paid,
					bool is_500_free, long status)
{
	insist(fault->class != FAULT_NONE && fault->message[0] != '\0');
	insist(!answers_tell(fault->message, key));
	insist(!fault->may_repeat || !fault->may_have_cost);
	insist(fault->retry_after_ms >= 0);
	insist(!was_paid || !fault->may_repeat ||
		   (fault->charged == CHARGED_NO &&
			(status == 429 || status == 503 ||
			 (is_500_free && status >= 500))));
}

/* Only what was sent can be echoed. */
static inline bool
answers_were_told(const Play *play, const char *key)
{
	const Header *header;

	for (header = play->x.request.headers; header; header = header->next)
	{
		if (answers_tell(header->value, key))
			return true;
	}
	return false;
}

/*
 * Answers all that the adapter asks, and checks what comes of it.  play is at
 * its begin, and is ended.
 */
static inline void
answers_play(Play *play, const char *key, bool is_500_free,
			 const uint8_t *data, size_t size)
{
	const uint8_t *answer = (const uint8_t *) "200@";
	size_t		len = 4;
	int			ordinal = 0;
	bool		was_paid = false;
	bool		was_told = false;
	Next		next = play_step(play);

	for (int i = 0; next == NEXT_SEND || next == NEXT_SLEEP; i++)
	{
		const uint8_t *found;
		size_t		found_len;

		/* asking for a result goes on until the time is over */
		if (i >= MAX_ANSWERS && !was_paid)
			break;
		insist(i < MAX_ANSWERS);
		if (next == NEXT_SLEEP)
		{
			next = play_step(play);
			continue;
		}
		was_paid = play->x.request.is_paid;
		was_told = answers_were_told(play, key);
		if (was_paid)
		{
			int			its = play->x.request.ordinal;

			insist((its > 0 ? its : 1) > ordinal);
			ordinal = its > 0 ? its : 1;
		}
		if (answers_next(&data, &size, &found, &found_len))
		{
			answer = found;
			len = found_len;
		}
		next = answers_give(play, answer, len);
	}
	if (next == NEXT_DONE)
		answers_check_pictures(&play->outcome, key);
	else if (next == NEXT_FAIL)
		answers_check_fault(&play->x.fault, was_told ? key : NULL, was_paid,
							is_500_free, play->x.reply.status);
	play_end(play);
}

#endif							/* BAMBI_ANSWERS_H */
