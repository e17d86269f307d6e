/*-------------------------------------------------------------------------
 *
 * key_life.c
 *		What follows from what a provider says of a key: its status, and what
 *		becomes of the generations that wait for it.
 *
 * A refused key is dead at once.  Sending it once more would only teach the
 * provider to distrust the user; so what is queued with it is held, its
 * place in the quota kept, until there is another key.  What runs is left to
 * end: each learns for itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "agenda.h"
#include "key_life.h"
#include "request.h"
#include "shmem.h"
#include "statements_keys.h"
#include "wait.h"

/* Until what was passed by is looked at. */
#define LOOK_AT_HELD_MS	(60 * 1000)

/* Keys whose held generations are looked at at a time. */
#define MOST_LEFT	64

/* Whoever waits for one of the rows (id) of the last statement looks again. */
static void
tell_waiters(uint64 rows)
{
	for (uint64 row = 0; row < rows; row++)
	{
		bool		is_null;

		bambi_tell_waiters_at_commit(DatumGetUUIDP(bambi_result(row, 1,
																&is_null)));
	}
}

static void
hold_queued(const pg_uuid_t *configuration, const pg_uuid_t *user,
			const char *message, TimestampTz now)
{
	Datum		values[] = {
		UUIDPGetDatum(configuration), UUIDPGetDatum(user),
		TimestampTzGetDatum(now), CStringGetTextDatum(message),
		CStringGetTextDatum(BAMBI_KEY_HELD_REASON)
	};

	tell_waiters(bambi_execute(&bambi_key_hold, values, NULL));
}

void
bambi_key_release_held(const pg_uuid_t *configuration, const pg_uuid_t *user,
					   TimestampTz now)
{
	Datum		values[] = {
		UUIDPGetDatum(configuration), UUIDPGetDatum(user),
		TimestampTzGetDatum(now), Int64GetDatum(bambi_virtual_time()),
		Int64GetDatum(BAMBI_TURN_UNIT)
	};
	uint64		rows = bambi_execute(&bambi_key_release, values, NULL);

	tell_waiters(rows);
	for (uint64 row = 0; row < rows; row++)
	{
		bool		is_null;

		bambi_queued_at_commit(DatumGetInt64(bambi_result(row, 2, &is_null)));
	}
}

void
bambi_key_give_up_held(const pg_uuid_t *configuration, const pg_uuid_t *user,
					   TimestampTz now)
{
	Datum		values[] = {
		UUIDPGetDatum(configuration), UUIDPGetDatum(user),
		TimestampTzGetDatum(now)
	};

	tell_waiters(bambi_execute(&bambi_key_give_up, values, NULL));
}

/*
 * From a row (verdict, configuration, message), which is gone afterwards.
 * Only a check makes a key good again, and then releases also what somebody
 * held locked when the key was replaced.
 */
static BambiKeyVerdict
follow(const pg_uuid_t *user, bool is_check, TimestampTz now)
{
	char	   *verdict = bambi_result_text(0, 1);
	char	   *message = bambi_result_text(0, 3);
	bool		is_null;
	Datum		value = bambi_result(0, 2, &is_null);
	pg_uuid_t	configuration;

	if (is_null || strcmp(verdict, "nothing") == 0)
		return BAMBI_KEY_STANDS;
	configuration = *DatumGetUUIDP(value);

	if (strcmp(verdict, "locked") == 0)
		return BAMBI_KEY_LOCKED;
	if (strcmp(verdict, "replaced") == 0)
		return BAMBI_KEY_REPLACED;
	if (strcmp(verdict, "rejected") == 0)
	{
		hold_queued(&configuration, user, message ? message : "", now);
		return BAMBI_KEY_REFUSED;
	}
	if (is_check)
		bambi_key_release_held(&configuration, user, now);
	return BAMBI_KEY_STANDS;
}

BambiKeyVerdict
bambi_key_judge(const BambiCall *call, TimestampTz now)
{
	Datum		values[] = {
		UUIDPGetDatum(&call->id), UUIDPGetDatum(&call->user),
		PointerGetDatum(call->outcome), TimestampTzGetDatum(now),
		Int32GetDatum(call->key_number)
	};

	if (bambi_execute(&bambi_key_judge_call, values, NULL) == 0)
		return BAMBI_KEY_STANDS;
	return follow(&call->user, false, now);
}

void
bambi_key_checked(const pg_uuid_t *errand, const pg_uuid_t *user,
				  text *answer, TimestampTz now)
{
	Datum		values[] = {
		UUIDPGetDatum(errand), UUIDPGetDatum(user), PointerGetDatum(answer),
		TimestampTzGetDatum(now)
	};

	if (bambi_execute(&bambi_key_judge_check, values, NULL) > 0)
	{
		(void) follow(user, true, now);
		sooner(&bambi_agenda.maintain_at, in_ms(now, LOOK_AT_HELD_MS));
	}
}

bool
bambi_key_look_at_held(TimestampTz now)
{
	Datum		values[] = {Int32GetDatum(MOST_LEFT)};
	pg_uuid_t	ids[MOST_LEFT];
	pg_uuid_t	users[MOST_LEFT];
	bool		are_removed[MOST_LEFT];
	int			count = (int) bambi_execute(&bambi_key_left_held, values, NULL);
	bool		is_null;

	for (int i = 0; i < count; i++)
	{
		ids[i] = *DatumGetUUIDP(bambi_result(i, 1, &is_null));
		users[i] = *DatumGetUUIDP(bambi_result(i, 2, &is_null));
		are_removed[i] = DatumGetBool(bambi_result(i, 3, &is_null));
	}
	for (int i = 0; i < count; i++)
	{
		if (are_removed[i])
			bambi_key_give_up_held(&ids[i], &users[i], now);
		else
			bambi_key_release_held(&ids[i], &users[i], now);
	}
	return count > 0;
}
