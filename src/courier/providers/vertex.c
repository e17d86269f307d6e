/*-------------------------------------------------------------------------
 *
 * vertex.c
 *		Vertex AI, with an API key (express) or a service account.
 *
 * A service account logs in first.  A token that is refused all the same is
 * exchanged once for a new one: a refusal proves that nothing was made, so
 * that the same request may go out again, counted as another one.
 *
 * A key is proved by having the tokens of a few words counted, which is free.
 * It takes the same steps: a generation without a prompt is such a check.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "gemini.h"
#include "google_address.h"
#include "google_error.h"
#include "imagen.h"
#include "service_account.h"

/* exchange.step */
#define ASK		0
#define READ_TOKEN	1
#define READ	2
#define READ_LAST	3			/* no other token helps any more */
#define READ_NEW_TOKEN	16		/* and the ordinal of what was refused */

#define DEFAULT_LOCATION	"global"
#define BEARER	"Bearer "

/* Where the models are, by who asks; NULL, and x->fault says why. */
static const char *
find_place(Exchange *x, const ServiceAccount *account)
{
	const char *project = exchange_setting(x, "project");
	const char *location = exchange_setting(x, "location");

	if (account == NULL)
		return arena_printf(x->arena, "%s/v1/publishers/google", x->base_url);
	if (project == NULL || project[0] == '\0')
		project = account->project;
	if (location == NULL || location[0] == '\0')
		location = DEFAULT_LOCATION;
	if (project == NULL || !google_address_is_plain(project) ||
		!google_address_is_plain(location))
	{
		exchange_fail(x, FAULT_BAD_REQUEST,
					  "the settings \"project\" and \"location\" must be "
					  "plain names, and there must be a project");
		return NULL;
	}
	return arena_printf(x->arena,
						"%s/v1/projects/%s/locations/%s/publishers/google",
						google_address_base(x, location), project, location);
}

static bool
is_check(const Generation *g)
{
	return g->prompt == NULL;
}

static const char *
method_of(const Generation *g)
{
	if (is_check(g))
		return "countTokens";
	return imagen_has(g->model) ? "predict" : "generateContent";
}

/* NULL, and x->fault says why. */
static json_t *
body_of(Exchange *x, const Generation *g)
{
	if (is_check(g))
		return json_pack("{s:[{s:s, s:[{s:s}]}]}", "contents", "role", "user",
						 "parts", "text", "a fawn");
	return imagen_has(g->model) ? imagen_body(x, g) : gemini_body(x, g, true);
}

/* The request, paid or a check; token is NULL for an API key. */
static Next
ask(Exchange *x, const Generation *g, const ServiceAccount *account,
	const Secret *token, int ordinal)
{
	bool		is_imagen = imagen_has(g->model);
	const char *place = find_place(x, account);
	const char *model = google_address_model(x, g->model, method_of(g));
	json_t	   *body;

	if (place == NULL)
		return NEXT_FAIL;
	if (model == NULL)
		return exchange_fail(x, FAULT_BAD_REQUEST,
							 "the model's name is not possible");
	if (is_imagen && account == NULL && !is_check(g))
		return exchange_fail(x, FAULT_BAD_REQUEST,
							 "Imagen models need a service account, an API "
							 "key is not enough");
	body = body_of(x, g);
	if (body == NULL)
		return NEXT_FAIL;
	exchange_post(x, "", body);
	x->request.url = arena_printf(x->arena, "%s/%s", place, model);

	/* never both: that is refused */
	if (token != NULL)
		exchange_secret_header(x, "Authorization", BEARER, token);
	else if (x->secret != NULL)
		exchange_secret_header(x, "x-goog-api-key", "", x->secret);
	if (is_check(g))
		return NEXT_SEND;
	x->request.is_paid = true;
	x->request.ordinal = ordinal;
	x->request.picture_path = is_imagen ? IMAGEN_PICTURE_PATH :
		GEMINI_PICTURE_PATH;
	return NEXT_SEND;
}

static Next
read_answer(Exchange *x, const Generation *g, Outcome *outcome)
{
	if (is_check(g))
		return google_check(x);
	return imagen_has(g->model) ? imagen_read(x, g, outcome) :
		gemini_read(x, g, outcome);
}

static Next
generate_by_key(Exchange *x, const Generation *g, Outcome *outcome)
{
	if (x->step != ASK)
		return read_answer(x, g, outcome);
	x->step = READ;
	return ask(x, g, NULL, NULL, 1);
}

/* With what it was asked; where tokens are kept it may have expired since. */
static const Secret *
sent_token(Exchange *x)
{
	const Header *header = x->request.headers;

	while (header != NULL && !header->is_secret)
		header = header->next;
	if (header == NULL)
		return x->secret;
	return secret_create(x->arena,
						 (const uint8_t *) header->value + strlen(BEARER),
						 strlen(header->value) - strlen(BEARER));
}

/* Reads an answer to what was asked with a token. */
static Next
read_by_account(Exchange *x, const Generation *g, Outcome *outcome,
				const ServiceAccount *account)
{
	const Secret *key = x->secret;
	Next		next;

	if (x->reply.status == 401)
		service_account_drop_token(x);
	if (x->reply.status == 401 && x->step == READ)
	{
		x->step = READ_NEW_TOKEN + x->request.ordinal;
		return service_account_ask(x, account);
	}
	/* what an answer may echo is the token, not the key */
	x->secret = sent_token(x);
	next = read_answer(x, g, outcome);
	x->secret = key;
	return next;
}

static Next
generate_by_account(Exchange *x, const Generation *g, Outcome *outcome,
					const ServiceAccount *account)
{
	const Secret *token;
	int			step = x->step;

	if (step == READ || step == READ_LAST)
		return read_by_account(x, g, outcome, account);

	if (step == ASK)
	{
		token = service_account_token(x);
		if (token == NULL)
		{
			x->step = READ_TOKEN;
			return service_account_ask(x, account);
		}
	}
	else
	{
		token = service_account_read(x);
		if (token == NULL)
			return NEXT_FAIL;
	}
	x->step = step >= READ_NEW_TOKEN ? READ_LAST : READ;
	return ask(x, g, account, token,
			   step >= READ_NEW_TOKEN ? step - READ_NEW_TOKEN + 1 : 1);
}

static Next
run(Exchange *x, const Generation *g, Outcome *outcome)
{
	ServiceAccount account;
	Next		next;

	if (x->secret == NULL || !service_account_is(x->secret))
		return generate_by_key(x, g, outcome);
	next = service_account_open(x, &account);
	if (next == NEXT_DONE)
	{
		next = generate_by_account(x, g, outcome, &account);
		service_account_close(&account);
	}
	return next;
}

static Next
vertex_generate(Exchange *x, const Generation *g, Outcome *outcome)
{
	Next		next = run(x, g, outcome);

	return next == NEXT_FAIL ? google_settle(x, outcome) : next;
}

static Next
vertex_validate(Exchange *x, const char *model)
{
	Generation	check = {.model = model};

	if (model == NULL)
		return exchange_fail(x, FAULT_UNKNOWN,
							 "there is no model by which a key could be "
							 "checked");
	return run(x, &check, NULL);
}

const ProviderAdapter provider_vertex = {
	.name = "vertex",
	.needs_key = true,
	.generate = vertex_generate,
	.validate = vertex_validate,
};
