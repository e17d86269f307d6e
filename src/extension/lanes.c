/*-------------------------------------------------------------------------
 *
 * lanes.c
 *		How many calls run for whom, and who waits beside the line for a place.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "agenda.h"
#include "calls.h"
#include "lanes.h"
#include "shmem.h"
#include "statements_claim.h"

static HTAB *parties = NULL;
static HTAB *lanes = NULL;
static bool has_limits = false; /* what runs is counted */
static bool must_read = true;

/* What runs at couriers of others. */
static BambiParties *others = NULL;
static int	other_count = 0;

static HTAB *
make_hash(const char *name, Size key, Size entry)
{
	HASHCTL		control = {
		.keysize = key,.entrysize = entry,.hcxt = TopMemoryContext
	};

	return hash_create(name, 64, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
initialize(void)
{
	if (parties)
		return;
	parties = make_hash("bambi parties", sizeof(pg_uuid_t),
						sizeof(BambiParty));
	lanes = make_hash("bambi lanes", sizeof(BambiLaneKey),
					  sizeof(BambiLane));
}

bool
bambi_lanes_are_needed(void)
{
	return has_limits || must_read || hash_get_num_entries(lanes) > 0;
}

BambiParty *
bambi_party(const pg_uuid_t *id)
{
	bool		found;
	BambiParty *party = hash_search(parties, id, HASH_ENTER, &found);

	if (!found)
	{
		party->running = 0;
		party->limit = BAMBI_NO_LIMIT;
		party->lanes = 0;
		party->virtual_time = 0;
		party->pace = PG_INT64_MIN;
	}
	return party;
}

BambiLane *
bambi_lane_of(const pg_uuid_t *party, const pg_uuid_t *user)
{
	BambiLaneKey key = {.party = *party,.user = *user};

	return hash_get_num_entries(lanes) == 0 ? NULL :
		hash_search(lanes, &key, HASH_FIND, NULL);
}

static void
count(const BambiParties *of, int by)
{
	bambi_party(&of->user)->running += by;
	bambi_party(&of->provider)->running += by;
	if (of->has_key)
		bambi_party(&of->key)->running += by;
}

static bool
has_place_for_lanes(const pg_uuid_t *id)
{
	BambiParty *party = bambi_party(id);

	return party->lanes > 0 && party->running < party->limit;
}

void
bambi_parties_count(const BambiParties *of, int by)
{
	if (!has_limits)
		return;
	count(of, by);
	if (by < 0 && (has_place_for_lanes(&of->user) ||
				   has_place_for_lanes(&of->provider) ||
				   (of->has_key && has_place_for_lanes(&of->key))))
		bambi_agenda.may_have_work = true;
}

static void
count_others(int by)
{
	for (int i = 0; i < other_count && has_limits; i++)
		count(&others[i], by);
}

void
bambi_parties_set_others(const BambiParties *of, int number)
{
	if (number < other_count)
		bambi_agenda.may_have_work = true;	/* for those who waited for them */
	count_others(-1);
	if (others)
		pfree(others);
	others = NULL;
	other_count = number;
	if (number > 0)
	{
		others = MemoryContextAlloc(TopMemoryContext,
									number * sizeof(BambiParties));
		memcpy(others, of, number * sizeof(BambiParties));
	}
	count_others(1);
}

void
bambi_parties_recount(void)
{
	HASH_SEQ_STATUS all;
	BambiParty *party;

	if (!has_limits)
		return;
	hash_seq_init(&all, parties);
	while ((party = hash_seq_search(&all)) != NULL)
		party->running = 0;
	foreach_bambi_call(call)
	{
		call->is_counted = !call->is_answered && !call->is_adopted;
		if (call->is_counted)
			count(&call->parties, 1);
	}
	count_others(1);
}

void
bambi_limits_read(void)
{
	bool		had_limits = has_limits;
	bool		is_null;

	initialize();
	bambi_execute(&bambi_claim_has_limits, NULL, NULL);
	has_limits = DatumGetBool(bambi_result(0, 1, &is_null));
	if (has_limits && !had_limits)
		bambi_parties_recount();
	/* what waits for a limit that was raised is looked at */
	must_read = true;
}

static BambiLane *
add_lane(const BambiLaneKey *key)
{
	bool		found;
	BambiLane  *lane = hash_search(lanes, key, HASH_ENTER, &found);

	if (found)
		return lane;
	lane->party = bambi_party(&key->party);
	lane->user = bambi_party(&key->user);
	lane->party->lanes++;
	lane->turn = lane->party->virtual_time;
	memset(&lane->first, 0, sizeof(pg_uuid_t));
	lane->looked = 0;
	lane->is_there = true;
	return lane;
}

void
bambi_lane_enter(const pg_uuid_t *party, const pg_uuid_t *user,
				 const pg_uuid_t *id)
{
	BambiLaneKey key = {.party = *party,.user = *user};
	BambiLane  *lane = add_lane(&key);

	if (memcmp(id, &lane->first, UUID_LEN) < 0)
		lane->first = *id;
	lane->is_entered = true;
}

void
bambi_lane_remove(BambiLane *lane)
{
	lane->party->lanes--;
	hash_search(lanes, &lane->key, HASH_REMOVE, NULL);
}

/* What no lane and no call needs. */
static void
tidy(void)
{
	HASH_SEQ_STATUS all;
	BambiLane  *lane;
	BambiParty *party;

	/* a lane keeps the party of its user, too */
	hash_seq_init(&all, lanes);
	while ((lane = hash_seq_search(&all)) != NULL)
		lane->user->lanes++;
	hash_seq_init(&all, parties);
	while ((party = hash_seq_search(&all)) != NULL)
	{
		if (party->lanes == 0 && (party->running == 0 || !has_limits))
			hash_search(parties, &party->id, HASH_REMOVE, NULL);
	}
	hash_seq_init(&all, lanes);
	while ((lane = hash_seq_search(&all)) != NULL)
		lane->user->lanes--;
}

void
bambi_lanes_forget(void)
{
	must_read = true;
}

/* Those that are still there keep their turns. */
void
bambi_lanes_read_if_forgotten(void)
{
	HASH_SEQ_STATUS all;
	BambiLane  *lane;
	uint64		rows;

	if (!must_read)
		return;
	initialize();
	hash_seq_init(&all, lanes);
	while ((lane = hash_seq_search(&all)) != NULL)
		lane->is_there = false;

	rows = bambi_execute(&bambi_claim_lanes, NULL, NULL);
	for (uint64 row = 0; row < rows; row++)
	{
		BambiLaneKey key;
		bool		is_null;

		key.party = *DatumGetUUIDP(bambi_result(row, 1, &is_null));
		key.user = *DatumGetUUIDP(bambi_result(row, 2, &is_null));
		lane = add_lane(&key);
		lane->is_there = true;
		memset(&lane->first, 0, sizeof(pg_uuid_t));
		lane->party->limit = BAMBI_NO_LIMIT;	/* to be read anew */
	}

	hash_seq_init(&all, lanes);
	while ((lane = hash_seq_search(&all)) != NULL)
	{
		if (!lane->is_there)
			bambi_lane_remove(lane);
	}
	tidy();
	must_read = false;
}

static int
compare_lanes(const void *a, const void *b)
{
	const BambiLane *one = *(BambiLane *const *) a;
	const BambiLane *other = *(BambiLane *const *) b;
	int64		now = bambi_virtual_time();
	int64		pace = Max(one->user->pace, now);
	int64		other_pace = Max(other->user->pace, now);

	if (pace != other_pace)
		return pace < other_pace ? -1 : 1;
	if (one->turn != other->turn)
		return one->turn < other->turn ? -1 : 1;
	return memcmp(&one->key, &other->key, sizeof(BambiLaneKey));
}

int
bambi_lanes_pick(BambiLane **picked, int most, uint32 claim)
{
	int			count = 0;
	int			kept;
	BambiLane **all_lanes = palloc((hash_get_num_entries(lanes) + 1) *
								   sizeof(BambiLane *));
	HASH_SEQ_STATUS all;
	BambiLane  *lane;

	hash_seq_init(&all, lanes);
	while ((lane = hash_seq_search(&all)) != NULL)
	{
		if (lane->looked != claim && lane->party->running < lane->party->limit)
			all_lanes[count++] = lane;
	}
	qsort(all_lanes, count, sizeof(BambiLane *), compare_lanes);
	kept = Min(count, most);
	for (int i = 0; i < kept; i++)
	{
		lane = picked[i] = all_lanes[i];
		lane->limit = Min(Max(1, 2 * most / kept),
						  lane->party->limit - lane->party->running);
		lane->looked = claim;
		lane->read = 0;
		lane->done = 0;
		lane->is_entered = false;
	}
	pfree(all_lanes);
	return kept;
}
