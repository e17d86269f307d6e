/*-------------------------------------------------------------------------
 *
 * body.h
 *		Receives the body of an answer, and cuts the pictures out of it while
 *		it arrives.
 *
 * The pictures are the JSON strings at one exact path; they are decoded from
 * base64 into buffers of their own and never pass through a JSON parser.
 * What is left, the text, has each picture's index in their place, as a
 * string: {"data":[{"b64_json":"0"},{"b64_json":"1"}]}.  Pictures past
 * MAX_PICTURES keep their index, but not their bytes.
 *
 * Never fails on the form of what it reads: what is not JSON ends up in the
 * text as it came, and the JSON parser may complain.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_BODY_H
#define BAMBI_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "exchange.h"

/* What no honest answer needs more of, once the pictures are cut out. */
#define BODY_MAX_TEXT	(1024 * 1024)
/* Of objects and arrays in one another (rule N7). */
#define BODY_MAX_DEPTH	64

typedef struct Body Body;

/*
 * picture_path is as in Request, or NULL for a body that is kept as it
 * comes; lent until body_destroy.  max_bytes bounds the body after
 * decompression, max_text what is left of it without its pictures.  NULL if
 * memory is out.
 */
extern Body *body_create(const char *picture_path, size_t max_bytes,
						 size_t max_text);

/*
 * How long the whole body will be, for one allocation instead of many.  Only
 * a hint; believed up to max_bytes.
 */
extern void body_expect(Body *body, size_t len);

/*
 * The next piece.  False if a limit is passed (or memory is out): the answer
 * is too large, nothing more is taken, and what came before is still there.
 */
extern bool body_add(Body *body, const char *bytes, size_t len);

/* The first picture's index in the text, 0 if this is never called. */
extern void body_number_from(Body *body, int first);

/* Bytes of memory that are held for pictures now. */
extern size_t body_held(const Body *body);

/* The text so far, terminated.  Lent until the next body_add. */
extern const char *body_text(const Body *body, size_t *len);

/* Gives the whole text away as one picture. */
extern void body_take_text(Body *body, Picture *picture);

/*
 * Gives the pictures away, and returns their number.  One that is not at its
 * end, or that was no base64, is_broken, with whatever bytes it has.
 */
extern int	body_take_pictures(Body *body, Picture pictures[MAX_PICTURES]);

/* Frees also the pictures that nobody took.  NULL is fine. */
extern void body_destroy(Body *body);

/*
 * Whether text opens no more than BODY_MAX_DEPTH objects and arrays in one
 * another: to be asked before a recursive parser sees it.
 */
extern bool body_depth_is_fine(const char *text, size_t len);

#endif							/* BAMBI_BODY_H */
