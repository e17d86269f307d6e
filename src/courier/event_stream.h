/*-------------------------------------------------------------------------
 *
 * event_stream.h
 *		Receives an answer that is a stream of events (text/event-stream of
 *		the HTML standard, section 9.2.6), each with JSON for data.
 *
 * Pictures are cut out of each event as body.h cuts them out of a body.  An
 * event is offered when it is whole; those that nobody takes are kept, and
 * their data makes a JSON array in which the pictures are numbered on:
 * [{"b64_json":"0"},{"b64_json":"1"}].
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_EVENT_STREAM_H
#define BAMBI_EVENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "exchange.h"

typedef struct EventStream EventStream;

/*
 * Told of a whole event: its data, terminated, and its first picture, or NULL.
 * True if it is taken; whoever wants the bytes sets them to NULL.
 */
typedef bool (*EventTake) (void *owner, const char *text, size_t len,
						   Picture *picture);

/*
 * picture_path as for body_create, in the data of an event; max_bytes bounds
 * the whole stream, max_text what is kept of it, and each event, without
 * pictures.  NULL if memory is out.
 */
extern EventStream *event_stream_create(const char *picture_path,
										size_t max_bytes, size_t max_text,
										EventTake take, void *owner);

/* The next piece.  False if a limit is passed, or memory is out. */
extern bool event_stream_add(EventStream *stream, const char *bytes,
							 size_t len);

/* Bytes of memory that are held for pictures now. */
extern size_t event_stream_held(const EventStream *stream);

/*
 * The array so far, terminated.  Lent until the stream is destroyed; nothing
 * may be added afterwards.  An event that was not at its end is not in it.
 */
extern const char *event_stream_text(EventStream *stream, size_t *len);

/* As body_take_pictures, of the events that are kept. */
extern int	event_stream_take_pictures(EventStream *stream,
									   Picture pictures[MAX_PICTURES]);

/* NULL is fine. */
extern void event_stream_destroy(EventStream *stream);

#endif							/* BAMBI_EVENT_STREAM_H */
