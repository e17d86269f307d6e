/*-------------------------------------------------------------------------
 *
 * sealed.c
 *		A key that was changed, or is in another's row, does not open: all of
 *		them.
 *
 *-------------------------------------------------------------------------
 */
#include "../unit/sealed_play.h"

int
main(void)
{
	return sealed_play(1);
}
