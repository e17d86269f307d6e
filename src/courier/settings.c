/*-------------------------------------------------------------------------
 *
 * settings.c
 *		What the worker's SETTINGS frame says.
 *
 *-------------------------------------------------------------------------
 */
#include "settings.h"

#include <stdio.h>
#include <string.h>

#include "../protocol/frame.h"

/* As BAMBI_MAX_IN_FLIGHT on the other side of the socket. */
#define MAX_IN_FLIGHT	4096
#define MAX_TIMEOUT_MS	(24L * 60 * 60 * 1000)

static void read_number(const json_t *json, const char *name, json_int_t min,
						json_int_t max, json_int_t *value);
static void read_text(const json_t *json, const char *name, char *out,
					  size_t size);

void
settings_set_defaults(Settings *settings)
{
	memset(settings, 0, sizeof(*settings));
	settings->max_in_flight = 256;
	settings->call_timeout_ms = 300 * 1000;
	settings->max_response_bytes = 64 * 1024 * 1024;
	settings->byte_budget = 64 * 1024 * 1024;
	settings->shutdown_grace_ms = 10 * 1000;
}

bool
settings_read(Settings *settings, const char *json, size_t len)
{
	json_t	   *object = json_loadb(json, len, 0, NULL);
	json_int_t	number;

	if (!json_is_object(object))
	{
		json_decref(object);
		return false;
	}

	number = settings->max_in_flight;
	read_number(object, "max_in_flight", 1, MAX_IN_FLIGHT, &number);
	settings->max_in_flight = (int) number;
	number = settings->call_timeout_ms;
	read_number(object, "call_timeout_ms", 1, MAX_TIMEOUT_MS, &number);
	settings->call_timeout_ms = (long) number;
	number = (json_int_t) settings->max_response_bytes;
	read_number(object, "max_response_bytes", 1024, FRAME_MAX_PICTURE,
				&number);
	settings->max_response_bytes = (size_t) number;
	number = (json_int_t) settings->byte_budget;
	read_number(object, "byte_budget", 0, INT64_MAX / 2, &number);
	settings->byte_budget = (size_t) number;
	number = settings->shutdown_grace_ms;
	read_number(object, "shutdown_grace_ms", 0, MAX_TIMEOUT_MS, &number);
	settings->shutdown_grace_ms = (long) number;

	read_text(object, "ca_file", settings->ca_file,
			  sizeof(settings->ca_file));
	read_text(object, "key_service", settings->key_service,
			  sizeof(settings->key_service));
	read_text(object, "debug_points", settings->debug_points,
			  sizeof(settings->debug_points));

	json_decref(settings->keys);
	settings->keys = object;
	return true;
}

static void
read_number(const json_t *json, const char *name, json_int_t min,
			json_int_t max, json_int_t *value)
{
	const json_t *member = json_object_get(json, name);

	if (json_is_integer(member) && json_integer_value(member) >= min &&
		json_integer_value(member) <= max)
		*value = json_integer_value(member);
}

static void
read_text(const json_t *json, const char *name, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(json, name));

	if (text != NULL && strlen(text) < size)
		snprintf(out, size, "%s", text);
}
