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
#define MAX_PIECES		24		/* ten pictures, the text between them */

typedef struct Request
{
	char		method[8];
	char		path[256];
	char		bearer[512];	/* "" where there is none */
	char		client_request_id[513]; /* the documented limit is 512 */
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
	bool		is_call;		/* counted as in flight */
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
	size_t		total;			/* head and pieces */
	size_t		sent;

	int64_t		due_ms;			/* CLOCK_MONOTONIC, while waiting */
	struct Connection *earlier;
	struct Connection *later;
	struct Connection *next_dead;
} Connection;

/*
 * Answers a request, through one of the three calls below, before it returns.
 */
typedef void (*RequestHandler) (Connection *c, const Request *request);

extern void answer_text(Connection *c, const char *format,...)
			__attribute__((format(printf, 2, 3)));
extern void answer_bytes(Connection *c, const char *bytes, size_t length);
extern void answer_blob(Connection *c, Blob *blob); /* takes its reference */

/*
 * Send what the answer_ functions have gathered.  headers: whole lines with
 * their line ends.  The answer goes after delay_ms, or when released.
 */
extern void connection_answer(Connection *c, int status, const char *headers,
							  long delay_ms);
extern void connection_reset(Connection *c);
extern void connection_close(Connection *c);

/* Answers that are held go now. */
extern void http_release(void);

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
