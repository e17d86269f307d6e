/*-------------------------------------------------------------------------
 *
 * compression.h
 *		Zstandard (RFC 8878), in memory and within limits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_COMPRESSION_H
#define BAMBI_COMPRESSION_H

#include "exchange.h"

/*
 * One frame, with its length and a checksum, of content; malloc'ed and given.
 * False if memory is out.
 */
extern bool compression_pack(const Picture *content, Picture *packed);

/*
 * What is in exactly one frame, of max bytes at most; malloc'ed and given.
 * Returns what is wrong with it, as a constant, or NULL.  What it costs
 * grows with what comes out of it, whatever the frame says of itself.
 */
extern const char *compression_unpack(const Picture *packed, size_t max,
									  Picture *content);

#endif							/* BAMBI_COMPRESSION_H */
