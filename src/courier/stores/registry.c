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
	STORE(filesystem) \
	STORE(s3) \
	STORE(supabase)

#define STORE(name) extern const StoreAdapter store_##name;
STORES
#undef STORE

static const StoreAdapter *const adapters[] = {
#define STORE(name) &store_##name,
	STORES
#undef STORE
};

#define STORE_COUNT	((int) (sizeof(adapters) / sizeof(adapters[0])))

const StoreAdapter *
store_at(int place)
{
	return place < STORE_COUNT ? adapters[place] : NULL;
}

const StoreAdapter *
store_find(const char *name)
{
	int			i;

	for (i = 0; i < STORE_COUNT; i++)
	{
		if (strcmp(adapters[i]->name, name) == 0)
			return adapters[i];
	}
	return NULL;
}
