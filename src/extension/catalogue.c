/*-------------------------------------------------------------------------
 *
 * catalogue.c
 *		Which models and plans are there, and what do they say?
 *
 * Reads rows into memory that outlives the result they come from.  What is
 * usable and what it costs depends on the time as well: the statements say
 * until when their answer holds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/datum.h"

#include "catalogue.h"
#include "statements_catalogue.h"
#include "uuid.h"

/* First letters of names, by what stands under them. */
#define BY_NAME	"n"
#define BY_ID	"i"
#define OF_PLAN	"p"

/* Columns of both statements about models. */
enum
{
	ID = 1,
	PROVIDER,
	SLUG,
	NAME,
	IS_USABLE,
	NEEDS_KEY,
	IS_FOR_EDITS,
	CAPABILITIES,
	PRICE_UNITS,
	PRICE_SIZES,
	PRICE_QUALITIES,
	PRICE_AMOUNTS,
	HOLDS_UNTIL
};

/* Columns of bambi_catalogue_of_plan. */
enum
{
	TYPE = 1,
	LIMIT,
	PERIOD,
	WEIGHT,
	PER_MINUTE,
	MAX_PICTURES,
	MAX_WAITING,
	MODELS,
	STORE,
	HAS_BUDGET,
	DEFAULT_MODEL
};

/* Of fixed length; NULL for NULL. */
static void *
copy(int column, int length)
{
	bool		is_null;
	Datum		value = bambi_result(0, column, &is_null);

	return is_null ? NULL :
		DatumGetPointer(datumCopy(value, false, length));
}

/* A varlena in one piece; NULL for NULL. */
static void *
whole(uint64 row, int column)
{
	bool		is_null;
	Datum		value = bambi_result(row, column, &is_null);

	return is_null ? NULL : PG_DETOAST_DATUM_COPY(value);
}

static bool
truth(uint64 row, int column)
{
	bool		is_null;
	Datum		value = bambi_result(row, column, &is_null);

	return !is_null && DatumGetBool(value);
}

/* 0 for NULL. */
static int32
number(int column)
{
	bool		is_null;
	Datum		value = bambi_result(0, column, &is_null);

	return is_null ? 0 : DatumGetInt32(value);
}

static void
take_offer(BambiOffer *offer, uint64 row)
{
	bool		is_null;

	offer->id = *DatumGetUUIDP(bambi_result(row, ID, &is_null));
	offer->provider = *DatumGetUUIDP(bambi_result(row, PROVIDER, &is_null));
	offer->slug = bambi_result_text(row, SLUG);
	offer->model.name = bambi_result_text(row, NAME);
	offer->model.capabilities = whole(row, CAPABILITIES);
	offer->is_usable = truth(row, IS_USABLE);
	offer->needs_key = truth(row, NEEDS_KEY);
	offer->is_for_edits = truth(row, IS_FOR_EDITS);
	bambi_price_read(&offer->prices, whole(row, PRICE_UNITS),
					 whole(row, PRICE_SIZES), whole(row, PRICE_QUALITIES),
					 whole(row, PRICE_AMOUNTS));
}

static BambiCatalogueEntry *
take_offers(TimestampTz now)
{
	BambiOffers *offers = palloc(sizeof(BambiOffers));
	bool		is_null;

	offers->count = (int) SPI_processed;
	offers->offers = palloc(offers->count * sizeof(BambiOffer));
	offers->entry.read_at = now;
	offers->entry.holds_until = DT_NOEND;
	for (int i = 0; i < offers->count; i++)
	{
		TimestampTz until =
		DatumGetTimestampTz(bambi_result(i, HOLDS_UNTIL, &is_null));

		take_offer(&offers->offers[i], i);
		if (!is_null)
			offers->entry.holds_until = Min(offers->entry.holds_until, until);
	}
	return &offers->entry;
}

static void
ask_by_name(const char *key, TimestampTz now)
{
	const char *name = key + strlen(BY_NAME);
	const char *slash = strchr(name, '/');
	Datum		values[4] = {
		CStringGetTextDatum(name), (Datum) 0, (Datum) 0,
		TimestampTzGetDatum(now)
	};

	if (slash)
	{
		values[1] = CStringGetTextDatum(pnstrdup(name, slash - name));
		values[2] = CStringGetTextDatum(slash + 1);
	}
	(void) bambi_execute(&bambi_catalogue_models_by_name, values,
						 slash ? NULL : " nn ");
}

static void
ask_by_id(const char *key, TimestampTz now)
{
	Datum		values[] = {
		DirectFunctionCall1(uuid_in, CStringGetDatum(key + strlen(BY_ID))),
		TimestampTzGetDatum(now)
	};

	(void) bambi_execute(&bambi_catalogue_model_by_id, values, NULL);
}

static void
ask_for_plan(const char *key, TimestampTz now)
{
	Datum		values[] = {CStringGetTextDatum(key + strlen(OF_PLAN))};

	(void) bambi_execute(&bambi_catalogue_of_plan, values, NULL);
}

static BambiCatalogueEntry *
take_plan(TimestampTz now)
{
	BambiPlan  *plan = palloc(sizeof(BambiPlan));
	bool		is_null;

	plan->entry.read_at = DT_NOBEGIN;
	plan->entry.holds_until = DT_NOEND;
	plan->type = bambi_result_text(0, TYPE);
	plan->limit = DatumGetInt32(bambi_result(0, LIMIT, &is_null));
	plan->is_limited = !is_null;
	plan->period = copy(PERIOD, sizeof(Interval));
	plan->weight = number(WEIGHT);
	plan->per_minute = number(PER_MINUTE);
	plan->max_pictures = number(MAX_PICTURES);
	plan->max_waiting = number(MAX_WAITING);
	plan->models = whole(0, MODELS);
	plan->store = bambi_result_text(0, STORE);
	plan->has_budget = truth(0, HAS_BUDGET);
	plan->default_model = copy(DEFAULT_MODEL, UUID_LEN);
	return &plan->entry;
}

static const BambiCatalogueReader by_name = {ask_by_name, take_offers};
static const BambiCatalogueReader by_id = {ask_by_id, take_offers};
static const BambiCatalogueReader of_plan = {ask_for_plan, take_plan};

const BambiOffers *
bambi_catalogue_by_name(const char *name, TimestampTz now)
{
	return (const BambiOffers *)
		bambi_catalogue_find(psprintf(BY_NAME "%s", name), now, &by_name);
}

const BambiOffers *
bambi_catalogue_by_id(const pg_uuid_t *model, TimestampTz now)
{
	char		key[sizeof(BY_ID) + UUID_TEXT_SIZE] = BY_ID;

	bambi_uuid_print(model, key + strlen(BY_ID));
	return (const BambiOffers *) bambi_catalogue_find(key, now, &by_id);
}

const BambiPlan *
bambi_catalogue_plan(const char *type, TimestampTz now)
{
	return (const BambiPlan *)
		bambi_catalogue_find(psprintf(OF_PLAN "%s", type), now, &of_plan);
}
