/*-------------------------------------------------------------------------
 *
 * store.c
 *		Puts pictures into an image store as the courier does, with its own
 *		engine and settings.
 *
 *	store SETTINGS STORE put FILE			prints the location
 *	store SETTINGS STORE get LOCATION		prints the bytes
 *	store SETTINGS STORE erase LOCATION
 *	store SETTINGS STORE link LOCATION SECONDS [AGE]
 *				prints an address, as it was made AGE seconds ago
 *	store SETTINGS STORE archive FILE NAME	and the same for the archive that
 *	store SETTINGS STORE fetch NAME			the settings name
 *	store SETTINGS STORE drop NAME
 *
 * SETTINGS is a file with what a SETTINGS frame says.  Fails with the error's
 * code and message.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "../../src/courier/budget.h"
#include "../../src/courier/engine.h"
#include "../../src/courier/loop.h"
#include "../../src/courier/runner.h"
#include "../../src/courier/stores.h"

#define CALL_MS		20000

static const StoreAdapter *store;
static char **arguments;		/* of the verb */
static int64_t age;

static Settings settings;
static Runner runner;
static bool is_over;
static Next result;

static StoredImage image = {
	.user = "00000000-0000-7000-8000-000000000001",
	.generation = "00000000-0000-7000-8000-000000000002",
	.position = 1,
	.format = "png",
};
static Picture picture;
static char *text;				/* a location, or an address */

static void
die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(2);
}

static char *
read_file(const char *path, size_t *len)
{
	FILE	   *file = fopen(path, "rb");
	char	   *bytes = malloc(1 << 20);

	if (file == NULL || bytes == NULL)
		die(path);
	*len = fread(bytes, 1, (1 << 20) - 1, file);
	bytes[*len] = '\0';
	fclose(file);
	return bytes;
}

static Next
put(Runner *r)
{
	r->x.now = time(NULL);
	return store->put(&r->x, &image, &text);
}

static Next
get(Runner *r)
{
	r->x.now = time(NULL);
	return store->get(&r->x, arguments[0], &picture);
}

static Next
erase(Runner *r)
{
	r->x.now = time(NULL);
	return store->erase(&r->x, arguments[0], INT64_MAX);
}

static Next
make_link(Runner *r)
{
	r->x.now = time(NULL) - age;
	return store->link(&r->x, arguments[0], atol(arguments[1]), &text);
}

static Next
archive(Runner *r)
{
	r->x.now = time(NULL);
	return store->archive->put(&r->x, arguments[1], image.picture,
							   image.sha256);
}

static Next
fetch(Runner *r)
{
	r->x.now = time(NULL);
	return store->archive->get(&r->x, arguments[0], &picture);
}

static Next
drop(Runner *r)
{
	r->x.now = time(NULL);
	return store->archive->erase(&r->x, arguments[0]);
}

static void
ended(Runner *r, Next next)
{
	(void) r;
	result = next;
	is_over = true;
}

/* What is to be put, and its hash. */
static void
read_picture(const char *path)
{
	static Picture bytes;
	static char hex[65];
	unsigned char hash[EVP_MAX_MD_SIZE];

	bytes.bytes = (uint8_t *) read_file(path, &bytes.len);
	if (EVP_Digest(bytes.bytes, bytes.len, hash, NULL, EVP_sha256(),
				   NULL) != 1)
		die("EVP_Digest");
	for (int i = 0; i < 32; i++)
		sprintf(hex + 2 * i, "%02x", hash[i]);
	image.picture = &bytes;
	image.sha256 = hex;
}

static void
start(const char *path, bool is_archive)
{
	const char *problem;
	size_t		len;
	char	   *json = read_file(path, &len);

	settings_set_defaults(&settings);
	if (!settings_read(&settings, json, len))
		die("the settings are no JSON");
	free(json);
	loop_start();
	engine_start();
	engine_configure(&settings);
	budget_set(settings.byte_budget);
	stores_configure(&settings);
	problem = stores_problem(store);
	if (is_archive)
		stores_archive(&problem);
	if (problem != NULL)
		die(problem);
}

int
main(int argc, char **argv)
{
	static const struct
	{
		const char *name;
		int			least;		/* arguments after it */
		Next		(*step) (Runner *r);
		bool		is_archive;
	}			verbs[] =
	{
		{"put", 1, put, false},
		{"get", 1, get, false},
		{"erase", 1, erase, false},
		{"link", 2, make_link, false},
		{"archive", 2, archive, true},
		{"fetch", 1, fetch, true},
		{"drop", 1, drop, true},
	};
	size_t		verb = 0;

	if (argc < 5 || (store = store_find(argv[2])) == NULL)
		die("usage: store SETTINGS STORE put|get|erase|link|archive|fetch|drop ...");
	while (strcmp(verbs[verb].name, argv[3]) != 0 || argc < 4 +
		   verbs[verb].least)
	{
		if (++verb == sizeof(verbs) / sizeof(verbs[0]))
			die(argv[3]);
	}
	arguments = argv + 4;
	age = argc > 6 ? atol(argv[6]) : 0;
	start(argv[1], verbs[verb].is_archive);
	if (verbs[verb].step == put || verbs[verb].step == archive)
		read_picture(arguments[0]);

	runner.x.arena = arena_create();
	if (verbs[verb].is_archive)
		stores_prepare_archive(&runner.x);
	else
		stores_prepare(store, &runner.x);
	runner.ranges = stores_ranges(&runner.range_count);
	runner.step = verbs[verb].step;
	runner.ended = ended;
	runner.deadline = loop_now() + CALL_MS;
	runner_start(&runner);
	while (!is_over)
	{
		loop_turn();
		engine_collect();
	}
	if (result == NEXT_DONE && text != NULL)
		printf("%s\n", text);
	else if (result == NEXT_DONE)
		fwrite(picture.bytes, 1, picture.len, stdout);
	else
		fprintf(stderr, "%s: %s\n", fault_code(runner.x.fault.class),
				runner.x.fault.message);
	free(picture.bytes);
	exchange_clear_reply(&runner.x);
	arena_destroy(runner.x.arena);
	stores_forget();
	return result == NEXT_DONE ? 0 : 1;
}
