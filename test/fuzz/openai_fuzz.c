/*-------------------------------------------------------------------------
 *
 * openai_fuzz.c
 *		Whatever a server of the OpenAI protocol answers.
 *
 *-------------------------------------------------------------------------
 */
#include "answers.h"

static const char key[] = "sk-test0123456789abcdefghijklmnop";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Play		play;

	play_begin(&play, provider_find("openai"), "https://api.openai.com/v1",
			   key, "gpt-image-2", json_pack("{s:b, s:i}", "stream", 1, "n",
											 2), json_object(), NULL);
	answers_play(&play, key, false, data, size);
	return 0;
}
