/*-------------------------------------------------------------------------
 *
 * call.h
 *		A call that makes pictures: what all protocols have in common once they
 *		know what was asked for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_CALL_H
#define MOCK_CALL_H

#include "faults.h"
#include "http.h"
#include "ledger.h"

typedef struct Call Call;

struct Call
{
	Entry		entry;			/* who, which model, how many, from what */
	const char *opening;		/* of an answer, up to its first base64 */
	const char *closing;		/* and after it */
	void	   *wish;			/* the protocol's own */

	/* Gathers the good answer and sends it.  A block is the protocol's, too. */
	void		(*answer) (Connection *c, const Request *request,
						   const Call *call, const Plan *plan,
						   uint64_t sequence);

	/* Whether a block is charged, and its status; NULL: no and 400. */
	void		(*book_block) (const Plan *plan, Entry *entry);
};

/* The call is valid: book it, then let it end as the plan says. */
extern void call_accept(Connection *c, const Request *request, Call *call,
						const Plan *plan);

/* It is not: book that.  The answer is the caller's business. */
extern void call_refuse(const Request *request, const Call *call, int status,
						const char *fault);

/* Lines for connection_answer. */
extern void call_headers(char *headers, size_t size, const Plan *plan,
						 uint64_t sequence);

/*
 * The picture for that wish, or the bad one of the plan.  The reference is
 * given.
 */
extern Blob *call_picture(const Plan *plan, const PictureWish *wish);

/* characters of UTF-8; numbers that a prompt gives */
extern size_t characters(const char *text);
extern int	prompt_tokens(const char *prompt);
extern unsigned prompt_colour(const char *prompt);

/* Bytes of every picture, as option --picture-bytes says; 0: as asked. */
extern long call_picture_bytes;

#endif							/* MOCK_CALL_H */
