/*-------------------------------------------------------------------------
 *
 * document.c
 *		What does this JSON document have under that name?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "document.h"

Jsonb *
bambi_document_parse(const char *json)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
											  CStringGetDatum(json)));
}

JsonbValue *
bambi_document_member(JsonbContainer *object, const char *name,
					  JsonbValue *result)
{
	return getKeyJsonValueFromContainer(object, name, strlen(name), result);
}

JsonbContainer *
bambi_document_container(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	if (bambi_document_member(object, name, &value) == NULL ||
		value.type != jbvBinary)
		return NULL;
	return value.val.binary.data;
}

char *
bambi_document_string(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	if (bambi_document_member(object, name, &value) == NULL ||
		value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

char *
bambi_document_digits(const JsonbValue *value)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out,
											   NumericGetDatum(value->val.numeric)));
}

double
bambi_document_double(const JsonbValue *value)
{
	/* unlike numeric_float8, this does not throw for what is too big */
	return strtod(bambi_document_digits(value), NULL);
}

double
bambi_document_number(JsonbContainer *object, const char *name,
					  double otherwise)
{
	JsonbValue	value;

	if (bambi_document_member(object, name, &value) == NULL ||
		value.type != jbvNumeric)
		return otherwise;
	return bambi_document_double(&value);
}

bool
bambi_document_truth(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	return bambi_document_member(object, name, &value) != NULL &&
		value.type == jbvBool && value.val.boolean;
}
