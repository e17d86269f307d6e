/*-------------------------------------------------------------------------
 *
 * account.c
 *		bambi_sign_up: a new user with an email and a password.
 *
 * For trusted back ends and operators, not for everybody: hashing takes a
 * fifth of a second of the server's CPU on purpose, and nobody has shown yet
 * that the address is theirs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "client.h"
#include "refuse.h"
#include "statements_client.h"
#include "uuid.h"

#define BCRYPT_COST			12
/* bcrypt does not look at more. */
#define LONGEST_PASSWORD	72
#define SHORTEST_PASSWORD	8
/* RFC 5321, 4.5.3.1 */
#define LONGEST_EMAIL		254
#define LONGEST_LOCAL_PART	64

PG_FUNCTION_INFO_V1(bambi_sign_up);

/*
 * Catches slips, no more: whether an address works, only mail to it shows.
 */
static bool
is_email(const char *email, int length)
{
	const char *at = strchr(email, '@');
	const char *domain = at ? at + 1 : NULL;

	if (at == NULL || at == email || at - email > LONGEST_LOCAL_PART ||
		length > LONGEST_EMAIL)
		return false;
	if (domain[0] == '\0' || domain[0] == '.' || email[length - 1] == '.' ||
		strchr(domain, '@') || strstr(domain, ".."))
		return false;
	for (const char *c = email; *c; c++)
	{
		if ((unsigned char) *c <= ' ' || *c == 0x7f)
			return false;
	}
	return true;
}

/* bcrypt by pgcrypto, wherever that is installed. */
static Datum
hash_password(text *password)
{
	bool		no_crypt;
	bool		no_salt;
	Oid			crypt;
	Oid			gen_salt;
	Datum		salt;

	(void) bambi_execute(&bambi_client_pgcrypto, NULL, NULL);
	crypt = DatumGetObjectId(bambi_result(0, 1, &no_crypt));
	gen_salt = DatumGetObjectId(bambi_result(0, 2, &no_salt));
	if (no_crypt || no_salt)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("extension \"pgcrypto\" has no functions crypt and gen_salt")));

	salt = OidFunctionCall2Coll(gen_salt, DEFAULT_COLLATION_OID,
								CStringGetTextDatum("bf"),
								Int32GetDatum(BCRYPT_COST));
	return OidFunctionCall2Coll(crypt, DEFAULT_COLLATION_OID,
								PointerGetDatum(password), salt);
}

/* Arguments: email text, password text. */
static Datum
sign_up(PG_FUNCTION_ARGS)
{
	char	   *email =
	text_to_cstring(bambi_text_argument(fcinfo, 0, "email"));
	text	   *password = bambi_text_argument(fcinfo, 1, "password");
	int			length = VARSIZE_ANY_EXHDR(password);
	pg_uuid_t	id;
	Datum		values[4];

	if (!is_email(email, strlen(email)))
		bambi_refuse(BAMBI_BAD_VALUE, "email is not an address", NULL, NULL);
	if (length < SHORTEST_PASSWORD || length > LONGEST_PASSWORD)
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("password must have %d to %d bytes",
							  SHORTEST_PASSWORD, LONGEST_PASSWORD),
					 NULL, NULL);

	bambi_uuid_make(&id);
	values[0] = UUIDPGetDatum(&id);
	values[1] = CStringGetTextDatum(email);
	values[2] = hash_password(password);
	values[3] = TimestampTzGetDatum(GetCurrentTimestamp());
	if (bambi_execute(&bambi_client_add_user, values, NULL) == 0)
		bambi_refuse(BAMBI_WRONG_STATE, "email is in use", NULL,
					 "Log in, or use another address.");
	return bambi_return_uuid(&id);
}

Datum
bambi_sign_up(PG_FUNCTION_ARGS)
{
	return bambi_client_call(sign_up, fcinfo);
}
