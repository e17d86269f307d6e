/*-------------------------------------------------------------------------
 *
 * sealed_test.c
 *		A key that was changed, or is in another's row, does not open: a
 *		sample.
 *
 *-------------------------------------------------------------------------
 */
#include "sealed_play.h"

/* prime, so that each row and each part of a key has its turn */
#define EVERY	31

int
main(void)
{
	return sealed_play(EVERY);
}
