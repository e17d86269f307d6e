/*-------------------------------------------------------------------------
 *
 * google_error.c
 *		What an error of a Google service means, and what follows from it.
 *
 * An error is judged by the reason in its details, then by its status word,
 * then by the HTTP status: a wrong key comes as 400, money as 400, 402 and
 * 403, and a day's quota looks like a minute's but for one word.
 *
 * Google documents that requests which end with 500 are not charged, and 503
 * means that the request was not taken; every other failure of a server
 * leaves open what it did.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* strcasestr */

#include "google_error.h"

#include <stdlib.h>
#include <string.h>

#include "../retry.h"

/* The same as for the headers that say it. */
#define LONGEST_HINT_S	(60 * 60)

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

typedef struct ErrorCode
{
	const char *name;
	FaultClass	class;
} ErrorCode;

/* What an error answer says about itself; all may be NULL. */
typedef struct ErrorText
{
	const char *message;
	const char *status;
	const char *reason;
	const char *oauth;			/* the code of the token endpoint */
	const json_t *details;
} ErrorText;

/* google.rpc.ErrorInfo */
static const ErrorCode reasons[] = {
	{"API_KEY_INVALID", FAULT_INVALID_KEY},
	{"API_KEY_SERVICE_BLOCKED", FAULT_INVALID_KEY},
	/* the key is good, the address is not allowed */
	{"API_KEY_HTTP_REFERRER_BLOCKED", FAULT_BAD_REQUEST},
	{"API_KEY_IP_ADDRESS_BLOCKED", FAULT_BAD_REQUEST},
	{"CREDENTIALS_MISSING", FAULT_INVALID_KEY},
	{"ACCESS_TOKEN_EXPIRED", FAULT_INVALID_KEY},
	{"ACCESS_TOKEN_TYPE_UNSUPPORTED", FAULT_INVALID_KEY},
	{"IAM_PERMISSION_DENIED", FAULT_INVALID_KEY},
	{"SERVICE_DISABLED", FAULT_INVALID_KEY},
	{"BILLING_DISABLED", FAULT_QUOTA_EXHAUSTED},
};

/* RFC 6749 section 5.2 */
static const ErrorCode oauth_codes[] = {
	{"invalid_grant", FAULT_INVALID_KEY},
	{"invalid_client", FAULT_INVALID_KEY},
	{"unauthorized_client", FAULT_INVALID_KEY},
};

static const ErrorCode *
find_code(const ErrorCode *codes, size_t count, const char *name)
{
	for (size_t i = 0; name != NULL && i < count; i++)
	{
		if (strcmp(codes[i].name, name) == 0)
			return &codes[i];
	}
	return NULL;
}

static bool
mentions(const char *text, const char *word)
{
	return text != NULL && strcasestr(text, word) != NULL;
}

/* ---- what it says ---- */

/* The first of the details that is of this type, or NULL. */
static const json_t *
find_detail(const json_t *details, const char *type)
{
	size_t		i;
	json_t	   *detail;

	json_array_foreach(details, i, detail)
	{
		const char *name = json_string_value(json_object_get(detail, "@type"));
		const char *end = name != NULL ? strrchr(name, '/') : NULL;

		if (end != NULL && strcmp(end + 1, type) == 0)
			return detail;
	}
	return NULL;
}

/*
 * {"error":{...}}, which streaming endpoints put into an array, or OAuth's
 * {"error":"...","error_description":"..."}, or nothing at all.
 */
static ErrorText
read_text(Exchange *x)
{
	ErrorText	text = {NULL, NULL, NULL, NULL, NULL};
	const json_t *root = exchange_json(x);
	const json_t *error;

	if (json_is_array(root))
		root = json_array_get(root, 0);
	error = json_object_get(root, "error");
	if (json_is_string(error))
	{
		text.oauth = json_string_value(error);
		text.message = json_string_value(json_object_get(root,
														 "error_description"));
		if (text.message == NULL)
			text.message = text.oauth;
		return text;
	}
	text.message = json_string_value(json_object_get(error, "message"));
	text.status = json_string_value(json_object_get(error, "status"));
	text.details = json_object_get(error, "details");
	text.reason =
		json_string_value(json_object_get(find_detail(text.details,
													  "google.rpc.ErrorInfo"),
										  "reason"));
	return text;
}

/* ---- what it means ---- */

static bool
is_quota_of_a_day(const json_t *details)
{
	const json_t *failure = find_detail(details, "google.rpc.QuotaFailure");
	size_t		i;
	json_t	   *violation;

	json_array_foreach(json_object_get(failure, "violations"), i, violation)
	{
		const char *id = json_string_value(json_object_get(violation,
														   "quotaId"));

		if (id != NULL && strstr(id, "PerDay") != NULL)
			return true;
	}
	return false;
}

/* Without a reason. */
static FaultClass
class_of_status(long http, const ErrorText *text)
{
	switch (http)
	{
		case 403:
			/* other refusals say nothing against the key */
			if (mentions(text->message, "API key") ||
				mentions(text->message, "unregistered callers"))
				return FAULT_INVALID_KEY;
			return FAULT_UNKNOWN;
		case 404:
			if (text->status != NULL && strcmp(text->status, "NOT_FOUND") == 0)
				return FAULT_MODEL_NOT_FOUND;
			return FAULT_UNKNOWN;
		case 504:
			return FAULT_TIMEOUT;
		case 400:
			if (text->status != NULL &&
				strcmp(text->status, "FAILED_PRECONDITION") == 0 &&
				mentions(text->message, "billing"))
				return FAULT_QUOTA_EXHAUSTED;
			return FAULT_BAD_REQUEST;
		default:
			return fault_of_status(http);
	}
}

static FaultClass
class_of(long http, const ErrorText *text)
{
	const ErrorCode *code = NULL;

	if (http == 429)
		return is_quota_of_a_day(text->details) ? FAULT_QUOTA_EXHAUSTED :
			FAULT_RATE_LIMITED;
	/* a server that has failed is not believed about why */
	if (http >= 400 && http < 500)
		code = text->oauth != NULL ?
			find_code(oauth_codes, lengthof(oauth_codes), text->oauth) :
			find_code(reasons, lengthof(reasons), text->reason);
	return code != NULL ? code->class : class_of_status(http, text);
}

/* google.rpc.RetryInfo: "34s", "1.5s"; milliseconds, or 0. */
static long
read_retry_delay(const json_t *details)
{
	const json_t *info = find_detail(details, "google.rpc.RetryInfo");
	const char *text = json_string_value(json_object_get(info, "retryDelay"));
	size_t		digits = text != NULL ? strspn(text, "0123456789.") : 0;
	double		seconds;

	if (digits == 0 || strcmp(text + digits, "s") != 0)
		return 0;
	seconds = strtod(text, NULL);
	if (seconds > LONGEST_HINT_S)
		seconds = LONGEST_HINT_S;
	return (long) (seconds * 1000);
}

/* Sets x->fault's advice; its class is set already. */
static void
judge(Exchange *x, const ErrorText *text)
{
	long		http = x->reply.status;
	const char *verdict = exchange_reply_header(x, "x-should-retry");
	Fault	   *fault = &x->fault;
	bool		is_free = http == 500 || http == 503;

	if (fault->class == FAULT_RATE_LIMITED || is_free)
		fault->may_repeat = true;
	else if (http >= 500 || http == 408 || http == 499)
	{
		/* it may have drawn the picture all the same */
		fault->may_repeat = !x->request.is_paid;
		fault->may_have_cost = x->request.is_paid;
		fault->charged = x->request.is_paid ? CHARGED_UNKNOWN : CHARGED_NO;
	}
	if (verdict != NULL && strcmp(verdict, "false") == 0)
		fault->may_repeat = false;
	if (!fault->may_repeat)
		return;
	fault->retry_after_ms =
		retry_hint_ms(exchange_reply_header(x, "retry-after-ms"),
					  exchange_reply_header(x, "retry-after"),
					  exchange_reply_header(x, "date"));
	if (fault->retry_after_ms == 0)
		fault->retry_after_ms = read_retry_delay(text->details);
}

static Next
read_error(Exchange *x)
{
	ErrorText	text = read_text(x);
	const char *message = text.message;

	if (message == NULL || message[0] == '\0')
		message = arena_printf(x->arena,
							   "the provider answered HTTP status %ld",
							   x->reply.status);
	else if (text.oauth != NULL && strstr(message, "iat") != NULL)
		message = arena_printf(x->arena,
							   "%s (is the clock of this machine right?)",
							   message);
	exchange_fail(x, class_of(x->reply.status, &text), message);
	judge(x, &text);
	return NEXT_FAIL;
}

Next
google_check(Exchange *x)
{
	const Reply *reply = &x->reply;
	bool		is_refused = reply->status >= 400 && reply->status < 500;

	/* a refusal is one, also if the rest of it was lost */
	if (reply->transport != TRANSPORT_OK && !is_refused)
		return exchange_fail_transport(x);
	if (reply->status < 200 || reply->status > 299)
		return read_error(x);
	return NEXT_DONE;
}

Next
google_fail_answer(Exchange *x, FaultClass class, Charged charged,
				   const char *message)
{
	exchange_fail(x, class, message);
	x->fault.charged = charged;
	return NEXT_FAIL;
}

Next
google_settle(Exchange *x, Outcome *outcome)
{
	if (outcome->picture_count == 0)
		return NEXT_FAIL;
	outcome->note = arena_strdup(x->arena, x->fault.message);
	if (x->fault.charged != CHARGED_NO)
		outcome->missing_billed++;
	return NEXT_DONE;
}
