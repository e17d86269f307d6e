/*-------------------------------------------------------------------------
 *
 * frame_fuzz.c
 *		Every head that is taken has lengths within the limits that add up,
 *		and is written as it was read.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/protocol/frame.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FrameHead	head;
	uint8_t		again[FRAME_HEAD_SIZE];

	if (size < FRAME_HEAD_SIZE || !frame_decode(data, &head))
		return 0;
	if (head.key_len > FRAME_MAX_KEY || head.json_len > FRAME_MAX_JSON ||
		head.picture_len > FRAME_MAX_PICTURE ||
		head.len != FRAME_HEAD_SIZE + (uint64_t) head.key_len +
		head.json_len + head.picture_len)
		abort();
	frame_encode(&head, again);
	if (memcmp(data, again, FRAME_HEAD_SIZE) != 0)
		abort();
	return 0;
}
