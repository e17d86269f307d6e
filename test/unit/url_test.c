/*-------------------------------------------------------------------------
 *
 * url_test.c
 *		An address is read as libcurl will read it, or not at all; and a
 *		Location leads where a browser would go.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "../../src/courier/url.h"
#include "check.h"

static Arena *arena;

static void
check_read(const char *text, const char *scheme, const char *host,
		   const char *port)
{
	Url			url;

	CHECK(url_read(arena, text, &url) && strcmp(url.scheme, scheme) == 0 &&
		  strcmp(url.host, host) == 0 && strcmp(url.port, port) == 0,
		  "%s is %s, %s, %s", text, scheme, host, port);
}

static void
check_refused(const char *text)
{
	Url			url;

	CHECK(!url_read(arena, text, &url), "no address: \"%.60s\"", text);
}

static void
check_joined(const char *base, const char *location, const char *expected)
{
	const char *joined = url_join(arena, base, location);

	CHECK(expected == NULL ? joined == NULL :
		  joined != NULL && strcmp(joined, expected) == 0,
		  "\"%.60s\" at %s leads to %s", location, base,
		  expected != NULL ? expected : "nowhere");
}

/* "https://x/aaa...", so long. */
static const char *
long_url(size_t len)
{
	char	   *text = arena_alloc(arena, len + 1);

	memset(text, 'a', len);
	memcpy(text, "https://x/", 10);
	return text;
}

int
main(void)
{
	Url			url;

	arena = arena_create();
	check_read("https://a.example/1.png?x=1#y", "https", "a.example", "443");
	check_read("http://a.example:8080", "http", "a.example", "8080");
	check_read("HTTPS://A.example/", "https", "A.example", "443");
	check_read("https://[::1]:8443/", "https", "[::1]", "8443");
	check_read("https://a.example?@b.example/", "https", "a.example", "443");
	check_read("https://a.example#@b.example/", "https", "a.example", "443");
	check_read("https://a.example/@b.example", "https", "a.example", "443");
	/* libcurl's own reading, and so the one that counts */
	check_read("http://0x7f.1/", "http", "127.0.0.1", "80");
	check_read("https:///a.example/1", "https", "a.example", "443");

	check_refused("");
	check_refused("/1.png");
	check_refused("//a.example/1.png");
	check_refused("https://");
	check_refused("https://user@a.example/");
	check_refused("https://user:password@a.example/");
	check_refused("https://a.example@b.example/");
	check_refused("https://:password@a.example/");
	check_refused("https://a.example:99999/");
	check_refused("https://a example/");
	check_refused("gopher2://a.example/");

	CHECK(!url_read(arena, "https://a.example/\r\nX: y", &url),
		  "no address: two lines");
	CHECK(url_read(arena, long_url(MAX_URL), &url) &&
		  !url_read(arena, long_url(MAX_URL + 1), &url),
		  "an address has a limit of %d characters", MAX_URL);

	check_joined("https://a.example/b/c?d", "e", "https://a.example/b/e");
	check_joined("https://a.example/b/c?d", "/e?f", "https://a.example/e?f");
	check_joined("https://a.example/b/c", "../../../e",
				 "https://a.example/e");
	check_joined("https://a.example/b", "//c.example/d",
				 "https://c.example/d");
	check_joined("https://a.example/b", "http://c.example/d",
				 "http://c.example/d");
	check_joined("https://a.example/b", long_url(MAX_URL + 1), NULL);
	check_joined("no address", "e", NULL);
	arena_destroy(arena);
	return check_done();
}
