/*-------------------------------------------------------------------------
 *
 * registry.c
 *		The providers there are.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "provider.h"

static const ProviderAdapter *const providers[] = {
	&provider_openai,
	&provider_sandbox,
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
