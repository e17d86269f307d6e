/*-------------------------------------------------------------------------
 *
 * request.c
 *		What does a request for pictures mean?
 *
 * One statement reads all that decides about it; the rest is judging rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "client.h"
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
	LAST_TURN = BAMBI_QUOTA_COLUMNS + 1,
	MODEL,
	PROVIDER_SLUG,
	MODEL_NAME,
	MODEL_IS_USABLE,
	MODEL_IS_ALLOWED,
	CAPABILITIES,
	NEEDS_KEY,
	KEY_COUNT,
	KEY,
	KEY_STATUS,
	KEY_FITS,
	PRICE_UNITS,
	PRICE_SIZES,
	PRICE_QUALITIES,
	PRICE_AMOUNTS,
	MOST_WAITING,
	WAITING
};

void
bambi_request_take_model(BambiRequest *request, FunctionCallInfo fcinfo,
						 int first)
{
	text	   *model = bambi_text_argument(fcinfo, first, NULL);

	request->prompt = NULL;
	request->model_name = model ? text_to_cstring(model) : NULL;
	if (PG_ARGISNULL(first + 1))
		request->parameters =
			DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
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
pointer(uint64 row, int column)
{
	bool		is_null;
	Datum		value = bambi_result(row, column, &is_null);

	return is_null ? NULL : DatumGetPointer(value);
}

static ArrayType *
array(uint64 row, int column)
{
	void	   *value = pointer(row, column);

	return value ? DatumGetArrayTypeP(PointerGetDatum(value)) : NULL;
}

static bool
truth(uint64 row, int column)
{
	bool		is_null;
	Datum		value = bambi_result(row, column, &is_null);

	return !is_null && DatumGetBool(value);
}

static void
set_text(Datum *value, char *is_null, const char *string)
{
	*value = string ? CStringGetTextDatum(string) : (Datum) 0;
	*is_null = string ? ' ' : 'n';
}

void
bambi_request_look(BambiRequest *request)
{
	const char *name = request->model_name;
	const char *slash = name ? strchr(name, '/') : NULL;
	Datum		values[7];
	char		nulls[8] = "       ";
	bool		is_null;

	values[0] = UUIDPGetDatum(&request->user);
	set_text(&values[1], &nulls[1], name);
	set_text(&values[2], &nulls[2],
			 slash ? pnstrdup(name, slash - name) : NULL);
	set_text(&values[3], &nulls[3], slash ? slash + 1 : NULL);
	values[4] = UUIDPGetDatum(request->configuration);
	nulls[4] = request->configuration ? ' ' : 'n';
	values[5] = TimestampTzGetDatum(request->now);
	values[6] = BoolGetDatum(request->inputs > 0);

	if (bambi_execute(&bambi_client_look, values, nulls) == 0)
		bambi_refuse_not_signed_in();
	bambi_quota_read(&request->quota);
	if (!request->quota.is_active)
		bambi_refuse_not_signed_in();

	request->turn = DatumGetInt64(bambi_result(0, LAST_TURN, &is_null));
	request->has_turn = !is_null;
}

static void
refuse_model(const char *detail, const char *hint)
{
	bambi_refuse(BAMBI_NOT_FOUND, "model does not exist", detail, hint);
}

static void
refuse_unusable(uint64 row)
{
	char	   *name = bambi_result_text(row, MODEL_NAME);
	Datum		values[1];
	const char *hint = "See bambi_models for those that are active.";

	values[0] = PointerGetDatum(pointer(row, MODEL));
	if (bambi_execute(&bambi_client_successor, values, NULL) > 0)
		hint = psprintf("Its successor is \"%s\".", bambi_result_text(0, 1));
	refuse_model(psprintf("Model \"%s\" is not offered any more.", name),
				 hint);
}

/* Rows of the result that mean a model by its bare name. */
static uint64
pick_by_bare_name(const BambiRequest *request)
{
	StringInfoData candidates;
	uint64		usable = 0;
	uint64		picked = 0;

	initStringInfo(&candidates);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		if (!truth(row, MODEL_IS_USABLE))
			continue;
		picked = row;
		appendStringInfo(&candidates, "%s%s", usable++ ? ", " : "",
						 bambi_result_text(row, MODEL_NAME));
	}
	if (usable > 1)
		refuse_model(psprintf("\"%s\" may mean %s.", request->model_name,
							  candidates.data),
					 "Put the provider before it, as in the detail.");
	return picked;
}

static uint64
pick_model(const BambiRequest *request)
{
	if (pointer(0, MODEL) == NULL)
	{
		if (request->model_name == NULL)
			refuse_model(psprintf("Plan \"%s\" has no default model.",
								  request->quota.plan),
						 "Name a model; see bambi_models.");
		refuse_model(psprintf("There is no model \"%s\".",
							  request->model_name),
					 "See bambi_models for those that are active.");
	}
	if (request->model_name == NULL)
		return 0;

	for (uint64 row = 0; row < SPI_processed; row++)
	{
		if (strcmp(bambi_result_text(row, MODEL_NAME),
				   request->model_name) == 0)
			return row;
	}
	return pick_by_bare_name(request);
}

static void
estimate(BambiRequest *request, int prompt_length)
{
	BambiPriceList prices;
	uint64		row = request->row;

	bambi_price_read(&prices, array(row, PRICE_UNITS),
					 array(row, PRICE_SIZES), array(row, PRICE_QUALITIES),
					 array(row, PRICE_AMOUNTS));
	bambi_price_estimate(&request->price, &prices, &request->model_rules,
						 request->parameters, prompt_length,
						 request->inputs);
	request->estimate = request->price.high;
}

void
bambi_request_resolve_model(BambiRequest *request)
{
	int			length = 0;

	request->row = pick_model(request);
	if (!truth(request->row, MODEL_IS_USABLE))
		refuse_unusable(request->row);

	request->model = pointer(request->row, MODEL);
	request->model_rules.name = bambi_result_text(request->row, MODEL_NAME);
	request->model_rules.capabilities =
		DatumGetJsonbP(PointerGetDatum(pointer(request->row, CAPABILITIES)));

	if (request->prompt)
		length = bambi_prompt_check(&request->model_rules, request->prompt);
	bambi_parameters_check(&request->model_rules, request->parameters);
	if (request->inputs > 0)
		bambi_inputs_check_count(&request->model_rules, request->inputs);
	estimate(request, length);
}

/* What the plan says of the model and of how much is asked of it. */
void
bambi_request_require_plan(const BambiRequest *request)
{
	bambi_plan_require(&request->quota,
					   truth(request->row, MODEL_IS_ALLOWED),
					   &request->model_rules, request->parameters);
}

static void
refuse_room(int32 waiting, int32 most)
{
	bambi_refuse(BAMBI_TOO_MANY, NULL,
				 psprintf("%d generations of yours wait or run; the plan allows %d at a time.",
						  waiting, most),
				 "Wait for one of them with bambi_wait, or cancel one.");
}

void
bambi_request_require_room(BambiRequest *request)
{
	bool		is_null;
	int32		most = DatumGetInt32(bambi_result(request->row, MOST_WAITING,
												  &is_null));
	int32		waiting;

	request->max_waiting = is_null ? 0 : most;
	if (is_null)
		return;
	waiting = DatumGetInt32(bambi_result(request->row, WAITING, &is_null));
	if (waiting >= most)
		refuse_room(waiting, most);
}

void
bambi_request_require_place(const BambiRequest *request)
{
	Datum		values[] = {UUIDPGetDatum(&request->user)};
	bool		is_null;
	int32		waiting;

	if (request->max_waiting == 0)
		return;
	bambi_execute(&bambi_client_waiting, values, NULL);
	waiting = DatumGetInt32(bambi_result(0, 1, &is_null));
	if (waiting > request->max_waiting)
		refuse_room(waiting - 1, request->max_waiting);
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
	const char *status = bambi_result_text(request->row, KEY_STATUS);

	if (status == NULL)
		bambi_refuse(BAMBI_NOT_FOUND, "configuration does not exist", NULL,
					 "See bambi_configurations for yours.");
	if (!truth(request->row, KEY_FITS))
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
	char	   *slug = bambi_result_text(request->row, PROVIDER_SLUG);
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
	uint64		row = request->row;
	bool		is_null;
	int32		count = DatumGetInt32(bambi_result(row, KEY_COUNT, &is_null));

	request->paid_with = pointer(row, KEY);
	if (request->configuration)
	{
		check_named_key(request);
		return;
	}
	if (!truth(row, NEEDS_KEY))
	{
		request->paid_with = NULL;
		return;
	}
	if (count == 0)
		refuse_key("no usable key",
				   psprintf("Provider \"%s\" works with a key of yours.",
							bambi_result_text(row, PROVIDER_SLUG)),
				   psprintf("Add one: SELECT bambi_add_key('%s', ...).",
							bambi_result_text(row, PROVIDER_SLUG)));
	if (count > 1)
		refuse_choice(request);
}

int64
bambi_next_turn(bool has_turn, int64 turn, int32 weight)
{
	int64		now = bambi_virtual_time();

	return has_turn ? Max(now, turn + BAMBI_TURN_UNIT / weight) : now;
}
