/*-------------------------------------------------------------------------
 *
 * exchange.h
 *		The protocol of all adapters: say what should happen next.
 *
 * A step function of an adapter is called, answers what it wants, and is
 * called again when that has happened:
 *
 *	NEXT_DONE	the result is filled in
 *	NEXT_SEND	perform x->request; then x->reply is filled in
 *	NEXT_SLEEP	call again after x->sleep_ms
 *	NEXT_FAIL	give up; x->fault says why
 *
 * x->step is the adapter's own and starts at 0.  A request that could not be
 * performed at all comes back with reply.transport set and status 0.
 * Adapters never touch the network, a clock or a file descriptor, so that
 * unit tests and fuzzers can drive them from fixtures.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_EXCHANGE_H
#define BAMBI_EXCHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "fault.h"
#include "secret.h"

typedef enum Next
{
	NEXT_DONE,
	NEXT_SEND,
	NEXT_SLEEP,
	NEXT_FAIL
} Next;

/* How a request ended that brought no complete answer. */
typedef enum Transport
{
	TRANSPORT_OK = 0,
	TRANSPORT_DNS,				/* name does not resolve */
	TRANSPORT_REFUSED,			/* connection refused, or unreachable */
	TRANSPORT_CONNECT_TIMEOUT,
	TRANSPORT_TLS,				/* certificate or handshake */
	TRANSPORT_ADDRESS,			/* the address rules refused it */
	TRANSPORT_TIMEOUT,			/* sent; no answer before the deadline */
	TRANSPORT_RESET,			/* sent; connection lost before the answer */
	TRANSPORT_RESET_BODY,		/* connection lost inside the answer */
	TRANSPORT_TOO_LARGE,		/* the answer is over its limit */
	TRANSPORT_CANCELLED,		/* by CANCEL, before the first byte */
	TRANSPORT_OTHER
} Transport;

/* A picture cut out of an answer, or drawn, or fetched. */
typedef struct Picture
{
	uint8_t    *bytes;			/* malloc'ed; the exchange frees it */
	size_t		len;
	bool		is_broken;		/* the base64 was not base64, or cut short */
} Picture;

#define MAX_PICTURES	10

typedef struct Header
{
	const char *name;			/* lower case in replies */
	const char *value;
	bool		is_secret;
	struct Header *next;
} Header;

/* A part of a multipart/form-data body. */
typedef struct FormPart
{
	const char *name;
	const char *file_name;		/* NULL: a text field */
	const char *media_type;		/* NULL: a text field */
	const void *bytes;			/* lent until the request has ended */
	size_t		len;
	struct FormPart *next;
} FormPart;

typedef struct Request
{
	const char *method;
	const char *url;			/* absolute */
	Header	   *headers;
	const char *body;			/* in the arena, or lent until the request has
								 * ended; NULL if there is none */
	size_t		body_len;
	FormPart   *form;			/* instead of a body; libcurl encodes it */
	bool		is_paid;		/* never written twice, never redirected */

	/*
	 * Which of the generation's paid requests this is, from 1: an adapter
	 * that makes several counts them up, and none goes out that is not new.
	 */
	int			ordinal;

	/*
	 * Where in the answer pictures stand as base64, e.g. "data[].b64_json";
	 * NULL if nowhere.  They are decoded while they arrive and end in
	 * reply.pictures; in reply.body each is replaced by its index in that
	 * array, as a string.
	 */
	const char *picture_path;

	/*
	 * The same in each event, where the answer may be a stream of them
	 * (text/event-stream); NULL if it may not.  Events that the adapter's
	 * progress function does not take become reply.body, as a JSON array.
	 */
	const char *event_picture_path;

	bool		is_picture;		/* the body is a picture: reply.pictures[0] */

	/*
	 * No request, only a connection, on which whoever asks speaks a protocol
	 * of its own: see engine_channel_socket.  To the host of the url, or to a
	 * socket of this machine.
	 */
	bool		is_channel;
	const char *unix_path;		/* NULL: the host */

	/* Tighter limits than all requests have; 0: no tighter ones. */
	long		connect_ms;
	size_t		max_bytes;		/* of the answer's body */
} Request;

typedef struct Reply
{
	Transport	transport;
	bool		wrote;			/* the first byte of the request went out */
	long		status;			/* HTTP, 0 if there was none */
	Header	   *headers;
	const char *body;			/* terminated; pictures are cut out */
	size_t		body_len;
	bool		is_complete;	/* the body came to its end */
	Picture		pictures[MAX_PICTURES];
	int			picture_count;
} Reply;

typedef struct Exchange
{
	int			step;
	Arena	   *arena;
	const char *base_url;		/* of the provider row, no slash at the end */
	json_t	   *settings;		/* of provider and configuration; an object */
	json_t	   *operator_settings;	/* of the provider alone: what users must
									 * not decide; an object, or NULL */
	const Secret *secret;		/* the user's key; NULL where none is needed */

	/*
	 * Who is offered each event of a stream, as EventTake in event_stream.h;
	 * set by whoever runs the exchange.
	 */
	bool		(*take_event) (void *owner, const char *text, size_t len,
							   Picture *picture);
	void	   *event_owner;
	bool		is_archive;		/* of a store: it is asked as the archive */
	int64_t		now;			/* seconds since 1970, at each step */

	Request		request;		/* for NEXT_SEND */
	int			sleep_ms;		/* for NEXT_SLEEP */
	Fault		fault;			/* for NEXT_FAIL */
	Reply		reply;			/* after NEXT_SEND */
} Exchange;

/* A new request on base_url + path; forgets the one before. */
extern void exchange_get(Exchange *x, const char *path);

/* As exchange_get, with body as JSON; steals the reference to it. */
extern void exchange_post(Exchange *x, const char *path, json_t *body);

/* As exchange_get, with bytes as they are, lent until the request has ended. */
extern void exchange_put(Exchange *x, const char *path,
						 const char *media_type, const void *bytes,
						 size_t len);

/* As exchange_get, by another method. */
extern void exchange_method(Exchange *x, const char *method,
							const char *path);

/* As exchange_get, by POST, with a form that has no part yet. */
extern void exchange_form(Exchange *x, const char *path);

/* Adds a part at the end of the form.  The value of a text is copied. */
extern void exchange_form_text(Exchange *x, const char *name,
							   const char *value);
extern void exchange_form_file(Exchange *x, const char *name,
							   const char *file_name, const char *media_type,
							   const void *bytes, size_t len);

extern void exchange_header(Exchange *x, const char *name, const char *value);

/* A header whose value is a secret: it is wiped with the arena. */
extern void exchange_secret_header(Exchange *x, const char *name,
								   const char *prefix, const Secret *secret);

/* "Authorization: Bearer" with the user's key. */
extern void exchange_bearer(Exchange *x);

/* A reply's header by its lower-case name, or NULL. */
extern const char *exchange_reply_header(const Exchange *x, const char *name);

/* A string of x->settings, or NULL. */
extern const char *exchange_setting(const Exchange *x, const char *name);

/* A member of x->operator_settings, or NULL. */
extern const json_t *exchange_operator_setting(const Exchange *x,
											   const char *name);

/*
 * prefix and then bytes in base64, as a JSON string to be given to an object
 * (json_object_set_new).  NULL if memory is out.
 */
extern json_t *exchange_base64(const char *prefix, const void *bytes,
							   size_t len);

/*
 * The reply's body as JSON, depth at most 64, or NULL.  Lent: it lives as
 * long as the arena.
 */
extern json_t *exchange_json(Exchange *x);

/*
 * The picture that the scanner has left its index of, in value; -1 if it is
 * none of x->reply.pictures.
 */
extern int	exchange_picture_index(const Exchange *x, const json_t *value);

/* A member that is a count, or -1. */
extern long exchange_count(const json_t *object, const char *name);

/* A stranger's text in the arena, scrubbed, and cut to max_len bytes. */
extern char *exchange_scrub(Exchange *x, const char *text, size_t max_len);

/*
 * Sets x->fault, for "return exchange_fail(...)".  The message is scrubbed
 * of the user's key and of control characters, and cut to its limit.
 */
extern Next exchange_fail(Exchange *x, FaultClass class, const char *message);

/*
 * x->fault for a reply with a transport error: class, may_repeat and charged
 * by what is known of how far the request got.
 */
extern Next exchange_fail_transport(Exchange *x);

/* Frees the pictures of the reply and forgets it. */
extern void exchange_clear_reply(Exchange *x);

#endif							/* BAMBI_EXCHANGE_H */
