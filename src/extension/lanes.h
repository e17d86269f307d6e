/*-------------------------------------------------------------------------
 *
 * lanes.h
 *		How many calls run for whom, and who waits beside the line for a place.
 *
 * A party is whoever may have a limit of calls in flight: a user, a key or a
 * provider, by its id.  What its limit keeps back leaves the line of the
 * queue and waits in a lane: one for each user and party, in the order in
 * which it was asked for (queue.waits_for).  So a claim passes by what cannot be claimed
 * once, and not again and again.
 *
 * Lanes are served by start-time fair queuing like the line.  Those of one
 * party have a virtual time of their own, since theirs stands still when that
 * of the line does not; and each user has a pace, so that who was kept back
 * has no credit for it.
 *
 * This is a memory of what stands in the table, and may be read anew at any
 * time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_LANES_H
#define BAMBI_LANES_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

#define BAMBI_NO_LIMIT	PG_INT32_MAX

typedef struct BambiParty
{
	pg_uuid_t	id;				/* the hash key */
	int			running;		/* its calls on the wire */
	int			limit;			/* as last read; BAMBI_NO_LIMIT */
	int			lanes;			/* that wait for it */
	int64		virtual_time;	/* of these */
	int64		pace;			/* of a user: no turn before it */
} BambiParty;

typedef struct BambiLaneKey
{
	pg_uuid_t	party;
	pg_uuid_t	user;
} BambiLaneKey;

typedef struct BambiLane
{
	BambiLaneKey key;			/* the hash key */
	BambiParty *party;
	BambiParty *user;
	int64		turn;			/* its next one, in the party's virtual time */
	pg_uuid_t	first;			/* nothing waits before this id */
	uint32		looked;			/* number of the claim that looked at it */
	bool		is_there;		/* while they are read anew */

	/* of the look that picked it */
	int			limit;			/* rows to read */
	int			read;
	int			done;			/* of these, taken or kept back elsewhere */
	bool		is_entered;		/* by something since */
	pg_uuid_t	last;			/* that was read */
	int64		last_tag;		/* of the last one read */
	int64		last_turn;
} BambiLane;

/* Who pays for a call, and where it goes; all that may have a limit. */
typedef struct BambiParties
{
	pg_uuid_t	user;
	pg_uuid_t	key;
	pg_uuid_t	provider;
	bool		has_key;
} BambiParties;

/* Whether claims must mind limits or lanes. */
extern bool bambi_lanes_are_needed(void);

/* Reads whether any limit is set; counts what runs if it was not before. */
extern void bambi_limits_read(void);

/* A call begins to run, or ends (by is 1 or -1). */
extern void bambi_parties_count(const BambiParties *parties, int by);

/* The calls that couriers of others still run: instead of those of before. */
extern void bambi_parties_set_others(const BambiParties *parties, int count);

/* Counts anew: a turn aborted. */
extern void bambi_parties_recount(void);

/* Never NULL; lent until lanes are read anew. */
extern BambiParty *bambi_party(const pg_uuid_t *id);

/* NULL if nothing of the user waits for the party. */
extern BambiLane *bambi_lane_of(const pg_uuid_t *party,
								const pg_uuid_t *user);

/* A generation waits in the lane now. */
extern void bambi_lane_enter(const pg_uuid_t *party, const pg_uuid_t *user,
							 const pg_uuid_t *id);

/*
 * The lanes whose party has a place, best first, for so many places in all,
 * and how many rows to read of each; without those that this claim has looked
 * at.  Returns how many.
 */
extern int	bambi_lanes_pick(BambiLane **lanes, int most, uint32 claim);

/* Nothing waits there any more. */
extern void bambi_lane_remove(BambiLane *lane);

/* Reads them at the next claim: something may wait that was passed by. */
extern void bambi_lanes_forget(void);
extern void bambi_lanes_read_if_forgotten(void);

#endif							/* BAMBI_LANES_H */
