/*-------------------------------------------------------------------------
 *
 * parameters.c
 *		Can this model do what the request asks for?
 *
 * models.capabilities holds a rule for each parameter (described at that
 * column); a request that breaks one is refused before anything is queued,
 * and told what would have been right.  What the rules do not say is left to
 * the provider.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "document.h"
#include "parameters.h"
#include "refuse.h"

/* No provider takes more; and a job must fit into a frame. */
#define MAX_PROMPT	32000
/* Cut there in messages. */
#define SHOWN_VALUE	64

#define MAX_SIDE	99999

/* Of a parameter that is a document, whatever its rule says: what reads the
 * job later has limits of its own. */
#define MAX_DOCUMENT	16384
#define MAX_NESTING		16

/* Digits that fit into an int8 for sure, and hold every int4. */
#define MAX_DIGITS	10

/* No model makes more of one request; a rule may have forgotten to say so. */
#define MAX_PICTURES	10000

/* Where a provider chooses by itself. */
#define AUTOMATIC	"auto"

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
			digits = bambi_document_digits(value);
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

/* A value as the name of a member. */
static char *
plain(const JsonbValue *value)
{
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	return shown(value);
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
	double		minimum = bambi_document_number(rule, "minimum", -INFINITY);
	double		maximum = bambi_document_number(rule, "maximum", INFINITY);

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
	double		ratio = bambi_document_number(free_size, "max_ratio", INFINITY);
	double		smallest = bambi_document_number(free_size, "min_area", -INFINITY);
	double		largest = bambi_document_number(free_size, "max_area", INFINITY);

	initStringInfo(&out);
	appendStringInfo(&out, "Allowed are %s%s",
					 values ? listed(values) : "",
					 values ? ", and other " : "");
	appendStringInfo(&out, "sizes WIDTHxHEIGHT with sides that are multiples of %.15g",
					 bambi_document_number(free_size, "multiple_of", 1));
	appendStringInfoString(&out, bound(" and at most %.15g",
									   bambi_document_number(free_size, "max_side",
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

static double
longest_document(JsonbContainer *rule)
{
	return Min(MAX_DOCUMENT,
			   bambi_document_number(rule, "max_length", MAX_DOCUMENT));
}

/* What would have been right, as a sentence. */
static char *
allowed(JsonbContainer *rule, const char *type)
{
	JsonbContainer *values = bambi_document_container(rule, "values");
	JsonbContainer *free_size = bambi_document_container(rule, "free");

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
	if (strcmp(type, "json") == 0)
		return psprintf("Allowed is an object or array of at most %.15g characters, nested %d deep at most.",
						longest_document(rule), MAX_NESTING);
	return psprintf("Allowed is a text%s.",
					bound(" of at most %.15g characters",
						  bambi_document_number(rule, "max_length", INFINITY)));
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

bool
bambi_size_read(const char *size, int length, int *width, int *height)
{
	const char *end = size + length;

	*width = read_side(&size, end);
	if (*width < 0 || size == end || *size++ != 'x')
		return false;
	*height = read_side(&size, end);
	return *height >= 0 && size == end;
}

static bool
size_is_allowed(JsonbContainer *free_size, const char *size, int length)
{
	int			width;
	int			height;
	double		area;
	double		multiple = bambi_document_number(free_size, "multiple_of", 1);

	if (!bambi_size_read(size, length, &width, &height))
		return false;

	area = (double) width * height;
	return fmod(width, multiple) == 0 && fmod(height, multiple) == 0 &&
		Max(width, height) <=
		bambi_document_number(free_size, "max_side", INFINITY) &&
		(double) Max(width, height) / Min(width, height) <=
		bambi_document_number(free_size, "max_ratio", INFINITY) &&
		area >= bambi_document_number(free_size, "min_area", 0) &&
		area <= bambi_document_number(free_size, "max_area", INFINITY);
}

/*
 * The digits count, not the value: what reads the parameter later takes 2
 * for a whole number, and 2.0 not.
 */
static bool
is_whole(const JsonbValue *value)
{
	const char *digits = bambi_document_digits(value);

	digits += (*digits == '-');
	return strspn(digits, "0123456789") == strlen(digits) &&
		strlen(digits) <= MAX_DIGITS;
}

/* Whether a document is as short and as flat as its rule wants it. */
static bool
is_small(JsonbContainer *rule, JsonbContainer *document)
{
	JsonbIterator *iterator = JsonbIteratorInit(document);
	JsonbValue	value;
	JsonbIteratorToken token;
	StringInfoData printed;
	int			depth = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
			depth++;
		if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
			depth--;
		if (depth > MAX_NESTING)
			return false;
	}
	initStringInfo(&printed);
	(void) JsonbToCString(&printed, document, 0);
	return pg_mbstrlen_with_len(printed.data, printed.len) <=
		longest_document(rule);
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
	if (strcmp(type, "json") == 0)
		return value->type == jbvBinary;
	elog(ERROR, "a model's capabilities have a parameter of unknown type \"%s\"",
		 type);
}

static bool
obeys(JsonbContainer *rule, const char *type, JsonbValue *value)
{
	JsonbContainer *values = bambi_document_container(rule, "values");
	JsonbContainer *free_size = bambi_document_container(rule, "free");

	if (!is_of_type(value, type))
		return false;
	if (value->type == jbvBinary)
		return is_small(rule, value->val.binary.data);
	if (values && findJsonbValueFromContainer(values, JB_FARRAY, value))
		return true;
	if (free_size)
		return size_is_allowed(free_size, value->val.string.val,
							   value->val.string.len);
	if (values)
		return false;
	if (value->type == jbvNumeric)
		return bambi_document_double(value) >= bambi_document_number(rule, "minimum", -INFINITY) &&
			bambi_document_double(value) <= bambi_document_number(rule, "maximum", INFINITY);
	if (value->type == jbvString)
		return pg_mbstrlen_with_len(value->val.string.val,
									value->val.string.len) <=
			bambi_document_number(rule, "max_length", INFINITY);
	return true;
}

/* The value that a parameter has: the given one, or its default. */
static JsonbValue *
effective(JsonbContainer *rules, JsonbContainer *given, const char *name,
		  JsonbValue *result)
{
	JsonbContainer *rule;

	if (bambi_document_member(given, name, result))
		return result;
	rule = bambi_document_container(rules, name);
	return rule ? bambi_document_member(rule, "default", result) : NULL;
}

/*
 * What other parameters must be for this one to have a meaning, or, where
 * value is given, for this value of it.
 */
static void
check_requirements(const BambiModel *model, const char *name,
				   const char *value, JsonbContainer *rules,
				   JsonbContainer *requires, JsonbContainer *given)
{
	JsonbIterator *iterator;
	JsonbValue	key;

	if (requires == NULL)
		return;
	iterator = JsonbIteratorInit(requires);
	(void) JsonbIteratorNext(&iterator, &key, true);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		char	   *other = pnstrdup(key.val.string.val, key.val.string.len);
		JsonbContainer *values = bambi_document_container(requires, other);
		JsonbValue	found;
		JsonbValue	unused;

		(void) JsonbIteratorNext(&iterator, &unused, true);
		if (values == NULL)
			continue;
		if (effective(rules, given, other, &found) == NULL ||
			found.type == jbvBinary ||
			findJsonbValueFromContainer(values, JB_FARRAY, &found) == NULL)
			bambi_refuse(BAMBI_BAD_VALUE,
						 psprintf("parameter \"%s\" of model \"%s\" needs another \"%s\"",
								  name, model->name, other),
						 psprintf("%s is allowed where \"%s\" is one of: %s.",
								  value ? value : "It", other, listed(values)),
						 NULL);
	}
}

/* "value_requires": the same, of the value that is given. */
static JsonbContainer *
requirements_of_value(JsonbContainer *rule, const JsonbValue *value)
{
	JsonbContainer *of_values = bambi_document_container(rule,
														 "value_requires");

	if (of_values == NULL || value->type == jbvBinary)
		return NULL;
	return bambi_document_container(of_values, plain(value));
}

static void
check_parameter(const BambiModel *model, JsonbContainer *rules,
				JsonbContainer *given, const char *name, JsonbValue *value)
{
	JsonbContainer *rule = bambi_document_container(rules, name);
	char	   *type;

	if (rule == NULL)
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("model \"%s\" has no parameter \"%s\"",
							  model->name, name),
					 psprintf("Its parameters are %s.", listed(rules)),
					 NULL);

	type = bambi_document_string(rule, "type");
	if (!obeys(rule, type ? type : "", value))
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("parameter \"%s\" of model \"%s\" cannot be %s",
							  name, model->name, shown(value)),
					 allowed(rule, type), NULL);

	check_requirements(model, name, NULL, rules,
					   bambi_document_container(rule, "requires"), given);
	check_requirements(model, name, shown(value), rules,
					   requirements_of_value(rule, value), given);
}

void
bambi_parameters_check(const BambiModel *model, Jsonb *parameters)
{
	JsonbContainer *rules = bambi_document_container(&model->capabilities->root,
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
	JsonbContainer *rules = bambi_document_container(&model->capabilities->root,
													 "parameters");
	JsonbValue	value;

	if (rules == NULL ||
		effective(rules, &parameters->root, "n", &value) == NULL ||
		value.type != jbvNumeric)
		return 1;
	return (int) Min(bambi_document_double(&value), MAX_PICTURES);
}

bool
bambi_parameters_are_unpriced(const BambiModel *model, Jsonb *parameters)
{
	JsonbContainer *rules = bambi_document_container(&model->capabilities->root,
													 "parameters");
	JsonbIterator *iterator = JsonbIteratorInit(&parameters->root);
	JsonbValue	key;
	JsonbValue	unused;

	(void) JsonbIteratorNext(&iterator, &key, true);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		JsonbContainer *rule = bambi_document_container(rules,
														pnstrdup(key.val.string.val,
																 key.val.string.len));

		(void) JsonbIteratorNext(&iterator, &unused, true);
		if (rule && bambi_document_truth(rule, "unpriced"))
			return true;
	}
	return false;
}

List *
bambi_parameters_may_be(const BambiModel *model, Jsonb *parameters,
						const char *name)
{
	JsonbContainer *rules = bambi_document_container(&model->capabilities->root,
													 "parameters");
	JsonbContainer *rule = rules ? bambi_document_container(rules, name) : NULL;
	JsonbContainer *values;
	JsonbIterator *iterator;
	JsonbValue	value;
	List	   *result = NIL;

	if (rule == NULL)
		return NIL;
	if (effective(rules, &parameters->root, name, &value) != NULL &&
		value.type != jbvBinary && strcmp(plain(&value), AUTOMATIC) != 0)
		return list_make1(plain(&value));

	values = bambi_document_container(rule, "values");
	if (values == NULL)
		return NIL;
	iterator = JsonbIteratorInit(values);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while (JsonbIteratorNext(&iterator, &value, true) == WJB_ELEM)
	{
		if (strcmp(plain(&value), AUTOMATIC) != 0)
			result = lappend(result, plain(&value));
	}
	return result;
}

Jsonb *
bambi_parameters_given(Jsonb *parameters)
{
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	value;
	Datum		result = JsonbPGetDatum(parameters);

	if (!JB_ROOT_IS_OBJECT(parameters))
		bambi_refuse(BAMBI_BAD_VALUE, "parameters must be a JSON object",
					 NULL, "For example '{\"size\": \"1024x1024\"}'.");

	/* not jsonb_strip_nulls, which looks into documents too */
	iterator = JsonbIteratorInit(&parameters->root);
	(void) JsonbIteratorNext(&iterator, &key, true);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type == jbvNull)
			result = DirectFunctionCall2(jsonb_delete, result,
										 PointerGetDatum(cstring_to_text_with_len(key.val.string.val,
																				  key.val.string.len)));
	}
	return DatumGetJsonbP(result);
}

int
bambi_prompt_check(const BambiModel *model, text *prompt)
{
	JsonbContainer *rule = bambi_document_container(&model->capabilities->root,
													"prompt");
	double		longest = MAX_PROMPT;
	int			length = pg_mbstrlen_with_len(VARDATA_ANY(prompt),
											  VARSIZE_ANY_EXHDR(prompt));

	if (rule)
		longest = Min(longest, bambi_document_number(rule, "max_length", MAX_PROMPT));
	if (length == 0)
		bambi_refuse(BAMBI_BAD_VALUE, "prompt is empty", NULL, NULL);
	if (length > longest)
		bambi_refuse(BAMBI_BAD_VALUE, "prompt is too long",
					 psprintf("It has %d characters; model \"%s\" takes %.0f.",
							  length, model->name, longest),
					 NULL);
	return length;
}
