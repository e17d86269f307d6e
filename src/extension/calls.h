/*-------------------------------------------------------------------------
 *
 * calls.h
 *		The worker's table of calls: claimed generations and, once it came,
 *		the answer of the courier to each.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_CALLS_H
#define BAMBI_CALLS_H

#include "lib/ilist.h"
#include "utils/array.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "courier_link.h"
#include "lanes.h"
#include "settings.h"

/* Pictures up to this many bytes are settled in a batch, by array. */
#define BAMBI_SMALL_PICTURE	(64 * 1024)

typedef struct BambiPicture
{
	slist_node	node;
	int			position;		/* from 1 */
	bytea	   *data;			/* kept */
} BambiPicture;

typedef struct BambiCall
{
	dlist_node	node;			/* in the list of its state */
	bool		is_used;
	bool		is_answered;
	bool		is_locked;		/* to be settled later: see settle.h */
	bool		is_alone;		/* a transaction failed over it: it gets its
								 * own, and never one with a claim */
	uint64		tag;			/* slot number, sequence above */
	pg_uuid_t	id;
	pg_uuid_t	user;
	BambiParties parties;		/* unless it is adopted */
	bool		is_counted;		/* among what runs of them */
	pg_uuid_t	incarnation;	/* that claimed it */
	int32		attempt;
	bool		key_is_valid;	/* the configuration was known to be good */
	int32		key_number;		/* which of its keys was used; 0: not known */
	bool		is_adopted;		/* the answer comes from the spool */
	bool		is_death;		/* there is none: its courier died */
	int32		input_bytes;	/* of pictures to edit, handed over with it */
	uint64		sent_at;		/* end of its frame in the stream */
	TimestampTz claimed_at;
	TimestampTz answered_at;

	/* of a streamed answer, what has come and is not stored yet */
	bool		has_progress;
	bool		had_preview;	/* that is stored */
	int			percent;
	bytea	   *preview;		/* kept; NULL if there is no new one */

	/* the answer */
	uint32		result;			/* FrameResult */
	text	   *outcome;		/* JSON */
	slist_head	pictures;
	Size		bytes;			/* of outcome and pictures */
} BambiCall;

typedef struct BambiCalls
{
	pg_uuid_t	incarnation;	/* ours: of the courier that runs now */
	int			used;			/* calls in the table */
	int			answered;
	int			locked;			/* of the answered */
	Size		answered_bytes;
	int64		input_bytes;	/* of all in the table */
	int			progressed;		/* calls with has_progress */
	dlist_head	waiting;		/* answered, to be settled, oldest first */
	MemoryContext context;		/* of answers */
	BambiCall  *table;
} BambiCalls;

extern BambiCalls bambi_calls;

extern void bambi_calls_initialize(void);

/* A free place; tag is set.  Never fails while used < BAMBI_MAX_IN_FLIGHT. */
extern BambiCall *bambi_call_add(void);
extern void bambi_call_remove(BambiCall *call);

/* An answered call that cannot be settled now: to the end, and not at once. */
extern void bambi_call_put_off(BambiCall *call);

/*
 * The users of whom no more is to be claimed (uuid[]), or NULL: what they, or
 * their transactions, hold locked would take the places of all others (rule
 * D12).
 */
extern ArrayType *bambi_calls_crowds(void);

/* The call of a tag, or NULL if that is over. */
extern BambiCall *bambi_call_of_tag(uint64 tag);

/* Runs over all calls that are used. */
#define foreach_bambi_call(call) \
	for (BambiCall *call = bambi_calls.table; \
		 call < bambi_calls.table + BAMBI_CALL_PLACES; call++) \
		if (call->is_used)

/*
 * Twice the calls in flight: what a turn settles keeps its place until the
 * turn has committed, while the same turn claims as many again.
 */
#define BAMBI_CALL_PLACES	(2 * BAMBI_MAX_IN_FLIGHT)

/*
 * Adds a PICTURE or OUTCOME frame to the call; after the OUTCOME it is
 * answered.  Takes over the frame's memory.
 */
extern void bambi_call_take_frame(BambiCall *call, BambiFrame *frame);

/*
 * Notes a PROGRESS frame of the call.  Takes over the frame's memory.
 */
extern void bambi_call_take_progress(BambiCall *call, BambiFrame *frame);

/* What came is stored, or is not worth it any more. */
extern void bambi_call_forget_progress(BambiCall *call);

/* Makes the call answered by the worker itself: code and text are ours. */
extern void bambi_call_conclude(BambiCall *call, uint32 result,
								const char *code, const char *message);

#endif							/* BAMBI_CALLS_H */
