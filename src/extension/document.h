/*-------------------------------------------------------------------------
 *
 * document.h
 *		Members of a JSON document.
 *
 * What is missing and what has another type than expected are the same to
 * its readers: it is not there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_DOCUMENT_H
#define BAMBI_DOCUMENT_H

#include "utils/jsonb.h"

/* A document of our own making: what is none is an error. */
extern Jsonb *bambi_document_parse(const char *json);

/* A member of any type, in *result; NULL if there is none. */
extern JsonbValue *bambi_document_member(JsonbContainer *object,
										 const char *name,
										 JsonbValue *result);

/* A member that is an object or an array, else NULL. */
extern JsonbContainer *bambi_document_container(JsonbContainer *object,
												const char *name);

/* A member that is a string, copied, else NULL. */
extern char *bambi_document_string(JsonbContainer *object, const char *name);

/* A member that is a number, else the value given. */
extern double bambi_document_number(JsonbContainer *object, const char *name,
									double otherwise);

/* True only if the member is. */
extern bool bambi_document_truth(JsonbContainer *object, const char *name);

/* A number as its digits, and as a double: infinity if that is too small. */
extern char *bambi_document_digits(const JsonbValue *value);
extern double bambi_document_double(const JsonbValue *value);

#endif							/* BAMBI_DOCUMENT_H */
