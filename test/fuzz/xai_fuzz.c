/*-------------------------------------------------------------------------
 *
 * xai_fuzz.c
 *		Whatever xAI answers.
 *
 *-------------------------------------------------------------------------
 */
#include "answers.h"

static const char key[] = "xai-test0123456789abcdefghijklmnop";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Play		play;

	play_begin(&play, provider_find("xai"), "https://api.x.ai/v1", key,
			   "grok-imagine-image-2.0", json_pack("{s:i}", "n", 2),
			   json_object(), NULL);
	answers_play(&play, key, false, data, size);
	return 0;
}
