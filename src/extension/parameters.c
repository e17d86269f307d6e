/*-------------------------------------------------------------------------
 *
 * parameters.c
 *		Can this model do what the request asks for?
 *
 * models.capabilities holds a rule for each parameter (described at that
 * column); a request that breaks one is refused before anything is queued,
 * and told what would have been right.  What the rules do not say, such as
 * what depends on two parameters at once, is left to the provider.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "parameters.h"
#include "refuse.h"

/* No provider takes more; and a job must fit into a frame. */
#define MAX_PROMPT	32000
/* Cut there in messages. */
#define SHOWN_VALUE	64

#define MAX_SIDE	99999

static JsonbValue *
member(JsonbContainer *object, const char *name, JsonbValue *result)
{
	return getKeyJsonValueFromContainer(object, name, strlen(name), result);
}

/* A member that is an object or an array; NULL if it is anything else. */
static JsonbContainer *
container_member(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	if (member(object, name, &value) == NULL || value.type != jbvBinary)
		return NULL;
	return value.val.binary.data;
}

static char *
string_member(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	if (member(object, name, &value) == NULL || value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

static char *
digits_of(const JsonbValue *value)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out,
											   NumericGetDatum(value->val.numeric)));
}

static double
number_of(const JsonbValue *value)
{
	/* unlike numeric_float8, this does not throw for what is too big */
	return strtod(digits_of(value), NULL);
}

/* Infinity, with the sign given, where there is no such number. */
static double
number_member(JsonbContainer *object, const char *name, double otherwise)
{
	JsonbValue	value;

	if (member(object, name, &value) == NULL || value.type != jbvNumeric)
		return otherwise;
	return number_of(&value);
}

/* A value as messages show it: short, without its quotes. */
static char *
shown(const JsonbValue *value)
{
	char	   *digits;
	int			length;

	switch (value->type)
	{
		case jbvString:
			length = pg_mbcliplen(value->val.string.val,
								  value->val.string.len, SHOWN_VALUE);
			return psprintf("\"%.*s%s\"", length, value->val.string.val,
							length < value->val.string.len ? "..." : "");
		case jbvNumeric:
			digits = digits_of(value);
			if (strlen(digits) > SHOWN_VALUE)
				strcpy(digits + SHOWN_VALUE - 3, "...");
			return digits;
		case jbvBool:
			return value->val.boolean ? "true" : "false";
		case jbvNull:
			return "null";
		default:
			return "an object or array";
	}
}

/* "a, b, c" of an array's elements or an object's names. */
static char *
listed(JsonbContainer *container)
{
	StringInfoData out;
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbValue	value;
	JsonbIteratorToken token;

	initStringInfo(&out);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token != WJB_KEY && token != WJB_ELEM)
			continue;
		if (out.len > 0)
			appendStringInfoString(&out, ", ");
		if (value.type == jbvString)
			appendBinaryStringInfo(&out, value.val.string.val,
								   value.val.string.len);
		else
			appendStringInfoString(&out, shown(&value));
	}
	return out.data;
}

/* "%s" of a bound, or an empty string where there is none. */
static char *
bound(const char *format, double limit)
{
	return isinf(limit) ? "" : psprintf(format, limit);
}

static char *
allowed_numbers(JsonbContainer *rule, const char *kind)
{
	double		minimum = number_member(rule, "minimum", -INFINITY);
	double		maximum = number_member(rule, "maximum", INFINITY);

	if (!isinf(minimum) && !isinf(maximum))
		return psprintf("Allowed is %s from %.15g to %.15g.", kind, minimum,
						maximum);
	return psprintf("Allowed is %s%s%s.", kind,
					bound(" from %.15g", minimum),
					bound(" up to %.15g", maximum));
}

static char *
allowed_sizes(JsonbContainer *values, JsonbContainer *free_size)
{
	StringInfoData out;
	double		ratio = number_member(free_size, "max_ratio", INFINITY);
	double		smallest = number_member(free_size, "min_area", -INFINITY);
	double		largest = number_member(free_size, "max_area", INFINITY);

	initStringInfo(&out);
	appendStringInfo(&out, "Allowed are %s%s",
					 values ? listed(values) : "",
					 values ? ", and other " : "");
	appendStringInfo(&out, "sizes WIDTHxHEIGHT with sides that are multiples of %.15g",
					 number_member(free_size, "multiple_of", 1));
	appendStringInfoString(&out, bound(" and at most %.15g",
									   number_member(free_size, "max_side",
													 INFINITY)));
	appendStringInfoString(&out, bound(", at most %.15g:1", ratio));
	if (!isinf(smallest) && !isinf(largest))
		appendStringInfo(&out, ", with %.15g to %.15g pixels", smallest,
						 largest);
	else
	{
		appendStringInfoString(&out, bound(", with %.15g pixels or more",
										   smallest));
		appendStringInfoString(&out, bound(", with at most %.15g pixels",
										   largest));
	}
	appendStringInfoChar(&out, '.');
	return out.data;
}

/* What would have been right, as a sentence. */
static char *
allowed(JsonbContainer *rule, const char *type)
{
	JsonbContainer *values = container_member(rule, "values");
	JsonbContainer *free_size = container_member(rule, "free");

	if (free_size)
		return allowed_sizes(values, free_size);
	if (values)
		return psprintf("Allowed are %s.", listed(values));
	if (strcmp(type, "integer") == 0)
		return allowed_numbers(rule, "a whole number");
	if (strcmp(type, "number") == 0)
		return allowed_numbers(rule, "a number");
	if (strcmp(type, "boolean") == 0)
		return "Allowed are true, false.";
	return psprintf("Allowed is a text%s.",
					bound(" of at most %.15g characters",
						  number_member(rule, "max_length", INFINITY)));
}

/* Digits up to something else; moves on to that.  -1 if there are none. */
static int
read_side(const char **at, const char *end)
{
	const char *start = *at;
	int			side = 0;

	while (*at < end && **at >= '0' && **at <= '9' && side <= MAX_SIDE)
		side = side * 10 + *(*at)++ - '0';
	return *at == start || *start == '0' ? -1 : side;
}

static bool
size_is_allowed(JsonbContainer *free_size, const char *size, int length)
{
	const char *end = size + length;
	int			width = read_side(&size, end);
	int			height;
	double		area;
	double		multiple = number_member(free_size, "multiple_of", 1);

	if (width < 0 || size == end || *size++ != 'x')
		return false;
	height = read_side(&size, end);
	if (height < 0 || size != end)
		return false;

	area = (double) width * height;
	return fmod(width, multiple) == 0 && fmod(height, multiple) == 0 &&
		Max(width, height) <= number_member(free_size, "max_side", INFINITY) &&
		(double) Max(width, height) / Min(width, height) <=
		number_member(free_size, "max_ratio", INFINITY) &&
		area >= number_member(free_size, "min_area", 0) &&
		area <= number_member(free_size, "max_area", INFINITY);
}

/*
 * The digits count, not the value: what reads the parameter later takes 2
 * for a whole number, and 2.0 not.
 */
static bool
is_whole(const JsonbValue *value)
{
	const char *digits = digits_of(value);

	return strspn(digits, "-0123456789") == strlen(digits) &&
		strlen(digits) < 10;
}

static bool
is_of_type(const JsonbValue *value, const char *type)
{
	if (strcmp(type, "string") == 0 || strcmp(type, "size") == 0)
		return value->type == jbvString;
	if (strcmp(type, "integer") == 0)
		return value->type == jbvNumeric && is_whole(value);
	if (strcmp(type, "number") == 0)
		return value->type == jbvNumeric;
	if (strcmp(type, "boolean") == 0)
		return value->type == jbvBool;
	elog(ERROR, "a model's capabilities have a parameter of unknown type \"%s\"",
		 type);
}

static bool
obeys(JsonbContainer *rule, const char *type, JsonbValue *value)
{
	JsonbContainer *values = container_member(rule, "values");
	JsonbContainer *free_size = container_member(rule, "free");

	if (!is_of_type(value, type))
		return false;
	if (values && findJsonbValueFromContainer(values, JB_FARRAY, value))
		return true;
	if (free_size)
		return size_is_allowed(free_size, value->val.string.val,
							   value->val.string.len);
	if (values)
		return false;
	if (value->type == jbvNumeric)
		return number_of(value) >= number_member(rule, "minimum", -INFINITY) &&
			number_of(value) <= number_member(rule, "maximum", INFINITY);
	if (value->type == jbvString)
		return pg_mbstrlen_with_len(value->val.string.val,
									value->val.string.len) <=
			number_member(rule, "max_length", INFINITY);
	return true;
}

/* The value that a parameter has: the given one, or its default. */
static JsonbValue *
effective(JsonbContainer *rules, JsonbContainer *given, const char *name,
		  JsonbValue *result)
{
	JsonbContainer *rule;

	if (member(given, name, result))
		return result;
	rule = container_member(rules, name);
	return rule ? member(rule, "default", result) : NULL;
}

/* "requires": what other parameters must be for this one to have a meaning. */
static void
check_requirements(const BambiModel *model, const char *name,
				   JsonbContainer *rules, JsonbContainer *rule,
				   JsonbContainer *given)
{
	JsonbContainer *requires = container_member(rule, "requires");
	JsonbIterator *iterator;
	JsonbValue	key;

	if (requires == NULL)
		return;
	iterator = JsonbIteratorInit(requires);
	(void) JsonbIteratorNext(&iterator, &key, true);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		char	   *other = pnstrdup(key.val.string.val, key.val.string.len);
		JsonbContainer *values = container_member(requires, other);
		JsonbValue	value;
		JsonbValue	unused;

		(void) JsonbIteratorNext(&iterator, &unused, true);
		if (values == NULL)
			continue;
		if (effective(rules, given, other, &value) == NULL ||
			findJsonbValueFromContainer(values, JB_FARRAY, &value) == NULL)
			bambi_refuse(BAMBI_BAD_VALUE,
						 psprintf("parameter \"%s\" of model \"%s\" needs another \"%s\"",
								  name, model->name, other),
						 psprintf("It is allowed where \"%s\" is one of: %s.",
								  other, listed(values)),
						 NULL);
	}
}

static void
check_parameter(const BambiModel *model, JsonbContainer *rules,
				JsonbContainer *given, const char *name, JsonbValue *value)
{
	JsonbContainer *rule = container_member(rules, name);
	char	   *type;

	if (rule == NULL)
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("model \"%s\" has no parameter \"%s\"",
							  model->name, name),
					 psprintf("Its parameters are %s.", listed(rules)),
					 NULL);

	type = string_member(rule, "type");
	if (!obeys(rule, type ? type : "", value))
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("parameter \"%s\" of model \"%s\" cannot be %s",
							  name, model->name, shown(value)),
					 allowed(rule, type), NULL);

	check_requirements(model, name, rules, rule, given);
}

void
bambi_parameters_check(const BambiModel *model, Jsonb *parameters)
{
	JsonbContainer *rules = container_member(&model->capabilities->root,
											 "parameters");
	JsonbIterator *iterator = JsonbIteratorInit(&parameters->root);
	JsonbValue	key;
	JsonbValue	value;

	if (rules == NULL)
		elog(ERROR, "a model's capabilities list no parameters");

	(void) JsonbIteratorNext(&iterator, &key, true);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		char	   *name;

		(void) JsonbIteratorNext(&iterator, &value, true);
		name = pnstrdup(key.val.string.val,
						pg_mbcliplen(key.val.string.val, key.val.string.len,
									 SHOWN_VALUE));
		check_parameter(model, rules, &parameters->root, name, &value);
	}
}

int
bambi_parameters_count(const BambiModel *model, Jsonb *parameters)
{
	JsonbContainer *rules = container_member(&model->capabilities->root,
											 "parameters");
	JsonbValue	value;

	if (rules == NULL ||
		effective(rules, &parameters->root, "n", &value) == NULL ||
		value.type != jbvNumeric)
		return 1;
	return (int) number_of(&value);
}

Jsonb *
bambi_parameters_given(Jsonb *parameters)
{
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken token;

	if (!JB_ROOT_IS_OBJECT(parameters))
		bambi_refuse(BAMBI_BAD_VALUE, "parameters must be a JSON object",
					 NULL, "For example '{\"size\": \"1024x1024\"}'.");

	iterator = JsonbIteratorInit(&parameters->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_VALUE && value.type == jbvNull)
			return DatumGetJsonbP(DirectFunctionCall1(jsonb_strip_nulls,
													  JsonbPGetDatum(parameters)));
	}
	return parameters;
}

int
bambi_prompt_check(const BambiModel *model, text *prompt)
{
	JsonbContainer *rule = container_member(&model->capabilities->root,
											"prompt");
	double		longest = MAX_PROMPT;
	int			length = pg_mbstrlen_with_len(VARDATA_ANY(prompt),
											  VARSIZE_ANY_EXHDR(prompt));

	if (rule)
		longest = Min(longest, number_member(rule, "max_length", MAX_PROMPT));
	if (length == 0)
		bambi_refuse(BAMBI_BAD_VALUE, "prompt is empty", NULL, NULL);
	if (length > longest)
		bambi_refuse(BAMBI_BAD_VALUE, "prompt is too long",
					 psprintf("It has %d characters; model \"%s\" takes %.0f.",
							  length, model->name, longest),
					 NULL);
	return length;
}
