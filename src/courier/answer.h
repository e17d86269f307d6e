/*-------------------------------------------------------------------------
 *
 * answer.h
 *		What became of a job, as the frames that tell the worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ANSWER_H
#define BAMBI_ANSWER_H

#include <sys/uio.h>

#include "../protocol/frame.h"
#include "budget.h"
#include "fault.h"
#include "providers/provider.h"

/* A picture that was checked and stored. */
typedef struct AnswerPicture
{
	Picture		picture;
	const char *format;
	int			width;
	int			height;
	char		sha256[65];		/* hex */
	const char *revised_prompt; /* or NULL */
	const char *store;
	const char *location;		/* or NULL */
	const char *url;			/* where anybody may fetch it, or NULL */
	const char *left_in;		/* a store in which it may lie as well, and */
	const char *left_at;		/* where, without a row; or NULL */
	bool		is_sent;		/* its bytes go to the worker */
} AnswerPicture;

typedef struct AnswerFacts
{
	uint64_t	tag;
	uint8_t		id[16];
	uint32_t	attempt;
	FrameResult result;
	bool		wrote;
	const Fault *fault;			/* class FAULT_NONE: it succeeded */
	long		retry_after_ms;
	const char *request_id;		/* or NULL */
	const Usage *usage;			/* or NULL */
	int64_t		cost_ticks;		/* what the provider says it cost, or -1 */
	int			billed;			/* pictures that are on the bill, or may be */
	const char *note;			/* why some did not come, or NULL */
	AnswerPicture *pictures;
	int			picture_count;
	long		latency_ms;
	const char *key_state;		/* "valid", "failing", "rejected", or NULL */
} AnswerFacts;

/* Each picture with its head, and the outcome. */
#define ANSWER_MAX_PARTS	(2 * MAX_PICTURES + 1)

/* The frames, in pieces of memory; zeroed is one that is not there yet. */
typedef struct Answer
{
	struct iovec parts[ANSWER_MAX_PARTS];
	int			part_count;
	int			unsent;			/* parts that lie in the link's queue */
	uint8_t    *text;			/* heads, JSON and small pictures */
	uint8_t    *pictures[MAX_PICTURES]; /* the large ones */
	Share		share;			/* of the byte budget */
} Answer;

/* Takes over the bytes of the pictures, and copies all else. */
extern void answer_build(Answer *answer, AnswerFacts *facts);

/* Queues it for the worker; the answer must stay until unsent is 0. */
extern void answer_send(Answer *answer);

extern void answer_free(Answer *answer);

#endif							/* BAMBI_ANSWER_H */
