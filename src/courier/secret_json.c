/*-------------------------------------------------------------------------
 *
 * secret_json.c
 *		Reads JSON in which there are secrets.
 *
 *-------------------------------------------------------------------------
 */
#include "secret_json.h"

#include "body.h"
#include "secret.h"

json_t *
secret_json_parse(const char *text, size_t len)
{
	json_malloc_t allocate;
	json_free_t plain_free;
	json_t	   *json;

	if (!body_depth_is_fine(text, len))
		return NULL;
	json_get_alloc_funcs(&allocate, &plain_free);
	json_set_alloc_funcs(allocate, secret_free);
	json = json_loadb(text, len, 0, NULL);
	json_set_alloc_funcs(allocate, plain_free);
	return json;
}

void
secret_json_release(json_t *json)
{
	json_malloc_t allocate;
	json_free_t plain_free;

	json_get_alloc_funcs(&allocate, &plain_free);
	json_set_alloc_funcs(allocate, secret_free);
	json_decref(json);
	json_set_alloc_funcs(allocate, plain_free);
}
