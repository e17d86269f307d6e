/*-------------------------------------------------------------------------
 *
 * picture_fuzz.c
 *		No header leads past its bytes, or to a size over the limits.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "../../src/protocol/picture.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PictureFacts facts;
	PictureVerdict verdict = picture_sniff(data, size, &facts);

	if ((facts.format == NULL) != (verdict == PICTURE_UNKNOWN))
		abort();
	if (verdict != PICTURE_OK)
	{
		if (facts.width != 0 || facts.height != 0)
			abort();
	}
	else if (facts.width < 1 || facts.width > PICTURE_MAX_SIDE ||
			 facts.height < 1 || facts.height > PICTURE_MAX_SIDE ||
			 facts.width * facts.height > PICTURE_MAX_AREA)
		abort();
	return 0;
}
