/*-------------------------------------------------------------------------
 *
 * image_url.c
 *		bambi_image_url: a link at which a picture may be fetched for a while,
 *		or for good.
 *
 * What the database or this machine keeps, it hands out itself, by a link that
 * it signs.  What is elsewhere, only the courier can sign links to, or ask for
 * them, because only the courier has the credentials.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "ask.h"
#include "client.h"
#include "document.h"
#include "identity.h"
#include "links.h"
#include "refuse.h"
#include "settings.h"
#include "shmem.h"
#include "statements_pictures.h"

/* Longer than the courier takes over an ordinary answer of a store. */
#define PATIENCE_MS		10000

#define USUAL_SECONDS	(60 * 60)
/* AWS's limit for presigned addresses, and so everybody's. */
#define MOST_SECONDS	(7 * 24 * 60 * 60)
/* Of anything in an interval that is added to a time: more may overflow it. */
#define MOST_YEARS		20

/* Columns of bambi_picture_to_link. */
enum
{
	IMAGE = 1,
	STORE,
	STORAGE_PATH,
	URL,
	LINK_SECRET
};

PG_FUNCTION_INFO_V1(bambi_image_url);
PG_FUNCTION_INFO_V1(bambi_export_link);

static bool
is_long(int64 amount, int64 in_a_year)
{
	return amount / in_a_year > MOST_YEARS || amount / in_a_year < -MOST_YEARS;
}

/* When the link ends; before now where that makes no sense. */
static TimestampTz
end_of_link(TimestampTz now, const Interval *expires)
{
	if (is_long(expires->month, 12) || is_long(expires->day, 365) ||
		is_long(expires->time, 365 * USECS_PER_DAY))
		return now - 1;
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(now),
												   IntervalPGetDatum(expires)));
}

/* How long the link is to last; 0: for good. */
static int64
take_seconds(FunctionCallInfo fcinfo, int n)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until;
	int64		seconds;

	if (PG_ARGISNULL(n))
		return USUAL_SECONDS;
	until = end_of_link(now, PG_GETARG_INTERVAL_P(n));
	seconds = (until - now) / USECS_PER_SEC;
	if (until < now || (until > now && seconds == 0) ||
		seconds > MOST_SECONDS)
		bambi_refuse(BAMBI_BAD_VALUE, "expires is out of range",
					 "A link lasts from a second to seven days.",
					 "With interval '0' it lasts for good, where the store hands out to anybody.");
	return seconds;
}

/* To this database, through whoever serves bambi_image_by_link. */
static char *
link_to_us(const pg_uuid_t *user, int64 seconds)
{
	bool		is_null;
	BambiLink	link = {
		.image = *DatumGetUUIDP(bambi_result(0, IMAGE, &is_null)),
		.user = *user,
		.until = (int64) time(NULL) + seconds
	};
	Datum		secret = bambi_result(0, LINK_SECRET, &is_null);

	if (bambi_link_url[0] == '\0')
		bambi_refuse(BAMBI_NOT_SET_UP, "bambi.link_url is not set",
					 "Pictures in the database or on its machine are handed out by bambi_image_by_link.",
					 "An operator sets bambi.link_url to its address, such as https://example.com/rpc/bambi_image_by_link.");
	return psprintf("%s%stoken=%s", bambi_link_url,
					strchr(bambi_link_url, '?') ? "&" : "?",
					bambi_link_print(&link, DatumGetByteaPP(secret)));
}

/* To the store, by way of the courier. */
static char *
link_to_store(int64 seconds)
{
	StringInfoData question;
	char	   *reply;
	char	   *url;
	bool		is_done;

	initStringInfo(&question);
	appendStringInfoString(&question, "{\"kind\":\"link\",\"store\":");
	escape_json(&question, bambi_result_text(0, STORE));
	appendStringInfoString(&question, ",\"location\":");
	escape_json(&question, bambi_result_text(0, STORAGE_PATH));
	appendStringInfo(&question, ",\"expires\":" INT64_FORMAT "}", seconds);
	if (question.len >= BAMBI_ASK_SIZE)
		elog(ERROR, "a picture's place is too long");

	reply = bambi_ask_courier(question.data, PATIENCE_MS, &is_done);
	url = bambi_document_string(&bambi_document_parse(reply)->root,
								is_done ? "url" : "error");
	if (!is_done || url == NULL)
		bambi_refuse(BAMBI_TRY_LATER, NULL,
					 psprintf("The store gave no link: %s.",
							  url ? url : "no reason given"),
					 NULL);
	return url;
}

/* Whether the store's pictures are handed out by this database. */
static bool
is_ours(const char *store)
{
	return strcmp(store, "database") == 0 || strcmp(store, "filesystem") == 0;
}

/* Arguments: id uuid (of an image or a generation), expires interval. */
static Datum
image_url(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "id");
	int64		seconds = take_seconds(fcinfo, 1);
	const char *store;
	const char *url;
	pg_uuid_t	user;
	Datum		values[2];

	bambi_require_user(&user);
	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&user);
	if (bambi_execute(&bambi_picture_to_link, values, NULL) == 0)
		bambi_refuse(BAMBI_NOT_FOUND, "image does not exist", NULL,
					 "See bambi_images for yours.");

	store = bambi_result_text(0, STORE);
	url = bambi_result_text(0, URL);
	if (seconds == 0 && url == NULL)
		bambi_refuse(BAMBI_WRONG_STATE, "image has no lasting address",
					 psprintf("The store \"%s\" does not hand it out to anybody.",
							  store),
					 "Ask for a link that expires.");
	if (seconds == 0)
		return bambi_return_text(url);
	if (is_ours(store))
		return bambi_return_text(link_to_us(&user, seconds));
	return bambi_return_text(link_to_store(seconds));
}

Datum
bambi_image_url(PG_FUNCTION_ARGS)
{
	return bambi_client_call(image_url, fcinfo);
}

/* Arguments: image uuid, user uuid, ends_at timestamptz. */
static Datum
export_link(PG_FUNCTION_ARGS)
{
	Datum		values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	int64		seconds = (PG_GETARG_TIMESTAMPTZ(2) - GetCurrentTimestamp()) /
	USECS_PER_SEC;
	char	   *store;

	fcinfo->isnull = true;
	if (bambi_execute(&bambi_picture_to_link, values, NULL) == 0)
		return (Datum) 0;
	store = bambi_result_text(0, STORE);
	if (is_ours(store) && bambi_link_url[0] == '\0')
		return (Datum) 0;
	fcinfo->isnull = false;
	return bambi_return_text(is_ours(store) ?
							 link_to_us(PG_GETARG_UUID_P(1), seconds) :
							 link_to_store(seconds));
}

Datum
bambi_export_link(PG_FUNCTION_ARGS)
{
	return bambi_client_call(export_link, fcinfo);
}
