/*-------------------------------------------------------------------------
 *
 * budget.c
 *		May this user's generations cost that much?
 *
 * What is spent is summed from the ledger, and what is reserved from what is
 * pending, whenever somebody asks: there is no counter that could be wrong.
 * The hard part is that two who ask at the same time must not both be told
 * yes.  So the sums are taken after the user's row has been changed, by a
 * statement of its own, which in READ COMMITTED sees all that was committed
 * until then; with an older snapshot the change itself fails.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "budget.h"
#include "client.h"
#include "identity.h"
#include "refuse.h"
#include "statements_budget.h"
#include "uuid.h"

/* As the column has them. */
#define PLACES			6
#define LEAST_TOO_LARGE 100000000

/* Columns of bambi_budget_overrun. */
enum
{
	SCOPE = 1,
	AMOUNT,
	CURRENCY,
	PERIOD,
	SPENT,
	RESERVED,
	RESETS_AT
};

/* Columns of bambi_budget_price_again. */
enum
{
	MODEL_NAME = 1,
	CAPABILITIES,
	PARAMETERS,
	PROMPT_LENGTH,
	INPUTS,
	PRICE_UNITS,
	PRICE_SIZES,
	PRICE_QUALITIES,
	PRICE_AMOUNTS
};

/* How a name of the table is said in a sentence. */
typedef struct Word
{
	const char *name;
	const char *said;
} Word;

static const Word scopes[] = {
	{"user", "Your budget"},
	{"key", "The budget of this key"},
	{"plan", "The budget of your plan"},
	{NULL, NULL}
};

/* Those that can be set; a plan's is that of its quota. */
static const Word periods[] = {
	{"day", "a day"},
	{"month", "a month"},
	{"year", "a year"},
	{"total", "in all"},
	{NULL, "a period"}
};

PG_FUNCTION_INFO_V1(bambi_set_budget);

static const Word *
find_word(const Word *word, const char *name)
{
	while (word->name && strcmp(word->name, name) != 0)
		word++;
	return word;
}

/* Of the row of bambi_budget_overrun. */
static const char *
scope_in_words(void)
{
	return find_word(scopes, bambi_result_text(0, SCOPE))->said;
}

static void
refuse_price(const char *detail, const char *hint)
{
	bambi_refuse(BAMBI_QUOTA_USED_UP, "the price is not known", detail, hint);
}

static void
refuse_amount(const BambiEstimate *price)
{
	const char *resets_at = bambi_result_text(0, RESETS_AT);
	bool		is_plan = strcmp(bambi_result_text(0, SCOPE), "plan") == 0;
	const char *hint = is_plan ?
	"Take a larger plan." : "bambi_set_budget sets another one.";

	if (resets_at)
		hint = psprintf("It begins anew at %s. %s", resets_at, hint);
	bambi_refuse(BAMBI_QUOTA_USED_UP, "the budget is used up",
				 psprintf("%s is %s %s %s: %s are spent and %s reserved, of which this generation has %s.",
						  scope_in_words(), bambi_result_text(0, AMOUNT),
						  bambi_result_text(0, CURRENCY),
						  find_word(periods,
									bambi_result_text(0, PERIOD))->said,
						  bambi_result_text(0, SPENT),
						  bambi_result_text(0, RESERVED),
						  DatumGetCString(DirectFunctionCall1(numeric_out,
															  NumericGetDatum(price->high)))),
				 hint);
}

void
bambi_budget_require(const pg_uuid_t *user, const pg_uuid_t *configuration,
					 const BambiEstimate *price)
{
	bool		is_known = price->high != NULL && price->is_complete;
	Datum		values[4];
	const char *currency;

	values[0] = UUIDPGetDatum(user);
	values[1] = UUIDPGetDatum(configuration);
	values[2] = CStringGetTextDatum(BAMBI_CURRENCY);
	values[3] = BoolGetDatum(is_known);
	if (bambi_execute(&bambi_budget_overrun, values,
					  configuration ? NULL : " n  ") == 0)
		return;

	currency = bambi_result_text(0, CURRENCY);
	if (strcmp(currency, BAMBI_CURRENCY) != 0)
		refuse_price(psprintf("%s is in %s, and prices are in %s.",
							  scope_in_words(), currency, BAMBI_CURRENCY),
					 psprintf("Budgets that are to be kept are in %s.",
							  BAMBI_CURRENCY));
	if (!is_known)
		refuse_price("Something that this is billed for has no known price, and there is a budget to keep.",
					 "See bambi_estimate; operators see in bambi_price_gaps what is missing.");
	refuse_amount(price);
}

static void *
pointer(int column)
{
	bool		is_null;
	Datum		value = bambi_result(0, column, &is_null);

	return is_null ? NULL : DatumGetPointer(value);
}

static ArrayType *
array(int column)
{
	void	   *value = pointer(column);

	return value ? DatumGetArrayTypeP(PointerGetDatum(value)) : NULL;
}

static int
number(int column)
{
	bool		is_null;

	return DatumGetInt32(bambi_result(0, column, &is_null));
}

void
bambi_budget_estimate(BambiEstimate *price, const pg_uuid_t *id,
					  const pg_uuid_t *user, TimestampTz now)
{
	Datum		values[3];
	BambiModel	model;
	BambiPriceList list;

	values[0] = UUIDPGetDatum(id);
	values[1] = UUIDPGetDatum(user);
	values[2] = TimestampTzGetDatum(now);
	if (bambi_execute(&bambi_budget_price_again, values, NULL) == 0)
		elog(ERROR, "a generation that is locked is not there");

	model.name = bambi_result_text(0, MODEL_NAME);
	model.capabilities =
		DatumGetJsonbP(PointerGetDatum(pointer(CAPABILITIES)));
	bambi_price_read(&list, array(PRICE_UNITS), array(PRICE_SIZES),
					 array(PRICE_QUALITIES), array(PRICE_AMOUNTS));
	bambi_price_estimate(price, &list, &model,
						 DatumGetJsonbP(PointerGetDatum(pointer(PARAMETERS))),
						 number(PROMPT_LENGTH), number(INPUTS));
}

/* ---- bambi_set_budget ---- */

static bool
has_more_places(Numeric amount)
{
	Datum		rounded = DirectFunctionCall2(numeric_round,
											  NumericGetDatum(amount),
											  Int32GetDatum(PLACES));

	return !DatumGetBool(DirectFunctionCall2(numeric_eq, rounded,
											 NumericGetDatum(amount)));
}

static int
compare(Numeric amount, int64 other)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp,
											 NumericGetDatum(amount),
											 NumericGetDatum(int64_to_numeric(other))));
}

static void
check_amount(Numeric amount)
{
	if (numeric_is_nan(amount) || numeric_is_inf(amount) ||
		compare(amount, 0) < 0 || compare(amount, LEAST_TOO_LARGE) >= 0 ||
		has_more_places(amount))
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("amount must be from 0 to %d, with %d places at the most",
							  LEAST_TOO_LARGE - 1, PLACES),
					 NULL, "NULL removes the budget.");
}

static const char *
take_currency(FunctionCallInfo fcinfo, int n)
{
	text	   *argument = bambi_text_argument(fcinfo, n, NULL);
	const char *currency = argument ? text_to_cstring(argument) :
	BAMBI_CURRENCY;

	if (strlen(currency) != 3 ||
		strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3)
		bambi_refuse(BAMBI_BAD_VALUE,
					 "currency must be a code of three capital letters",
					 NULL, NULL);
	return currency;
}

static const char *
take_period(FunctionCallInfo fcinfo, int n)
{
	text	   *argument = bambi_text_argument(fcinfo, n, NULL);
	const char *period = argument ? text_to_cstring(argument) : "month";

	if (find_word(periods, period)->name == NULL)
		bambi_refuse(BAMBI_BAD_VALUE,
					 "period must be day, month, year or total", NULL, NULL);
	return period;
}

static void
require_own_key(const pg_uuid_t *configuration, const pg_uuid_t *user)
{
	Datum		values[2];

	values[0] = UUIDPGetDatum(configuration);
	values[1] = UUIDPGetDatum(user);
	if (bambi_execute(&bambi_budget_key, values, NULL) == 0)
		bambi_refuse(BAMBI_NOT_FOUND, "configuration does not exist", NULL,
					 "See bambi_configurations for yours.");
}

static void
remove_budget(const pg_uuid_t *user, const pg_uuid_t *configuration)
{
	Datum		values[2];

	values[0] = UUIDPGetDatum(user);
	values[1] = UUIDPGetDatum(configuration);
	bambi_execute(&bambi_budget_remove, values, configuration ? NULL : " n");
}

/*
 * Arguments: amount numeric, currency text, period text, configuration uuid.
 */
static Datum
set_budget(PG_FUNCTION_ARGS)
{
	const char *currency = take_currency(fcinfo, 1);
	const char *period = take_period(fcinfo, 2);
	pg_uuid_t  *configuration = bambi_uuid_argument(fcinfo, 3, NULL);
	pg_uuid_t	user;
	pg_uuid_t	id;
	Datum		values[7];

	bambi_require_user(&user);
	if (configuration)
		require_own_key(configuration, &user);
	if (PG_ARGISNULL(0))
	{
		remove_budget(&user, configuration);
		PG_RETURN_VOID();
	}
	check_amount(PG_GETARG_NUMERIC(0));

	bambi_uuid_make(&id);
	values[0] = UUIDPGetDatum(&id);
	values[1] = UUIDPGetDatum(&user);
	values[2] = UUIDPGetDatum(configuration);
	values[3] = PG_GETARG_DATUM(0);
	values[4] = CStringGetTextDatum(currency);
	values[5] = CStringGetTextDatum(period);
	values[6] = TimestampTzGetDatum(GetCurrentTimestamp());
	bambi_execute(&bambi_budget_set, values,
				  configuration ? NULL : "  n    ");
	PG_RETURN_VOID();
}

Datum
bambi_set_budget(PG_FUNCTION_ARGS)
{
	return bambi_client_call(set_budget, fcinfo);
}
