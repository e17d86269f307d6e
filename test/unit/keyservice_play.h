/*-------------------------------------------------------------------------
 *
 * keyservice_play.h
 *		An exchange with a key service whose answers the test makes up, with
 *		files in a folder of its own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_KEYSERVICE_PLAY_H
#define BAMBI_KEYSERVICE_PLAY_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <openssl/rsa.h>

#include "../../src/courier/keyservices/keyservice.h"
#include "../../src/courier/keyservices/public_key.h"
#include "check.h"

/* 2026-11-28T00:00:00Z */
#define PLAY_NOW	1795824000

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* A setting with which a service does not open, and what is said of it. */
typedef struct PlaySetting
{
	const char *name;
	const char *value;
	const char *words;
} PlaySetting;

/* An answer that is none, and what is said of it; NULL: it is unreadable. */
typedef struct PlayAnswer
{
	long		status;
	const char *body;
	const char *words;
	bool		may_repeat;
} PlayAnswer;

static Exchange x;
static SealingKey sealing_key;
static uint8_t cek[JWE_CEK_SIZE];
static char directory[] = "/tmp/bambi-unit-XXXXXX";
static char body[16 * 1024];	/* lent to x as an answer */

static inline const char *
play_path(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static inline void
play_write(const char *name, const char *text, mode_t mode)
{
	int			fd;

	unlink(play_path(name));
	fd = open(play_path(name), O_WRONLY | O_CREAT | O_TRUNC, mode);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t) strlen(text))
		printf("# %s could not be written\n", name);
	close(fd);
}

static inline void
play_set(const char *name, const char *value)
{
	json_object_set_new(x.settings, name, json_string(value));
}

/* A new exchange, with the settings of the one before. */
static inline void
play_begin(void)
{
	json_t	   *settings = x.settings != NULL ? x.settings : json_object();

	if (x.arena != NULL)
		arena_destroy(x.arena);
	memset(&x, 0, sizeof(x));
	memset(&sealing_key, 0, sizeof(sealing_key));
	x.arena = arena_create();
	x.base_url = "";
	x.settings = settings;
	x.now = PLAY_NOW;
}

static inline void
play_end(void)
{
	json_decref(x.settings);
	arena_destroy(x.arena);
	memset(&x, 0, sizeof(x));
}

/* What comes back on the request. */
static inline void
play_answer(long status, const char *text)
{
	memset(&x.reply, 0, sizeof(x.reply));
	snprintf(body, sizeof(body), "%s", text);
	x.reply.wrote = true;
	x.reply.status = status;
	x.reply.is_complete = true;
	x.reply.body = body;
	x.reply.body_len = strlen(body);
}

static inline void
play_fail(Transport transport)
{
	play_answer(0, "");
	x.reply.transport = transport;
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
play_asks(Next next, const char *method, const char *url)
{
	if (next == NEXT_SEND && strcmp(x.request.method, method) == 0 &&
		strcmp(x.request.url, url) == 0 && x.request.connect_ms == 3000 &&
		x.request.max_bytes == 64 * 1024 && !x.request.is_paid)
		return true;
	printf("# %d: %s %s, %s\n", next, x.request.method, x.request.url,
		   x.fault.message);
	return false;
}

/* Whether the request's body is exactly this. */
static inline bool
play_sends(const char *text)
{
	if (x.request.body != NULL && x.request.body_len == strlen(text) &&
		memcmp(x.request.body, text, strlen(text)) == 0)
		return true;
	printf("# %.*s\n", (int) x.request.body_len, x.request.body);
	return false;
}

/* Whether generations wait, for this reason. */
static inline bool
play_is_down(Next next, const char *words, bool may_repeat)
{
	if (next == NEXT_FAIL && x.fault.class == FAULT_KEY_SERVICE_DOWN &&
		x.fault.may_repeat == may_repeat && !x.fault.may_have_cost &&
		strstr(x.fault.message, words) != NULL)
		return true;
	printf("# %d: %s %d %s\n", next, fault_code(x.fault.class),
		   x.fault.may_repeat, x.fault.message);
	return false;
}

static inline bool
play_is_unreadable(Next next)
{
	if (next == NEXT_FAIL && x.fault.class == FAULT_KEY_UNREADABLE &&
		x.fault.message[0] == '\0')
		return true;
	printf("# %d: %s %s\n", next, fault_code(x.fault.class),
		   x.fault.message);
	return false;
}

static inline Next
play_open(const KeyServiceAdapter *service)
{
	return service->open(&x, &sealing_key);
}

static inline Next
play_unwrap(const KeyServiceAdapter *service, const char *kid)
{
	return service->unwrap(&x, kid, (const uint8_t *) "wrapped", 7, cek);
}

/* Each by itself; then all are as before. */
static inline void
play_settings(const KeyServiceAdapter *service, const PlaySetting *wrong,
			  size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		json_t	   *before = json_incref(json_object_get(x.settings,
														 wrong[i].name));

		play_set(wrong[i].name, wrong[i].value);
		play_begin();
		CHECK(play_is_down(play_open(service), wrong[i].words, false),
			  "%s \"%s\" is told", wrong[i].name, wrong[i].value);
		json_object_set_new(x.settings, wrong[i].name, before != NULL ?
							before : json_string(""));
	}
}

/* To what it is asked to unwrap. */
static inline void
play_unwrap_answers(const KeyServiceAdapter *service, const char *kid,
					const PlayAnswer *answers, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		const PlayAnswer *answer = &answers[i];
		Next		next;

		play_begin();
		play_unwrap(service, kid);
		play_answer(answer->status, answer->body);
		next = play_unwrap(service, kid);
		if (answer->words == NULL)
			CHECK(play_is_unreadable(next),
				  "what does not unwrap is unreadable: %zu", i);
		else
			CHECK(play_is_down(next, answer->words, answer->may_repeat),
				  "unwrapping: \"%s\" makes generations wait",
				  answer->words);
	}
}

/* Names that are not the service's, or of another key: nobody is asked. */
static inline void
play_foreign(const KeyServiceAdapter *service, const char *const *kids,
			 size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		play_begin();
		CHECK(play_is_unreadable(play_unwrap(service, kids[i])),
			  "\"%s\" is not asked for", kids[i]);
	}
}

/* A key in PEM with \n as JSON has it. */
static inline char *
play_pem(EVP_PKEY *key)
{
	Arena	   *arena = arena_create();
	json_t	   *json = json_string(public_key_print(arena, key));
	char	   *text = json_dumps(json, JSON_ENCODE_ANY);

	json_decref(json);
	arena_destroy(arena);
	return text;
}

#endif							/* BAMBI_KEYSERVICE_PLAY_H */
