/*-------------------------------------------------------------------------
 *
 * settings.h
 *		What the worker's SETTINGS frame says.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_COURIER_SETTINGS_H
#define BAMBI_COURIER_SETTINGS_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Settings
{
	int			max_in_flight;
	long		call_timeout_ms;
	size_t		max_response_bytes;
	size_t		byte_budget;	/* for pictures that arrive or wait */
	long		shutdown_grace_ms;
	char		ca_file[PATH_MAX];	/* empty: the system's */
	char		key_service[64];	/* empty: none */
	char		debug_points[PATH_MAX];
	json_t	   *keys;			/* all of the frame, for the key service */
} Settings;

extern void settings_set_defaults(Settings *settings);

/*
 * Takes over what the frame says; what is absent or out of range stays as it
 * was.  False, and nothing changed, if it is no JSON object.
 */
extern bool settings_read(Settings *settings, const char *json, size_t len);

#endif							/* BAMBI_COURIER_SETTINGS_H */
