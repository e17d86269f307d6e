/*-------------------------------------------------------------------------
 *
 * http.h
 *		Connections of the mock provider: requests in, answers out, and every
 *		bad way to end one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_HTTP_H
#define MOCK_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "picture.h"

#define MAX_HEAD		(16 * 1024) /* of a request; ours have 400 bytes */
#define MAX_BODY		(64 * 1024 * 1024)	/* ten pictures to edit fit */
#define FIRST_BUFFER	4096
#define MAX_PIECES		96		/* ten streamed pictures with three previews */
#define MAX_PAUSES		48
#define FOR_EVER		(SIZE_MAX / 2)	/* bytes of an answer */

typedef struct Request
{
	char		method[8];
	char		path[2048];
	const char *query;			/* what stood behind the question mark, or "" */
	char		host[128];
	char		content_type[256];
	char		bearer[2048];	/* "" where there is none */
	char		api_key[512];	/* x-goog-api-key, apikey or ?key=; or "" */
	char		client_request_id[513]; /* the documented limit is 512 */
	bool		has_authorization;	/* of any kind */
	bool		upserts;		/* x-upsert: true */
	const char *body;			/* lent until the handler returns */
	size_t		body_length;
	int64_t		arrived_us;		/* CLOCK_REALTIME, first byte read */
} Request;

/* Text or a picture, in the order in which they go out. */
typedef struct Piece
{
	Blob	   *blob;			/* NULL: text at this place */
	size_t		offset;
	size_t		length;
} Piece;

/* The answer rests before its byte number "at", without head. */
typedef struct Pause
{
	size_t		at;
	long		ms;
} Pause;

typedef enum ConnectionState
{
	STATE_READING,
	STATE_WAITING,				/* the answer is ready, its time is not */
	STATE_WRITING,
	STATE_DEAD					/* freed after this turn of the loop */
} ConnectionState;

typedef struct Connection
{
	int			fd;
	ConnectionState state;
	uint32_t	watched;		/* what epoll is asked for */
	bool		close_after;	/* the answer is the last one */
	uint64_t	call;			/* number of the one in flight, or 0 */
	bool		is_held;		/* waits for a release */
	bool		is_stale;		/* the next call is read, not answered */
	bool		cut_answer;		/* reset in the middle of it */

	char	   *in;				/* what was read and not yet used */
	size_t		in_length;
	size_t		in_size;
	int64_t		arrived_us;

	char		head[1536];
	size_t		head_length;
	char	   *text;
	size_t		text_length;
	size_t		text_size;
	Piece		pieces[MAX_PIECES];
	int			piece_count;
	size_t		body_length;	/* of all pieces */
	size_t		chunk_text;		/* where the size of the open chunk stands */
	size_t		chunk_start;	/* of its bytes, in the body */
	const char *filler;			/* goes round after the pieces; lent */
	size_t		filler_length;
	Pause		pauses[MAX_PAUSES];
	int			pause_count;
	int			next_pause;
	size_t		step_bytes;		/* > 0: no more than these in step_ms */
	long		step_ms;
	size_t		total;			/* head, pieces and filler */
	size_t		sent;

	int64_t		due_ms;			/* CLOCK_MONOTONIC, while waiting */
	struct Connection *earlier;
	struct Connection *later;
	struct Connection *next_dead;
} Connection;

/*
 * Answers a request, through one of the calls below, before it returns.
 */
typedef void (*RequestHandler) (Connection *c, const Request *request);

extern void answer_text(Connection *c, const char *format,...)
			__attribute__((format(printf, 2, 3)));
extern void answer_bytes(Connection *c, const char *bytes, size_t length);
extern void answer_blob(Connection *c, Blob *blob); /* takes its reference */

/* What is gathered from here on goes ms later than what was before. */
extern void answer_pause(Connection *c, long ms);

/* Between these two, what is gathered becomes a chunk (RFC 9112, 7.1). */
extern void answer_chunk_begin(Connection *c);
extern void answer_chunk_end(Connection *c);

/* Send at most so many bytes in so many milliseconds. */
extern void answer_drip(Connection *c, size_t bytes, long ms);

/*
 * After all pieces, block goes out again and again until it has made up total
 * bytes, or FOR_EVER.  block must outlive the connection.
 */
extern void answer_fill(Connection *c, const char *block, size_t length,
						size_t total);

/*
 * Send what the answer_ functions have gathered.  headers: whole lines with
 * their line ends.  The answer goes after delay_ms, or when released.
 */
extern void connection_answer(Connection *c, int status, const char *headers,
							  long delay_ms);
extern void connection_answer_chunked(Connection *c, int status,
									  const char *headers, long delay_ms);

/* As connection_answer, with a whole head that may be as wrong as it likes. */
extern void connection_send(Connection *c, const char *head, long delay_ms);
extern void connection_reset(Connection *c);
extern void connection_close(Connection *c);

/* Of the answers that are held, the oldest go now: so many at the most. */
extern void http_release(int most);

/* Listen on 127.0.0.1; returns the port.  Then run until told to stop. */
extern int	http_listen(int port);
extern void http_run(RequestHandler handler, bool until_eof);

/* Between http.c and answer.c */
extern void connection_watch(Connection *c, uint32_t events);
extern void connection_process(Connection *c);
extern void answer_forget(Connection *c);
extern void answer_continue(Connection *c);
extern void answer_what_is_due(void);
extern int	answer_timeout(void);	/* ms until then, -1 for ever */
extern void *buffer_grow(void *old, size_t *size, size_t wanted);

extern int64_t now_us(void);	/* CLOCK_REALTIME */

#endif							/* MOCK_HTTP_H */
