/*-------------------------------------------------------------------------
 *
 * store.c
 *		How all stores say the same.
 *
 *-------------------------------------------------------------------------
 */
#include "store.h"

const char *
store_called(const Exchange *x)
{
	return x->is_archive ? "archive" : "image store";
}

Next
store_fail_missing(Exchange *x)
{
	exchange_fail(x, FAULT_BAD_REQUEST, x->is_archive ?
				  "the file is not in the archive" :
				  "the picture is no longer in the image store");
	x->fault.is_missing = true;
	return NEXT_FAIL;
}
