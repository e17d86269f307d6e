/*-------------------------------------------------------------------------
 *
 * openai_error.c
 *		What an error of the OpenAI images protocol means.
 *
 * It is judged by its code, then its type, then the sentences that gateways
 * let through where they put their own code, then the HTTP status, since
 * neither a 400 nor a 429 says by itself whether waiting helps.  Only what is
 * documented as not processed may be repeated without asking.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../retry.h"
#include "error_text.h"
#include "openai.h"

#define OFFICIAL_BASE	"https://api.openai.com/v1"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

typedef struct ErrorCode
{
	const char *name;
	FaultClass	class;
	Charged		charged;
} ErrorCode;

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
	{"invalid_value", FAULT_BAD_REQUEST, CHARGED_NO},
	{"unknown_parameter", FAULT_BAD_REQUEST, CHARGED_NO},
	{"invalid_size", FAULT_BAD_REQUEST, CHARGED_NO},
	{"invalid_image_file", FAULT_BAD_REQUEST, CHARGED_NO},
	{"invalid_input_fidelity_model", FAULT_BAD_REQUEST, CHARGED_NO},
};

/*
 * What a gateway such as LiteLLM says, and what it repeats of the provider
 * behind it.  Not of a provider's own errors, which have codes: a message may
 * quote the prompt.
 */
static const ErrorCode sentences[] = {
	/* the gateway's key for the provider, not the user's for the gateway */
	{"litellm.AuthenticationError: ", FAULT_UNKNOWN, CHARGED_NO},
	{"was rejected by the safety system", FAULT_CONTENT_BLOCKED,
	CHARGED_UNKNOWN},
	{"You exceeded your current quota", FAULT_QUOTA_EXHAUSTED, CHARGED_NO},
	{"Billing hard limit has been reached", FAULT_QUOTA_EXHAUSTED, CHARGED_NO},
	{"You have no credits remaining", FAULT_QUOTA_EXHAUSTED, CHARGED_NO},
	{"Invalid model name passed in", FAULT_MODEL_NOT_FOUND, CHARGED_NO},
};

/*
 * Types, and codes of such a type, that say something where no status does.
 * In a stream even an overload may come when the picture is half done.
 */
static const struct
{
	const char *name;
	FaultClass	class;
}			late_types[] =

{
	{"invalid_request_error", FAULT_BAD_REQUEST},
	{"image_generation_user_error", FAULT_BAD_REQUEST},
	{"server_error", FAULT_PROVIDER_UNAVAILABLE},
	{"service_unavailable_error", FAULT_PROVIDER_UNAVAILABLE},
	{"server_is_overloaded", FAULT_PROVIDER_UNAVAILABLE},
};

static const ErrorCode *
find_code(const ErrorText *text)
{
	const char *const names[] = {text->code, text->type};

	for (size_t n = 0; n < lengthof(names); n++)
	{
		for (size_t i = 0; names[n] != NULL && i < lengthof(error_codes); i++)
		{
			if (strcmp(error_codes[i].name, names[n]) == 0)
				return &error_codes[i];
		}
	}
	return NULL;
}

/* Where the code is no more than the HTTP status, as text. */
static const ErrorCode *
find_sentence(const ErrorText *text, long status)
{
	if (text->code == NULL || text->message == NULL ||
		strspn(text->code, "0123456789") != strlen(text->code) ||
		atol(text->code) != status)
		return NULL;
	for (size_t i = 0; i < lengthof(sentences); i++)
	{
		if (strstr(text->message, sentences[i].name) != NULL)
			return &sentences[i];
	}
	return NULL;
}

/* "model", in any case */
static bool
speaks_of_model(const char *message)
{
	for (; message != NULL && *message != '\0'; message++)
	{
		if (strncasecmp(message, "model", 5) == 0)
			return true;
	}
	return false;
}

/* Where neither code nor type decides. */
static FaultClass
class_of_status(long status, const ErrorText *text)
{
	switch (status)
	{
		case 403:
			/* verification or region; but a key's scope says nothing */
			if (text->message != NULL &&
				strstr(text->message, "Missing scopes") != NULL)
				return FAULT_UNKNOWN;
			return FAULT_BAD_REQUEST;
		case 404:
			/* or there is nothing of this protocol at that address */
			return speaks_of_model(text->message) ?
				FAULT_MODEL_NOT_FOUND : FAULT_UNKNOWN;
		default:
			return fault_of_status(status);
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

Next
openai_fail(Exchange *x)
{
	long		status = x->reply.status;
	ErrorText	text;
	const ErrorCode *code = NULL;
	FaultClass	class;

	error_text_read(x->arena, exchange_json(x), &text);
	/* a server that has failed is not believed about why */
	if (status >= 400 && status < 500)
	{
		code = find_code(&text);
		if (code == NULL)
			code = find_sentence(&text, status);
	}
	class = code != NULL ? code->class : class_of_status(status, &text);
	if (text.message == NULL)
		text.message = arena_printf(x->arena,
									"the provider answered HTTP status %ld%s",
									status, status == 404 ?
									": is its base URL right?" : "");
	exchange_fail(x, class, text.message);
	judge(x, &text, code != NULL ? code->charged : CHARGED_NO);
	return NEXT_FAIL;
}

/*
 * Compatible servers refuse keys by 403, too; OpenAI means other things by
 * it.  Where no reason is given that we know, the first is more likely, but
 * not if it may have been no API at all that answered.
 */
static bool
is_compatible_refusal(Exchange *x)
{
	ErrorText	text;

	error_text_read(x->arena, exchange_json(x), &text);
	return x->reply.status == 403 && strcmp(x->base_url, OFFICIAL_BASE) != 0 &&
		text.message != NULL && find_code(&text) == NULL &&
		class_of_status(403, &text) == FAULT_BAD_REQUEST;
}

Next
openai_judge_key(Exchange *x)
{
	long		status = x->reply.status;
	bool		is_refused = status >= 400 && status <= 499;

	if (x->reply.transport != TRANSPORT_OK && !is_refused)
		return exchange_fail_transport(x);
	if (status >= 200 && status <= 299)
	{
		/* whoever has no such list may answer anything */
		if (json_is_array(json_object_get(exchange_json(x), "data")))
			return NEXT_DONE;
		return exchange_fail(x, FAULT_UNKNOWN,
							 "the provider has no list of models by which a "
							 "key could be checked");
	}
	openai_fail(x);
	if (is_compatible_refusal(x))
		x->fault.class = FAULT_INVALID_KEY;
	return NEXT_FAIL;
}

static FaultClass
class_of_late(const ErrorText *text)
{
	if (text->status != 0)
		return class_of_status(text->status, text);
	for (size_t i = 0; i < lengthof(late_types); i++)
	{
		if ((text->type != NULL &&
			 strcmp(late_types[i].name, text->type) == 0) ||
			(text->code != NULL &&
			 strcmp(late_types[i].name, text->code) == 0))
			return late_types[i].class;
	}
	return FAULT_UNKNOWN;
}

Next
openai_fail_late(Exchange *x, const json_t *error)
{
	ErrorText	text;
	const ErrorCode *code;

	error_text_read(x->arena, error, &text);
	code = find_code(&text);
	if (text.message == NULL)
		text.message = "the provider gave up without a reason";
	exchange_fail(x, code != NULL ? code->class : class_of_late(&text),
				  text.message);
	x->fault.charged = code != NULL ? code->charged : CHARGED_UNKNOWN;
	x->fault.may_have_cost = code == NULL;
	return NEXT_FAIL;
}
