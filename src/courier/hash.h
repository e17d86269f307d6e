/*-------------------------------------------------------------------------
 *
 * hash.h
 *		SHA-256, as tables and requests write it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_HASH_H
#define BAMBI_HASH_H

#include <stdbool.h>
#include <stddef.h>

/* Of what it writes, with the zero at the end. */
#define HASH_HEX_SIZE	65

/* False if the library cannot. */
extern bool hash_hex(const void *bytes, size_t len, char hex[HASH_HEX_SIZE]);

#endif							/* BAMBI_HASH_H */
