/*-------------------------------------------------------------------------
 *
 * fetch.h
 *		Fetches a picture from an address that a provider's answer gave.
 *
 * The address is somebody else's choice: it must be https (or the provider's
 * own plain address) at one of the hosts that may hand out its pictures, no
 * credential goes with the request, and a redirect is a new request that is
 * checked anew (rule N6).
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_FETCH_H
#define BAMBI_FETCH_H

#include "exchange.h"

/* What a fetch needs to remember between its steps; zeroed but for these. */
typedef struct Fetch
{
	const char *url;
	const char *base_url;		/* of the provider: its own host is allowed */
	const char *const *hosts;	/* as ProviderAdapter.image_hosts */
	const json_t *more_hosts;	/* an array of the same, or NULL */

	int			redirects;
	int			failures;
} Fetch;

/*
 * A step of the exchange.  On NEXT_DONE picture has the bytes; what kind of
 * picture they are is not looked at.  It tries again after what may pass.
 */
extern Next fetch_step(Exchange *x, Fetch *fetch, Picture *picture);

/* Whether url may be fetched; for fetch_step itself, and for tests. */
extern bool fetch_is_allowed(Arena *arena, const Fetch *fetch,
							 const char *url);

#endif							/* BAMBI_FETCH_H */
