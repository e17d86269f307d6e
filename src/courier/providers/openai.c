/*-------------------------------------------------------------------------
 *
 * openai.c
 *		The OpenAI images protocol, and what others serve in its shape.
 *
 * Be sparing in what is sent: only what the user has set.  Be generous in
 * what is accepted: servers of this shape answer errors in several forms.
 *
 * An error is judged by its code, then its type, then the HTTP status, since
 * neither a 400 nor a 429 says by itself whether waiting helps.  Only what is
 * documented as not processed may be repeated without asking.
 *
 *-------------------------------------------------------------------------
 */
#include <limits.h>
#include <string.h>

#include "../retry.h"
#include "../scrub.h"
#include "provider.h"

/* exchange.step */
#define ASK		0
#define READ	1

#define MAX_REQUEST_ID	200
/* What dall-e-3 takes as a prompt, four bytes each. */
#define MAX_REVISED_PROMPT	(16 * 1024)
#define MAX_SETTING		200

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

typedef struct ErrorCode
{
	const char *name;
	FaultClass	class;
	Charged		charged;
} ErrorCode;

/* What an error answer says about itself; all may be NULL. */
typedef struct ErrorText
{
	const char *message;
	const char *type;
	const char *code;
} ErrorText;

static const ErrorCode error_codes[] = {
	{"invalid_api_key", FAULT_INVALID_KEY, CHARGED_NO},
	/* the key is good, the address is not allowed */
	{"ip_not_authorized", FAULT_BAD_REQUEST, CHARGED_NO},
	{"unsupported_country_region_territory", FAULT_BAD_REQUEST, CHARGED_NO},
	{"insufficient_quota", FAULT_QUOTA_EXHAUSTED, CHARGED_NO},
	{"credit_balance_exhausted", FAULT_QUOTA_EXHAUSTED, CHARGED_NO},
	{"organization_spend_limit_exceeded", FAULT_QUOTA_EXHAUSTED, CHARGED_NO},
	{"project_spend_limit_exceeded", FAULT_QUOTA_EXHAUSTED, CHARGED_NO},
	{"organization_usage_limit_exceeded", FAULT_QUOTA_EXHAUSTED, CHARGED_NO},
	{"billing_hard_limit_reached", FAULT_QUOTA_EXHAUSTED, CHARGED_NO},
	{"rate_limit_exceeded", FAULT_RATE_LIMITED, CHARGED_NO},
	{"slow_down", FAULT_RATE_LIMITED, CHARGED_NO},
	/* nobody has said whether a block of the finished picture is billed */
	{"moderation_blocked", FAULT_CONTENT_BLOCKED, CHARGED_UNKNOWN},
	{"content_policy_violation", FAULT_CONTENT_BLOCKED, CHARGED_NO},
	{"model_not_found", FAULT_MODEL_NOT_FOUND, CHARGED_NO},
	/* a restricted key, good for other calls */
	{"missing_scope", FAULT_UNKNOWN, CHARGED_NO},
};

/* Decided here, whatever the parameters say. */
static const char *const own_fields[] = {
	"model", "prompt", "response_format", "stream", "partial_images",
};

/* ---- asking ---- */

static bool
is_own_field(const char *name)
{
	for (size_t i = 0; i < lengthof(own_fields); i++)
	{
		if (strcmp(own_fields[i], name) == 0)
			return true;
	}
	return false;
}

/*
 * The models of the DALL-E family send an address unless asked for bytes;
 * GPT image models refuse the very question.  Other servers' habits are the
 * provider's setting.
 */
static bool
wants_response_format(const Exchange *x, const Generation *g)
{
	const char *setting = exchange_setting(x, "response_format");

	if (setting != NULL)
		return strcmp(setting, "b64_json") == 0;
	return strncmp(g->model, "dall-e-", 7) == 0;
}

/* What would be paid for and then could not be read, or NULL. */
static const char *
find_unreadable(const Generation *g)
{
	const char *format;

	if (json_is_true(json_object_get(g->parameters, "stream")))
		return "\"stream\" is not supported: pictures come whole";
	format = json_string_value(json_object_get(g->parameters,
											   "output_format"));
	if (format != NULL && strcmp(format, "png") != 0 &&
		strcmp(format, "jpeg") != 0 && strcmp(format, "webp") != 0)
		return "\"output_format\" must be png, jpeg or webp";
	return NULL;
}

/* Sends a setting as a header; false if it is no fit value for one. */
static bool
add_setting(Exchange *x, const char *header, const char *setting)
{
	const char *value = exchange_setting(x, setting);

	if (value == NULL || value[0] == '\0')
		return true;
	if (strlen(value) > MAX_SETTING)
		return false;
	for (const char *c = value; *c != '\0'; c++)
	{
		if (*c <= 0x20 || *c >= 0x7f)
			return false;
	}
	exchange_header(x, header, value);
	return true;
}

static Next
ask(Exchange *x, const Generation *g)
{
	const char *unreadable = find_unreadable(g);
	json_t	   *body;
	const char *name;
	json_t	   *value;

	if (unreadable != NULL)
		return exchange_fail(x, FAULT_BAD_REQUEST, unreadable);

	body = json_pack("{s:s, s:s}", "model", g->model, "prompt", g->prompt);
	if (body == NULL)
		return exchange_fail(x, FAULT_INTERNAL, "the request is not UTF-8");
	json_object_foreach(g->parameters, name, value)
	{
		if (!is_own_field(name) && !json_is_null(value))
			json_object_set(body, name, value);
	}
	if (wants_response_format(x, g))
		json_object_set_new(body, "response_format",
							json_string("b64_json"));

	exchange_post(x, "/images/generations", body);
	exchange_bearer(x);
	exchange_header(x, "X-Client-Request-Id", g->client_request_id);
	if (!add_setting(x, "OpenAI-Organization", "organization") ||
		!add_setting(x, "OpenAI-Project", "project"))
		return exchange_fail(x, FAULT_BAD_REQUEST,
							 "the settings \"organization\" and \"project\" "
							 "must be plain identifiers");
	x->request.is_paid = true;
	x->request.picture_path = "data[].b64_json";
	x->step = READ;
	return NEXT_SEND;
}

/* ---- reading errors ---- */

/*
 * {"error":{...}}, {"error":"..."}, {"message":...}, {"detail":...}, or
 * nothing at all.
 */
static ErrorText
read_error_text(Exchange *x)
{
	json_t	   *root = exchange_json(x);
	json_t	   *error = json_object_get(root, "error");
	ErrorText	text = {NULL, NULL, NULL};

	if (json_is_string(error))
		text.message = json_string_value(error);
	else if (!json_is_object(error))
		error = root;
	if (text.message == NULL)
		text.message = json_string_value(json_object_get(error, "message"));
	if (text.message == NULL)
		text.message = json_string_value(json_object_get(error, "detail"));
	text.type = json_string_value(json_object_get(error, "type"));
	text.code = json_string_value(json_object_get(error, "code"));
	return text;
}

static const ErrorCode *
find_code(const char *name)
{
	for (size_t i = 0; name != NULL && i < lengthof(error_codes); i++)
	{
		if (strcmp(error_codes[i].name, name) == 0)
			return &error_codes[i];
	}
	return NULL;
}

/* Where neither code nor type decides. */
static FaultClass
class_of_status(long status, const ErrorText *text)
{
	switch (status)
	{
		case 401:
			return FAULT_INVALID_KEY;
		case 402:
			return FAULT_QUOTA_EXHAUSTED;
		case 403:
			/* verification or region; but a key's scope says nothing */
			if (text->message != NULL &&
				strstr(text->message, "Missing scopes") != NULL)
				return FAULT_UNKNOWN;
			return FAULT_BAD_REQUEST;
		case 408:
			return FAULT_TIMEOUT;
		case 429:
			return FAULT_RATE_LIMITED;
		case 400:
		case 405:
		case 413:
		case 414:
		case 415:
		case 422:
			return FAULT_BAD_REQUEST;
		default:
			return status >= 500 ? FAULT_PROVIDER_UNAVAILABLE : FAULT_UNKNOWN;
	}
}

/* Sets x->fault's advice; its class is set already. */
static void
judge(Exchange *x, const ErrorText *text, Charged charged)
{
	long		status = x->reply.status;
	Fault	   *fault = &x->fault;
	const char *verdict = exchange_reply_header(x, "x-should-retry");
	bool		is_overload;

	/* the one failure of a server that is documented as not processed */
	is_overload = status == 503 && text->code != NULL &&
		strcmp(text->code, "server_is_overloaded") == 0;

	fault->charged = charged;
	if (fault->class == FAULT_RATE_LIMITED || is_overload)
		fault->may_repeat = status == 429 || is_overload;
	else if (status >= 500 || status == 408)
	{
		/* it may have drawn the picture all the same */
		fault->may_have_cost = true;
		fault->charged = CHARGED_UNKNOWN;
	}
	if (verdict != NULL && strcmp(verdict, "false") == 0)
		fault->may_repeat = false;
	if (fault->may_repeat)
		fault->retry_after_ms =
			retry_hint_ms(exchange_reply_header(x, "retry-after-ms"),
						  exchange_reply_header(x, "retry-after"),
						  exchange_reply_header(x, "date"));
}

static Next
read_error(Exchange *x)
{
	long		status = x->reply.status;
	ErrorText	text = read_error_text(x);
	const ErrorCode *code = NULL;
	FaultClass	class;

	/* a server that has failed is not believed about why */
	if (status >= 400 && status < 500)
	{
		code = find_code(text.code);
		if (code == NULL)
			code = find_code(text.type);
	}
	class = code != NULL ? code->class : class_of_status(status, &text);
	if (text.message == NULL || text.message[0] == '\0')
		text.message = arena_printf(x->arena,
									"the provider answered HTTP status %ld",
									status);
	exchange_fail(x, class, text.message);
	judge(x, &text, code != NULL ? code->charged : CHARGED_NO);
	return NEXT_FAIL;
}

/* ---- reading pictures ---- */

/* A count of tokens, or -1. */
static long
read_tokens(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	json_int_t	tokens = json_integer_value(value);

	if (!json_is_integer(value) || tokens < 0 || tokens > INT_MAX)
		return -1;
	return (long) tokens;
}

static void
read_usage(const json_t *usage, Usage *tokens)
{
	const json_t *input = json_object_get(usage, "input_tokens_details");
	const json_t *output = json_object_get(usage, "output_tokens_details");

	tokens->text_input = read_tokens(input, "text_tokens");
	tokens->text_input_cached = -1;
	tokens->image_input = read_tokens(input, "image_tokens");
	tokens->image_input_cached = -1;
	tokens->image_output = read_tokens(output, "image_tokens");
	tokens->text_output = read_tokens(output, "text_tokens");
	tokens->total = read_tokens(usage, "total_tokens");

	/* without details: a generation is text in and a picture out */
	if (!json_is_object(input))
		tokens->text_input = read_tokens(usage, "input_tokens");
	if (!json_is_object(output))
		tokens->image_output = read_tokens(usage, "output_tokens");
}

/* The scanner has left a picture's index in its place; -1 if it has not. */
static int
read_index(const json_t *item, const Reply *reply)
{
	const char *text = json_string_value(json_object_get(item, "b64_json"));
	int			index;

	if (text == NULL || text[0] < '0' || text[0] > '9' || text[1] != '\0')
		return -1;
	index = text[0] - '0';
	return index < reply->picture_count ? index : -1;
}

static char *
scrubbed(Exchange *x, const char *text, size_t max_len)
{
	char	   *copy = arena_alloc(x->arena, max_len + 1);

	scrub_text(copy, max_len + 1, text, x->secret);
	return copy;
}

static Next
fail_unusable(Exchange *x, Charged charged, const char *message)
{
	exchange_fail(x, FAULT_UNKNOWN, message);
	x->fault.charged = charged;
	return NEXT_FAIL;
}

static Next
read_pictures(Exchange *x, Outcome *outcome)
{
	Reply	   *reply = &x->reply;
	bool		has_any = reply->picture_count > 0;
	Charged		charged = has_any ? CHARGED_YES : CHARGED_UNKNOWN;
	json_t	   *root = exchange_json(x);
	size_t		i;
	json_t	   *item;

	if (root == NULL)
		return fail_unusable(x, charged,
							 "the provider's answer is no JSON document");

	json_array_foreach(json_object_get(root, "data"), i, item)
	{
		json_t	   *revised = json_object_get(item, "revised_prompt");
		int			index = read_index(item, reply);
		OutcomePicture *taken = &outcome->pictures[outcome->picture_count];

		if (index < 0 || reply->pictures[index].is_broken ||
			reply->pictures[index].len == 0)
			continue;
		taken->picture = reply->pictures[index];
		memset(&reply->pictures[index], 0, sizeof(Picture));
		if (json_is_string(revised))
			taken->revised_prompt = scrubbed(x, json_string_value(revised),
											 MAX_REVISED_PROMPT);
		outcome->picture_count++;
	}
	if (outcome->picture_count == 0)
		return fail_unusable(x, charged,
							 "the provider's answer holds no whole picture");
	read_usage(json_object_get(root, "usage"), &outcome->usage);
	return NEXT_DONE;
}

static Next
openai_generate(Exchange *x, const Generation *g, Outcome *outcome)
{
	const char *request_id;
	bool		is_refused;

	if (x->step == ASK)
		return ask(x, g);

	request_id = exchange_reply_header(x, "x-request-id");
	if (request_id != NULL)
		outcome->provider_request_id = scrubbed(x, request_id,
												MAX_REQUEST_ID);
	/* a refusal is one, also if the rest of it was lost */
	is_refused = x->reply.status >= 400 && x->reply.status < 500;
	if (x->reply.transport != TRANSPORT_OK && !is_refused)
		return exchange_fail_transport(x);
	if (x->reply.status < 200 || x->reply.status > 299)
		return read_error(x);
	return read_pictures(x, outcome);
}

const ProviderAdapter provider_openai = {
	.name = "openai",
	.needs_key = true,
	.generate = openai_generate,
};
