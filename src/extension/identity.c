/*-------------------------------------------------------------------------
 *
 * identity.c
 *		Who asks?
 *
 * The session's role decides where to look.  A role of bambi.authenticators
 * speaks for whoever the claims of the request name.  Any other role speaks
 * for the user that an operator tied it to by bambi.user_id, which no session
 * can change for itself.  A superuser may do both: claims first, as tests of
 * policies set them, then the setting.
 *
 * Policies call this for every row that they look at, so a claim is parsed
 * once and compared from then on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "identity.h"
#include "refuse.h"
#include "settings.h"
#include "statements_client.h"
#include "uuid.h"
#include "web.h"

PG_FUNCTION_INFO_V1(bambi_user_id);

/* The claims that were parsed last, and what was in them. */
static char *known_claims = NULL;
static pg_uuid_t known_subject;
static bool known_has_subject = false;

static void
read_claims(const char *claims)
{
	char	   *subject = bambi_json_string_member(claims, "sub");

	if (known_claims)
		pfree(known_claims);
	known_claims = NULL;
	known_has_subject = subject && bambi_uuid_parse(subject, &known_subject);
	known_claims = MemoryContextStrdup(TopMemoryContext, claims);
}

/* False if no claims are set at all. */
static bool
claims_are_set(pg_uuid_t *user, bool *has_subject)
{
	const char *claims = bambi_setting_or_null("request.jwt.claims");
	const char *subject;

	if (claims)
	{
		if (known_claims == NULL || strcmp(claims, known_claims) != 0)
			read_claims(claims);
		*user = known_subject;
		*has_subject = known_has_subject;
		return true;
	}

	/* what PostgREST before version 9 sets, and Supabase's own tests */
	subject = bambi_setting_or_null("request.jwt.claim.sub");
	if (subject)
	{
		*has_subject = bambi_uuid_parse(subject, user);
		return true;
	}
	return false;
}

bool
bambi_identity(pg_uuid_t *user)
{
	bool		is_authenticator = bambi_session_is_authenticator();
	bool		has_subject = false;

	if (is_authenticator || superuser_arg(GetSessionUserId()))
	{
		if (claims_are_set(user, &has_subject) || is_authenticator)
			return has_subject;
	}
	return bambi_user_id_setting != NULL &&
		bambi_uuid_parse(bambi_user_id_setting, user);
}

void
bambi_refuse_not_signed_in(void)
{
	bambi_refuse(BAMBI_NOT_SIGNED_IN, NULL,
				 "This session speaks for no active user.",
				 "Over HTTP, send the token of a user; for a direct login an "
				 "operator runs ALTER ROLE ... SET bambi.user_id = '...'.");
}

void
bambi_require_identity(pg_uuid_t *user)
{
	if (!bambi_identity(user))
		bambi_refuse_not_signed_in();
}

static void
require(pg_uuid_t *user, BambiStatement *statement)
{
	Datum		values[1];

	bambi_require_identity(user);
	values[0] = UUIDPGetDatum(user);
	if (bambi_execute(statement, values, NULL) == 0)
		bambi_refuse_not_signed_in();
}

void
bambi_require_user(pg_uuid_t *user)
{
	require(user, &bambi_client_active_user);
}

void
bambi_lock_user(pg_uuid_t *user)
{
	require(user, &bambi_client_lock_user);
}

void
bambi_keep_user(pg_uuid_t *user)
{
	require(user, &bambi_client_keep_user);
}

Datum
bambi_user_id(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *user = palloc(sizeof(pg_uuid_t));

	if (!bambi_identity(user))
		PG_RETURN_NULL();
	PG_RETURN_UUID_P(user);
}
