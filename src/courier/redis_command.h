/*-------------------------------------------------------------------------
 *
 * redis_command.h
 *		What is said to Redis, and what it answers: no I/O here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_REDIS_COMMAND_H
#define BAMBI_REDIS_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "secret.h"
#include "text.h"

/* Longest first word of an error: "WRONGPASS". */
#define REDIS_MAX_WORD	24

/* Commands to log in, and to choose a database; each has one answer. */
extern void redis_command_auth(Text *to, const char *user,
							   const Secret *password);
extern void redis_command_select(Text *to, int database);

/*
 * One command that writes what an errand says, "cache_open" or "cache_write"
 * (see redis.h), under keys that begin with prefix.  is_new_epoch tells
 * subscribers that all values are void.  Its answer is twice the number of
 * values that found no room, and one more if there was no epoch before; or -1:
 * somebody with a newer epoch writes.  False, and nothing added, if the errand
 * makes no sense.
 */
extern bool redis_command_write(Text *to, const char *prefix,
								const json_t *errand, bool is_new_epoch);

typedef struct RedisAnswers RedisAnswers;

extern RedisAnswers *redis_answers_create(void);
extern void redis_answers_destroy(RedisAnswers *answers);

/*
 * Reads what has come, in pieces as they come.  False if it makes no sense:
 * whoever is there does not speak as Redis does, and what follows must not be
 * read.  We ask nothing that is answered by more than one short line.
 */
extern bool redis_answers_add(RedisAnswers *answers, const char *bytes,
							  size_t len);

/* How many whole answers have come. */
extern int	redis_answers_count(const RedisAnswers *answers);

/* The first word of the first that was an error, or NULL. */
extern const char *redis_answers_error(const RedisAnswers *answers);

/* The last that was a number, or 0. */
extern long long redis_answers_number(const RedisAnswers *answers);

#endif							/* BAMBI_REDIS_COMMAND_H */
