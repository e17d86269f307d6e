/*-------------------------------------------------------------------------
 *
 * google_fuzz.c
 *		Whatever the Gemini API answers, to three requests in a row.
 *
 *-------------------------------------------------------------------------
 */
#include "answers.h"

static const char key[] = "AIzaTest0123456789abcdefghijklmnop";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Play		play;

	play_begin(&play, provider_find("google"),
			   "https://generativelanguage.googleapis.com/v1", key,
			   "gemini-nano-banana-2.1", json_pack("{s:i}", "n", 3),
			   json_object(), NULL);
	answers_play(&play, key, true, data, size);
	return 0;
}
