/*-------------------------------------------------------------------------
 *
 * choose.c
 *		Who of those that wait gets a place, where limits are set or something
 *		waits in a lane.
 *
 * The first of the line and of the lanes are read together and taken in the
 * order of their tags, as long as no party has more calls than its limit.
 * What cannot be taken leaves the line for a lane, and so does whatever stands
 * behind something of its own user that waits there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "choose.h"
#include "request.h"
#include "shmem.h"
#include "statements_claim.h"

/* Columns of bambi_claim_look. */
enum
{
	ID = 1,
	USER,
	KEY,
	PROVIDER,
	TURN,
	INPUT_BYTES,
	LANE,
	WEIGHT,
	LIMITS
};

/* What is kept back, as the arrays of bambi_claim_keep_back. */
typedef struct KeptBack
{
	int			count;
	Datum	   *ids;
	Datum	   *users;
	Datum	   *parties;
} KeptBack;

static Datum
uuid_array(Datum *ids, int count)
{
	return PointerGetDatum(construct_array(ids, count, UUIDOID, UUID_LEN,
										   false, TYPALIGN_CHAR));
}

/* Which lanes to look at, as $12 to $15. */
static void
set_lanes(BambiLane **lanes, int count, Datum *values)
{
	Datum	   *parties = palloc((count + 1) * sizeof(Datum));
	Datum	   *users = palloc((count + 1) * sizeof(Datum));
	Datum	   *first = palloc((count + 1) * sizeof(Datum));
	Datum	   *limits = palloc((count + 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
	{
		parties[i] = UUIDPGetDatum(&lanes[i]->key.party);
		users[i] = UUIDPGetDatum(&lanes[i]->key.user);
		first[i] = UUIDPGetDatum(&lanes[i]->first);
		limits[i] = Int32GetDatum(lanes[i]->limit);
	}
	values[11] = uuid_array(parties, count);
	values[12] = uuid_array(users, count);
	values[13] = uuid_array(first, count);
	values[14] = PointerGetDatum(construct_array(limits, count, INT4OID,
												 sizeof(int32), true,
												 TYPALIGN_INT));
}

static void
read_candidate(uint64 row, BambiCandidate *candidate, BambiLane **lanes)
{
	bool		is_null;
	Datum		value;

	candidate->id = *DatumGetUUIDP(bambi_result(row, ID, &is_null));
	candidate->parties.user = *DatumGetUUIDP(bambi_result(row, USER,
														  &is_null));
	value = bambi_result(row, KEY, &is_null);
	candidate->parties.has_key = !is_null;
	if (!is_null)
		candidate->parties.key = *DatumGetUUIDP(value);
	candidate->parties.provider = *DatumGetUUIDP(bambi_result(row, PROVIDER,
															  &is_null));
	candidate->turn = DatumGetInt64(bambi_result(row, TURN, &is_null));
	candidate->input_bytes = DatumGetInt32(bambi_result(row, INPUT_BYTES,
														&is_null));
	value = bambi_result(row, LANE, &is_null);
	candidate->lane = is_null ? NULL : lanes[DatumGetInt32(value) - 1];
	value = bambi_result(row, WEIGHT, &is_null);
	candidate->step = bambi_turn_step(DatumGetInt32(value));
	for (int i = 0; i < 3; i++)
	{
		value = bambi_result(row, LIMITS + i, &is_null);
		candidate->limits[i] = is_null ? BAMBI_NO_LIMIT : DatumGetInt32(value);
	}
}

/*
 * The rows of a lane come in their order.  Whoever was kept back
 * is not served before what is served now; nor faster than by the user's
 * weight, however many of his lanes have a place.
 */
static void
set_tags(BambiCandidate *all, int count, int64 now)
{
	for (int i = 0; i < count; i++)
	{
		BambiCandidate *candidate = &all[i];
		BambiLane  *lane = candidate->lane;

		candidate->tag = candidate->turn;
		candidate->lane_turn = PG_INT64_MIN;	/* the line goes first */
		if (lane == NULL)
			continue;
		if (lane->read == 0)
		{
			candidate->tag = Max(lane->user->pace, now);
			candidate->lane_turn = lane->turn;
		}
		else
		{
			candidate->tag = lane->last_tag + candidate->step;
			candidate->lane_turn = lane->last_turn + candidate->step;
		}
		lane->last_tag = candidate->tag;
		lane->last_turn = candidate->lane_turn;
		lane->last = candidate->id;
		lane->read++;
	}
}

static int
compare(const void *a, const void *b)
{
	const BambiCandidate *one = *(BambiCandidate *const *) a;
	const BambiCandidate *other = *(BambiCandidate *const *) b;

	if (one->tag != other->tag)
		return one->tag < other->tag ? -1 : 1;
	if (one->lane_turn != other->lane_turn)
		return one->lane_turn < other->lane_turn ? -1 : 1;
	return memcmp(&one->id, &other->id, UUID_LEN);
}

/* For which party it has to wait, or NULL. */
static const pg_uuid_t *
waits_for(const BambiCandidate *candidate)
{
	const BambiParties *of = &candidate->parties;
	const pg_uuid_t *parties[] = {
		&of->user, of->has_key ? &of->key : NULL, &of->provider
	};

	for (int i = 0; i < 3; i++)
	{
		if (parties[i] == NULL)
			continue;
		if (candidate->lane == NULL &&
			bambi_lane_of(parties[i], &of->user) != NULL)
			return parties[i];
		if (candidate->limits[i] == BAMBI_NO_LIMIT)
			continue;
		bambi_party(parties[i])->limit = candidate->limits[i];
		if (bambi_party(parties[i])->running >= candidate->limits[i])
			return parties[i];
	}
	return NULL;
}

static bool
stays_in_lane(const BambiCandidate *candidate, const pg_uuid_t *party)
{
	return candidate->lane != NULL &&
		memcmp(&candidate->lane->key.party, party, UUID_LEN) == 0;
}

static void
keep_back(KeptBack *kept, BambiCandidate *candidate, const pg_uuid_t *party)
{
	kept->ids[kept->count] = UUIDPGetDatum(&candidate->id);
	kept->users[kept->count] = UUIDPGetDatum(&candidate->parties.user);
	kept->parties[kept->count] = UUIDPGetDatum(party);
	kept->count++;
	bambi_lane_enter(party, &candidate->parties.user, &candidate->id);
}

static void
take(BambiChoice *choice, BambiCandidate *candidate)
{
	BambiLane  *lane = candidate->lane;

	choice->taken[choice->taken_count++] = candidate;
	choice->room -= candidate->input_bytes;
	choice->may_exceed &= candidate->input_bytes == 0;
	bambi_parties_count(&candidate->parties, 1);
	if (lane == NULL)
		return;
	lane->turn = candidate->lane_turn + candidate->step;
	lane->party->virtual_time = Max(lane->party->virtual_time,
									candidate->lane_turn);
	lane->user->pace = candidate->tag + candidate->step;
}

static bool
has_room(const BambiChoice *choice, const BambiCandidate *candidate)
{
	return candidate->input_bytes == 0 || choice->may_exceed ||
		candidate->input_bytes <= choice->room;
}

/*
 * From best to worst, until enough are taken.  Nothing in a lane is passed by
 * for good: what is not decided on is where the lane is read from next time.
 */
static void
decide(BambiChoice *choice, BambiCandidate **sorted, KeptBack *kept)
{
	for (int i = 0; i < choice->looked; i++)
	{
		BambiCandidate *candidate = sorted[i];
		BambiLane  *lane = candidate->lane;
		const pg_uuid_t *party;

		if (choice->taken_count == choice->wanted)
		{
			choice->has_more = true;
			break;
		}
		if (lane == NULL)
			choice->last = candidate;
		party = waits_for(candidate);
		if (party != NULL && stays_in_lane(candidate, party))
			continue;
		if (party != NULL)
			keep_back(kept, candidate, party);
		else if (has_room(choice, candidate))
			take(choice, candidate);
		else
			continue;
		if (lane != NULL)
			lane->done++;
	}
}

/* What a lane has left. */
static void
leave_lanes(BambiChoice *choice, BambiLane **lanes, int count)
{
	for (int i = 0; i < count; i++)
	{
		BambiLane  *lane = lanes[i];

		if (lane->done < lane->read || lane->is_entered)
			continue;
		if (lane->read < lane->limit)
			bambi_lane_remove(lane);
		else
		{
			lane->first = lane->last;
			lane->looked = 0;	/* there may be more in it */
			choice->has_more = true;
		}
	}
}

void
bambi_choose(BambiChoice *choice, Datum *values, char *nulls)
{
	BambiLane **lanes = palloc(choice->wanted * sizeof(BambiLane *));
	int			lane_count = bambi_lanes_pick(lanes, choice->wanted,
											  choice->claim);
	BambiCandidate *all;
	BambiCandidate **sorted;
	KeptBack	kept = {0};
	int			in_line = 0;
	int			count;

	set_lanes(lanes, lane_count, values);
	values[10] = Int32GetDatum(choice->most);
	count = (int) bambi_execute(&bambi_claim_look, values, nulls);
	all = palloc((count + 1) * sizeof(BambiCandidate));
	sorted = palloc((count + 1) * sizeof(BambiCandidate *));
	for (int i = 0; i < count; i++)
	{
		read_candidate(i, &all[i], lanes);
		sorted[i] = &all[i];
		in_line += all[i].lane == NULL;
	}
	set_tags(all, count, bambi_virtual_time());
	qsort(sorted, count, sizeof(BambiCandidate *), compare);

	kept.ids = palloc((count + 1) * sizeof(Datum));
	kept.users = palloc((count + 1) * sizeof(Datum));
	kept.parties = palloc((count + 1) * sizeof(Datum));
	choice->taken = palloc((count + 1) * sizeof(BambiCandidate *));
	choice->taken_count = 0;
	choice->looked = count;
	choice->last = NULL;
	choice->has_more = in_line == choice->most || lane_count > 0;
	decide(choice, sorted, &kept);
	leave_lanes(choice, lanes, lane_count);

	if (kept.count > 0)
	{
		Datum		arrays[] = {
			uuid_array(kept.ids, kept.count),
			uuid_array(kept.users, kept.count),
			uuid_array(kept.parties, kept.count)
		};

		bambi_execute(&bambi_claim_keep_back, arrays, NULL);
	}
}
