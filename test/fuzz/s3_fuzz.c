/*-------------------------------------------------------------------------
 *
 * s3_fuzz.c
 *		Whatever stands in the file with the credentials, and whatever place
 *		an image is said to have: what is sent is signed and has no line more
 *		than it should, and a refusal tells no secret.
 *
 * The input is a location up to the first line feed, then the file.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "../../src/courier/stores/store.h"
#include "../unit/play.h"
#include "fuzz.h"

static void
check_headers(const Request *request)
{
	bool		is_signed = false;

	for (const Header *header = request->headers; header != NULL;
		 header = header->next)
	{
		insist(strpbrk(header->value, "\r\n") == NULL);
		if (strcmp(header->name, "Authorization") == 0)
			is_signed = strstr(header->value, "Signature=") != NULL;
	}
	insist(is_signed);
}

/* No character that could make one line of a request into two. */
static void
check_url(const char *url)
{
	insist(strncmp(url, "https://s3.example/bambi/", 25) == 0);
	for (; *url != '\0'; url++)
		insist(*url > ' ' && *url < 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const StoreAdapter *store = store_find("s3");
	Exchange	x = {.base_url = "",.now = PLAY_NOW};
	char	   *file;
	const char *location;
	char	   *url = NULL;
	Picture		picture = {0};

	x.arena = arena_create();
	x.settings = json_pack("{s:s, s:s}", "s3_endpoint", "https://s3.example",
						   "s3_bucket", "bambi");
	file = arena_strndup(x.arena, (const char *) data, size);
	location = strsep(&file, "\n");
	if (file != NULL)
		x.secret = secret_create(x.arena, (const uint8_t *) file,
								 strlen(file));

	if (store->get(&x, location, &picture) == NEXT_SEND)
	{
		check_url(x.request.url);
		check_headers(&x.request);
	}
	x.step = 0;
	if (store->erase(&x, location, 0) == NEXT_SEND)
		check_headers(&x.request);
	x.step = 0;
	if (store->link(&x, location, 60, &url) == NEXT_DONE)
	{
		check_url(url);
		insist(strstr(url, "X-Amz-Signature=") != NULL);
	}
	json_decref(x.settings);
	arena_destroy(x.arena);
	return 0;
}
