/*-------------------------------------------------------------------------
 *
 * registry.c
 *		All image stores.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "store.h"

static const StoreAdapter *const adapters[] = {
	&store_database,
};

const StoreAdapter *
store_find(const char *name)
{
	size_t		i;

	for (i = 0; i < sizeof(adapters) / sizeof(adapters[0]); i++)
	{
		if (strcmp(adapters[i]->name, name) == 0)
			return adapters[i];
	}
	return NULL;
}
