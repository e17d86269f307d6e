/*-------------------------------------------------------------------------
 *
 * stores.c
 *		The image stores and the archive as they are configured, with their
 *		credentials.
 *
 *-------------------------------------------------------------------------
 */
#include "stores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "archive_name.h"
#include "link.h"
#include "../protocol/secret_file.h"

/* An operator lists a network or two. */
#define MAX_RANGES	32

/* What is known of a store; its place is that of the registry. */
typedef struct State
{
	const Secret *secret;		/* or NULL; in arena */
	char		problem[FAULT_MESSAGE_MAX + 1]; /* empty: none */
	char		said[FAULT_MESSAGE_MAX + 1];	/* in the log, last */
} State;

static State *states;			/* as many as there are stores */
static const StoreAdapter *archive_store;	/* or NULL */
static State archive_state;		/* of what it needs for the archive */
static json_t *store_settings;
static Arena *arena;			/* of all credentials */

static AddressRange ranges[MAX_RANGES];
static int	range_count;
static char said_of_ranges[FAULT_MESSAGE_MAX + 1];

static const char *
setting(const char *name)
{
	const char *text = json_string_value(json_object_get(store_settings,
														 name));

	return text != NULL ? text : "";
}

/* Each thing that is wrong only once. */
static void
say(char *said, const char *problem)
{
	if (strcmp(said, problem) == 0)
		return;
	snprintf(said, FAULT_MESSAGE_MAX + 1, "%s", problem);
	if (problem[0] != '\0')
		link_log(LEVEL_WARNING, "%s", problem);
}

static void
read_credentials(const StoreAdapter *store, State *state)
{
	const char *path = setting(store->credentials_setting);
	uint8_t		bytes[SECRET_FILE_MAX];
	const char *problem;
	size_t		len;

	if (path[0] == '\0')
	{
		snprintf(state->problem, sizeof(state->problem),
				 "bambi.%s is not set", store->credentials_setting);
		return;
	}
	problem = secret_file_read(path, setting("data_directory"), bytes, &len);
	if (problem != NULL)
	{
		snprintf(state->problem, sizeof(state->problem),
				 "the file of bambi.%s%s", store->credentials_setting,
				 problem);
		return;
	}
	/* an editor's newline belongs to no key */
	while (len > 0 && strchr(" \t\r\n", bytes[len - 1]) != NULL)
		len--;
	state->secret = secret_create(arena, bytes, len);
	OPENSSL_cleanse(bytes, sizeof(bytes));
}

static void
read_store(const StoreAdapter *store, State *state)
{
	const char *problem = store->check != NULL ?
	store->check(store_settings) : NULL;

	state->secret = NULL;
	state->problem[0] = '\0';
	if (problem != NULL)
		snprintf(state->problem, sizeof(state->problem), "%s", problem);
	else if (store->credentials_setting != NULL)
		read_credentials(store, state);

	/* a store that nobody wants has nothing wrong with it */
	if (store->own_setting != NULL && setting(store->own_setting)[0] != '\0')
		say(state->said, state->problem);
	else
		state->said[0] = '\0';
}

/* No archive is nothing wrong, but to whoever asks for it. */
static void
read_archive(void)
{
	const char *name = setting("archive_store");
	const char *problem = NULL;
	State	   *state = &archive_state;

	archive_store = store_find(name);
	state->secret = NULL;
	state->problem[0] = '\0';
	if (archive_store == NULL || archive_store->archive == NULL)
	{
		archive_store = NULL;
		problem = name[0] == '\0' ? "bambi.archive_store is not set" :
			"bambi.archive_store names no store that keeps an archive";
	}
	else
		problem = archive_store->archive->check(store_settings);
	if (problem == NULL)
		problem = archive_prefix_problem(store_settings);
	if (problem != NULL)
		snprintf(state->problem, sizeof(state->problem), "%s", problem);
	else if (archive_store->credentials_setting != NULL)
		read_credentials(archive_store, state);
	say(state->said, name[0] != '\0' ? state->problem : "");
}

static void
read_ranges(const char *list)
{
	static const char name[] = "bambi.store_networks";
	char		problem[FAULT_MESSAGE_MAX + 1];
	size_t		len = strlen(name);

	memcpy(problem, name, len);
	memset(ranges, 0, sizeof(ranges));
	range_count = address_parse_list(list, ranges, MAX_RANGES, problem + len,
									 sizeof(problem) - len);
	if (problem[len] == '\0')
		problem[0] = '\0';
	say(said_of_ranges, problem);
}

void
stores_configure(const Settings *settings)
{
	int			count = 0;
	int			i;

	stores_forget();
	store_settings = json_incref(settings->keys);
	arena = arena_create();

	while (store_at(count) != NULL)
		count++;
	if (states == NULL)
		states = calloc((size_t) count, sizeof(State));
	if (states == NULL)
		abort();
	for (i = 0; i < count; i++)
		read_store(store_at(i), &states[i]);
	read_archive();
	read_ranges(setting("store_networks"));
}

static State *
state_of(const StoreAdapter *store)
{
	int			i = 0;

	while (store_at(i) != store)
		i++;
	return &states[i];
}

const char *
stores_problem(const StoreAdapter *store)
{
	if (arena == NULL)
		return "the settings have not come yet";
	return state_of(store)->problem[0] != '\0' ?
		state_of(store)->problem : NULL;
}

static void
release_json(void *object)
{
	json_decref(object);
}

static void
prepare(const State *state, Exchange *x)
{
	const Secret *secret = arena != NULL ? state->secret : NULL;

	x->base_url = "";
	x->settings = store_settings;
	arena_on_destroy(x->arena, release_json, json_incref(store_settings));
	x->secret = secret != NULL ?
		secret_create(x->arena, secret->bytes, secret->len) : NULL;
}

void
stores_prepare(const StoreAdapter *store, Exchange *x)
{
	prepare(state_of(store), x);
	x->is_archive = false;
}

const ArchiveAdapter *
stores_archive(const char **problem)
{
	if (arena == NULL)
		*problem = "the settings have not come yet";
	else
		*problem = archive_state.problem[0] != '\0' ? archive_state.problem :
			NULL;
	return *problem == NULL ? archive_store->archive : NULL;
}

void
stores_prepare_archive(Exchange *x)
{
	prepare(&archive_state, x);
	x->is_archive = true;
}

const AddressRange *
stores_ranges(int *count)
{
	*count = range_count;
	return ranges;
}

void
stores_forget(void)
{
	if (arena == NULL)
		return;
	arena_destroy(arena);
	arena = NULL;
	json_decref(store_settings);
	store_settings = NULL;
}
