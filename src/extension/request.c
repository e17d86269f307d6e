/*-------------------------------------------------------------------------
 *
 * request.c
 *		What does a request for pictures mean?
 *
 * One statement reads all that decides about it and is the user's, the
 * catalogue has the rest; then it is judging rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "client.h"
#include "document.h"
#include "identity.h"
#include "inputs.h"
#include "plan.h"
#include "refuse.h"
#include "request.h"
#include "shmem.h"
#include "statements_client.h"

/* Columns of bambi_client_look behind those of bambi_quota_read. */
enum
{
	HAS_OWN_BUDGET = BAMBI_QUOTA_COLUMNS + 1,
	FIRST_OF_KEYS
};

/* Columns of bambi_client_keys, and from FIRST_OF_KEYS on. */
enum
{
	KEY,
	KEY_STATUS,
	KEY_FITS
};

void
bambi_request_take_model(BambiRequest *request, FunctionCallInfo fcinfo,
						 int first)
{
	text	   *model = bambi_text_argument(fcinfo, first, NULL);

	request->prompt = NULL;
	request->model_name = model ? text_to_cstring(model) : NULL;
	if (PG_ARGISNULL(first + 1))
		request->parameters = bambi_document_parse("{}");
	else
		request->parameters =
			bambi_parameters_given(PG_GETARG_JSONB_P(first + 1));
	request->inputs = 0;
	request->configuration = NULL;
	request->now = GetCurrentTimestamp();
}

void
bambi_request_take(BambiRequest *request, FunctionCallInfo fcinfo, int first)
{
	text	   *prompt = bambi_text_argument(fcinfo, first, "prompt");

	bambi_request_take_model(request, fcinfo, first + 1);
	request->prompt = prompt;
}

/* NULL for NULL; lent until SPI_finish. */
static void *
pointer(int column)
{
	bool		is_null;
	Datum		value = bambi_result(0, column, &is_null);

	return is_null ? NULL : DatumGetPointer(value);
}

static bool
truth(int column)
{
	bool		is_null;
	Datum		value = bambi_result(0, column, &is_null);

	return !is_null && DatumGetBool(value);
}

/* Whether what is asked is among what a model makes. */
static bool
makes(const BambiOffer *offer, const BambiRequest *request)
{
	return !offer->is_for_edits || request->inputs > 0;
}

/*
 * The one that the name means: in full, or else one that has it without its
 * provider, usable if there is a usable one.
 */
static const BambiOffer *
pick(const BambiRequest *request, const BambiOffers *offers)
{
	const BambiOffer *any = NULL;
	const BambiOffer *usable = NULL;

	for (int i = 0; offers && i < offers->count; i++)
	{
		const BambiOffer *offer = &offers->offers[i];

		if (!makes(offer, request))
			continue;
		if (request->model_name == NULL ||
			strcmp(offer->model.name, request->model_name) == 0)
			return offer;
		any = offer;
		if (offer->is_usable)
			usable = offer;
	}
	return usable ? usable : any;
}

/* From the columns of bambi_client_keys, the first of which is given. */
static void
read_keys(BambiRequest *request, int first, uint64 rows)
{
	request->key_count = 0;
	request->key = NULL;
	request->key_status = NULL;
	request->key_fits = false;
	if (rows > 0)
		request->key = pointer(first + KEY);
	if (request->key == NULL)
		return;
	request->key_count = (int32) rows;
	request->key_status = bambi_result_text(0, first + KEY_STATUS);
	request->key_fits = truth(first + KEY_FITS);
}

/* What both statements take that read keys; $4 is what the one takes more. */
static void
set_key_values(const BambiRequest *request, Datum values[4], char nulls[4])
{
	values[0] = UUIDPGetDatum(&request->user);
	values[1] = UUIDPGetDatum(request->configuration);
	nulls[1] = request->configuration ? ' ' : 'n';
	values[2] = PointerGetDatum(request->offer ? &request->offer->provider :
								NULL);
	nulls[2] = request->offer ? ' ' : 'n';
	values[3] = TimestampTzGetDatum(request->now);
	nulls[0] = nulls[3] = ' ';
}

/* The model that the plan has for whoever names none. */
static void
look_for_default(BambiRequest *request)
{
	const BambiPlan *plan = request->quota.plan;
	Datum		values[4];
	char		nulls[4];
	uint64		rows;

	if (plan->default_model == NULL)
		return;
	request->offers = bambi_catalogue_by_id(plan->default_model,
											request->now);
	request->offer = pick(request, request->offers);
	if (request->offer == NULL)
		return;
	set_key_values(request, values, nulls);
	rows = bambi_execute(&bambi_client_keys, values, nulls);
	read_keys(request, 1, rows);
}

void
bambi_request_look(BambiRequest *request)
{
	Datum		values[4];
	char		nulls[4];
	uint64		rows;

	request->offers = NULL;
	if (request->model_name)
		request->offers = bambi_catalogue_by_name(request->model_name,
												  request->now);
	request->offer = pick(request, request->offers);

	set_key_values(request, values, nulls);
	rows = bambi_execute(&bambi_client_look, values, nulls);
	if (rows == 0)
		bambi_refuse_not_signed_in();
	bambi_quota_read(&request->quota, request->now);
	if (!request->quota.is_active)
		bambi_refuse_not_signed_in();
	request->has_budget = request->quota.plan->has_budget ||
		truth(HAS_OWN_BUDGET);
	read_keys(request, FIRST_OF_KEYS, rows);
	if (request->model_name == NULL)
		look_for_default(request);
}

static void
refuse_model(const char *detail, const char *hint)
{
	bambi_refuse(BAMBI_NOT_FOUND, "model does not exist", detail, hint);
}

static void
refuse_unusable(const BambiOffer *offer)
{
	Datum		values[] = {UUIDPGetDatum(&offer->id)};
	const char *hint = "See bambi_models for those that are active.";

	if (bambi_execute(&bambi_client_successor, values, NULL) > 0)
		hint = psprintf("Its successor is \"%s\".", bambi_result_text(0, 1));
	refuse_model(psprintf("Model \"%s\" is not offered any more.",
						  offer->model.name), hint);
}

static void
refuse_unknown(const BambiRequest *request)
{
	if (request->model_name == NULL)
		refuse_model(psprintf("Plan \"%s\" has no default model.",
							  request->quota.plan->type),
					 "Name a model; see bambi_models.");
	refuse_model(psprintf("There is no model \"%s\".", request->model_name),
				 "See bambi_models for those that are active.");
}

/* Refuses a name without its provider that several usable ones have. */
static void
require_one(const BambiRequest *request)
{
	StringInfoData candidates;
	int			count = 0;

	if (request->model_name == NULL ||
		strcmp(request->offer->model.name, request->model_name) == 0)
		return;
	initStringInfo(&candidates);
	for (int i = 0; i < request->offers->count; i++)
	{
		const BambiOffer *offer = &request->offers->offers[i];

		if (makes(offer, request) && offer->is_usable)
			appendStringInfo(&candidates, "%s%s", count++ ? ", " : "",
							 offer->model.name);
	}
	if (count > 1)
		refuse_model(psprintf("\"%s\" may mean %s.", request->model_name,
							  candidates.data),
					 "Put the provider before it, as in the detail.");
}

void
bambi_request_resolve_model(BambiRequest *request)
{
	const BambiOffer *offer = request->offer;
	int			length = 0;

	if (offer == NULL)
		refuse_unknown(request);
	require_one(request);
	if (!offer->is_usable)
		refuse_unusable(offer);

	request->model_rules = offer->model;
	if (request->prompt)
		length = bambi_prompt_check(&offer->model, request->prompt);
	bambi_parameters_check(&offer->model, request->parameters);
	if (request->inputs > 0)
		bambi_inputs_check_count(&offer->model, request->inputs);
	bambi_price_estimate(&request->price, &offer->prices, &offer->model,
						 request->parameters, length, request->inputs);
	request->estimate = request->price.high;
}

/* What the plan says of the model and of how much is asked of it. */
void
bambi_request_require_plan(const BambiRequest *request)
{
	bambi_plan_require(&request->quota, &request->model_rules,
					   request->parameters);
}

static void
refuse_room(int32 waiting, int32 most)
{
	bambi_refuse(BAMBI_TOO_MANY, NULL,
				 psprintf("%d generations of yours wait or run; the plan allows %d at a time.",
						  waiting, most),
				 "Wait for one of them with bambi_wait, or cancel one.");
}

static int32
count_waiting(const BambiRequest *request)
{
	Datum		values[] = {UUIDPGetDatum(&request->user)};
	bool		is_null;

	bambi_execute(&bambi_client_waiting, values, NULL);
	return DatumGetInt32(bambi_result(0, 1, &is_null));
}

void
bambi_request_require_room(const BambiRequest *request)
{
	int32		most = request->quota.plan->max_waiting;
	int32		waiting = most > 0 ? count_waiting(request) : 0;

	if (most > 0 && waiting >= most)
		refuse_room(waiting, most);
}

void
bambi_request_require_place(const BambiRequest *request)
{
	int32		most = request->quota.plan->max_waiting;
	int32		waiting = most > 0 ? count_waiting(request) : 0;

	if (waiting > most)
		refuse_room(waiting - 1, most);
}

static void
refuse_key(const char *message, const char *detail, const char *hint)
{
	bambi_refuse(BAMBI_WRONG_STATE, message, detail, hint);
}

/* The key that the request names. */
static void
check_named_key(const BambiRequest *request)
{
	const char *status = request->key_status;

	if (status == NULL)
		bambi_refuse(BAMBI_NOT_FOUND, "configuration does not exist", NULL,
					 "See bambi_configurations for yours.");
	if (!request->key_fits)
		bambi_refuse(BAMBI_BAD_VALUE,
					 "configuration is one of another provider",
					 psprintf("Model \"%s\" cannot be paid with it.",
							  request->model_rules.name),
					 "See bambi_configurations for yours.");
	if (strcmp(status, "revoked") == 0)
		refuse_key("no usable key",
				   "The key of this configuration has been removed.",
				   "Name another configuration, or add a key with bambi_add_key.");
	if (strcmp(status, "dead") == 0 || strcmp(status, "rejected") == 0)
		refuse_key("no usable key",
				   "The provider does not accept the key of this configuration.",
				   "Replace it with bambi_replace_key.");
}

static void
refuse_choice(const BambiRequest *request)
{
	const char *slug = request->offer->slug;
	Datum		values[2];

	values[0] = UUIDPGetDatum(&request->user);
	values[1] = CStringGetTextDatum(slug);
	(void) bambi_execute(&bambi_client_usable_keys, values, NULL);
	refuse_key("more than one usable key",
			   psprintf("Of provider \"%s\" you have %s.", slug,
						bambi_result_text(0, 1)),
			   "Name one by the argument \"configuration\"; see bambi_configurations.");
}

void
bambi_request_resolve_key(BambiRequest *request)
{
	const char *slug = request->offer->slug;

	request->paid_with = request->key;
	if (request->configuration)
	{
		check_named_key(request);
		return;
	}
	if (!request->offer->needs_key)
	{
		request->paid_with = NULL;
		return;
	}
	if (request->key_count == 0)
		refuse_key("no usable key",
				   psprintf("Provider \"%s\" works with a key of yours.",
							slug),
				   psprintf("Add one: SELECT bambi_add_key('%s', ...).",
							slug));
	if (request->key_count > 1)
		refuse_choice(request);
}

int64
bambi_turn_step(int32 weight)
{
	return BAMBI_TURN_UNIT / weight;
}
