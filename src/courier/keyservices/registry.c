/*-------------------------------------------------------------------------
 *
 * registry.c
 *		All key services.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "keyservice.h"

static const KeyServiceAdapter *const adapters[] = {
	&keyservice_file,
	&keyservice_vault,
	&keyservice_awskms,
};

const KeyServiceAdapter *
keyservice_find(const char *name)
{
	size_t		i;

	for (i = 0; i < sizeof(adapters) / sizeof(adapters[0]); i++)
	{
		if (strcmp(adapters[i]->name, name) == 0)
			return adapters[i];
	}
	return NULL;
}
