/*-------------------------------------------------------------------------
 *
 * redis.c
 *		The one connection to Redis, and what the worker wants written there.
 *
 * The connection is the engine's, so that the rules of the network hold: the
 * name is resolved aside, addresses are judged, certificate and host name are
 * checked (which hiredis's own TLS leaves to its caller).  Nothing waits for
 * Redis but the errand that runs, and that for a moment only; whatever goes
 * wrong ends the connection, and the worker decides when to try another.
 *
 *-------------------------------------------------------------------------
 */
#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "engine.h"
#include "link.h"
#include "loop.h"
#include "redis_command.h"
#include "../protocol/secret_file.h"
#include "text.h"

#define CONNECT_MS		3000
#define ANSWER_MS		2000
#define DEFAULT_PORT	":6379"

/* Room for what is said first, so that the password is never moved. */
#define OPENING_BYTES	(SECRET_FILE_MAX + 16 * 1024)

/* An operator lists a network or two. */
#define MAX_RANGES		32

/* Everything that tells one connection from another; also in arena. */
static Arena *arena;
static const char *url;			/* as libcurl wants it: http, or https for TLS */
static const char *unix_path;
static int	database;
static const char *user;
static const Secret *password;
static const char *prefix;
static const char *problem;		/* why none can be made, or NULL */
static char *wanted;			/* the settings that are in force, as text */
static AddressRange ranges[MAX_RANGES];
static int	range_count;

/* The connection, and what runs on it. */
static Exchange x;
static Call *call;				/* NULL: there is none */
static bool is_connected;
static uint64_t opened_tag;		/* that it was made for */
static uint64_t tag;			/* of the errand that runs, or 0 */
static json_int_t epoch;
static Text out;
static size_t out_sent;
static RedisAnswers *answers;
static int	expected;
static LoopTimer timer;
static bool has_said_full;

/* Its keys are gone, though nobody has told us. */
static const char flushed[] = "{\"was_flushed\":true}";

static void ready(int fd, int events);

/* ---- settings */

static const char *
setting(const json_t *settings, const char *name)
{
	const char *text = json_string_value(json_object_get(settings, name));

	return text != NULL ? text : "";
}

/* redis://HOST:PORT/DATABASE, with the port that libcurl would not know. */
static void
read_host(const char *scheme, const char *rest)
{
	size_t		len = strcspn(rest, "/");
	const char *name_end = memchr(rest, ']', len);
	const char *port;
	char	   *end = "";

	port = memchr(name_end != NULL ? name_end : rest, ':',
				  (size_t) (rest + len -
							(name_end != NULL ? name_end : rest)));
	url = arena_printf(arena, "%s%.*s%s/", scheme, (int) len, rest,
					   port != NULL ? "" : DEFAULT_PORT);
	if (rest[len] == '/' && rest[len + 1] != '\0')
		database = (int) strtol(rest + len + 1, &end, 10);
	if (*end != '\0' || database < 0)
		problem = "what follows the host in bambi.redis_url is no number";
}

static void
read_url(const char *text)
{
	if (strncmp(text, "unix:", 5) == 0)
	{
		url = "http://localhost/";
		unix_path = arena_strdup(arena, text + 5);
	}
	else if (strncmp(text, "rediss://", 9) == 0)
		read_host("https://", text + 9);
	else if (strncmp(text, "redis://", 8) == 0)
		read_host("http://", text + 8);
	else
		problem = "bambi.redis_url is not set";
}

static void
read_password(const json_t *settings)
{
	const char *path = setting(settings, "redis_password_file");
	uint8_t		bytes[SECRET_FILE_MAX];
	const char *what;
	size_t		len;

	if (path[0] == '\0')
		return;
	what = secret_file_read(path, setting(settings, "data_directory"), bytes,
							&len);
	if (what != NULL)
	{
		problem = arena_printf(arena,
							   "the file of bambi.redis_password_file%s",
							   what);
		return;
	}
	/* an editor's newline belongs to no password */
	while (len > 0 && strchr("\r\n", bytes[len - 1]) != NULL)
		len--;
	password = secret_create(arena, bytes, len);
	OPENSSL_cleanse(bytes, sizeof(bytes));
}

static void
read_ranges(const char *list)
{
	static const char name[] = "bambi.redis_networks";
	char		text[FAULT_MESSAGE_MAX + 1];
	size_t		len = strlen(name);

	memcpy(text, name, len);
	memset(ranges, 0, sizeof(ranges));
	range_count = address_parse_list(list, ranges, MAX_RANGES, text + len,
									 sizeof(text) - len);
	if (text[len] != '\0')
		problem = arena_strdup(arena, text);
}

static void
read_settings(const json_t *settings)
{
	arena = arena_create();
	url = NULL;
	unix_path = NULL;
	database = 0;
	password = NULL;
	problem = NULL;
	user = arena_strdup(arena, setting(settings, "redis_user"));
	prefix = arena_printf(arena, "%s:%s", setting(settings, "redis_prefix"),
						  setting(settings, "database"));
	read_url(setting(settings, "redis_url"));
	read_ranges(setting(settings, "redis_networks"));
	read_password(settings);
}

static char *
text_of(const json_t *settings)
{
	static const char *const names[] = {
		"database", "ca_file", "redis_url", "redis_user", "redis_networks",
		"redis_password_file", "redis_prefix"
	};
	json_t	   *own = json_object();
	char	   *text;
	size_t		i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_object_set_new(own, names[i],
							json_string(setting(settings, names[i])));
	text = json_dumps(own, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(own);
	return text;
}

static bool
is_same_password(const Secret *other)
{
	if (other == NULL || password == NULL)
		return other == password;
	return other->len == password->len &&
		CRYPTO_memcmp(other->bytes, password->bytes, other->len) == 0;
}

/* ---- the connection's end */

static void
answer(uint64_t to, const char *error)
{
	Text		text = {NULL, 0, 0};

	text_add(&text, "{");
	if (error != NULL)
	{
		text_add(&text, "\"error\":");
		text_add_string(&text, error, FAULT_MESSAGE_MAX);
	}
	text_add(&text, "}");
	link_send_text(FRAME_ERRAND_DONE, to, error == NULL, text.bytes,
				   text.len);
	free(text.bytes);
}

static void
forget_out(void)
{
	if (out.bytes != NULL)
		OPENSSL_cleanse(out.bytes, out.size);
	free(out.bytes);
	memset(&out, 0, sizeof(out));
	out_sent = 0;
}

static void
hang_up(void)
{
	loop_stop_timer(&timer);
	if (call != NULL)
		engine_abort(call);
	call = NULL;
	is_connected = false;
	forget_out();
	if (answers != NULL)
		redis_answers_destroy(answers);
	answers = NULL;
	if (x.arena != NULL)
		arena_destroy(x.arena);
	memset(&x, 0, sizeof(x));
	tag = 0;
	opened_tag = 0;
}

/* Whoever waits is told, and who believes that the connection stands. */
static void
fail(const char *error)
{
	uint64_t	waits = tag;
	uint64_t	opened = opened_tag;

	hang_up();
	if (waits != 0)
		answer(waits, error);
	if (opened != 0 && opened != waits)
		answer(opened, error);
}

/* ---- what runs on it */

static void
timed_out(LoopTimer *unused)
{
	(void) unused;
	fail("Redis did not answer in time");
}

static void
say_if_full(long long left)
{
	if (left > 0 && !has_said_full)
		link_log(LEVEL_WARNING, "Redis has no room for %lld values", left);
	has_said_full = left > 0;
}

static void
look_at_answers(void)
{
	const char *word = redis_answers_error(answers);
	uint64_t	done = tag;
	char		error[64];

	if (word != NULL)
	{
		snprintf(error, sizeof(error), "Redis said %s", word);
		fail(error);
		return;
	}
	if (redis_answers_count(answers) > expected)
	{
		fail("Redis said more than it was asked");
		return;
	}
	if (redis_answers_count(answers) < expected || tag == 0)
		return;
	if (redis_answers_number(answers) < 0)
	{
		fail("another server with the same bambi.redis_prefix writes to Redis");
		return;
	}
	say_if_full(redis_answers_number(answers) / 2);
	loop_stop_timer(&timer);
	tag = 0;
	if (done != opened_tag && redis_answers_number(answers) % 2 == 1)
		link_send_text(FRAME_ERRAND_DONE, done, true, flushed,
					   strlen(flushed));
	else
		answer(done, NULL);
}

static void
receive(void)
{
	char		bytes[4096];
	ssize_t		n;

	while (call != NULL &&
		   (n = engine_channel_receive(call, bytes, sizeof(bytes))) != 0)
	{
		if (n < 0)
			fail("Redis closed the connection");
		else if (!redis_answers_add(answers, bytes, (size_t) n))
			fail("what answers is not Redis");
		else
			look_at_answers();
	}
}

static void
send_more(void)
{
	int			fd = engine_channel_socket(call);

	while (out_sent < out.len)
	{
		ssize_t		n = engine_channel_send(call, out.bytes + out_sent,
											out.len - out_sent);

		if (n < 0)
		{
			fail("Redis closed the connection");
			return;
		}
		if (n == 0)
			break;
		out_sent += (size_t) n;
	}
	loop_watch(fd, LOOP_READ | (out_sent < out.len ? LOOP_WRITE : 0), ready);
	if (out_sent == out.len)
		forget_out();
}

static void
ready(int fd, int events)
{
	(void) fd;
	if (events & LOOP_WRITE)
		send_more();
	if (call != NULL && (events & (LOOP_READ | LOOP_HANGUP)))
		receive();
}

static const char *
why_not_connected(Transport transport)
{
	switch (transport)
	{
		case TRANSPORT_DNS:
			return "the name of Redis's host does not resolve";
		case TRANSPORT_REFUSED:
			return "Redis cannot be connected";
		case TRANSPORT_CONNECT_TIMEOUT:
			return "Redis cannot be connected in time";
		case TRANSPORT_TLS:
			return "Redis has no certificate that can be trusted";
		case TRANSPORT_ADDRESS:
			return "the address of Redis is not in bambi.redis_networks";
		default:
			return "the connection to Redis failed";
	}
}

static void
connected(void *owner)
{
	(void) owner;
	if (x.reply.transport != TRANSPORT_OK)
	{
		call = NULL;			/* it has gone with the answer */
		fail(why_not_connected(x.reply.transport));
		return;
	}
	is_connected = true;
	loop_set_timer(&timer, ANSWER_MS);
	send_more();
}

/* ---- errands */

static void
open_connection(uint64_t new_tag, const json_t *errand)
{
	hang_up();
	tag = new_tag;
	opened_tag = new_tag;
	epoch = json_integer_value(json_object_get(errand, "epoch"));
	answers = redis_answers_create();
	expected = 1;
	(void) text_reserve(&out, OPENING_BYTES);
	if (password != NULL)
	{
		redis_command_auth(&out, user, password);
		expected++;
	}
	if (database > 0)
	{
		redis_command_select(&out, database);
		expected++;
	}
	if (!redis_command_write(&out, prefix, errand, true))
	{
		fail("the errand could not be read");
		return;
	}
	x.arena = arena_create();
	x.request.method = "GET";
	x.request.url = url;
	x.request.is_channel = true;
	x.request.unix_path = unix_path;
	call = engine_send(&x, ranges, range_count, CONNECT_MS, NULL, connected,
					   NULL);
}

static void
write_values(uint64_t new_tag, const json_t *errand)
{
	json_int_t	new_epoch = json_integer_value(json_object_get(errand,
															   "epoch"));

	if (!redis_command_write(&out, prefix, errand, new_epoch != epoch))
	{
		answer(new_tag, "the errand could not be read");
		return;
	}
	tag = new_tag;
	epoch = new_epoch;
	expected++;
	loop_set_timer(&timer, ANSWER_MS);
	send_more();
}

bool
redis_is_meant(const char *kind)
{
	return strcmp(kind, "cache_open") == 0 ||
		strcmp(kind, "cache_write") == 0;
}

void
redis_receive(uint64_t new_tag, const json_t *errand)
{
	const char *kind = json_string_value(json_object_get(errand, "kind"));

	timer.expired = timed_out;
	if (problem != NULL || arena == NULL)
		answer(new_tag, arena == NULL ? "the settings have not come yet" :
			   problem);
	else if (strcmp(kind, "cache_open") == 0)
		open_connection(new_tag, errand);
	else if (!is_connected || tag != 0 ||
			 json_integer_value(json_object_get(errand, "opened")) !=
			 (json_int_t) opened_tag)
		answer(new_tag, "the connection to Redis is another one");
	else
		write_values(new_tag, errand);
}

void
redis_configure(const Settings *settings)
{
	char	   *text = text_of(settings->keys);
	Arena	   *old_arena = arena;
	const Secret *old_password = password;
	bool		is_same;

	read_settings(settings->keys);
	is_same = wanted != NULL && text != NULL && strcmp(wanted, text) == 0 &&
		is_same_password(old_password);
	free(wanted);
	wanted = text;
	if (!is_same && call != NULL)
		fail("the settings of Redis are others now");
	if (old_arena != NULL)
		arena_destroy(old_arena);
}

void
redis_stop(void)
{
	hang_up();
	if (arena != NULL)
		arena_destroy(arena);
	arena = NULL;
	free(wanted);
	wanted = NULL;
}
