/*-------------------------------------------------------------------------
 *
 * hmac.h
 *		HMAC-SHA-256 (RFC 2104) of what lies in pieces.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_HMAC_H
#define BAMBI_HMAC_H

#include "common/sha2.h"

typedef struct BambiPiece
{
	const void *bytes;
	size_t		length;
} BambiPiece;

/* False without memory; then mac is not filled. */
extern bool bambi_hmac(BambiPiece key, const BambiPiece *pieces, int count,
					   uint8 mac[PG_SHA256_DIGEST_LENGTH]);

#endif							/* BAMBI_HMAC_H */
