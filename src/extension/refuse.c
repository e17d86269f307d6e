/*-------------------------------------------------------------------------
 *
 * refuse.c
 *		What clients branch on: reasons, their SQLSTATE and their message.
 *
 * A standard SQLSTATE where the HTTP status that PostgREST makes of it is
 * right, else PTxyz.  The code is the same in psql, in a driver and in the
 * body of an HTTP answer.  Only where a status wants a header (Retry-After)
 * is the error raised in PostgREST's own form, and only for a session that
 * is PostgREST's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/json.h"

#include "refuse.h"
#include "web.h"

#define RETRY_AFTER_SECONDS	2

typedef struct Reason
{
	char		sqlstate[6];
	const char *message;		/* where the caller brings none */
} Reason;

static const Reason reasons[] = {
	[BAMBI_NOT_SIGNED_IN] = {"PT401", "not signed in"},
	[BAMBI_QUOTA_USED_UP] = {"PT402", "the plan's quota is used up"},
	[BAMBI_NOT_FOUND] = {"PT404", "does not exist"},
	[BAMBI_WRONG_STATE] = {"PT409", "wrong state"},
	[BAMBI_KEY_REUSED] = {"PT422",
	"idempotency key belongs to another request"},
	[BAMBI_TOO_MANY] = {"PT429", "too many requests"},
	[BAMBI_TRY_LATER] = {"PT503", "try again later"},
	[BAMBI_FORBIDDEN] = {"42501", "permission denied"},
	[BAMBI_BAD_VALUE] = {"22023", "invalid value"},
	[BAMBI_NOT_SET_UP] = {"55000", "bambi is not set up"},
};

static bool
is_plain(const char *message)
{
	for (const char *c = message; *c != '\0'; c++)
	{
		if (*c < ' ' || *c > '~')
			return false;
	}
	return true;
}

static int
sqlstate_of(const Reason *reason)
{
	const char *s = reason->sqlstate;

	return MAKE_SQLSTATE(s[0], s[1], s[2], s[3], s[4]);
}

static void
add_member(StringInfo out, const char *name, const char *value)
{
	appendStringInfo(out, ", \"%s\": ", name);
	if (value)
		escape_json(out, value);
	else
		appendStringInfoString(out, "null");
}

/*
 * The error as PostgREST takes it apart: the body in MESSAGE, status and
 * headers in DETAIL.  There is no status_text, since that would be raw too.
 */
static void
refuse_with_retry_after(const Reason *reason, int seconds,
						const char *message, const char *detail,
						const char *hint)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfo(&body, "{\"code\": \"%s\"", reason->sqlstate);
	add_member(&body, "message", message);
	add_member(&body, "details", detail);
	add_member(&body, "hint", hint);
	appendStringInfoChar(&body, '}');

	ereport(ERROR,
			errcode(MAKE_SQLSTATE('P', 'G', 'R', 'S', 'T')),
			errmsg_internal("%s", body.data),
			errdetail_internal("{\"status\": %.3s, \"headers\": {\"Retry-After\": \"%d\"}}",
							   reason->sqlstate + 2, seconds));
}

void
bambi_refuse(BambiReason number, const char *message, const char *detail,
			 const char *hint)
{
	bambi_refuse_for_now(number, RETRY_AFTER_SECONDS, message, detail, hint);
}

void
bambi_refuse_for_now(BambiReason number, int seconds, const char *message,
					 const char *detail, const char *hint)
{
	const Reason *reason = &reasons[number];
	bool		is_pt = reason->sqlstate[0] == 'P';

	if (message == NULL || (is_pt && !is_plain(message)))
		message = reason->message;

	if ((number == BAMBI_TRY_LATER || number == BAMBI_TOO_MANY) &&
		bambi_web_request_is("/rpc/bambi_"))
		refuse_with_retry_after(reason, seconds, message, detail, hint);

	ereport(ERROR,
			errcode(sqlstate_of(reason)),
			errmsg_internal("%s", message),
			detail ? errdetail_internal("%s", detail) : 0,
			hint ? errhint("%s", hint) : 0);
	pg_unreachable();
}

bool
bambi_refused_for_now(int sqlstate)
{
	return sqlstate == sqlstate_of(&reasons[BAMBI_TRY_LATER]);
}

void
bambi_refuse_conflict(MemoryContext context)
{
	int			code = geterrcode();

	if (code == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		code == ERRCODE_T_R_DEADLOCK_DETECTED)
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		bambi_refuse(BAMBI_TRY_LATER, NULL,
					 "Another transaction changed the same rows at the same time; nothing was done.",
					 "Repeat the transaction.");
	}
	PG_RE_THROW();
}
