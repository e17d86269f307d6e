/*-------------------------------------------------------------------------
 *
 * key_check.c
 *		Having a key shown to its provider, as often as the plan allows.
 *
 * The limits are for whoever has many keys that are not his: here he shall
 * not find out which of them are good.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client.h"
#include "key_check.h"
#include "refuse.h"
#include "settings.h"
#include "shmem.h"
#include "statements_keys.h"
#include "uuid.h"

PG_FUNCTION_INFO_V1(bambi_revalidate_keys);

/* In values[2] and [3] as the statements take them; false if there are none. */
static bool
read_limits(Datum *values, char *nulls)
{
	bool		has_any = false;

	if (bambi_execute(&bambi_key_limits, values, NULL) == 0)
		return false;
	for (int i = 0; i < 2; i++)
	{
		bool		is_null;

		values[2 + i] = bambi_result(0, 1 + i, &is_null);
		nulls[2 + i] = is_null ? 'n' : ' ';
		has_any |= !is_null;
	}
	return has_any;
}

static void
count_check(const pg_uuid_t *user, TimestampTz now)
{
	Datum		values[4] = {UUIDPGetDatum(user), TimestampTzGetDatum(now)};
	char		nulls[] = "    ";
	bool		is_null = true;
	int			seconds = 0;

	if (!read_limits(values, nulls) ||
		bambi_execute(&bambi_key_count, values, nulls) > 0)
		return;
	if (bambi_execute(&bambi_key_next, values, nulls) > 0)
		seconds = DatumGetInt32(bambi_result(0, 1, &is_null));
	seconds = is_null ? 1 : Max(seconds, 1);
	bambi_refuse_for_now(BAMBI_TOO_MANY, seconds, "too many keys to check",
						 "Each key that is added, replaced or validated is shown to its provider, and your plan limits how often.",
						 psprintf("Try again in %d seconds.", seconds));
}

void
bambi_key_check_later(const pg_uuid_t *configuration, const pg_uuid_t *user)
{
	pg_uuid_t	id;
	Datum		values[] = {
		UUIDPGetDatum(&id), UUIDPGetDatum(user), UUIDPGetDatum(configuration)
	};

	bambi_uuid_make(&id);
	bambi_execute(&bambi_key_queue, values, NULL);
}

void
bambi_key_check(const pg_uuid_t *configuration, const pg_uuid_t *user,
				TimestampTz now)
{
	count_check(user, now);
	bambi_key_check_later(configuration, user);
	bambi_wake_at_commit(BAMBI_WAKE_ERRAND);
}

int
bambi_key_check_due(TimestampTz now)
{
	Datum		values[] = {
		TimestampTzGetDatum(now - bambi_key_validation_days * USECS_PER_DAY),
		Int32GetDatum(BAMBI_MOST_KEY_CHECKS)
	};
	pg_uuid_t	ids[BAMBI_MOST_KEY_CHECKS];
	pg_uuid_t	users[BAMBI_MOST_KEY_CHECKS];
	int			count;
	bool		is_null;

	if (bambi_key_validation_days == 0)
		return 0;
	count = (int) bambi_execute(&bambi_key_due, values, NULL);
	for (int i = 0; i < count; i++)
	{
		ids[i] = *DatumGetUUIDP(bambi_result(i, 1, &is_null));
		users[i] = *DatumGetUUIDP(bambi_result(i, 2, &is_null));
	}
	for (int i = 0; i < count; i++)
		bambi_key_check_later(&ids[i], &users[i]);
	return count;
}

/* No argument.  Gives how many were queued. */
static Datum
revalidate_keys(PG_FUNCTION_ARGS)
{
	int			count = bambi_key_check_due(GetCurrentTimestamp());

	if (count > 0)
		bambi_wake_at_commit(BAMBI_WAKE_ERRAND);
	PG_RETURN_INT32(count);
}

Datum
bambi_revalidate_keys(PG_FUNCTION_ARGS)
{
	return bambi_client_call(revalidate_keys, fcinfo);
}
