/*-------------------------------------------------------------------------
 *
 * hmac.c
 *		HMAC-SHA-256 (RFC 2104) of what lies in pieces.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hmac.h"

#include "hmac.h"

bool
bambi_hmac(BambiPiece key, const BambiPiece *pieces, int count,
		   uint8 mac[PG_SHA256_DIGEST_LENGTH])
{
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);
	bool		ok;

	if (hmac == NULL)
		return false;
	ok = pg_hmac_init(hmac, key.bytes, key.length) >= 0;
	for (int i = 0; ok && i < count; i++)
		ok = pg_hmac_update(hmac, pieces[i].bytes, pieces[i].length) >= 0;
	ok = ok && pg_hmac_final(hmac, mac, PG_SHA256_DIGEST_LENGTH) >= 0;
	pg_hmac_free(hmac);
	return ok;
}
