/*-------------------------------------------------------------------------
 *
 * database.c
 *		The image store inside the database: the bytes go back to the worker,
 *		which settles them with everything else.
 *
 *-------------------------------------------------------------------------
 */
#include "store.h"

static Next
put(Exchange *x, const StoredImage *image, char **location)
{
	(void) x;
	(void) image;
	*location = NULL;
	return NEXT_DONE;
}

const StoreAdapter store_database = {
	.name = "database",
	.sends_bytes = true,
	.put = put,
};
