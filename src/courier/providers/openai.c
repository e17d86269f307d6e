/*-------------------------------------------------------------------------
 *
 * openai.c
 *		The OpenAI images protocol, and what others serve in its shape.
 *
 * Be sparing in what is sent: only what the user has set.  Be generous in
 * what is accepted: servers of this shape answer pictures as base64 or by
 * address, streams or documents, and errors in several forms.
 *
 *-------------------------------------------------------------------------
 */
#include "openai.h"

/* exchange.step */
#define ASK		0
#define READ	1

#define MAX_REQUEST_ID	200

/* Where DALL-E leaves pictures for an hour. */
static const char *const image_hosts[] = {
	"oaidalleapiprodscus.blob.core.windows.net",
	NULL
};

static const char *
read_request_id(Exchange *x)
{
	const char *id = exchange_reply_header(x, "x-request-id");

	return id != NULL ? exchange_scrub(x, id, MAX_REQUEST_ID) : NULL;
}

static Next
openai_generate(Exchange *x, const Generation *g, Outcome *outcome)
{
	bool		is_good;
	bool		is_refused;

	if (x->step == ASK)
	{
		x->step = READ;
		return openai_ask(x, g);
	}

	outcome->provider_request_id = read_request_id(x);
	is_good = x->reply.status >= 200 && x->reply.status <= 299;
	/* a refusal is one, also if the rest of it was lost */
	is_refused = x->reply.status >= 400 && x->reply.status <= 499;
	if (x->reply.transport != TRANSPORT_OK && !is_refused &&
		!(is_good && openai_has_result(x)))
		return exchange_fail_transport(x);
	return is_good ? openai_read(x, g, outcome) : openai_fail(x);
}

static Next
openai_validate(Exchange *x, const char *model)
{
	(void) model;
	if (x->step != ASK)
		return openai_judge_key(x);
	x->step = READ;
	return openai_ask_models(x);
}

const ProviderAdapter provider_openai = {
	.name = "openai",
	.needs_key = true,
	.generate = openai_generate,
	.validate = openai_validate,
	.progress = openai_progress,
	.image_hosts = image_hosts,
};
