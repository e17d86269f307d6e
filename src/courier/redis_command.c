/*-------------------------------------------------------------------------
 *
 * redis_command.c
 *		What is said to Redis, and what it answers.
 *
 * Both are hiredis's work; here stands what is said.  All of a batch is one
 * script, which Redis runs as a whole: nobody sees half of it, and nothing
 * comes between looking at a version and replacing it.
 *
 *-------------------------------------------------------------------------
 */
#include "redis_command.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <openssl/crypto.h>

#define MAX_LINE		1024
#define MAX_KEY			1024
#define MAX_VALUES		1000

/*
 * KEYS: that of the epoch, then of each value.  ARGV: version, epoch, life of
 * the epoch, channel, message that all is void or an empty one; then for each
 * key its value, its life, and the message or an empty one.
 *
 * Every value begins with its version, which is the first number in it.  A
 * server without room must not keep what was there before; and one that has
 * no room for the epoch is given nothing else, since nobody could use it.
 */
static const char script[] =
"local function version_of(key)\n"
"  local value = redis.pcall('GET', key)\n"
"  return type(value) == 'string' and"
"    tonumber(string.match(value, '%d+')) or 0\n"
"end\n"
"local function put(key, value, life)\n"
"  if not redis.pcall('SET', key, value, 'PX', life).err then return true end\n"
"  redis.call('DEL', key)\n"
"  return false\n"
"end\n"
"local epoch = version_of(KEYS[1])\n"
"if epoch > tonumber(ARGV[2]) then return -1 end\n"
"local has_room = put(KEYS[1], ARGV[2], ARGV[3])\n"
"local left = has_room and 0 or 1\n"
"if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end\n"
"for i = 2, #KEYS do\n"
"  local at = i * 3\n"
"  if version_of(KEYS[i]) < tonumber(ARGV[1]) then\n"
"    if not has_room then redis.call('DEL', KEYS[i]) left = left + 1\n"
"    elseif not put(KEYS[i], ARGV[at], ARGV[at + 1]) then left = left + 1 end\n"
"    if ARGV[at + 2] ~= '' then\n"
"      redis.call('PUBLISH', ARGV[4], ARGV[at + 2])\n"
"    end\n"
"  end\n"
"end\n"
"return left * 2 + (epoch == 0 and has_room and 1 or 0)\n";

struct RedisAnswers
{
	redisReader *reader;
	size_t		line_len;		/* of the answer that is not whole yet */
	int			count;
	long long	number;
	char		error[REDIS_MAX_WORD + 1];
};

static void
add_command(Text *to, int count, const char **words, const size_t *lens)
{
	char	   *command = NULL;
	long long	len = redisFormatCommandArgv(&command, count, words, lens);

	if (len < 0)
		abort();
	memcpy(text_reserve(to, (size_t) len), command, (size_t) len);
	to->len += (size_t) len;
	OPENSSL_cleanse(command, (size_t) len);
	redisFreeCommand(command);
}

void
redis_command_auth(Text *to, const char *user, const Secret *password)
{
	const char *words[3] = {"AUTH"};
	size_t		lens[3] = {4};
	int			count = 1;

	if (user[0] != '\0')
	{
		words[count] = user;
		lens[count++] = strlen(user);
	}
	words[count] = (const char *) password->bytes;
	lens[count++] = password->len;
	add_command(to, count, words, lens);
}

void
redis_command_select(Text *to, int database)
{
	char		number[16];
	const char *words[2] = {"SELECT", number};
	size_t		lens[2] = {6};

	lens[1] = (size_t) snprintf(number, sizeof(number), "%d", database);
	add_command(to, 2, words, lens);
}

/* ---- the script's call */

/* The words of a command while it is put together; the arena holds them. */
typedef struct Words
{
	Arena	   *arena;
	const char **words;
	int			count;
} Words;

static void
add_word(Words *words, const char *word)
{
	words->words[words->count++] = word;
}

static const char *
value_of(Arena *arena, json_int_t version, json_int_t epoch,
		 const json_t *entry)
{
	const char *value = json_string_value(json_object_get(entry, "value"));

	return arena_printf(arena, "{\"version\":%" JSON_INTEGER_FORMAT
						",\"epoch\":%" JSON_INTEGER_FORMAT ",\"value\":%s}",
						version, epoch, value != NULL ? value : "null");
}

/* {"version":N,"key":"..."}; a key is text of ours, but models' names are not */
static const char *
message_of(Arena *arena, json_int_t version, const char *key)
{
	Text		text = {NULL, 0, 0};
	const char *message;

	text_add(&text, "{\"version\":");
	text_add_number(&text, version);
	text_add(&text, ",\"key\":");
	text_add_string(&text, key, MAX_KEY);
	text_add(&text, "}");
	message = arena_strndup(arena, text.bytes, text.len);
	free(text.bytes);
	return message;
}

static bool
is_entry(const json_t *entry)
{
	const char *key = json_string_value(json_object_get(entry, "key"));

	return key != NULL && strlen(key) <= MAX_KEY &&
		json_integer_value(json_object_get(entry, "life_ms")) > 0;
}

static bool
is_errand(const json_t *errand)
{
	const json_t *values = json_object_get(errand, "values");
	size_t		i;

	if (json_integer_value(json_object_get(errand, "version")) <= 0 ||
		json_integer_value(json_object_get(errand, "epoch")) <= 0 ||
		json_integer_value(json_object_get(errand, "life_ms")) <= 0 ||
		json_array_size(values) > MAX_VALUES)
		return false;
	for (i = 0; i < json_array_size(values); i++)
	{
		if (!is_entry(json_array_get(values, i)))
			return false;
	}
	return true;
}

static const char *
number_of(Arena *arena, const json_t *object, const char *name)
{
	return arena_printf(arena, "%" JSON_INTEGER_FORMAT,
						json_integer_value(json_object_get(object, name)));
}

static void
add_keys(Words *words, const char *prefix, const json_t *values)
{
	size_t		i;

	add_word(words, arena_printf(words->arena, "%s:epoch", prefix));
	for (i = 0; i < json_array_size(values); i++)
		add_word(words,
				 arena_printf(words->arena, "%s:%s", prefix,
							  json_string_value(json_object_get(json_array_get(values, i),
																"key"))));
}

static void
add_entry(Words *words, json_int_t version, json_int_t epoch,
		  const json_t *entry)
{
	const char *key = json_string_value(json_object_get(entry, "key"));
	bool		is_change = json_is_true(json_object_get(entry, "is_change"));

	add_word(words, value_of(words->arena, version, epoch, entry));
	add_word(words, number_of(words->arena, entry, "life_ms"));
	add_word(words, is_change ? message_of(words->arena, version, key) : "");
}

bool
redis_command_write(Text *to, const char *prefix, const json_t *errand,
					bool is_new_epoch)
{
	json_int_t	version = json_integer_value(json_object_get(errand,
															 "version"));
	json_int_t	epoch = json_integer_value(json_object_get(errand, "epoch"));
	const json_t *values = json_object_get(errand, "values");
	size_t		count = json_array_size(values);
	Words		words = {0};
	size_t	   *lens;
	size_t		i;

	if (!is_errand(errand))
		return false;
	words.arena = arena_create();
	words.words = arena_alloc(words.arena,
							  (9 + count * 4) * sizeof(char *));
	add_word(&words, "EVAL");
	add_word(&words, script);
	add_word(&words, arena_printf(words.arena, "%zu", count + 1));
	add_keys(&words, prefix, values);
	add_word(&words, number_of(words.arena, errand, "version"));
	add_word(&words, number_of(words.arena, errand, "epoch"));
	add_word(&words, number_of(words.arena, errand, "life_ms"));
	add_word(&words, arena_printf(words.arena, "%s:changes", prefix));
	add_word(&words, is_new_epoch ? message_of(words.arena, epoch, "*") : "");
	for (i = 0; i < count; i++)
		add_entry(&words, version, epoch, json_array_get(values, i));

	lens = arena_alloc(words.arena, (size_t) words.count * sizeof(size_t));
	for (i = 0; i < (size_t) words.count; i++)
		lens[i] = strlen(words.words[i]);
	add_command(to, words.count, words.words, lens);
	arena_destroy(words.arena);
	return true;
}

/* ---- answers */

RedisAnswers *
redis_answers_create(void)
{
	RedisAnswers *answers = calloc(1, sizeof(RedisAnswers));

	if (answers == NULL)
		abort();
	answers->reader = redisReaderCreate();
	if (answers->reader == NULL)
		abort();
	return answers;
}

void
redis_answers_destroy(RedisAnswers *answers)
{
	redisReaderFree(answers->reader);
	free(answers);
}

/* The rest of the line may hold anything, so it is not taken. */
static void
note_error(RedisAnswers *answers, const char *text)
{
	size_t		len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	if (answers->error[0] != '\0')
		return;
	snprintf(answers->error, sizeof(answers->error), "%.*s",
			 (int) (len < REDIS_MAX_WORD ? len : REDIS_MAX_WORD), text);
	if (answers->error[0] == '\0')
		strcpy(answers->error, "ERR");
}

/* A line has ended, which must be an answer. */
static bool
take_answer(RedisAnswers *answers)
{
	void	   *object = NULL;
	redisReply *reply;

	if (redisReaderGetReply(answers->reader, &object) != REDIS_OK ||
		object == NULL)
		return false;
	reply = object;
	answers->count++;
	if (reply->type == REDIS_REPLY_ERROR)
		note_error(answers, reply->str);
	else if (reply->type == REDIS_REPLY_INTEGER)
		answers->number = reply->integer;
	freeReplyObject(object);
	return true;
}

bool
redis_answers_add(RedisAnswers *answers, const char *bytes, size_t len)
{
	while (len > 0)
	{
		const char *end = memchr(bytes, '\n', len);
		size_t		piece = end != NULL ? (size_t) (end - bytes) + 1 : len;

		/* a status, an error or a number: never a count of what follows */
		if (answers->line_len == 0 && bytes[0] != '+' && bytes[0] != '-' &&
			bytes[0] != ':')
			return false;
		answers->line_len += piece;
		if (answers->line_len > MAX_LINE ||
			redisReaderFeed(answers->reader, bytes, piece) != REDIS_OK)
			return false;
		if (end != NULL)
		{
			if (!take_answer(answers))
				return false;
			answers->line_len = 0;
		}
		bytes += piece;
		len -= piece;
	}
	return true;
}

int
redis_answers_count(const RedisAnswers *answers)
{
	return answers->count;
}

const char *
redis_answers_error(const RedisAnswers *answers)
{
	return answers->error[0] != '\0' ? answers->error : NULL;
}

long long
redis_answers_number(const RedisAnswers *answers)
{
	return answers->number;
}
