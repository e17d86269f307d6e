/*-------------------------------------------------------------------------
 *
 * store_play.h
 *		An exchange with a store whose answers the test makes up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STORE_PLAY_H
#define BAMBI_STORE_PLAY_H

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../src/courier/stores/store.h"
#include "check.h"

#define PLAY_USER	"00000000-0000-7000-8000-000000000001"
#define PLAY_GENERATION	"00000000-0000-7000-8000-000000000002"
/* Of "picture". */
#define PLAY_HASH \
	"2cea274d0bedc39ec4ab6ba9e59ec889e3ed6fb56a1cf088a64d9b383378dc97"

static Exchange x;

static inline void
play_begin(json_t *settings, const char *secret, int64_t now)
{
	memset(&x, 0, sizeof(x));
	x.arena = arena_create();
	x.base_url = "";
	x.settings = settings;
	if (secret != NULL)
		x.secret = secret_create(x.arena, (const uint8_t *) secret,
								 strlen(secret));
	x.now = now;
}

static inline void
play_end(void)
{
	exchange_clear_reply(&x);
	json_decref(x.settings);
	arena_destroy(x.arena);
}

/* As before its first step. */
static inline void
play_again(void)
{
	exchange_clear_reply(&x);
	x.step = 0;
}

static inline Next
play_put(const StoreAdapter *store, char **location)
{
	static uint8_t bytes[] = "picture";
	static const Picture picture = {.bytes = bytes,.len = 7};
	StoredImage image = {
		.user = PLAY_USER,
		.generation = PLAY_GENERATION,
		.position = 2,
		.format = "webp",
		.sha256 = PLAY_HASH,
		.picture = &picture
	};

	return store->put(&x, &image, location);
}

/* A picture that comes back. */
static inline Next
play_put_at(const StoreAdapter *store, const char *location)
{
	static uint8_t bytes[] = "picture";
	static const Picture picture = {.bytes = bytes,.len = 7};

	return store->put_at(&x, location, &picture, PLAY_HASH);
}

/* What comes back on the request; body is constant. */
static inline void
play_answer(long status, const char *body)
{
	exchange_clear_reply(&x);
	x.reply.wrote = true;
	x.reply.status = status;
	x.reply.is_complete = true;
	x.reply.body = body;
	x.reply.body_len = strlen(body);
}

/* The same for a picture, which is copied. */
static inline void
play_answer_picture(const char *bytes)
{
	play_answer(200, "");
	x.reply.pictures[0].bytes = (uint8_t *) strdup(bytes);
	x.reply.pictures[0].len = strlen(bytes);
	x.reply.picture_count = 1;
}

static inline void
play_fail(Transport transport)
{
	play_answer(0, "");
	x.reply.transport = transport;
	x.reply.is_complete = false;
}

static inline const char *
play_header(const char *name)
{
	const Header *header;

	for (header = x.request.headers; header != NULL; header = header->next)
	{
		if (strcasecmp(header->name, name) == 0)
			return header->value;
	}
	return "";
}

static inline bool
play_asks(const char *method, const char *url)
{
	if (strcmp(x.request.method, method) == 0 &&
		strcmp(x.request.url, url) == 0 && !x.request.is_paid)
		return true;
	printf("# %s %s\n", x.request.method, x.request.url);
	return false;
}

/* Whether it has failed so that it is tried again, with these words. */
static inline bool
play_waits(Next next, const char *words)
{
	if (next == NEXT_FAIL && x.fault.class == FAULT_STORE_DOWN &&
		x.fault.may_repeat && !x.fault.may_have_cost &&
		strstr(x.fault.message, words) != NULL)
		return true;
	printf("# %s %s\n", fault_code(x.fault.class), x.fault.message);
	return false;
}

/* Whether it has failed for good, with these words. */
static inline bool
play_refuses(Next next, const char *words)
{
	if (next == NEXT_FAIL && x.fault.class == FAULT_BAD_REQUEST &&
		!x.fault.may_repeat && strstr(x.fault.message, words) != NULL)
		return true;
	printf("# %s\n", x.fault.message);
	return false;
}

#endif							/* BAMBI_STORE_PLAY_H */
