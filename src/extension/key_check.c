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

#include "key_check.h"
#include "refuse.h"
#include "shmem.h"
#include "statements_keys.h"
#include "uuid.h"

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
