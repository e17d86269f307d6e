/*-------------------------------------------------------------------------
 *
 * service_account_fuzz.c
 *		Whatever a user brings for a service account, nothing is asked of
 *		anybody but Google, and no word of the key is told.
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/courier/providers/service_account.h"
#include "../../src/courier/tokens.h"
#include "../unit/play.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Play		play;
	char	   *key;
	Next		next;

	if (size < 1)
		return 0;
	key = strndup((const char *) data, size);
	play_begin(&play, provider_find("vertex"),
			   "https://aiplatform.googleapis.com", key, "gemini-3-pro-image",
			   json_object(), json_object(), NULL);
	tokens_forget();
	if (service_account_is(play.x.secret))
	{
		next = play_step(&play);
		insist(next == NEXT_SEND || next == NEXT_FAIL);
		if (next == NEXT_SEND)
		{
			const char *host = play.x.request.url + strlen("https://");

			insist(!play.x.request.is_paid);
			insist(strncmp(play.x.request.url, "https://", 8) == 0);
			host += strcspn(host, "/?#@:") - strlen(".googleapis.com");
			insist(strncmp(host, ".googleapis.com/", 16) == 0);
		}
		else
			insist(play.x.fault.message[0] != '\0' &&
				   !play.x.fault.may_have_cost);
	}
	play_end(&play);
	free(key);
	return 0;
}
