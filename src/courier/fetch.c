/*-------------------------------------------------------------------------
 *
 * fetch.c
 *		Fetches a picture from an address that a provider's answer gave.
 *
 * Here a host's name is judged; whether the address behind it may be
 * connected, the engine asks when it knows it.
 *
 *-------------------------------------------------------------------------
 */
#include "fetch.h"

#include <string.h>
#include <strings.h>

#include "url.h"

#define MAX_REDIRECTS	3

/* Attempts, and the time before the second; it doubles. */
#define MAX_FAILURES	5
#define FIRST_DELAY_MS	500

/* exchange.step */
#define ASK				0
#define READ			1

/* "*.example.com" is any host below it, and not example.com itself. */
static bool
host_fits(const char *pattern, const char *host)
{
	size_t		pattern_len = strlen(pattern);
	size_t		host_len = strlen(host);

	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(pattern, host) == 0;
	return host_len > pattern_len - 1 &&
		strcasecmp(host + host_len - (pattern_len - 1), pattern + 1) == 0;
}

static bool
is_listed(const Fetch *fetch, const char *host)
{
	size_t		i;
	json_t	   *more;

	for (i = 0; fetch->hosts != NULL && fetch->hosts[i] != NULL; i++)
	{
		if (host_fits(fetch->hosts[i], host))
			return true;
	}
	json_array_foreach(fetch->more_hosts, i, more)
	{
		if (json_is_string(more) &&
			host_fits(json_string_value(more), host))
			return true;
	}
	return false;
}

bool
fetch_is_allowed(Arena *arena, const Fetch *fetch, const char *text)
{
	Url			url;
	Url			base;

	if (!url_read(arena, text, &url))
		return false;
	/* the provider itself, plain as it may be */
	if (url_read(arena, fetch->base_url, &base) &&
		strcasecmp(url.host, base.host) == 0 &&
		strcmp(url.port, base.port) == 0 &&
		strcasecmp(url.scheme, base.scheme) == 0)
		return true;
	return strcasecmp(url.scheme, "https") == 0 && is_listed(fetch, url.host);
}

static Next
ask(Exchange *x, const Fetch *fetch)
{
	if (!fetch_is_allowed(x->arena, fetch, fetch->url))
		return exchange_fail(x, FAULT_ADDRESS_REFUSED,
							 "the answer names an address for its picture "
							 "that is not one of the provider's image hosts");
	exchange_get(x, "");
	x->request.url = fetch->url;
	x->request.is_picture = true;
	x->step = READ;
	return NEXT_SEND;
}

/* Once more after a while, or give up. */
static Next
try_again(Exchange *x, Fetch *fetch)
{
	if (++fetch->failures == MAX_FAILURES)
	{
		if (x->reply.transport != TRANSPORT_OK)
			return exchange_fail_transport(x);
		return exchange_fail(x, FAULT_UNKNOWN,
							 "the picture that the answer names cannot be "
							 "fetched");
	}
	x->step = ASK;
	x->sleep_ms = FIRST_DELAY_MS << (fetch->failures - 1);
	return NEXT_SLEEP;
}

static Next
follow(Exchange *x, Fetch *fetch)
{
	const char *location = exchange_reply_header(x, "location");

	if (location != NULL)
		location = url_join(x->arena, fetch->url, location);
	if (location == NULL || ++fetch->redirects > MAX_REDIRECTS)
		return exchange_fail(x, FAULT_UNKNOWN,
							 "the picture's address redirects too often, or "
							 "to nowhere");
	fetch->url = location;
	return ask(x, fetch);
}

Next
fetch_step(Exchange *x, Fetch *fetch, Picture *picture)
{
	long		status = x->reply.status;

	if (x->step == ASK)
		return ask(x, fetch);
	if (x->reply.transport == TRANSPORT_ADDRESS)
		return exchange_fail(x, FAULT_ADDRESS_REFUSED,
							 "the address of the picture's host is not "
							 "allowed");
	if (x->reply.transport == TRANSPORT_TLS ||
		x->reply.transport == TRANSPORT_TOO_LARGE)
		return exchange_fail_transport(x);
	if (x->reply.transport != TRANSPORT_OK || status == 429 || status >= 500)
		return try_again(x, fetch);
	if (status >= 301 && status <= 308 && status != 304)
		return follow(x, fetch);
	if (status != 200 || x->reply.picture_count == 0)
		return exchange_fail(x, FAULT_UNKNOWN,
							 "the picture that the answer names is not there");
	*picture = x->reply.pictures[0];
	memset(&x->reply.pictures[0], 0, sizeof(Picture));
	return NEXT_DONE;
}
