/*-------------------------------------------------------------------------
 *
 * main.c
 *		bambi-mock: a provider on loopback that keeps a bill and misbehaves on
 *		demand.
 *
 * By base URL, with the keys that each takes:
 *		/v1				OpenAI: sk-..., but not sk-invalid...; sk-noscope... may not
 *						list models
 *		/compat/v1		a server that speaks like OpenAI: any key but those
 *		/xai/v1			xAI: xai-..., but not xai-invalid...; xai-blocked... is
 *						known and has no rights
 *		/google/v1		Gemini API, also v1beta: AIza... and AQ..., but not
 *						AIza-invalid... and AQ.invalid...
 *		/vertex/v1		Vertex, also v1beta1: those keys, or on paths with a
 *						project a token of POST /vertex/token
 *		/storage/v1		Supabase Storage; see storage.h
 * Google's addresses also work without /google and /vertex, for clients that
 * know only a host.
 *
 * For whoever tests:
 *		GET  /_mock/ledger		a line of JSON per call
 *		GET  /_mock/flights		when each of them began and ended, in order
 *		GET  /_mock/stats		counters
 *		GET  /_mock/pictures/	pictures by address, for nobody's key
 *		POST /_mock/faults		see faults.h
 *		POST /_mock/release		answers on hold go; of {"count": N}, the N oldest
 *		POST /_mock/service-account, /_mock/tokens	see token.h
 *		/_mock/storage			GET: what is stored; POST: see storage.h
 *		POST /_mock/legacy		as option --legacy
 *		POST /_mock/reset		everything as after the start
 *
 *-------------------------------------------------------------------------
 */
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "faults.h"
#include "gallery.h"
#include "google.h"
#include "http.h"
#include "ledger.h"
#include "openai.h"
#include "openai_rules.h"
#include "storage.h"
#include "token.h"
#include "xai.h"

static const char usage[] =
"usage: bambi-mock [OPTION]...\n"
"  --port N            listen on 127.0.0.1:N (default 0: any free port)\n"
"  --port-file FILE    write the port there, once connections are accepted\n"
"  --ledger FILE       append a line of JSON per call\n"
"  --fixtures FILE     answers for fault=ID\n"
"                      (default: ../fixtures/error-fixtures.json, from here)\n"
"  --picture-bytes N   answer with a PNG of N bytes, whatever size is asked\n"
"  --legacy            serve dall-e-2 and dall-e-3, which are gone\n"
"  --until-eof         end when standard input, a pipe, is closed\n"
"  --quiet             do not print the address\n";

static bool legacy_at_start;

static void
done(Connection *c)
{
	answer_text(c, "{}\n");
	connection_answer(c, 200, "content-type: application/json\r\n", 0);
}

/* What a control is told, as JSON. */
static void
set(Connection *c, const Request *request,
	const char *(*setter) (const json_t *wish))
{
	json_t	   *wish = json_loadb(request->body, request->body_length, 0, NULL);
	const char *wrong = wish == NULL ? "not JSON" : setter(wish);

	if (wrong == NULL)
		done(c);
	else
		answer_error(c, 400, "mock_error", NULL, NULL, wrong);
	json_decref(wish);
}

static const char *
release_some(const json_t *wish)
{
	const json_t *count = json_object_get(wish, "count");

	if (!json_is_integer(count) || json_integer_value(count) < 0)
		return "count must be a number";
	http_release((int) json_integer_value(count));
	return NULL;
}

static void
control(Connection *c, const Request *request, const char *what)
{
	bool		is_post = strcmp(request->method, "POST") == 0;

	if (strcmp(what, "ledger") == 0)
	{
		ledger_print(c);
		connection_answer(c, 200, "content-type: application/x-ndjson\r\n", 0);
	}
	else if (strcmp(what, "flights") == 0)
	{
		ledger_print_flights(c);
		connection_answer(c, 200, "content-type: text/plain\r\n", 0);
	}
	else if (strcmp(what, "stats") == 0)
	{
		stats_print(c);
		connection_answer(c, 200, "content-type: application/json\r\n", 0);
	}
	else if (is_post && strcmp(what, "faults") == 0)
		set(c, request, faults_set);
	else if (is_post && strcmp(what, "service-account") == 0)
		set(c, request, token_register);
	else if (is_post && strcmp(what, "storage") == 0)
		set(c, request, storage_set);
	else if (strcmp(what, "storage") == 0)
		storage_print(c);
	else if (is_post && strcmp(what, "tokens") == 0)
		set(c, request, token_set);
	else if (is_post && strcmp(what, "legacy") == 0)
	{
		openai_serves_legacy = true;
		done(c);
	}
	else if (is_post && strcmp(what, "release") == 0)
	{
		if (request->body_length > 0)
			set(c, request, release_some);
		else
		{
			http_release(INT_MAX);
			done(c);
		}
	}
	else if (is_post && strcmp(what, "reset") == 0)
	{
		http_release(INT_MAX);
		faults_reset();
		openai_serves_legacy = legacy_at_start;
		storage_reset();
		ledger_reset();
		stats_reset();
		xai_reset();
		token_reset();
		done(c);
	}
	else
		answer_error(c, 404, "mock_error", NULL, NULL, "no such control");
}

static void
route(Connection *c, const Request *request)
{
	const char *path = request->path;

	if (strncmp(path, "/v1/images/", 11) == 0)
		openai_answer(c, request, path + 3, false);
	else if (strncmp(path, "/compat/v1/", 11) == 0)
		openai_answer(c, request, path + 10, true);
	else if (strncmp(path, "/xai/v1/", 8) == 0)
		xai_answer(c, request, path + 7);
	else if (strncmp(path, "/storage/v1/", 12) == 0)
		storage_answer(c, request, path + 11);
	else if (strncmp(path, "/_mock/pictures/", 16) == 0)
		gallery_answer(c, request, path + 16);
	else if (strncmp(path, "/_mock/", 7) == 0)
		control(c, request, path + 7);
	else if (!google_answer(c, request))
		openai_answer(c, request, strncmp(path, "/v1/", 4) == 0 ?
					  path + 3 : path, false);
}

static void
load_fixtures(const char *path)
{
	char		self[1024];
	char		beside[1100];
	ssize_t		length;

	if (path == NULL)
	{
		length = readlink("/proc/self/exe", self, sizeof(self) - 1);
		self[length < 0 ? 0 : length] = '\0';
		snprintf(beside, sizeof(beside),
				 "%s/../fixtures/error-fixtures.json", dirname(self));
		faults_load(beside);
	}
	else if (!faults_load(path))
	{
		fprintf(stderr, "bambi-mock: no fixtures in %s\n", path);
		exit(1);
	}
}

/* Complete when it is there at all. */
static void
write_port(const char *path, int port)
{
	char		unfinished[1024];
	FILE	   *f;

	snprintf(unfinished, sizeof(unfinished), "%s.tmp", path);
	f = fopen(unfinished, "w");
	if (f == NULL || fprintf(f, "%d\n", port) < 0 || fclose(f) != 0 ||
		rename(unfinished, path) != 0)
	{
		perror("bambi-mock: cannot write the port");
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'},
		{"port-file", required_argument, NULL, 'P'},
		{"ledger", required_argument, NULL, 'l'},
		{"fixtures", required_argument, NULL, 'f'},
		{"picture-bytes", required_argument, NULL, 'b'},
		{"legacy", no_argument, NULL, 'L'},
		{"until-eof", no_argument, NULL, 'e'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}
	};
	const char *port_file = NULL;
	const char *ledger = NULL;
	const char *fixtures = NULL;
	int			port = 0;
	bool		until_eof = false;
	bool		is_quiet = false;
	int			option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option)
		{
			case 'p':
				port = atoi(optarg);
				break;
			case 'P':
				port_file = optarg;
				break;
			case 'l':
				ledger = optarg;
				break;
			case 'f':
				fixtures = optarg;
				break;
			case 'b':
				call_picture_bytes = atol(optarg);
				break;
			case 'L':
				openai_serves_legacy = legacy_at_start = true;
				break;
			case 'e':
				until_eof = true;
				break;
			case 'q':
				is_quiet = true;
				break;
			default:
				fputs(usage, option == 'h' ? stdout : stderr);
				return option == 'h' ? 0 : 2;
		}

	load_fixtures(fixtures);
	ledger_open(ledger);
	port = http_listen(port);
	if (port_file != NULL)
		write_port(port_file, port);
	if (!is_quiet)
	{
		printf("bambi-mock: http://127.0.0.1:%d/v1\n", port);
		fflush(stdout);
	}
	http_run(route, until_eof);
	return 0;
}
