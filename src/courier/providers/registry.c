/*-------------------------------------------------------------------------
 *
 * registry.c
 *		The providers there are.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "provider.h"

/* A line for each: src/courier/providers/NAME.c defines provider_NAME. */
#define PROVIDERS \
	PROVIDER(google) \
	PROVIDER(openai) \
	PROVIDER(sandbox) \
	PROVIDER(vertex) \
	PROVIDER(xai)

#define PROVIDER(name) extern const ProviderAdapter provider_##name;
PROVIDERS
#undef PROVIDER

static const ProviderAdapter *const providers[] = {
#define PROVIDER(name) &provider_##name,
	PROVIDERS
#undef PROVIDER
};

const ProviderAdapter *
provider_find(const char *name)
{
	for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++)
	{
		if (strcmp(providers[i]->name, name) == 0)
			return providers[i];
	}
	return NULL;
}
