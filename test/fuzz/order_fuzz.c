/*-------------------------------------------------------------------------
 *
 * order_fuzz.c
 *		Whatever JSON a job is, its order is read whole or not at all.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "../../src/courier/order.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Arena	   *arena = arena_create();
	Order		order;

	memset(&order, 0, sizeof(order));
	if (order_read(&order, arena, (const char *) data, size))
	{
		size_t		len = strlen(order.base_url);

		insist(order.user != NULL && order.provider != NULL &&
			   order.model != NULL && order.prompt != NULL);
		insist(order.adapter != NULL && order.store != NULL);
		insist(len == 0 || order.base_url[len - 1] != '/');
		insist(order.stored_input_count <= MAX_INPUTS + 1);
		for (int i = 0; i < order.stored_input_count; i++)
			insist(order.stored_inputs[i].store->get != NULL &&
				   order.stored_inputs[i].location != NULL &&
				   order.stored_inputs[i].position >= 0 &&
				   order.stored_inputs[i].position <= MAX_INPUTS);
		for (int i = 0; i < order.range_count; i++)
			insist(order.ranges != NULL);
	}
	arena_destroy(arena);
	return 0;
}
