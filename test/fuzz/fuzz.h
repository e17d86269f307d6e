/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *		What all fuzz targets have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_FUZZ_H
#define BAMBI_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A finding, if it does not hold; also where assert() would be nothing. */
static inline void
insist(bool holds)
{
	if (!holds)
		abort();
}

#endif							/* BAMBI_FUZZ_H */
