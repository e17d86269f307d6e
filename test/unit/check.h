/*-------------------------------------------------------------------------
 *
 * check.h
 *		Checks of the unit tests, reported in TAP.
 *
 * A program states facts with CHECK(condition, "the fact in words", ...) and
 * ends with "return check_done();".
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_CHECK_H
#define BAMBI_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int	check_count = 0;
static int	check_failures = 0;

static inline void
__attribute__((format(printf, 5, 6)))
check_that(bool holds, const char *file, int line, const char *condition,
		   const char *fact,...)
{
	va_list		args;

	check_count++;
	printf("%s %d - ", holds ? "ok" : "not ok", check_count);
	va_start(args, fact);
	vprintf(fact, args);
	va_end(args);
	printf("\n");
	if (!holds)
	{
		check_failures++;
		printf("# %s:%d: %s\n", file, line, condition);
	}
	fflush(stdout);
}

#define CHECK(condition, ...) \
	check_that((condition), __FILE__, __LINE__, #condition, __VA_ARGS__)

/* The plan, and the program's exit code. */
static inline int
check_done(void)
{
	printf("1..%d\n", check_count);
	return check_failures > 0;
}

#endif							/* BAMBI_CHECK_H */
