/*-------------------------------------------------------------------------
 *
 * options.c
 *		What the sanitizers do in the program or library that this is linked
 *		with, and faults that prove that they, or valgrind, see them.
 *
 * The courier's environment is empty, and nobody reads what it prints: so
 * that reports go to files in REPORTS stands here.  Each start is a byte of
 * REPORTS/starts, so that it can be seen whether this ran at all;
 * REPORTS/plant names a fault that is then made.
 *
 *-------------------------------------------------------------------------
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *__asan_default_options(void);
const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "log_path=" REPORTS "/address"
		":detect_stack_use_after_return=1:strict_string_checks=1"
		":check_initialization_order=1";
}

const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}

/* What fontconfig has read stays with it until the program's end. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libfontconfig";
}

const char *
__ubsan_default_options(void)
{
	return "log_path=" REPORTS "/undefined:print_stacktrace=1";
}

/* By way of volatile: the compiler must not see what comes. */
static void
overflow_heap(void)
{
	volatile size_t size = 16;
	volatile char *bytes = malloc(size);

	bytes[size] = 1;
	free((void *) bytes);
}

static void
overflow_integer(void)
{
	volatile int most = INT_MAX;

	most = most + 1;
}

static void
leak(void)
{
	char	   *volatile lost = malloc(16);

	lost = NULL;
	(void) lost;
}

static void
read_unset(void)
{
	int		   *volatile number = malloc(sizeof(int));

	if (*number > 0)
		putchar('\n');
	free(number);
}

static void
count_start(void)
{
	FILE	   *file = fopen(REPORTS "/starts", "a");

	if (file == NULL)
		return;
	fputc('.', file);
	fclose(file);
}

__attribute__((constructor))
static void
start(void)
{
	char		fault[16] = "";
	FILE	   *file;

	count_start();
	file = fopen(REPORTS "/plant", "r");
	if (file == NULL)
		return;
	if (fgets(fault, sizeof(fault), file) == NULL)
		fault[0] = '\0';
	fclose(file);
	if (strcmp(fault, "heap") == 0)
		overflow_heap();
	if (strcmp(fault, "integer") == 0)
		overflow_integer();
	if (strcmp(fault, "leak") == 0)
		leak();
	if (strcmp(fault, "unset") == 0)
		read_unset();
}
