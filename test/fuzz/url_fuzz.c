/*-------------------------------------------------------------------------
 *
 * url_fuzz.c
 *		No address leads a fetch anywhere but to the hosts that it names,
 *		by https, and a redirect no further than an address itself.
 *
 * The input is an address, and a Location after its first line feed.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "../../src/courier/fetch.h"
#include "../../src/courier/url.h"
#include "fuzz.h"

#define BASE	"http://127.0.0.1:8080/v1"

static const char *const hosts[] = {"cdn.example.com", "*.pictures.example",
NULL};

/* Whoever will connect must see the same host. */
static void
check_host(const char *url)
{
	static const char below[] = ".pictures.example";
	CURLU	   *parsed = curl_url();
	char	   *scheme = NULL;
	char	   *host = NULL;
	char	   *user = NULL;
	size_t		len;

	insist(curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK);
	insist(curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK);
	insist(curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK);
	insist(curl_url_get(parsed, CURLUPART_USER, &user, 0) != CURLUE_OK);
	len = strlen(host);
	if (strcasecmp(scheme, "https") == 0)
		insist(strcasecmp(host, hosts[0]) == 0 ||
			   (len >= sizeof(below) &&
				strcasecmp(host + len - strlen(below), below) == 0));
	else
		insist(strcasecmp(scheme, "http") == 0 &&
			   strcmp(host, "127.0.0.1") == 0);
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parsed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Arena	   *arena = arena_create();
	Fetch		fetch = {.base_url = BASE,.hosts = hosts};
	char	   *location = arena_strndup(arena, (const char *) data, size);
	const char *address = strsep(&location, "\n");
	Url			url;

	if (fetch_is_allowed(arena, &fetch, address))
	{
		insist(url_read(arena, address, &url));
		check_host(address);
	}
	if (location != NULL)
		address = url_join(arena, address, location);
	if (address != NULL && fetch_is_allowed(arena, &fetch, address))
		check_host(address);
	arena_destroy(arena);
	return 0;
}
