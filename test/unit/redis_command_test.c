/*-------------------------------------------------------------------------
 *
 * redis_command_test.c
 *		What is said to Redis is whole and in order; what it answers counts
 *		only if it is what was asked for, and none of its text is taken.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/courier/redis_command.h"
#include "check.h"

/* Word (from 0) of the one command in text, in a buffer of its own. */
static const char *
word(const Text *text, int number)
{
	static char out[8192];
	const char *at = text->bytes;
	const char *end = text->bytes + text->len;
	long		len = 0;

	at = strchr(at, '\n') + 1;	/* the count of words */
	for (; number >= 0 && at < end; number--)
	{
		len = strtol(at + 1, NULL, 10);
		at = strchr(at, '\n') + 1;
		if (number > 0)
			at += len + 2;
	}
	snprintf(out, sizeof(out), "%.*s", (int) len, at);
	return out;
}

static bool
is_text(const Text *text, const char *wanted)
{
	return text->len == strlen(wanted) &&
		memcmp(text->bytes, wanted, text->len) == 0;
}

static bool
writes(Text *text, const char *errand, bool is_new_epoch)
{
	json_t	   *json = json_loads(errand, 0, NULL);
	bool		is_done = redis_command_write(text, "bambi:app", json,
											  is_new_epoch);

	json_decref(json);
	return is_done;
}

static void
forget(Text *text)
{
	free(text->bytes);
	memset(text, 0, sizeof(*text));
}

static void
test_login(void)
{
	Arena	   *arena = arena_create();
	const Secret *password = secret_create(arena, (const uint8_t *) "p\r\nw", 4);
	Text		text = {NULL, 0, 0};

	redis_command_auth(&text, "bambi", password);
	CHECK(is_text(&text, "*3\r\n$4\r\nAUTH\r\n$5\r\nbambi\r\n"
				  "$4\r\np\r\nw\r\n"),
		  "user and password are words, whatever is in them");
	forget(&text);
	redis_command_auth(&text, "", password);
	CHECK(memcmp(text.bytes, "*2\r\n", 4) == 0,
		  "without a user the password alone");
	forget(&text);
	redis_command_select(&text, 3);
	CHECK(is_text(&text, "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"),
		  "a database is chosen");
	forget(&text);
	arena_destroy(arena);
}

static void
test_write(void)
{
	Text		text = {NULL, 0, 0};

	CHECK(writes(&text, "{\"version\":9,\"epoch\":7,\"life_ms\":300000,"
				 "\"values\":[{\"key\":\"user:a\",\"value\":\"{\\\"x\\\":1}\","
				 "\"life_ms\":500,\"is_change\":true},"
				 "{\"key\":\"model:o/\\\"q\",\"life_ms\":600}]}", false),
		  "a batch is a command");
	CHECK(memcmp(text.bytes, "*17\r\n", 5) == 0, "of seventeen words");
	CHECK(strcmp(word(&text, 0), "EVAL") == 0, "one script");
	CHECK(strcmp(word(&text, 2), "3") == 0, "with three keys");
	CHECK(strcmp(word(&text, 3), "bambi:app:epoch") == 0, "the epoch's");
	CHECK(strcmp(word(&text, 4), "bambi:app:user:a") == 0, "and the values'");
	CHECK(strcmp(word(&text, 6), "9") == 0, "then the version");
	CHECK(strcmp(word(&text, 7), "7") == 0, "the epoch");
	CHECK(strcmp(word(&text, 8), "300000") == 0, "its life");
	CHECK(strcmp(word(&text, 9), "bambi:app:changes") == 0, "the channel");
	CHECK(strcmp(word(&text, 10), "") == 0, "no message of a new epoch");
	CHECK(strcmp(word(&text, 11),
				 "{\"version\":9,\"epoch\":7,\"value\":{\"x\":1}}") == 0,
		  "a value begins with its version");
	CHECK(strcmp(word(&text, 12), "500") == 0, "has its life");
	CHECK(strcmp(word(&text, 13), "{\"version\":9,\"key\":\"user:a\"}") == 0,
		  "and its message");
	CHECK(strcmp(word(&text, 14),
				 "{\"version\":9,\"epoch\":7,\"value\":null}") == 0,
		  "what is not there is null");
	CHECK(strcmp(word(&text, 16), "") == 0,
		  "and what did not change has no message");
	forget(&text);

	CHECK(writes(&text, "{\"version\":9,\"epoch\":9,\"life_ms\":1}", true),
		  "an epoch alone is a command, too");
	CHECK(strcmp(word(&text, 8), "{\"version\":9,\"key\":\"*\"}") == 0,
		  "which tells that all is void");
	forget(&text);
}

static void
test_nonsense(void)
{
	static const char *const errands[] = {
		"{}", "[]", "{\"version\":1,\"epoch\":1}",
		"{\"version\":0,\"epoch\":1,\"life_ms\":1}",
		"{\"version\":1,\"epoch\":\"1\",\"life_ms\":1}",
		"{\"version\":1,\"epoch\":1,\"life_ms\":-1}",
		"{\"version\":1,\"epoch\":1,\"life_ms\":1,\"values\":[{}]}",
		"{\"version\":1,\"epoch\":1,\"life_ms\":1,"
		"\"values\":[{\"key\":\"a\"}]}",
		"{\"version\":1,\"epoch\":1,\"life_ms\":1,"
		"\"values\":[{\"key\":1,\"life_ms\":1}]}",
	};
	Text		text = {NULL, 0, 0};

	for (size_t i = 0; i < sizeof(errands) / sizeof(errands[0]); i++)
		CHECK(!writes(&text, errands[i], false) && text.len == 0,
			  "nothing is said for %s", errands[i]);
}

/* How many answers there are, or -1 if they make no sense. */
static int
count_of(const char *bytes, size_t piece, char *error, long long *number)
{
	RedisAnswers *answers = redis_answers_create();
	size_t		len = strlen(bytes);
	int			count;

	for (size_t at = 0; at < len; at += piece)
	{
		if (!redis_answers_add(answers, bytes + at,
							   len - at < piece ? len - at : piece))
		{
			redis_answers_destroy(answers);
			return -1;
		}
	}
	count = redis_answers_count(answers);
	*number = redis_answers_number(answers);
	strcpy(error, redis_answers_error(answers) != NULL ?
		   redis_answers_error(answers) : "");
	redis_answers_destroy(answers);
	return count;
}

static void
test_answers(void)
{
	static const char good[] = "+OK\r\n:12\r\n-WRONGPASS secret text\r\n:-1\r\n";
	static const char *const bad[] = {
		"$2\r\nab\r\n", "*1000000000\r\n", "*1\r\n+OK\r\n", "OK\r\n", "\r\n",
		"HTTP/1.1 200 OK\r\n", "+OK\n", ":12x\r\n", "_\r\n", "%1\r\n",
		"+OK\r\n$-1\r\n"
	};
	char		error[REDIS_MAX_WORD + 1];
	char		longest[2048];
	long long	number;

	for (size_t piece = 1; piece <= strlen(good); piece++)
		CHECK(count_of(good, piece, error, &number) == 4 && number == -1 &&
			  strcmp(error, "WRONGPASS") == 0,
			  "four answers in pieces of %zu, and one word of the error",
			  piece);
	CHECK(count_of("+OK", 3, error, &number) == 0, "half an answer is none");
	CHECK(count_of("-lower case\r\n", 64, error, &number) == 1 &&
		  strcmp(error, "ERR") == 0, "an error without a word is one, too");
	CHECK(count_of("-ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ\r\n", 64, error,
				   &number) == 1 && strlen(error) == REDIS_MAX_WORD,
		  "a word has its length");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(count_of(bad[i], 64, error, &number) == -1,
			  "answer %zu is not what was asked for", i);
	memset(longest, 'x', sizeof(longest));
	longest[0] = '+';
	longest[sizeof(longest) - 1] = '\0';
	CHECK(count_of(longest, 64, error, &number) == -1,
		  "a line without an end is not waited for");
}

int
main(void)
{
	test_login();
	test_write();
	test_nonsense();
	test_answers();
	return check_done();
}
