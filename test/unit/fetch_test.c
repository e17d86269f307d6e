/*-------------------------------------------------------------------------
 *
 * fetch_test.c
 *		A picture is fetched only from hosts that may have it, without any
 *		credential, each redirect judged anew; and what may pass is tried
 *		again.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/courier/fetch.h"
#include "check.h"

#define URL		"https://cdn.example.com/1.png"

static const char *const hosts[] = {
	"cdn.example.com", "*.pictures.example", NULL
};

/* A fetch of URL, and what is to be known of it. */
typedef struct Fetching
{
	Exchange	x;
	Fetch		fetch;
	Picture		picture;
} Fetching;

static Next
step(Fetching *f)
{
	return fetch_step(&f->x, &f->fetch, &f->picture);
}

static Next
begin(Fetching *f, const char *url)
{
	memset(f, 0, sizeof(*f));
	f->x.arena = arena_create();
	f->x.base_url = "https://api.example.com/v1";
	f->fetch.url = url;
	f->fetch.base_url = f->x.base_url;
	f->fetch.hosts = hosts;
	return step(f);
}

static void
end(Fetching *f)
{
	free(f->picture.bytes);
	exchange_clear_reply(&f->x);
	arena_destroy(f->x.arena);
}

/* As the engine answers; location may be NULL. */
static Next
answer(Fetching *f, long status, const char *location)
{
	exchange_clear_reply(&f->x);
	f->x.reply.status = status;
	f->x.reply.wrote = true;
	if (location != NULL)
	{
		Header	   *header = arena_alloc(f->x.arena, sizeof(Header));

		header->name = "location";
		header->value = location;
		f->x.reply.headers = header;
	}
	return step(f);
}

static Next
lose(Fetching *f, Transport transport)
{
	exchange_clear_reply(&f->x);
	f->x.reply.transport = transport;
	return step(f);
}

static void
give(Fetching *f)
{
	f->x.reply.pictures[0].bytes = (uint8_t *) strdup("picture");
	f->x.reply.pictures[0].len = 7;
	f->x.reply.picture_count = 1;
}

static bool
is_asked_at(const Fetching *f, const char *url)
{
	if (strcmp(f->x.request.url, url) == 0)
		return true;
	printf("# %s\n", f->x.request.url);
	return false;
}

/* ---- who may be asked ---- */

static void
check_url(const char *base, const char *url, bool is_allowed)
{
	Arena	   *arena = arena_create();
	json_t	   *more = json_pack("[s, i, s]", "more.example", 7, "*.wide");
	Fetch		fetch = {.base_url = base,.hosts = hosts,.more_hosts = more};

	CHECK(fetch_is_allowed(arena, &fetch, url) == is_allowed,
		  "%s may %sbe fetched for %s", url, is_allowed ? "" : "not ", base);
	json_decref(more);
	arena_destroy(arena);
}

static void
check_hosts(void)
{
	static const char plain[] = "http://127.0.0.1:8080/v1";
	static const char secure[] = "https://api.example.com/v1";

	check_url(secure, URL, true);
	check_url(secure, "https://CDN.Example.COM/1", true);
	check_url(secure, "https://cdn.example.com:8443/1", true);
	check_url(secure, "http://cdn.example.com/1", false);
	check_url(secure, "ftp://cdn.example.com/1", false);
	check_url(secure, "file:///etc/passwd", false);
	check_url(secure, "https://cdn.example.com.evil.example/1", false);
	check_url(secure, "https://evilcdn.example.com/1", false);
	check_url(secure, "https://a.cdn.example.com/1", false);
	check_url(secure, "https://evil.example/?cdn.example.com", false);
	check_url(secure, "https://evil.example#cdn.example.com", false);
	check_url(secure, "https://cdn.example.com@evil.example/1", false);
	check_url(secure, "https://evil@cdn.example.com/1", false);

	check_url(secure, "https://a.pictures.example/1", true);
	check_url(secure, "https://a.b.Pictures.Example/1", true);
	check_url(secure, "https://pictures.example/1", false);
	check_url(secure, "https://evilpictures.example/1", false);
	check_url(secure, "https://.pictures.example/1", false);
	check_url(secure, "http://a.pictures.example/1", false);

	check_url(secure, "https://more.example/1", true);
	check_url(secure, "https://a.wide/1", true);
	check_url(secure, "https://7/1", false);

	check_url(secure, "https://api.example.com/files/1", true);
	check_url(secure, "https://api.example.com:443/files/1", true);
	check_url(secure, "http://api.example.com/files/1", false);
	check_url(secure, "https://api.example.com:444/files/1", false);
	check_url(plain, "http://127.0.0.1:8080/files/1", true);
	check_url(plain, "http://127.0.0.1:8081/files/1", false);
	check_url(plain, "http://127.0.0.1/files/1", false);
	check_url(plain, "https://127.0.0.1:8080/files/1", false);
	check_url(plain, "http://localhost:8080/files/1", false);
	check_url("", "https://other.example/1", false);
}

static void
check_bare(void)
{
	Arena	   *arena = arena_create();
	Fetch		fetch = {.base_url = "https://api.example.com"};

	CHECK(!fetch_is_allowed(arena, &fetch, URL) &&
		  fetch_is_allowed(arena, &fetch, "https://api.example.com/1"),
		  "without a list only the provider's own host may be asked");
	arena_destroy(arena);
}

/* ---- the request and its answers ---- */

static void
check_request(void)
{
	Fetching	f;

	CHECK(begin(&f, URL) == NEXT_SEND && is_asked_at(&f, URL) &&
		  strcmp(f.x.request.method, "GET") == 0 && !f.x.request.is_paid,
		  "a picture is asked for at its address");
	CHECK(f.x.request.headers == NULL && f.x.request.is_picture,
		  "without a header, and as a picture");
	give(&f);
	f.x.reply.status = 200;
	CHECK(step(&f) == NEXT_DONE && f.picture.len == 7 &&
		  memcmp(f.picture.bytes, "picture", 7) == 0 &&
		  f.x.reply.pictures[0].bytes == NULL,
		  "and is handed over");
	end(&f);

	CHECK(begin(&f, "https://evil.example/1") == NEXT_FAIL &&
		  f.x.fault.class == FAULT_ADDRESS_REFUSED,
		  "nothing is sent to somebody else");
	end(&f);
}

static void
check_status(long status, bool has_picture)
{
	Fetching	f;
	Next		next;

	begin(&f, URL);
	if (has_picture)
		give(&f);
	f.x.reply.status = status;
	next = step(&f);
	CHECK(next == NEXT_FAIL && f.x.fault.class == FAULT_UNKNOWN &&
		  !f.x.fault.may_repeat && f.picture.bytes == NULL,
		  "%ld with%s a picture is none", status, has_picture ? "" : "out");
	end(&f);
}

static void
check_redirects(void)
{
	Fetching	f;

	begin(&f, URL);
	CHECK(answer(&f, 302, "/2.png") == NEXT_SEND &&
		  is_asked_at(&f, "https://cdn.example.com/2.png"),
		  "a redirect is followed");
	CHECK(answer(&f, 307, "//a.pictures.example/b/3.png") == NEXT_SEND &&
		  is_asked_at(&f, "https://a.pictures.example/b/3.png"),
		  "also to another host that may have it");
	CHECK(answer(&f, 308, "4.png") == NEXT_SEND &&
		  is_asked_at(&f, "https://a.pictures.example/b/4.png") &&
		  f.x.request.is_picture && f.x.request.headers == NULL,
		  "relative to the one before");
	CHECK(answer(&f, 301, "5.png") == NEXT_FAIL &&
		  f.x.fault.class == FAULT_UNKNOWN, "three times at most");
	end(&f);

	begin(&f, URL);
	CHECK(answer(&f, 302, "https://evil.example/1") == NEXT_FAIL &&
		  f.x.fault.class == FAULT_ADDRESS_REFUSED,
		  "not to somebody else");
	end(&f);
	begin(&f, URL);
	answer(&f, 302, "/2.png");
	CHECK(answer(&f, 302, "http://cdn.example.com/1") == NEXT_FAIL &&
		  f.x.fault.class == FAULT_ADDRESS_REFUSED,
		  "not from https to http");
	end(&f);
	begin(&f, URL);
	CHECK(answer(&f, 302, "https://u:p@cdn.example.com/1") == NEXT_FAIL &&
		  f.x.fault.class == FAULT_ADDRESS_REFUSED, "not as a user");
	end(&f);
	begin(&f, URL);
	CHECK(answer(&f, 302, NULL) == NEXT_FAIL &&
		  f.x.fault.class == FAULT_UNKNOWN, "not to nowhere");
	end(&f);
}

static void
check_retries(void)
{
	Fetching	f;
	int			delay = 500;

	begin(&f, URL);
	for (int i = 0; i < 4; i++)
	{
		Next		next = i % 2 ? answer(&f, i == 1 ? 503 : 429, NULL) :
		lose(&f, i == 0 ? TRANSPORT_RESET : TRANSPORT_TIMEOUT);

		CHECK(next == NEXT_SLEEP && f.x.sleep_ms == delay,
			  "what may pass is tried again after %d ms", delay);
		CHECK(step(&f) == NEXT_SEND && is_asked_at(&f, URL),
			  "at the same address");
		delay *= 2;
	}
	CHECK(answer(&f, 500, NULL) == NEXT_FAIL &&
		  f.x.fault.class == FAULT_UNKNOWN, "but not for ever");
	end(&f);

	begin(&f, URL);
	for (int i = 0; i < 4; i++)
	{
		lose(&f, TRANSPORT_REFUSED);
		step(&f);
	}
	CHECK(lose(&f, TRANSPORT_REFUSED) == NEXT_FAIL &&
		  f.x.fault.class == FAULT_PROVIDER_UNAVAILABLE &&
		  !f.x.fault.may_have_cost,
		  "the last failure says what it was");
	end(&f);

	begin(&f, URL);
	answer(&f, 302, "/2.png");
	answer(&f, 500, NULL);
	CHECK(step(&f) == NEXT_SEND &&
		  is_asked_at(&f, "https://cdn.example.com/2.png"),
		  "what was redirected is tried again where it led");
	end(&f);

	for (int i = 0; i < 3; i++)
	{
		static const Transport final[] = {TRANSPORT_ADDRESS, TRANSPORT_TLS,
		TRANSPORT_TOO_LARGE};

		begin(&f, URL);
		CHECK(lose(&f, final[i]) == NEXT_FAIL,
			  "what will not pass (%d) is not tried again", final[i]);
		end(&f);
	}
}

int
main(void)
{
	check_hosts();
	check_bare();
	check_request();
	check_status(200, false);
	check_status(204, false);
	check_status(206, true);
	check_status(304, false);
	check_status(403, false);
	check_status(404, true);
	check_redirects();
	check_retries();
	return check_done();
}
