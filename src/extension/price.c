/*-------------------------------------------------------------------------
 *
 * price.c
 *		What will this request cost?
 *
 * An estimate, not a promise: the provider decides how many tokens a picture
 * takes.  What it did cost is booked by the worker, from the answer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "document.h"
#include "price.h"

/* English prose; other languages take more. */
#define CHARACTERS_PER_TOKEN	4
#define TOKENS_PER_PRICE		1000000
#define PLACES					6

/* Units of bambi.model_prices */
#define IMAGE			"image"
#define INPUT_IMAGE		"input image"
#define PARTIAL_IMAGE	"partial image (stream)"
#define TEXT_INPUT		"1M text input tokens"
#define IMAGE_OUTPUT	"1M image output tokens"

/* More than any quality has; keeps the formula below within an int64. */
#define MAX_QUALITY_FACTOR	10000

/* What one picture may cost, as a list that grows. */
typedef struct Candidates
{
	int			count;
	int			size;
	Numeric    *prices;
	bool		has_unknown;
} Candidates;

static Numeric
times(Numeric price, int64 count)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_mul,
											   NumericGetDatum(price),
											   NumericGetDatum(int64_to_numeric(count))));
}

static Numeric
plus(Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_add,
											   NumericGetDatum(a),
											   NumericGetDatum(b)));
}

static Numeric
rounded(Numeric price)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_round,
											   NumericGetDatum(price),
											   Int32GetDatum(PLACES)));
}

static Numeric
of_tokens(Numeric price, int64 tokens)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_div,
											   NumericGetDatum(times(price, tokens)),
											   NumericGetDatum(int64_to_numeric(TOKENS_PER_PRICE))));
}

static void
read_texts(ArrayType *array, int count, const char **result, size_t step)
{
	Datum	   *values;
	bool	   *nulls;
	int			length;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values,
					  &nulls, &length);
	if (length != count)
		elog(ERROR, "arrays of prices differ in length");
	for (int i = 0; i < count; i++)
	{
		*result = nulls[i] ? NULL : TextDatumGetCString(values[i]);
		result = (const char **) ((char *) result + step);
	}
}

void
bambi_price_read(BambiPriceList *list, ArrayType *units, ArrayType *sizes,
				 ArrayType *qualities, ArrayType *amounts)
{
	Datum	   *values;
	BambiPrice *first;

	list->count = 0;
	list->prices = NULL;
	if (amounts == NULL)
		return;

	deconstruct_array(amounts, NUMERICOID, -1, false, TYPALIGN_INT, &values,
					  NULL, &list->count);
	first = list->prices = palloc(list->count * sizeof(BambiPrice));
	for (int i = 0; i < list->count; i++)
		list->prices[i].amount = DatumGetNumeric(values[i]);
	read_texts(units, list->count, &first->unit, sizeof(BambiPrice));
	read_texts(sizes, list->count, &first->size, sizeof(BambiPrice));
	read_texts(qualities, list->count, &first->quality, sizeof(BambiPrice));
}

/* The price of a unit without size or quality; NULL if there is none. */
static Numeric
price_of(const BambiPriceList *list, const char *unit)
{
	for (int i = 0; i < list->count; i++)
	{
		if (strcmp(list->prices[i].unit, unit) == 0)
			return list->prices[i].amount;
	}
	return NULL;
}

static void
add_candidate(Candidates *candidates, Numeric price)
{
	if (candidates->count == candidates->size)
	{
		candidates->size = candidates->size ? 2 * candidates->size : 16;
		candidates->prices = candidates->prices ?
			repalloc(candidates->prices, candidates->size * sizeof(Numeric)) :
			palloc(candidates->size * sizeof(Numeric));
	}
	candidates->prices[candidates->count++] = price;
}

/*
 * The tokens of a picture, 0 if there is no telling.  The formula was found
 * by users of gpt-image-2 and gives every figure that OpenAI has published;
 * only the factor q differs between qualities and models:
 *
 *		s = q * short side / long side, rounded
 *		tokens = q * s * (2,000,000 + width * height) / 4,000,000, rounded up
 */
static int64
tokens_of_picture(JsonbContainer *factors, const char *size,
				  const char *quality)
{
	int			width;
	int			height;
	int64		longer;
	int64		shorter;
	double		factor;
	int64		q;
	int64		s;

	if (size == NULL || quality == NULL ||
		!bambi_size_read(size, strlen(size), &width, &height))
		return 0;
	factor = bambi_document_number(factors, quality, 0);
	if (factor < 1 || factor > MAX_QUALITY_FACTOR)
		return 0;

	q = (int64) factor;
	longer = Max(width, height);
	shorter = Min(width, height);
	s = (2 * q * shorter + longer) / (2 * longer);
	return (q * s * (2000000 + (int64) width * height) + 3999999) / 4000000;
}

/* All that a picture of this size and quality may cost; NULL is any. */
static void
add_candidates(Candidates *candidates, const BambiPriceList *list,
			   const BambiModel *model, const char *size,
			   const char *quality)
{
	JsonbContainer *tokens = bambi_document_container(&model->capabilities->root,
													  "tokens");
	JsonbContainer *factors = tokens ?
	bambi_document_container(tokens, "q") : NULL;
	Numeric		token_price = price_of(list, IMAGE_OUTPUT);
	int			before = candidates->count;
	int64		count;

	for (int i = 0; i < list->count; i++)
	{
		BambiPrice *price = &list->prices[i];

		if (strcmp(price->unit, IMAGE) == 0 &&
			(!size || !price->size || strcmp(price->size, size) == 0) &&
			(!quality || !price->quality ||
			 strcmp(price->quality, quality) == 0))
			add_candidate(candidates, price->amount);
	}
	if (candidates->count > before)
		return;

	count = factors ? tokens_of_picture(factors, size, quality) : 0;
	if (count > 0 && token_price)
		add_candidate(candidates, of_tokens(token_price, count));
	else
		candidates->has_unknown = true;
}

static int
compare_prices(const void *a, const void *b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp,
											 NumericGetDatum(*(const Numeric *) a),
											 NumericGetDatum(*(const Numeric *) b)));
}

/* What the parameter may be that plays this role in prices, else any. */
static List *
may_be(const BambiModel *model, Jsonb *parameters, const char *role)
{
	JsonbContainer *names = bambi_document_container(&model->capabilities->root,
													 "price_by");
	char	   *name = names ? bambi_document_string(names, role) : NULL;
	List	   *values = bambi_parameters_may_be(model, parameters,
												 name ? name : role);

	return values == NIL ? list_make1(NULL) : values;
}

/* All that one picture may cost, the cheapest first. */
static void
find_candidates(Candidates *candidates, const BambiPriceList *list,
				const BambiModel *model, Jsonb *parameters)
{
	List	   *qualities = may_be(model, parameters, "quality");
	ListCell   *size;
	ListCell   *quality;

	memset(candidates, 0, sizeof(*candidates));
	foreach(size, may_be(model, parameters, "size"))
	{
		foreach(quality, qualities)
			add_candidates(candidates, list, model, lfirst(size),
						   lfirst(quality));
	}
	if (candidates->count > 1)
		qsort(candidates->prices, candidates->count, sizeof(Numeric),
			  compare_prices);
}

/* How many requests the provider is asked for so many pictures. */
static int
calls_for(const BambiModel *model, int pictures)
{
	double		most = bambi_document_number(&model->capabilities->root,
											 "pictures_per_call", pictures);

	return most >= 1 && most < pictures ?
		(int) ((pictures + most - 1) / most) : 1;
}

static bool
has_price(const BambiPriceList *list, const JsonbValue *unit)
{
	return unit->type != jbvString ||
		price_of(list, pnstrdup(unit->val.string.val,
								unit->val.string.len)) != NULL;
}

/* Whether all units have a price that an object bills, if it bills any. */
static bool
bills_have_prices(JsonbContainer *object, const BambiPriceList *list)
{
	JsonbContainer *bills = bambi_document_container(object, "bills");

	if (bills == NULL)
		return true;
	for (uint32 i = 0; i < JsonContainerSize(bills); i++)
	{
		if (!has_price(list, getIthJsonbValueFromContainer(bills, i)))
			return false;
	}
	return true;
}

/* Whether what is charged beside the pictures is known. */
static bool
rest_has_prices(const BambiModel *model, const BambiPriceList *list,
				bool is_edit)
{
	JsonbContainer *root = &model->capabilities->root;
	JsonbContainer *edits = bambi_document_container(root, "inputs");

	return bills_have_prices(root, list) &&
		(!is_edit || edits == NULL || bills_have_prices(edits, list));
}

/* What each call reads: the prompt, and the pictures to edit. */
static Numeric
cost_of_reading(BambiEstimate *estimate, const BambiPriceList *list,
				int calls, int prompt_length, int inputs)
{
	Numeric		text_price = price_of(list, TEXT_INPUT);
	Numeric		input_price = price_of(list, INPUT_IMAGE);
	int			tokens = (prompt_length + CHARACTERS_PER_TOKEN - 1) /
	CHARACTERS_PER_TOKEN;
	Numeric		cost = int64_to_numeric(0);

	if (text_price)
		cost = plus(cost, of_tokens(text_price, (int64) tokens * calls));
	if (inputs > 0 && input_price)
		cost = plus(cost, times(input_price, (int64) inputs * calls));
	else if (inputs > 0)
		estimate->is_complete = false;
	return cost;
}

/* Pictures of the unfinished picture: as many as asked for at most. */
static Numeric
cost_of_partial_images(BambiEstimate *estimate, const BambiPriceList *list,
					   Jsonb *parameters, int pictures)
{
	Numeric		price = price_of(list, PARTIAL_IMAGE);
	double		asked = bambi_document_number(&parameters->root,
											  "partial_images", 0);

	if (asked > 0 && price)
		return times(price, (int64) asked * pictures);
	if (asked > 0)
		estimate->is_complete = false;
	return int64_to_numeric(0);
}

void
bambi_price_estimate(BambiEstimate *estimate, const BambiPriceList *list,
					 const BambiModel *model, Jsonb *parameters,
					 int prompt_length, int inputs)
{
	int			pictures = bambi_parameters_count(model, parameters);
	Candidates	candidates;
	Numeric		reading;
	Numeric		partial;

	memset(estimate, 0, sizeof(*estimate));
	find_candidates(&candidates, list, model, parameters);
	if (candidates.count == 0 ||
		bambi_parameters_are_unpriced(model, parameters))
		return;

	estimate->is_complete = !candidates.has_unknown &&
		rest_has_prices(model, list, inputs > 0);
	reading = cost_of_reading(estimate, list, calls_for(model, pictures),
							  prompt_length, inputs);
	partial = cost_of_partial_images(estimate, list, parameters, pictures);

	estimate->low =
		rounded(plus(times(candidates.prices[0], pictures), reading));
	estimate->expected =
		rounded(plus(plus(times(candidates.prices[candidates.count / 2],
								pictures), reading), partial));
	estimate->high =
		rounded(plus(plus(times(candidates.prices[candidates.count - 1],
								pictures), reading), partial));
}
