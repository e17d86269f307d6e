/*-------------------------------------------------------------------------
 *
 * order.c
 *		What a job's JSON says is to be done.
 *
 * SQL writes it (the worker's claim), and this is the one place that reads
 * it.
 *
 *-------------------------------------------------------------------------
 */
#include "order.h"

#include <string.h>

/* More ranges than any provider row should need. */
#define MAX_RANGES		64

static void
release_json(void *object)
{
	json_decref(object);
}

static const char *
text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static const char *
without_slash(Arena *arena, const char *url)
{
	size_t		len = url != NULL ? strlen(url) : 0;

	while (len > 0 && url[len - 1] == '/')
		len--;
	return len > 0 ? arena_strndup(arena, url, len) : "";
}

static bool
read_networks(Order *order, Arena *arena, const json_t *networks)
{
	size_t		count = json_array_size(networks);

	if (count > MAX_RANGES)
		return false;
	if (count > 0)
		order->ranges = arena_alloc(arena, count * sizeof(AddressRange));
	for (size_t i = 0; i < count; i++)
	{
		const char *cidr = json_string_value(json_array_get(networks, i));

		if (cidr == NULL ||
			!address_parse_range(cidr, &order->ranges[order->range_count++]))
			return false;
	}
	return true;
}

static bool
read_stored_inputs(Order *order, const json_t *inputs)
{
	size_t		i;
	json_t	   *input;

	json_array_foreach(inputs, i, input)
	{
		StoredInput *to = &order->stored_inputs[order->stored_input_count];
		const char *store = text_of(input, "store");
		json_int_t	position;

		position = json_integer_value(json_object_get(input, "position"));
		if (order->stored_input_count == MAX_INPUTS + 1 || store == NULL ||
			position < 0 || position > MAX_INPUTS)
			return false;
		to->position = (int) position;
		to->store = store_find(store);
		to->location = text_of(input, "location");
		if (to->store == NULL || to->store->get == NULL ||
			to->location == NULL)
			return false;
		order->stored_input_count++;
	}
	return true;
}

bool
order_read_provider(Order *order, Arena *arena, const json_t *json)
{
	const char *adapter = text_of(json, "adapter");

	order->user = text_of(json, "user");
	order->provider = text_of(json, "provider");
	order->model = text_of(json, "model");
	order->base_url = without_slash(arena, text_of(json, "base_url"));
	order->settings = json_object_get(json, "settings");
	order->operator_settings = json_object_get(json, "operator_settings");
	if (order->user == NULL || order->provider == NULL || adapter == NULL ||
		!json_is_object(order->settings))
		return false;

	order->adapter = provider_find(adapter);
	return order->adapter != NULL &&
		read_networks(order, arena, json_object_get(json, "networks"));
}

bool
order_read(Order *order, Arena *arena, const char *text, size_t len)
{
	json_t	   *json = json_loadb(text, len, 0, NULL);
	const char *store;

	if (json == NULL)
		return false;
	arena_on_destroy(arena, release_json, json);
	if (!order_read_provider(order, arena, json))
		return false;

	order->prompt = text_of(json, "prompt");
	order->parameters = json_object_get(json, "parameters");
	order->tries = (int) json_integer_value(json_object_get(json, "tries"));
	store = text_of(json, "store");
	if (order->model == NULL || order->prompt == NULL || store == NULL ||
		!json_is_object(order->parameters))
		return false;

	order->store = store_find(store);
	return order->store != NULL &&
		read_stored_inputs(order, json_object_get(json, "inputs"));
}
