/*-------------------------------------------------------------------------
 *
 * personal_data.c
 *		bambi_consent, bambi_erase_me, bambi_erase_user,
 *		bambi_export_my_data: what people may ask of what is stored of them.
 *
 * Whoever cancels all of a user's holds the user's row first, and so do those
 * who cancel or retry one: so that nobody waits for the other in a circle.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "client.h"
#include "identity.h"
#include "refuse.h"
#include "shmem.h"
#include "statements_client.h"
#include "statements_personal.h"
#include "wait.h"

/* As the constraints of consents have it. */
#define LONGEST_WORD	100

PG_FUNCTION_INFO_V1(bambi_consent);
PG_FUNCTION_INFO_V1(bambi_erase_me);
PG_FUNCTION_INFO_V1(bambi_erase_user);
PG_FUNCTION_INFO_V1(bambi_export_my_data);

/* The first value of the last result, for our caller; false for NULL. */
static bool
give_result(Datum *value)
{
	bool		is_null;

	*value = bambi_result(0, 1, &is_null);
	if (!is_null)
		*value = SPI_datumTransfer(*value, false, -1);
	return !is_null;
}

/* What runs is the worker's; those who wait are told of the rest. */
static void
cancel_all(const pg_uuid_t *user, TimestampTz now)
{
	Datum		values[] = {UUIDPGetDatum(user), TimestampTzGetDatum(now)};
	uint64		rows;

	bambi_wake_at_commit(BAMBI_WAKE_UNLOCK | BAMBI_WAKE_QUEUE |
						 BAMBI_WAKE_CANCEL);
	rows = bambi_execute(&bambi_personal_cancel_all, values, NULL);
	for (uint64 row = 0; row < rows; row++)
	{
		bool		is_null;

		bambi_tell_waiters_at_commit(DatumGetUUIDP(bambi_result(row, 1,
																&is_null)));
	}
}

/* ---- consent */

static bool
is_purpose(const char *word)
{
	if (*word < 'a' || *word > 'z' || strlen(word) > LONGEST_WORD)
		return false;
	return word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_.:-")] ==
		'\0';
}

static bool
is_version(const char *word)
{
	if (*word == '\0' || strlen(word) > LONGEST_WORD)
		return false;
	for (; *word; word++)
	{
		if (*word < ' ' || *word > '~')
			return false;
	}
	return true;
}

/* Arguments: purpose text, granted boolean, version text. */
static Datum
consent(PG_FUNCTION_ARGS)
{
	text	   *purpose = bambi_text_argument(fcinfo, 0, "purpose");
	text	   *version = bambi_text_argument(fcinfo, 2, "version");
	TimestampTz now = GetCurrentTimestamp();
	pg_uuid_t	user;
	Datum		values[5];
	Datum		id;

	if (PG_ARGISNULL(1))
		bambi_refuse(BAMBI_BAD_VALUE, "argument \"granted\" is missing",
					 NULL, NULL);
	if (!is_purpose(text_to_cstring(purpose)))
		bambi_refuse(BAMBI_BAD_VALUE, "purpose is not a name",
					 "It is up to 100 lower-case letters, digits and _ . : -, and begins with a letter.",
					 NULL);
	if (!is_version(text_to_cstring(version)))
		bambi_refuse(BAMBI_BAD_VALUE,
					 "version must have 1 to 100 printable characters",
					 NULL, NULL);

	bambi_require_identity(&user);
	values[0] = UUIDPGetDatum(&user);
	values[1] = PointerGetDatum(purpose);
	values[2] = PG_GETARG_DATUM(1);
	values[3] = PointerGetDatum(version);
	values[4] = TimestampTzGetDatum(now);
	bambi_execute(&bambi_personal_consent, values, NULL);
	if (!give_result(&id))
		bambi_refuse_not_signed_in();
	if (strcmp(text_to_cstring(purpose), "processing") == 0 &&
		!PG_GETARG_BOOL(1))
		cancel_all(&user, now);
	return id;
}

Datum
bambi_consent(PG_FUNCTION_ARGS)
{
	return bambi_client_call(consent, fcinfo);
}

/* ---- erasure */

/* False if there is no such user. */
static bool
erase(const pg_uuid_t *user, const char *asked_by, Datum *request)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[3];

	values[0] = UUIDPGetDatum(user);
	values[1] = CStringGetTextDatum(asked_by);
	values[2] = TimestampTzGetDatum(now);
	bambi_execute(&bambi_personal_begin_erasure, values, NULL);
	if (!give_result(request))
		return false;
	cancel_all(user, now);
	bambi_wake_at_commit(BAMBI_WAKE_ERASE);
	return true;
}

/* No argument.  Who is not active may ask, too. */
static Datum
erase_me(PG_FUNCTION_ARGS)
{
	pg_uuid_t	user;
	Datum		request;

	bambi_require_identity(&user);
	if (!erase(&user, "user", &request))
		bambi_refuse_not_signed_in();
	return request;
}

Datum
bambi_erase_me(PG_FUNCTION_ARGS)
{
	return bambi_client_call(erase_me, fcinfo);
}

/* Arguments: user_id uuid. */
static Datum
erase_user(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *user = bambi_uuid_argument(fcinfo, 0, "user_id");
	Datum		request;

	if (!erase(user, "operator", &request))
		bambi_refuse(BAMBI_BAD_VALUE, "user is not known", NULL, NULL);
	return request;
}

Datum
bambi_erase_user(PG_FUNCTION_ARGS)
{
	return bambi_client_call(erase_user, fcinfo);
}

/* ---- export */

/* Arguments: since timestamptz, until timestamptz.  As for erase_me. */
static Datum
export_my_data(PG_FUNCTION_ARGS)
{
	pg_uuid_t	user;
	Datum		values[3];
	char		nulls[4] = "   ";
	Datum		document;

	bambi_require_identity(&user);
	values[0] = UUIDPGetDatum(&user);
	for (int i = 0; i < 2; i++)
	{
		values[1 + i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
		nulls[1 + i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	bambi_execute(&bambi_personal_export, values, nulls);
	if (!give_result(&document))
		bambi_refuse_not_signed_in();
	return document;
}

Datum
bambi_export_my_data(PG_FUNCTION_ARGS)
{
	return bambi_client_call(export_my_data, fcinfo);
}
