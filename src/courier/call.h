/*-------------------------------------------------------------------------
 *
 * call.h
 *		What one HTTP request and its answer are made of: shared by the files
 *		of the engine, and nobody else's.
 *
 *	engine.c		all calls, how they connect, and their end
 *	call_request.c	what is sent
 *	call_reply.c	what is received
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_CALL_H
#define BAMBI_CALL_H

#include <curl/curl.h>

#include "body.h"
#include "engine.h"
#include "event_stream.h"

struct Call
{
	CURL	   *easy;
	unsigned	era;			/* in which the handle was made */
	struct curl_slist *headers;
	curl_mime  *mime;

	Exchange   *x;
	const AddressRange *ranges;
	int			range_count;
	CallEnded	ended;
	void	   *owner;

	Body	   *body;			/* what is received: one of the two, or */
	EventStream *events;		/* none before its first byte */
	size_t		head_bytes;
	size_t		max_bytes;		/* of the body */
	size_t		received;		/* of the body */
	curl_off_t	told;			/* the body's length, or -1 */
	Share		share;			/* of the byte budget */
	CURLcode	early;			/* could not even begin */
	bool		is_plain;		/* http: only to the ranges */
	bool		is_refused;		/* by the address rules */
	bool		is_too_large;
	bool		is_shown;		/* at the point "request-written" */

	Call	   *next;			/* in idle, failed or waiting */
};

/* Gives the handle the request that call->x makes; false if it cannot be. */
extern bool call_set_request(Call *call);

/* Takes it away again. */
extern void call_clear_request(Call *call);

/* Has a new handle tell the functions here what comes. */
extern void call_set_listeners(Call *call);

/*
 * How long a body may be, and the share of the byte budget that whoever asks
 * holds already, or NULL.
 */
extern void call_set_limits(Call *call, size_t max_bytes, Share *share);

/* What has come, once the call has ended with this code. */
extern void call_fill_reply(Call *call, CURLcode code);

/* Makes the handle fit for another answer; what it held in memory is free. */
extern void call_clear_reply(Call *call);

#endif							/* BAMBI_CALL_H */
