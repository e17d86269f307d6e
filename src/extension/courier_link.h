/*-------------------------------------------------------------------------
 *
 * courier_link.h
 *		The worker's end of its courier: start, frames out and in, death.
 *
 * Nothing here blocks, and nothing here knows what a frame means.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_COURIER_LINK_H
#define BAMBI_COURIER_LINK_H

#include "utils/uuid.h"

#include "../protocol/frame.h"

/* A frame that came: palloc'ed in the context of the call, NULL if empty. */
typedef struct BambiFrame
{
	FrameHead	head;
	text	   *json;
	bytea	   *picture;
} BambiFrame;

typedef enum BambiReceived
{
	BAMBI_FRAME,				/* one frame, whole */
	BAMBI_NOTHING,				/* none now */
	BAMBI_GONE					/* the courier is gone, or speaks nonsense */
} BambiReceived;

/* Before all else: there may never be a courier, but there are buffers. */
extern void bambi_courier_initialize(void);

/*
 * Makes the spool directory of incarnation with its lock, and starts a
 * courier in it.  False, with an error logged and remembered, if it cannot.
 */
extern bool bambi_courier_start(const pg_uuid_t *incarnation);

extern bool bambi_courier_is_there(void);
extern int	bambi_courier_socket(void);

/*
 * Appends a frame to what is to be sent; len is filled in.  Returns the
 * place in the stream where the frame ends, for bambi_courier_sent.
 */
extern uint64 bambi_courier_append(FrameHead *head, const char *key,
								   const char *json);

/* The same with a picture's bytes; json and picture may be NULL. */
extern void bambi_courier_append_picture(FrameHead *head, const char *json,
										 const bytea *picture);

/* Bytes that are to be sent still. */
extern Size bambi_courier_backlog(void);

/* The end of the stream, and a cut back to there for an aborted turn. */
extern uint64 bambi_courier_mark(void);
extern void bambi_courier_cut(uint64 mark);

/* Sends what the socket takes; true if something is left. */
extern bool bambi_courier_send(void);

/* How far the stream was given to the kernel. */
extern uint64 bambi_courier_sent(void);

extern BambiReceived bambi_courier_receive(BambiFrame *frame,
										   MemoryContext context);

/* Closes the socket: the courier ends its calls and spools the answers. */
extern void bambi_courier_let_go(void);

/* "SPOOL/<system identifier>.<database oid>" */
extern const char *bambi_spool_of_database(void);

/* What went wrong last, for bambi_status(). */
extern void bambi_note_error(const char *message);

#endif							/* BAMBI_COURIER_LINK_H */
