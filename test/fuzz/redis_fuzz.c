/*-------------------------------------------------------------------------
 *
 * redis_fuzz.c
 *		Whatever Redis answers: it is read without harm, the same in one
 *		piece and byte by byte, and no word of an error is longer than it may
 *		be, or more than letters.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "../../src/courier/redis_command.h"
#include "fuzz.h"

static bool
read_all(RedisAnswers *answers, const uint8_t *data, size_t size,
		 size_t piece)
{
	for (size_t at = 0; at < size; at += piece)
	{
		if (!redis_answers_add(answers, (const char *) data + at,
							   size - at < piece ? size - at : piece))
			return false;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RedisAnswers *whole = redis_answers_create();
	RedisAnswers *pieces = redis_answers_create();
	bool		is_good = read_all(whole, data, size, size);
	const char *error = redis_answers_error(whole);

	insist(read_all(pieces, data, size, 1) == is_good);
	if (is_good)
	{
		insist(redis_answers_count(whole) == redis_answers_count(pieces));
		insist(redis_answers_number(whole) == redis_answers_number(pieces));
	}
	if (error != NULL)
		insist(strlen(error) <= REDIS_MAX_WORD &&
			   strspn(error, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(error));
	redis_answers_destroy(whole);
	redis_answers_destroy(pieces);
	return 0;
}
