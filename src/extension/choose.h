/*-------------------------------------------------------------------------
 *
 * choose.h
 *		Who of those that wait gets a place, where limits are set or something
 *		waits in a lane.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_CHOOSE_H
#define BAMBI_CHOOSE_H

#include "lanes.h"

/* A generation that waits. */
typedef struct BambiCandidate
{
	pg_uuid_t	id;
	BambiParties parties;
	int64		turn;			/* in the queue */
	int64		tag;			/* when it is its turn, by virtual time */
	int64		lane_turn;		/* the same among those of its party */
	int64		step;
	int32		input_bytes;
	int			limits[3];		/* of user, key and provider */
	BambiLane  *lane;			/* NULL: it stands in the line */
} BambiCandidate;

typedef struct BambiChoice
{
	/* what is asked */
	int			wanted;
	int			most;			/* to look at in the line */
	int64		room;			/* bytes of pictures to edit, for all */
	bool		may_exceed;		/* one of them, if it is the first */
	uint32		claim;			/* its number: a lane is looked at once */

	/* what came of it; lent until SPI_finish */
	BambiCandidate **taken;		/* in their order; they count as running */
	int			taken_count;
	int			looked;			/* candidates in all */
	bool		has_more;		/* something was not looked at */
	BambiCandidate *last;		/* in the line, of those decided on; or NULL */
} BambiChoice;

/*
 * values are those of bambi_claim_look up to $11, the other four are set here.
 * What a limit keeps back is in its lane afterwards.
 */
extern void bambi_choose(BambiChoice *choice, Datum *values, char *nulls);

#endif							/* BAMBI_CHOOSE_H */
