/*-------------------------------------------------------------------------
 *
 * order_test.c
 *		A job's JSON is read whole, or refused; nothing in it is taken for
 *		granted.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "../../src/courier/order.h"
#include "check.h"

/* What every job has; a test changes a member. */
static json_t *
job(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:i}, s:{}, s:i, s:s, "
					 "s:s}",
					 "user", "u", "provider", "p", "model", "m", "prompt",
					 "a fawn", "base_url", "https://api.example/v1//",
					 "parameters", "n", 2, "settings", "tries", 3,
					 "adapter", "openai", "store", "filesystem");
}

/* Steals the reference. */
static bool
read_json(Order *order, Arena *arena, json_t *json)
{
	char	   *text = json_dumps(json, 0);
	bool		ok;

	memset(order, 0, sizeof(*order));
	ok = order_read(order, arena, text, strlen(text));
	/* nothing may be lent from the text */
	memset(text, '#', strlen(text));
	free(text);
	json_decref(json);
	return ok;
}

static bool
is_read_with(const char *name, json_t *value)
{
	Arena	   *arena = arena_create();
	json_t	   *json = job();
	Order		order;
	bool		ok;

	if (value != NULL)
		json_object_set_new(json, name, value);
	else
		json_object_del(json, name);
	ok = read_json(&order, arena, json);
	arena_destroy(arena);
	return ok;
}

static void
check_whole(void)
{
	Arena	   *arena = arena_create();
	json_t	   *json = job();
	Order		order;

	json_object_set_new(json, "networks",
						json_pack("[s, s]", "10.0.0.0/8", "fd00::/8"));
	json_object_set_new(json, "operator_settings",
						json_pack("{s:[s]}", "image_hosts", "*.example"));
	json_object_set_new(json, "inputs",
						json_pack("[{s:i, s:s, s:s}, {s:i, s:s, s:s}]",
								  "position", 0, "store", "filesystem",
								  "location", "a", "position", 2, "store",
								  "s3", "location", "b"));
	CHECK(read_json(&order, arena, json), "a whole job is read");
	CHECK(strcmp(order.user, "u") == 0 && strcmp(order.provider, "p") == 0 &&
		  strcmp(order.model, "m") == 0 &&
		  strcmp(order.prompt, "a fawn") == 0 && order.tries == 3,
		  "with who, what, and how often");
	CHECK(strcmp(order.base_url, "https://api.example/v1") == 0,
		  "an address has no slash at its end");
	CHECK(strcmp(order.adapter->name, "openai") == 0 &&
		  strcmp(order.store->name, "filesystem") == 0,
		  "adapter and store are found by their names");
	CHECK(json_integer_value(json_object_get(order.parameters, "n")) == 2 &&
		  json_is_array(json_object_get(order.operator_settings,
										"image_hosts")),
		  "parameters and the operator's settings are there");
	CHECK(order.range_count == 2, "and the networks");
	CHECK(order.stored_input_count == 2 &&
		  order.stored_inputs[0].position == 0 &&
		  strcmp(order.stored_inputs[1].store->name, "s3") == 0 &&
		  strcmp(order.stored_inputs[1].location, "b") == 0,
		  "and what a store keeps of what is edited");
	arena_destroy(arena);

	CHECK(is_read_with("base_url", NULL) && is_read_with("networks", NULL) &&
		  is_read_with("inputs", NULL) && is_read_with("tries", NULL),
		  "some may be missing");
}

static void
check_members(void)
{
	static const char *const needed[] = {
		"user", "provider", "model", "prompt", "parameters", "settings",
		"adapter", "store",
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		CHECK(!is_read_with(needed[i], NULL) &&
			  !is_read_with(needed[i], json_integer(1)) &&
			  !is_read_with(needed[i], json_null()),
			  "a job has a %s, of the right type", needed[i]);
	CHECK(!is_read_with("adapter", json_string("")) &&
		  !is_read_with("adapter", json_string("filesystem")),
		  "an unknown adapter is refused");
	CHECK(!is_read_with("store", json_string("openai")),
		  "so is an unknown store");
}

static json_t *
networks(int count)
{
	json_t	   *json = json_array();

	while (count-- > 0)
		json_array_append_new(json, json_string("10.0.0.0/8"));
	return json;
}

static void
check_networks(void)
{
	CHECK(is_read_with("networks", networks(64)) &&
		  !is_read_with("networks", networks(65)),
		  "networks have a limit");
	CHECK(!is_read_with("networks", json_pack("[s]", "10.0.0.0/33")) &&
		  !is_read_with("networks", json_pack("[s]", "example.com")) &&
		  !is_read_with("networks", json_pack("[i]", 10)),
		  "and each is a range of addresses");
}

static json_t *
inputs(int count, json_int_t position, const char *store, const char *location)
{
	json_t	   *json = json_array();

	while (count-- > 0)
		json_array_append_new(json, json_pack("{s:I, s:s, s:s*}",
											  "position", position, "store",
											  store, "location", location));
	return json;
}

static void
check_inputs(void)
{
	CHECK(is_read_with("inputs", inputs(MAX_INPUTS + 1, 1, "s3", "l")) &&
		  !is_read_with("inputs", inputs(MAX_INPUTS + 2, 1, "s3", "l")),
		  "there are no more pictures to edit than may be");
	CHECK(!is_read_with("inputs", inputs(1, 1, "nowhere", "l")),
		  "each in a store that is known");
	CHECK(!is_read_with("inputs", inputs(1, 1, "database", "l")),
		  "and that gives them back");
	CHECK(!is_read_with("inputs", inputs(1, 1, "s3", NULL)),
		  "with a location");
	CHECK(is_read_with("inputs", inputs(1, MAX_INPUTS, "s3", "l")) &&
		  !is_read_with("inputs", inputs(1, MAX_INPUTS + 1, "s3", "l")) &&
		  !is_read_with("inputs", inputs(1, -1, "s3", "l")) &&
		  !is_read_with("inputs", inputs(1, INT64_C(1) << 32, "s3", "l")),
		  "at a position that there is");
}

static void
check_text(const char *fact, const char *text)
{
	Arena	   *arena = arena_create();
	Order		order;

	memset(&order, 0, sizeof(order));
	CHECK(!order_read(&order, arena, text, strlen(text)), "refused: %s",
		  fact);
	arena_destroy(arena);
}

int
main(void)
{
	check_whole();
	check_members();
	check_networks();
	check_inputs();
	check_text("nothing", "");
	check_text("no JSON", "{\"user\":");
	check_text("no object", "[]");
	check_text("more than one object", "{}{}");
	return check_done();
}
