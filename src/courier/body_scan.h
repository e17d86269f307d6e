/*-------------------------------------------------------------------------
 *
 * body_scan.h
 *		Where in the JSON of a body which string stands: shared by body.c and
 *		body_scan.c, and nobody else's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_BODY_SCAN_H
#define BAMBI_BODY_SCAN_H

#include <stdint.h>

#include "base64.h"
#include "body.h"

/* Adapters' paths are much shorter. */
#define MAX_STEPS		16
#define MAX_KEY			63

#define MAX(a, b)	((a) > (b) ? (a) : (b))
#define MIN(a, b)	((a) < (b) ? (a) : (b))

/* A member of this name, or any element of an array if name is NULL. */
typedef struct Step
{
	const char *name;
	size_t		len;
} Step;

typedef enum Place
{
	BETWEEN,					/* the strings */
	IN_KEY,
	IN_STRING,
	IN_PICTURE
} Place;

typedef enum Lead
{
	LEAD_MAY_COME,				/* what came so far could be DATA_PREFIX */
	LEAD_IS_SKIPPED,			/* it was; up to the comma */
	LEAD_IS_OVER				/* from here on it is base64 */
} Lead;

struct Body
{
	Step		steps[MAX_STEPS];
	int			step_count;
	size_t		max_bytes;
	size_t		max_text;
	size_t		expected;
	size_t		received;
	bool		is_full;		/* a limit was passed */

	char	   *text;
	size_t		text_len;
	size_t		text_size;

	/* where in the JSON */
	Place		place;
	bool		after_backslash;
	int			hex_digits;		/* still to come, of \u0000 */
	unsigned int hex_value;
	int			depth;			/* open containers */
	uint64_t	arrays;			/* bit depth - 1: it is an array */
	int			matched;
	bool		expects_key;
	bool		is_too_deep;
	char		key[MAX_KEY + 1];	/* the last one of the innermost object */
	size_t		key_len;		/* MAX_KEY + 1 if it is longer */

	/* the picture that arrives now is the last one */
	Picture		pictures[MAX_PICTURES];
	size_t		sizes[MAX_PICTURES];
	int			picture_count;
	int			index;			/* of the next one */
	int			number_from;	/* what the text makes of index 0 */
	Base64		decoder;
	Lead		lead;
	size_t		lead_len;
};

/* False for what is no path. */
extern bool body_scan_path(Body *body, const char *path);

/* Takes all of it, or gives false: then it is too much for body.c. */
extern bool body_scan(Body *body, const char *p, const char *end);

/*
 * What the scanner tells body.c: text that stays, and a picture's characters,
 * unescaped.  False if it is too much.
 */
extern bool body_keep(Body *body, const char *bytes, size_t len);
extern void body_begin_picture(Body *body);
extern bool body_add_to_picture(Body *body, const char *p, size_t len);
extern bool body_end_picture(Body *body);

#endif							/* BAMBI_BODY_SCAN_H */
