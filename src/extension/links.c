/*-------------------------------------------------------------------------
 *
 * links.c
 *		Links to pictures that the database hands out itself.
 *
 * A link is image, user and end, and an HMAC-SHA-256 of these under a secret
 * of the database, in base64url (RFC 4648 section 5).  72 bytes are 96
 * characters, so there is no padding.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "common/base64.h"
#include "port/pg_bswap.h"

#include "hmac.h"
#include "links.h"

#define SAID			(2 * UUID_LEN + sizeof(int64))
#define SIGNED			(SAID + PG_SHA256_DIGEST_LENGTH)
#define PRINTED			(SIGNED / 3 * 4)

StaticAssertDecl(SIGNED % 3 == 0, "a link has no padding");

static void
sign(const uint8 *said, const bytea *secret, uint8 *signature)
{
	BambiPiece	key = {VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret)};
	BambiPiece	piece = {said, SAID};

	if (!bambi_hmac(key, &piece, 1, signature))
		elog(ERROR, "could not sign a link");
}

static void
swap(char *text, const char *from, const char *to)
{
	for (; *text; text ++)
	{
		if (*text == from[0])
			*text = to[0];
		else if (*text == from[1])
			*text = to[1];
	}
}

char *
bambi_link_print(const BambiLink *link, const bytea *secret)
{
	uint8		bytes[SIGNED];
	char	   *text = palloc0(PRINTED + 1);
	uint64		until = pg_hton64((uint64) link->until);

	memcpy(bytes, link->image.data, UUID_LEN);
	memcpy(bytes + UUID_LEN, link->user.data, UUID_LEN);
	memcpy(bytes + 2 * UUID_LEN, &until, sizeof(until));
	sign(bytes, secret, bytes + SAID);
	if (pg_b64_encode((char *) bytes, SIGNED, text, PRINTED) != PRINTED)
		elog(ERROR, "could not print a link");
	swap(text, "+/", "-_");
	return text;
}

static bool
decode(const char *text, uint8 bytes[SIGNED])
{
	char	   *copy;

	/* what is of the other alphabet would be a second spelling */
	if (strlen(text) != PRINTED || strpbrk(text, "+/=") != NULL)
		return false;
	copy = pstrdup(text);
	swap(copy, "-_", "+/");
	return pg_b64_decode(copy, PRINTED, (char *) bytes, SIGNED) == SIGNED;
}

bool
bambi_link_parse(const char *text, BambiLink *link)
{
	uint8		bytes[SIGNED];
	uint64		until;

	if (!decode(text, bytes))
		return false;
	memcpy(link->image.data, bytes, UUID_LEN);
	memcpy(link->user.data, bytes + UUID_LEN, UUID_LEN);
	memcpy(&until, bytes + 2 * UUID_LEN, sizeof(until));
	link->until = (int64) pg_ntoh64(until);
	return true;
}

bool
bambi_link_is_ours(const char *text, const bytea *secret)
{
	uint8		bytes[SIGNED];
	uint8		signature[PG_SHA256_DIGEST_LENGTH];

	if (!decode(text, bytes))
		return false;
	sign(bytes, secret, signature);
	return CRYPTO_memcmp(signature, bytes + SAID, sizeof(signature)) == 0;
}
