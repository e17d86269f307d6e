/*-------------------------------------------------------------------------
 *
 * keys.c
 *		bambi_add_key, bambi_replace_key, bambi_validate_key,
 *		bambi_remove_key: the keys that users bring.
 *
 * A key comes in sealed by the client, or as plain text that is sealed here
 * before anything else can happen; our copies of plain text are wiped before
 * an error is raised.  Nothing here can open a key, and no message shows any
 * part of one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/hmac.h"
#include "common/sha2.h"

/*
 * Where the server knows GSSAPI, its header wants GSSAPI's headers too, for a
 * pointer that is in the struct either way.
 */
#ifdef ENABLE_GSS
#define SERVER_HAS_GSS
#undef ENABLE_GSS
#endif
#include "libpq/libpq-be.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "client.h"
#include "guard.h"
#include "identity.h"
#include "jwe.h"
#include "key_check.h"
#include "key_life.h"
#include "refuse.h"
#include "shmem.h"
#include "statements_key_entry.h"
#include "uuid.h"

#ifdef SERVER_HAS_GSS
extern bool be_gssapi_get_enc(Port *port);
#endif

/* Shorter ones are no keys, but typing errors. */
#define SHORTEST_KEY		8
/* Rule K5: so much of a key may be shown, and only of one so long. */
#define HINT_SIZE			4
#define SHORTEST_WITH_HINT	20
#define FINGERPRINT_BYTES	8
/* What the wrapped data key takes in base64url: the longest part of a JWE. */
#define SHORTEST_SEALED		(JWE_MIN_RSA_BITS / 8 / 3 * 4)
#define LONGEST_NAME		200
#define LONGEST_SETTINGS	4096

/* Columns of bambi_client_sealing. */
enum
{
	PROVIDER = 1,
	PROVIDER_IS_ACTIVE,
	PROVIDER_NEEDS_KEY,
	PROVIDER_NAME,
	KID,
	PUBLIC_KEY,
	FINGERPRINT_SECRET
};

/* Whose key, for which provider, and with what to seal it. */
typedef struct Sealing
{
	pg_uuid_t	user;
	char	   *slug;
	pg_uuid_t	provider;
	bool		needs_key;
	char	   *provider_name;
	char	   *kid;			/* NULL: there is no sealing key yet */
	char	   *public_key;
	bytea	   *fingerprint_secret;
} Sealing;

/* As it is stored; hint and fingerprint are NULL where nobody knows them. */
typedef struct SealedKey
{
	char		compact[JWE_MAX_COMPACT + 1];
	char		kid[JWE_MAX_NAME + 1];
	char	   *hint;
	char	   *fingerprint;
} SealedKey;

PG_FUNCTION_INFO_V1(bambi_add_key);
PG_FUNCTION_INFO_V1(bambi_replace_key);
PG_FUNCTION_INFO_V1(bambi_validate_key);
PG_FUNCTION_INFO_V1(bambi_remove_key);

static bool
is_loopback(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
	{
		const struct sockaddr_in *v4 = (const struct sockaddr_in *) address;

		return (ntohl(v4->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
	}
	if (address->ss_family == AF_INET6)
	{
		const struct in6_addr *v6 =
		&((const struct sockaddr_in6 *) address)->sin6_addr;

		return IN6_IS_ADDR_LOOPBACK(v6) ||
			(IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
	}
	return false;
}

/* Rule K2: nobody on the network may read along. */
static void
require_private_connection(void)
{
	Port	   *port = MyProcPort;

	if (port == NULL || port->ssl_in_use ||
		port->raddr.addr.ss_family == AF_UNIX ||
		is_loopback(&port->raddr.addr))
		return;
#ifdef SERVER_HAS_GSS
	if (be_gssapi_get_enc(port))
		return;
#endif
	bambi_refuse(BAMBI_FORBIDDEN,
				 "a key is not taken over a connection without encryption",
				 "Whoever can read the network could read the key; consider the one that was just sent as known to others.",
				 "Connect with TLS, or send the key sealed.");
}

static void
read_sealing(Sealing *sealing)
{
	Datum		values[1];
	Datum		secret;
	bool		is_null;

	values[0] = CStringGetTextDatum(sealing->slug);
	if (bambi_execute(&bambi_client_sealing, values, NULL) == 0)
		bambi_refuse(BAMBI_NOT_FOUND, "provider does not exist",
					 psprintf("There is no provider \"%s\".", sealing->slug),
					 "See bambi_providers for the known ones.");
	if (!DatumGetBool(bambi_result(0, PROVIDER_IS_ACTIVE, &is_null)))
		bambi_refuse(BAMBI_NOT_FOUND, "provider does not exist",
					 psprintf("Provider \"%s\" is not active.", sealing->slug),
					 "See bambi_providers for those that are.");

	sealing->provider = *DatumGetUUIDP(bambi_result(0, PROVIDER, &is_null));
	sealing->needs_key = DatumGetBool(bambi_result(0, PROVIDER_NEEDS_KEY,
												   &is_null));
	sealing->provider_name = bambi_result_text(0, PROVIDER_NAME);
	sealing->kid = bambi_result_text(0, KID);
	sealing->public_key = bambi_result_text(0, PUBLIC_KEY);
	secret = bambi_result(0, FINGERPRINT_SECRET, &is_null);
	if (is_null)
		bambi_refuse(BAMBI_NOT_SET_UP, NULL,
					 "This database has no secret for fingerprints.",
					 "An operator runs SELECT bambi_setup().");
	sealing->fingerprint_secret = DatumGetByteaPP(secret);
}

/*
 * Of the form of a compact JWE, whatever is in it.  One that was damaged on
 * its way must not pass for a plain key, and be sent to the provider: so long
 * and in so many parts is nothing else.  (A JWT has three parts, a service
 * account is JSON.)
 */
static bool
looks_sealed(const char *key, int length)
{
	int			dots = 0;

	if (length == 0 || (key[0] == '{' && memchr(key, '"', length)))
		return false;
	for (int i = 0; i < length; i++)
		dots += key[i] == '.';
	if (length >= SHORTEST_SEALED)
		return dots >= 3;
	return length >= 3 && memcmp(key, "eyJ", 3) == 0 && dots == 4;
}

/* Takes a key that the client sealed; its header must fit the row. */
static void
take_sealed(const Sealing *sealing, const char *key, int length,
			SealedKey *sealed)
{
	Jwe		   *jwe = palloc(sizeof(Jwe));
	char		user[UUID_TEXT_SIZE];

	if (length > JWE_MAX_COMPACT || jwe_parse(key, length, jwe) != JWE_OK)
		bambi_refuse(BAMBI_BAD_VALUE, "sealed key is malformed",
					 "It must be a compact JWE with RSA-OAEP-256 and A256GCM, whose protected header has alg, enc, kid, sub and prv.",
					 NULL);
	bambi_uuid_print(&sealing->user, user);
	if (strcmp(jwe->sub, user) != 0 || strcmp(jwe->prv, sealing->slug) != 0)
		bambi_refuse(BAMBI_BAD_VALUE,
					 "sealed key is for another user or provider",
					 psprintf("Its header must have \"sub\": \"%s\" and \"prv\": \"%s\".",
							  user, sealing->slug),
					 NULL);

	memcpy(sealed->compact, key, length);
	sealed->compact[length] = '\0';
	strlcpy(sealed->kid, jwe->kid, sizeof(sealed->kid));
	sealed->hint = NULL;
	sealed->fingerprint = NULL;
	pfree(jwe);
}

/*
 * What is wrong with a key's form, or NULL.  A service account's JSON may
 * have spaces and line ends; nothing else that goes into a header may.
 */
static const char *
complaint_about(const char *key, int length)
{
	if (length < SHORTEST_KEY)
		return "api key is too short";
	if (length > JWE_MAX_PLAINTEXT)
		return "api key is too long";
	for (int i = 0; key[0] != '{' && i < length; i++)
	{
		if (key[i] <= ' ' || key[i] > '~')
			return "api key contains a space or a character that is not ASCII";
	}
	return NULL;
}

/* First bytes of an HMAC-SHA-256 under the deployment's secret, in hex. */
static bool
make_fingerprint(bytea *secret, const char *key, int length, char *out)
{
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	bool		is_made;

	if (hmac == NULL)
		return false;
	is_made = pg_hmac_init(hmac, (uint8 *) VARDATA_ANY(secret),
						   VARSIZE_ANY_EXHDR(secret)) >= 0 &&
		pg_hmac_update(hmac, (const uint8 *) key, length) >= 0 &&
		pg_hmac_final(hmac, digest, sizeof(digest)) >= 0;
	pg_hmac_free(hmac);

	for (int i = 0; is_made && i < FINGERPRINT_BYTES; i++)
		sprintf(out + 2 * i, "%02x", digest[i]);
	explicit_bzero(digest, sizeof(digest));
	return is_made;
}

/*
 * Seals a key without raising anything, so that the caller can wipe it first.
 * Gives what is wrong, or NULL.
 */
static const char *
seal(const Sealing *sealing, const char *user, const char *key, int length,
	 SealedKey *sealed)
{
	const char *complaint = complaint_about(key, length);

	if (complaint)
		return complaint;
	if (jwe_seal(sealing->public_key, sealing->kid, user, sealing->slug,
				 (const uint8_t *) key, length,
				 sealed->compact, sizeof(sealed->compact)) != JWE_OK)
		return "api key could not be sealed";
	if (!make_fingerprint(sealing->fingerprint_secret, key, length,
						  sealed->fingerprint))
		return "api key has no fingerprint";

	if (length >= SHORTEST_WITH_HINT && key[0] != '{')
		memcpy(sealed->hint, key + length - HINT_SIZE, HINT_SIZE);
	else
		sealed->hint = NULL;
	return NULL;
}

static void
seal_plain(const Sealing *sealing, const char *key, int length,
		   SealedKey *sealed)
{
	char		user[UUID_TEXT_SIZE];
	char	   *copy;
	const char *complaint;

	require_private_connection();
	if (sealing->kid == NULL)
		bambi_refuse(BAMBI_TRY_LATER, "there is no key to seal with yet",
					 "The courier has not made a public key known to this database.",
					 "It does so when the key service works: bambi_status() says what is missing.");

	/* nothing may raise from here on until the copy is wiped */
	bambi_uuid_print(&sealing->user, user);
	strlcpy(sealed->kid, sealing->kid, sizeof(sealed->kid));
	sealed->hint = palloc0(HINT_SIZE + 1);
	sealed->fingerprint = palloc0(2 * FINGERPRINT_BYTES + 1);
	copy = palloc(length + 1);
	memcpy(copy, key, length);
	copy[length] = '\0';
	complaint = seal(sealing, user, copy, length, sealed);
	explicit_bzero(copy, length);

	if (complaint)
		bambi_refuse(BAMBI_BAD_VALUE, complaint, NULL, NULL);
}

/*
 * Keeps the master key that it is sealed to from being retired.  A client may
 * have sealed to the one before the current one, just now: that is taken, and
 * sealed anew.
 */
static void
hold_master_key(const Sealing *sealing, const SealedKey *sealed)
{
	Datum		values[] = {CStringGetTextDatum(sealed->kid)};
	const char *current = sealing->kid ?
	psprintf("The current one is \"%s\".", sealing->kid) : NULL;
	bool		is_null;

	if (bambi_execute(&bambi_client_known_kid, values, NULL) == 0)
		bambi_refuse(BAMBI_BAD_VALUE,
					 "sealed key is sealed to an unknown public key", current,
					 NULL);
	if (DatumGetBool(bambi_result(0, 1, &is_null)))
		bambi_refuse(BAMBI_BAD_VALUE,
					 "sealed key is sealed to a retired public key", current,
					 "Seal it to that of bambi_sealing_key().");
	if (!DatumGetBool(bambi_result(0, 2, &is_null)))
		bambi_wake_at_commit(BAMBI_WAKE_RESEAL);
}

/* Makes what is to be stored of argument n. */
static void
take_key(FunctionCallInfo fcinfo, int n, const Sealing *sealing,
		 SealedKey *sealed)
{
	text	   *argument = bambi_text_argument(fcinfo, n, "api_key");
	const char *key = VARDATA_ANY(argument);
	int			length = VARSIZE_ANY_EXHDR(argument);

	/* what comes along when a key is copied from a page */
	while (length > 0 && strchr(" \t\r\n", *key))
		key++, length--;
	while (length > 0 && strchr(" \t\r\n", key[length - 1]))
		length--;

	PG_TRY();
	{
		if (looks_sealed(key, length))
			take_sealed(sealing, key, length, sealed);
		else
			seal_plain(sealing, key, length, sealed);
	}
	PG_FINALLY();
	{
		/* unpacked for us, so it is ours */
		if (PointerGetDatum(argument) != PG_GETARG_DATUM(n))
			explicit_bzero(argument, VARSIZE_ANY(argument));
	}
	PG_END_TRY();
	hold_master_key(sealing, sealed);
}

static void
set_text(Datum *value, char *is_null, const char *string)
{
	*value = string ? CStringGetTextDatum(string) : (Datum) 0;
	*is_null = string ? ' ' : 'n';
}

static char *
take_name(FunctionCallInfo fcinfo, int n)
{
	text	   *argument = bambi_text_argument(fcinfo, n, NULL);
	char	   *name = argument ? text_to_cstring(argument) : NULL;

	if (name && (name[0] == '\0' || pg_mbstrlen(name) > LONGEST_NAME))
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("name must have 1 to %d characters",
							  LONGEST_NAME), NULL, NULL);
	return name;
}

/* Options of the provider's adapter: a flat object of plain values. */
static Jsonb *
take_settings(FunctionCallInfo fcinfo, int n)
{
	Jsonb	   *settings;
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken token;
	bool		is_flat;

	if (PG_ARGISNULL(n))
		return NULL;
	settings = PG_GETARG_JSONB_P(n);
	is_flat = JB_ROOT_IS_OBJECT(settings);
	iterator = JsonbIteratorInit(&settings->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_VALUE && value.type == jbvBinary)
			is_flat = false;
	}
	if (!is_flat || VARSIZE_ANY_EXHDR(settings) > LONGEST_SETTINGS)
		bambi_refuse(BAMBI_BAD_VALUE,
					 "settings must be a small JSON object without objects or arrays in it",
					 NULL, NULL);
	return settings;
}

/* Arguments: provider text, api_key text, name text, settings jsonb. */
static Datum
add_key(PG_FUNCTION_ARGS)
{
	Sealing		sealing;
	SealedKey  *sealed = palloc(sizeof(SealedKey));
	Jsonb	   *settings = take_settings(fcinfo, 3);
	char	   *name = take_name(fcinfo, 2);
	pg_uuid_t	id;
	Datum		values[10];
	char		nulls[11] = "          ";

	bambi_require_user(&sealing.user);
	sealing.slug = text_to_cstring(bambi_text_argument(fcinfo, 0, "provider"));
	read_sealing(&sealing);
	take_key(fcinfo, 1, &sealing, sealed);

	bambi_uuid_make(&id);
	values[0] = UUIDPGetDatum(&id);
	values[1] = UUIDPGetDatum(&sealing.user);
	values[2] = UUIDPGetDatum(&sealing.provider);
	set_text(&values[3], &nulls[3], name);
	set_text(&values[4], &nulls[4], sealing.provider_name);
	set_text(&values[5], &nulls[5], sealed->compact);
	values[6] = JsonbPGetDatum(settings);
	nulls[6] = settings ? ' ' : 'n';
	set_text(&values[7], &nulls[7], sealed->hint);
	set_text(&values[8], &nulls[8], sealed->fingerprint);
	set_text(&values[9], &nulls[9], sealed->kid);
	if (bambi_execute(&bambi_client_add_key, values, nulls) == 0)
		bambi_refuse(BAMBI_WRONG_STATE, "name is in use",
					 name ? psprintf("You have a configuration \"%s\".", name) :
					 NULL,
					 "Choose another name, or use bambi_replace_key.");
	if (sealing.needs_key)
		bambi_key_check(&id, &sealing.user, GetCurrentTimestamp());
	return bambi_return_uuid(&id);
}

/*
 * Locks a configuration of the user, and gives its status and the slug of its
 * provider.
 */
static char *
lock_configuration(const pg_uuid_t *id, const pg_uuid_t *user, char **slug,
				   bool *needs_key)
{
	Datum		values[2];
	bool		is_null;

	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(user);
	bambi_wake_at_commit(BAMBI_WAKE_UNLOCK);
	if (bambi_execute(&bambi_client_lock_key, values, NULL) == 0)
		bambi_refuse(BAMBI_NOT_FOUND, "configuration does not exist", NULL,
					 "See bambi_configurations for yours.");
	*slug = bambi_result_text(0, 2);
	*needs_key = DatumGetBool(bambi_result(0, 3, &is_null));
	return bambi_result_text(0, 1);
}

static void
require_not_removed(const char *status)
{
	if (strcmp(status, "revoked") == 0)
		bambi_refuse(BAMBI_WRONG_STATE, "key has been removed", NULL,
					 "Add it anew with bambi_add_key.");
}

/* Arguments: configuration uuid, api_key text. */
static Datum
replace_key(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "configuration");
	Sealing		sealing;
	SealedKey  *sealed = palloc(sizeof(SealedKey));
	Datum		values[7];
	char		nulls[8] = "       ";
	TimestampTz now = GetCurrentTimestamp();

	bambi_keep_user(&sealing.user);
	require_not_removed(lock_configuration(id, &sealing.user, &sealing.slug,
										   &sealing.needs_key));
	read_sealing(&sealing);
	take_key(fcinfo, 1, &sealing, sealed);

	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&sealing.user);
	values[2] = TimestampTzGetDatum(now);
	set_text(&values[3], &nulls[3], sealed->compact);
	set_text(&values[4], &nulls[4], sealed->hint);
	set_text(&values[5], &nulls[5], sealed->fingerprint);
	set_text(&values[6], &nulls[6], sealed->kid);
	bambi_execute(&bambi_client_replace_key, values, nulls);
	if (sealing.needs_key)
		bambi_key_check(id, &sealing.user, now);
	bambi_key_release_held(id, &sealing.user, now);
	PG_RETURN_VOID();
}

/* Arguments: configuration uuid.  Gives its status. */
static Datum
validate_key(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "configuration");
	pg_uuid_t	user;
	char	   *slug;
	char	   *status;
	bool		needs_key;

	bambi_require_user(&user);
	status = lock_configuration(id, &user, &slug, &needs_key);
	require_not_removed(status);
	if (needs_key)
		bambi_key_check(id, &user, GetCurrentTimestamp());
	return bambi_return_text(status);
}

/* Arguments: configuration uuid. */
static Datum
remove_key(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = bambi_uuid_argument(fcinfo, 0, "configuration");
	pg_uuid_t	user;
	Datum		values[3];
	TimestampTz now = GetCurrentTimestamp();
	char	   *slug;
	bool		needs_key;

	bambi_lock_user(&user);
	(void) lock_configuration(id, &user, &slug, &needs_key);

	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(&user);
	values[2] = TimestampTzGetDatum(now);
	bambi_execute(&bambi_client_remove_key, values, NULL);
	bambi_key_give_up_held(id, &user, now);
	PG_RETURN_VOID();
}

Datum
bambi_add_key(PG_FUNCTION_ARGS)
{
	/* who comes by a plan made earlier, or from a function, was not seen */
	bambi_guard_arm();
	return bambi_client_call(add_key, fcinfo);
}

Datum
bambi_replace_key(PG_FUNCTION_ARGS)
{
	/* who comes by a plan made earlier, or from a function, was not seen */
	bambi_guard_arm();
	return bambi_client_call(replace_key, fcinfo);
}

Datum
bambi_validate_key(PG_FUNCTION_ARGS)
{
	return bambi_client_call(validate_key, fcinfo);
}

Datum
bambi_remove_key(PG_FUNCTION_ARGS)
{
	return bambi_client_call(remove_key, fcinfo);
}
