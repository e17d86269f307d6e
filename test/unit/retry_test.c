/*-------------------------------------------------------------------------
 *
 * retry_test.c
 *		What may be tried again is, after a sensible while and not for ever;
 *		what may have cost is not.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "../../src/courier/retry.h"
#include "check.h"

static void
check_classes(void)
{
	for (int class = FAULT_INVALID_KEY; class <= FAULT_INTERNAL; class++)
	{
		Fault		fault = {.class = (FaultClass) class};
		const char *code = fault_code(fault.class);

		if (class == FAULT_KEY_SERVICE_DOWN || class == FAULT_STORE_DOWN)
		{
			CHECK(retry_delay_ms(&fault, 1, 0) > 0 &&
				  retry_delay_ms(&fault, 1000, 0.99) > 0,
				  "%s: waits as long as it takes", code);
			continue;
		}
		CHECK(retry_delay_ms(&fault, 1, 0) == -1,
			  "%s: is not repeated unasked", code);
		fault.may_repeat = true;
		CHECK(retry_delay_ms(&fault, 1, 0) > 0, "%s: may be repeated", code);
		CHECK(retry_delay_ms(&fault, 4, 0) > 0, "%s: four times", code);
		CHECK(retry_delay_ms(&fault, 5, 0) == -1, "%s: not five times", code);
		fault.retry_after_ms = 1000;
		CHECK(retry_delay_ms(&fault, 5, 0) == -1,
			  "%s: not even if asked to", code);
		fault.may_have_cost = true;
		CHECK(retry_delay_ms(&fault, 1, 0) == -1,
			  "%s: never if it may have cost", code);
	}
}

static void
check_delays(void)
{
	Fault		fault = {.class = FAULT_RATE_LIMITED};

	fault.may_repeat = true;
	for (int attempt = 1; attempt < 5; attempt++)
	{
		int			most = 500 << (attempt - 1);

		CHECK(retry_delay_ms(&fault, attempt, 0) == most / 2 &&
			  retry_delay_ms(&fault, attempt, 0.999999) <= most &&
			  retry_delay_ms(&fault, attempt, 0.999999) >= most - 1,
			  "attempt %d: between half and all of %d ms", attempt, most);
	}
	CHECK(retry_delay_ms(&fault, 0, 0) > 0, "attempt 0 is harmless");
	fault.retry_after_ms = 12000;
	CHECK(retry_delay_ms(&fault, 1, 0.5) == 12000, "a hint wins");
	fault.retry_after_ms = 1000L * 60 * 60 * 24 * 365;
	CHECK(retry_delay_ms(&fault, 1, 0) == 60 * 60 * 1000,
		  "a hint counts up to an hour");
}

static void
check_hints(void)
{
	static const char now[] = "Mon, 23 Nov 2026 08:00:00 GMT";
	static const struct
	{
		const char *ms;
		const char *after;
		const char *date;
		long		hint;
	}			hints[] =
	{
		{NULL, NULL, NULL, 0},
		{"300", NULL, NULL, 300},
		{"300", "5", NULL, 300},
		{NULL, "5", NULL, 5000},
		{NULL, "1.5", NULL, 1500},
		{"", "2", NULL, 2000},
		{"0", "2", NULL, 2000},
		{"-5", "2", NULL, 2000},
		{NULL, "-5", NULL, 0},
		{NULL, "0", NULL, 0},
		{NULL, "nan", NULL, 0},
		{NULL, "inf", NULL, 0},
		{NULL, "0x10", NULL, 0},
		{NULL, "1e9", NULL, 0},
		{NULL, "3 apples", NULL, 0},
		{NULL, "1.2.3", NULL, 0},
		{NULL, "99999999999999999999999999", NULL, 3600000},
		{"99999999999999999999999999", NULL, NULL, 3600000},
		{NULL, "Mon, 23 Nov 2026 08:00:20 GMT", now, 20000},
		{NULL, "Mon, 23 Nov 2026 07:59:20 GMT", now, 0},
		{NULL, "Tue, 23 Nov 2027 08:00:00 GMT", now, 3600000},
		{NULL, "Mon, 23 Nov 2026 08:00:20 GMT", NULL, 0},
		{NULL, "Mon, 23 Nov 2026 08:00:20 GMT", "soon", 0},
		{NULL, "Mon, 23 Nov 2026 08:00:20 CET", now, 0},
		{NULL, "Mon, 23 ovD 2026 08:00:20 GMT", now, 0},
		{NULL, "Mon, 23 N 2026 08:00:20 GMT", now, 0},
		{NULL, "Mon, 23 Nov 2026 08:00:20 GMT or so", now, 0},
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
	{
		long		hint = retry_hint_ms(hints[i].ms, hints[i].after,
										 hints[i].date);

		CHECK(hint == hints[i].hint, "hint \"%s\" \"%s\" is %ld ms",
			  hints[i].ms ? hints[i].ms : "", hints[i].after ?
			  hints[i].after : "", hint);
	}
}

int
main(void)
{
	check_classes();
	check_delays();
	check_hints();
	return check_done();
}
