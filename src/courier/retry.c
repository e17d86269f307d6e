/*-------------------------------------------------------------------------
 *
 * retry.c
 *		When, if ever, to try a failed request again.
 *
 * The whole policy is one function of its arguments: the caller brings the
 * randomness, so that a test can ask about any moment of it.
 *
 *-------------------------------------------------------------------------
 */
#include "retry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Rule D10. */
#define MAX_ATTEMPTS	5
#define FIRST_DELAY_MS	500
#define LONGEST_DELAY_MS (60 * 1000)
#define LONGEST_HINT_MS (60 * 60 * 1000)

/*
 * A key service or a store that is down holds up everything that is queued:
 * each look costs a claim, so they are not too near one another.
 */
#define DOWN_DELAY_MS (10 * 1000)

#define MIN(a, b)	((a) < (b) ? (a) : (b))

int
retry_delay_ms(const Fault *fault, int attempt, double jitter)
{
	int			delay;

	if (fault->class == FAULT_KEY_SERVICE_DOWN ||
		fault->class == FAULT_STORE_DOWN)
		return (int) (DOWN_DELAY_MS * (0.5 + jitter / 2));
	if (!fault->may_repeat || fault->may_have_cost || attempt >= MAX_ATTEMPTS)
		return -1;
	if (fault->retry_after_ms > 0)
		return (int) MIN(fault->retry_after_ms, LONGEST_HINT_MS);

	if (attempt < 1)
		attempt = 1;
	delay = MIN(FIRST_DELAY_MS << (attempt - 1), LONGEST_DELAY_MS);
	return (int) (delay * (0.5 + jitter / 2));
}

/* A whole header value as a number times scale, or 0. */
static long
read_number(const char *value, double scale)
{
	char	   *end;
	double		number;

	/* strtod would also take hexadecimal, "inf" and "nan" */
	if (value[0] == '\0' || strspn(value, "0123456789.") != strlen(value))
		return 0;
	errno = 0;
	number = strtod(value, &end) * scale;
	if (errno != 0 || *end != '\0' || number < 0)
		return 0;
	return (long) MIN(number, (double) LONGEST_HINT_MS);
}

/* An HTTP date in its one preferred form (RFC 9110 section 5.6.7). */
static bool
read_date(const char *value, time_t *when)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm	parts;
	char		month[4];
	char		zone[4];
	char		rest;
	const char *found;

	memset(&parts, 0, sizeof(parts));
	if (sscanf(value, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3s%c",
			   &parts.tm_mday, month, &parts.tm_year, &parts.tm_hour,
			   &parts.tm_min, &parts.tm_sec, zone, &rest) != 7)
		return false;
	found = strstr(months, month);
	if (found == NULL || (found - months) % 3 != 0 || strlen(month) != 3 ||
		strcmp(zone, "GMT") != 0)
		return false;
	parts.tm_mon = (int) (found - months) / 3;
	parts.tm_year -= 1900;
	*when = timegm(&parts);
	return true;
}

long
retry_hint_ms(const char *retry_after_ms, const char *retry_after,
			  const char *date)
{
	time_t		then;
	time_t		now;
	long		hint = 0;

	if (retry_after_ms != NULL)
		hint = read_number(retry_after_ms, 1);
	if (hint > 0 || retry_after == NULL)
		return hint;
	hint = read_number(retry_after, 1000);
	if (hint > 0 || date == NULL)
		return hint;
	if (read_date(retry_after, &then) && read_date(date, &now) && then > now)
		hint = MIN(then - now, LONGEST_HINT_MS / 1000) * 1000;
	return hint;
}
