/*-------------------------------------------------------------------------
 *
 * secret_json.h
 *		Reads JSON in which there are secrets.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SECRET_JSON_H
#define BAMBI_SECRET_JSON_H

#include <jansson.h>
#include <stddef.h>

/*
 * With memory that is wiped when it is freed, since the parser's copies hold
 * secrets; NULL if it is no JSON, or too deep.  To be freed with
 * secret_json_release alone.
 */
extern json_t *secret_json_parse(const char *text, size_t len);
extern void secret_json_release(json_t *json);

#endif							/* BAMBI_SECRET_JSON_H */
