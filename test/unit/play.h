/*-------------------------------------------------------------------------
 *
 * play.h
 *		Plays the engine and job.c to a provider adapter: hands it a
 *		generation, and answers of which the test knows every byte.
 *
 * Bodies and events are scanned for pictures as the engine does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PLAY_H
#define BAMBI_PLAY_H

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "../../src/courier/base64.h"
#include "../../src/courier/body.h"
#include "../../src/courier/providers/provider.h"

#define FIXTURES	"../fixtures/"

/* The clock of all plays: 2026-11-23 08:00:00 UTC. */
#define PLAY_NOW	INT64_C(1795420800)

#define PLAY_REQUEST_ID	"00000000-0000-7000-8000-000000000001.1"

/* A png of one pixel, as base64. */
#define PLAY_PIXEL \
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk" \
	"+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

typedef struct Play
{
	Exchange	x;
	const ProviderAdapter *adapter;
	Generation	generation;
	Outcome		outcome;
	Body	   *body;			/* of the last answer */
	int			percent;		/* as the last event said; -1 before one */
	int			preview_count;
} Play;

/*
 * Steals the references to parameters, settings and operator_settings; the
 * last may be NULL.  Everything else is lent until play_end.
 */
static inline void
play_begin(Play *play, const ProviderAdapter *adapter, const char *base_url,
		   const char *key, const char *model, json_t *parameters,
		   json_t *settings, json_t *operator_settings)
{
	Usage		nothing = {-1, -1, -1, -1, -1, -1, -1};

	memset(play, 0, sizeof(*play));
	play->adapter = adapter;
	play->percent = -1;
	play->x.arena = arena_create();
	play->x.base_url = base_url;
	play->x.settings = settings;
	play->x.operator_settings = operator_settings;
	play->x.secret = secret_create(play->x.arena, (const uint8_t *) key,
								   strlen(key));
	play->x.now = PLAY_NOW;
	play->generation.model = model;
	play->generation.prompt = "cat";
	play->generation.parameters = parameters;
	play->generation.client_request_id = PLAY_REQUEST_ID;
	play->outcome.usage = nothing;
	play->outcome.cost_ticks = -1;
}

static inline void
play_end(Play *play)
{
	for (int i = 0; i < play->outcome.picture_count; i++)
		free(play->outcome.pictures[i].picture.bytes);
	exchange_clear_reply(&play->x);
	body_destroy(play->body);
	json_decref(play->generation.parameters);
	json_decref(play->x.settings);
	json_decref(play->x.operator_settings);
	arena_destroy(play->x.arena);
}

/* PLAY_PIXEL as an input; lent for good, its bytes are the program's. */
static inline Input
play_pixel(void)
{
	static uint8_t bytes[sizeof(PLAY_PIXEL)];
	Base64		decoder = {0};
	Input		input = {.format = "png",.width = 1,.height = 1};

	input.bytes = bytes;
	input.len = base64_decode(&decoder, PLAY_PIXEL, strlen(PLAY_PIXEL),
							  bytes);
	return input;
}

/* The next step of the adapter. */
static inline Next
play_step(Play *play)
{
	Next		next = play->adapter->generate(&play->x, &play->generation,
											   &play->outcome);

	if (next == NEXT_SEND)
		exchange_clear_reply(&play->x);
	return next;
}

/* ---- what the adapter asked ---- */

/* The value of a header of the request, or NULL. */
static inline const char *
play_request_header(const Play *play, const char *name)
{
	const Header *header;

	for (header = play->x.request.headers; header; header = header->next)
	{
		if (strcasecmp(header->name, name) == 0)
			return header->value;
	}
	return NULL;
}

static inline bool
play_body_holds(const Play *play, const char *piece)
{
	const Request *request = &play->x.request;
	char	   *text = strndup(request->body != NULL ? request->body : "",
							   request->body_len);
	bool		is_there = strstr(text, piece) != NULL;

	free(text);
	return is_there;
}

/* The request's body, which is freed with json_decref; NULL if no JSON. */
static inline json_t *
play_request_json(const Play *play)
{
	if (play->x.request.body == NULL)
		return NULL;
	return json_loadb(play->x.request.body, play->x.request.body_len, 0,
					  NULL);
}

/* ---- what comes back ---- */

/* A header of the answer to come; name in lower case, both lent. */
static inline void
play_reply_header(Play *play, const char *name, const char *value)
{
	Header	   *header = arena_alloc(play->x.arena, sizeof(Header));

	header->name = name;
	header->value = value;
	header->next = play->x.reply.headers;
	play->x.reply.headers = header;
}

static inline void
play_reply_headers(Play *play, const json_t *headers)
{
	const char *name;
	json_t	   *value;

	json_object_foreach((json_t *) headers, name, value)
		play_reply_header(play, name, json_string_value(value));
}

/* The body comes in pieces of this length, as from a network. */
static inline Body *
play_scan(const char *path, const char *text, size_t len, size_t piece)
{
	Body	   *body = body_create(path, 1 << 20, 1 << 20);

	for (size_t at = 0; at < len; at += piece)
		body_add(body, text + at, len - at < piece ? len - at : piece);
	return body;
}

/*
 * Whether the adapter keeps the event for the end.  One that is no JSON, as
 * the "[DONE]" of some servers, is nobody's.
 */
static inline bool
play_event(Play *play, const char *data)
{
	Body	   *body = play_scan(play->x.request.event_picture_path, data,
								 strlen(data), strlen(data) + 1);
	size_t		len;
	const char *text = body_text(body, &len);
	json_t	   *json = json_loadb(text, len, 0, NULL);
	bool		is_json = json != NULL;
	int			percent = -1;
	Picture		pictures[MAX_PICTURES];
	int			count;

	if (is_json)
		percent = play->adapter->progress(json, &play->generation);
	if (percent >= 0)
	{
		count = body_take_pictures(body, pictures);

		play->percent = percent;
		play->preview_count += count > 0;
		while (count > 0)
			free(pictures[--count].bytes);
	}
	json_decref(json);
	body_destroy(body);
	return is_json && percent < 0;
}

/*
 * The kept events of a stream as a JSON array, in the arena, with their
 * pictures in them still.
 */
static inline char *
play_events(Play *play, const char *stream)
{
	char	   *kept = arena_strdup(play->x.arena, "");
	char	   *copy = arena_strdup(play->x.arena, stream);
	char	   *rest = copy;
	char	   *line;

	while ((line = strsep(&rest, "\n")) != NULL)
	{
		if (strncmp(line, "data: ", 6) == 0 && play_event(play, line + 6))
			kept = arena_printf(play->x.arena, "%s%s%s", kept,
								kept[0] != '\0' ? "," : "", line + 6);
	}
	return arena_printf(play->x.arena, "[%s]", kept);
}

/*
 * Answers, and lets the adapter step on.  A stream of events is one if a
 * header of the answer says so; each of their data is one line.
 */
static inline Next
play_answer(Play *play, long status, const char *text, size_t piece)
{
	Reply	   *reply = &play->x.reply;
	const char *path = play->x.request.picture_path;
	const char *event_path = play->x.request.event_picture_path;
	const char *type = exchange_reply_header(&play->x, "content-type");

	if (event_path != NULL && type != NULL &&
		strncmp(type, "text/event-stream", 17) == 0)
	{
		path = arena_printf(play->x.arena, "[].%s", event_path);
		text = play_events(play, text);
	}
	body_destroy(play->body);
	play->body = play_scan(path, text, strlen(text), piece);
	reply->status = status;
	reply->wrote = true;
	reply->is_complete = reply->transport == TRANSPORT_OK;
	reply->body = body_text(play->body, &reply->body_len);
	reply->picture_count = body_take_pictures(play->body, reply->pictures);
	return play_step(play);
}

/* Ends the request without an answer, and lets the adapter step on. */
static inline Next
play_lose(Play *play, Transport transport, bool wrote)
{
	play->x.reply.transport = transport;
	play->x.reply.wrote = wrote;
	return play_step(play);
}

/* ---- keys ---- */

/*
 * A new RSA key as PKCS#8 PEM, one for all plays of a program: making it is
 * slow.
 */
static inline const char *
play_private_key(void)
{
	static char *pem;

	if (pem == NULL)
	{
		EVP_PKEY   *key = EVP_RSA_gen(2048);
		BIO		   *bio = BIO_new(BIO_s_mem());
		char	   *bytes;
		long		len;

		if (PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL,
									 NULL) != 1)
			abort();
		len = BIO_get_mem_data(bio, &bytes);
		pem = strndup(bytes, (size_t) len);
		BIO_free(bio);
		EVP_PKEY_free(key);
	}
	return pem;
}

#endif							/* BAMBI_PLAY_H */
