/*-------------------------------------------------------------------------
 *
 * google.c
 *		The Gemini API, with an API key.
 *
 *-------------------------------------------------------------------------
 */
#include "gemini.h"
#include "google_address.h"
#include "google_error.h"

/* exchange.step */
#define ASK		0
#define READ	1

static void
authorize(Exchange *x)
{
	/* as a parameter of the address it would end up in logs */
	if (x->secret != NULL)
		exchange_secret_header(x, "x-goog-api-key", "", x->secret);
}

static Next
ask(Exchange *x, const Generation *g)
{
	const char *model = google_address_model(x, g->model, "generateContent");
	json_t	   *body;

	if (model == NULL)
		return exchange_fail(x, FAULT_BAD_REQUEST,
							 "the model's name is not possible");
	body = gemini_body(x, g, false);
	if (body == NULL)
		return NEXT_FAIL;
	exchange_post(x, arena_printf(x->arena, "/%s", model), body);
	authorize(x);
	x->request.is_paid = true;
	x->request.ordinal = 1;
	x->request.picture_path = GEMINI_PICTURE_PATH;
	x->step = READ;
	return NEXT_SEND;
}

static Next
google_generate(Exchange *x, const Generation *g, Outcome *outcome)
{
	Next		next = x->step == ASK ? ask(x, g) :
	gemini_read(x, g, outcome);

	return next == NEXT_FAIL ? google_settle(x, outcome) : next;
}

static Next
google_validate(Exchange *x, const char *model)
{
	(void) model;
	if (x->step != ASK)
		return google_check(x);
	exchange_get(x, "/models?pageSize=1");
	authorize(x);
	x->step = READ;
	return NEXT_SEND;
}

const ProviderAdapter provider_google = {
	.name = "google",
	.needs_key = true,
	.generate = google_generate,
	.validate = google_validate,
};
