/*-------------------------------------------------------------------------
 *
 * frame.h
 *		Frames between worker and courier.
 *
 * A frame is a head of FRAME_HEAD_SIZE bytes, little-endian, followed by
 * key, JSON and picture, in that order and of the lengths that the head
 * names.  The socket is a stream; both ends are non-blocking and do their
 * own reading and writing.  This file knows only the form.
 *
 * Before its JOB go the PICTURE frames of what a generation edits, with the
 * same tag.  Its answer is zero or more PICTURE frames and then one OUTCOME,
 * all with the job's tag, id and attempt.  A spool file holds those same
 * frames, byte for byte.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_FRAME_H
#define BAMBI_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#define FRAME_HEAD_SIZE		48

/* A compact JWE of a 16 KB credential (a service account's JSON) fits. */
#define FRAME_MAX_KEY		(32 * 1024)
/* 32,000 characters of prompt, four bytes each, every one escaped. */
#define FRAME_MAX_JSON		(1024 * 1024)
/* The largest setting that bambi.max_response_bytes accepts. */
#define FRAME_MAX_PICTURE	(256 * 1024 * 1024)

typedef enum FrameType
{
	FRAME_SETTINGS = 1,			/* worker: JSON, first frame and after reload */
	FRAME_JOB = 2,				/* worker: sealed key, JSON job */
	FRAME_TAKEN = 3,			/* worker: this tag's outcome is committed */
	FRAME_CANCEL = 4,			/* worker: abort this tag if nothing is sent */
	FRAME_OUTCOME = 5,			/* courier: status is a FrameResult; JSON */
	FRAME_PICTURE = 6,			/* courier: status is the position, from 1;
								 * worker: a picture that the JOB of this tag,
								 * which follows, is about to edit; 0 is its
								 * mask */
	FRAME_LOG = 7,				/* courier: status is a FrameLevel; plain text */
	FRAME_SEALING_KEY = 8,		/* courier: JSON {kid, service, public_key} or
								 * {service, error} */
	FRAME_PROGRESS = 9,			/* courier: status is the percentage of this
								 * tag; a preview, perhaps */
	FRAME_ERRAND = 10,			/* worker: JSON {kind, ...}, what is to be
								 * done besides generations, and the sealed
								 * key of one that is checked; tag is its own;
								 * the picture part is what is archived */
	FRAME_ERRAND_DONE = 11		/* courier: status 1 if it is; JSON; the
								 * picture part is what was archived */
} FrameType;

/* How a job ended, in the status of an OUTCOME. */
typedef enum FrameResult
{
	RESULT_SUCCEEDED = 1,
	RESULT_FAILED = 2,			/* known not to be done; nothing to wait for */
	RESULT_UNCERTAIN = 3,		/* sent, and nobody knows what came of it */
	RESULT_CANCELLED = 4,		/* the answer to CANCEL: nothing was sent */
	RESULT_RETRY = 5,			/* try again after JSON "retry_after_ms" */
	RESULT_WAIT = 6				/* as RETRY, but it counts as no try: the key
								 * service or the store is down, or the
								 * courier ends */
} FrameResult;

typedef enum FrameLevel
{
	LEVEL_DEBUG = 1,
	LEVEL_LOG = 2,
	LEVEL_WARNING = 3
} FrameLevel;

/* The first request byte went out (set by OUTCOME). */
#define FRAME_FLAG_WROTE	0x01

typedef struct FrameHead
{
	uint32_t	len;			/* of the whole frame, head included */
	uint8_t		type;			/* FrameType */
	uint8_t		flags;
	uint16_t	key_len;
	uint64_t	tag;			/* slot number in the low 16 bits, sequence
								 * above */
	uint8_t		id[16];			/* generation */
	uint32_t	attempt;		/* number of the claim, guards the settle */
	uint32_t	status;
	uint32_t	json_len;
	uint32_t	picture_len;
} FrameHead;

/* Fills in len and writes the head's bytes to out. */
extern void frame_encode(FrameHead *head, uint8_t out[FRAME_HEAD_SIZE]);

/*
 * Reads a head.  False if the type is unknown, a length is over its limit,
 * or the lengths do not add up: the stream is broken then, and the only
 * answer is to close it.
 */
extern bool frame_decode(const uint8_t in[FRAME_HEAD_SIZE], FrameHead *head);

#endif							/* BAMBI_FRAME_H */
