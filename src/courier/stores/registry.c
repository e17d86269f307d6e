/*-------------------------------------------------------------------------
 *
 * registry.c
 *		All image stores.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "store.h"

/* A line for each: src/courier/stores/NAME.c defines store_NAME. */
#define STORES \
	STORE(database) \
	STORE(filesystem)

#define STORE(name) extern const StoreAdapter store_##name;
STORES
#undef STORE

static const StoreAdapter *const adapters[] = {
#define STORE(name) &store_##name,
	STORES
#undef STORE
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
