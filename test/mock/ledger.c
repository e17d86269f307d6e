/*-------------------------------------------------------------------------
 *
 * ledger.c
 *		The bill, in memory and in a file, and the counters beside it.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "ledger.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#define MAX_LINE	2048
#define FINGERPRINT_BYTES	6

Stats		stats;

static int	file = -1;
static uint64_t sequence;
static char *lines;				/* as in the file */
static size_t lines_length;
static size_t lines_size;
static int64_t *flights;		/* numbers of calls, negative at their end */
static size_t flight_count;
static size_t flight_size;

void
ledger_open(const char *path)
{
	if (path == NULL)
		return;
	file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (file < 0)
	{
		perror("bambi-mock: cannot open the ledger");
		exit(1);
	}
}

static void
fingerprint(const void *bytes, size_t length, char *hex)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL);
	for (int i = 0; i < FINGERPRINT_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* The key itself goes nowhere.  Most calls come with the key of the last. */
static const char *
key_fingerprint(const Request *request)
{
	static char last_key[sizeof(request->bearer)];
	static char last[2 * FINGERPRINT_BYTES + 1];
	const char *key = request->bearer[0] != '\0' ? request->bearer :
	request->api_key;

	if (last[0] != '\0' && strcmp(key, last_key) == 0)
		return last;
	snprintf(last_key, sizeof(last_key), "%s", key);
	fingerprint(key, strlen(key), last);
	return last;
}

/* The pictures to edit, and the mask, by their fingerprints. */
static const char *
print_inputs(const Entry *entry, char *text)
{
	char		hex[2 * FINGERPRINT_BYTES + 1];
	char	   *end = text;

	end += sprintf(end, "[");
	for (int i = 0; i < entry->input_count; i++)
	{
		fingerprint(entry->inputs[i].bytes, entry->inputs[i].length, hex);
		end += sprintf(end, "%s\"%s\"", i > 0 ? "," : "", hex);
	}
	end += sprintf(end, "],\"mask\":");
	if (entry->mask == NULL)
		sprintf(end, "null");
	else
	{
		fingerprint(entry->mask->bytes, entry->mask->length, hex);
		sprintf(end, "\"%s\"", hex);
	}
	return text;
}

/* A stranger's text between the quotes of a JSON string. */
static const char *
harmless(const char *text, char *buffer, size_t size)
{
	size_t		i;

	for (i = 0; text[i] != '\0' && i < size - 1; i++)
		buffer[i] = text[i] < ' ' || text[i] > '~' || text[i] == '"' ||
			text[i] == '\\' ? '?' : text[i];
	buffer[i] = '\0';
	return buffer;
}

static void
write_line(const char *line, size_t length)
{
	if (file >= 0 && write(file, line, length) != (ssize_t) length)
	{
		perror("bambi-mock: cannot write the ledger");
		exit(1);
	}
	if (lines_length + length > lines_size)
	{
		lines_size = (lines_length + length) * 2;
		lines = realloc(lines, lines_size);
		if (lines == NULL)
			abort();
	}
	memcpy(lines + lines_length, line, length);
	lines_length += length;
}

static void
count(const Request *request, const Entry *entry)
{
	stats.calls++;
	stats.accepted += entry->accepted;
	stats.charged += entry->charged;
	if (stats.first_arrival_us == 0)
		stats.first_arrival_us = request->arrived_us;
	stats.last_arrival_us = request->arrived_us;
}

uint64_t
ledger_append(const Request *request, const Entry *entry)
{
	char		line[MAX_LINE];
	char		id[513];
	char		model[128];
	char		fault[128];
	char		inputs[(MAX_INPUTS + 1) * (2 * FINGERPRINT_BYTES + 3) + 16];
	const char *dot;
	int			attempt = 0;
	int			length;

	harmless(request->client_request_id, id, sizeof(id));
	dot = strrchr(id, '.');
	if (dot != NULL)
		attempt = atoi(dot + 1);
	length = snprintf(line, sizeof(line),
					  "{\"seq\":%" PRIu64 ",\"time\":%" PRId64
					  ",\"arrived\":%" PRId64
					  ",\"client_request_id\":\"%s\""
					  ",\"generation\":\"%.*s\",\"attempt\":%d"
					  ",\"provider\":\"%s\""
					  ",\"key\":\"%s\",\"model\":\"%s\",\"n\":%d"
					  ",\"inputs\":%s"
					  ",\"accepted\":%s,\"charged\":%s,\"ticks\":%lld"
					  ",\"status\":%d"
					  ",\"fault\":%s%s%s}\n",
					  ++sequence, now_us(), request->arrived_us, id,
					  dot != NULL ? (int) (dot - id) : 0, id, attempt,
					  entry->provider, key_fingerprint(request),
					  harmless(entry->model, model, sizeof(model)), entry->n,
					  print_inputs(entry, inputs),
					  entry->accepted ? "true" : "false",
					  entry->charged ? "true" : "false", entry->ticks,
					  entry->status,
					  entry->fault != NULL ? "\"" : "",
					  entry->fault != NULL ?
					  harmless(entry->fault, fault, sizeof(fault)) : "null",
					  entry->fault != NULL ? "\"" : "");
	if (length >= (int) sizeof(line))
		abort();
	write_line(line, length);
	count(request, entry);
	return sequence;
}

void
ledger_print(Connection *c)
{
	answer_bytes(c, lines != NULL ? lines : "", lines_length);
}

static void
note_flight(int64_t event)
{
	if (flight_count == flight_size)
	{
		flight_size = flight_size * 2 + 1024;
		flights = realloc(flights, flight_size * sizeof(flights[0]));
		if (flights == NULL)
			abort();
	}
	flights[flight_count++] = event;
}

void
ledger_call_begins(uint64_t number)
{
	note_flight((int64_t) number);
	if (++stats.in_flight > stats.max_in_flight)
		stats.max_in_flight = stats.in_flight;
}

void
ledger_call_ends(uint64_t number)
{
	note_flight(-(int64_t) number);
	stats.in_flight--;
}

void
ledger_print_flights(Connection *c)
{
	for (size_t i = 0; i < flight_count; i++)
		answer_text(c, "%+" PRId64 "\n", flights[i]);
}

void
ledger_reset(void)
{
	flight_count = 0;
	sequence = 0;
	lines_length = 0;
	if (file >= 0 && ftruncate(file, 0) != 0)
		perror("bambi-mock: cannot empty the ledger");
}

void
stats_print(Connection *c)
{
	answer_text(c, "{\"requests\":%" PRIu64 ",\"calls\":%" PRIu64
				",\"accepted\":%" PRIu64 ",\"charged\":%" PRIu64
				",\"resets\":%" PRIu64 ",\"abandoned\":%" PRIu64
				",\"connections\":%" PRIu64 ",\"open\":%d"
				",\"in_flight\":%d,\"max_in_flight\":%d",
				stats.requests, stats.calls, stats.accepted, stats.charged,
				stats.resets, stats.abandoned, stats.connections, stats.open,
				stats.in_flight, stats.max_in_flight);
	answer_text(c, ",\"downloads\":%" PRIu64 ",\"credentials_leaked\":%" PRIu64
				",\"token_exchanges\":%" PRIu64 ",\"key_checks\":%" PRIu64
				",\"puts\":%" PRIu64
				",\"erases\":%" PRIu64, stats.downloads,
				stats.credentials_leaked, stats.token_exchanges,
				stats.key_checks, stats.puts,
				stats.erases);
	answer_text(c, ",\"first_arrival\":%" PRId64 ",\"last_arrival\":%" PRId64
				",\"last_answer\":%" PRId64 "}\n", stats.first_arrival_us,
				stats.last_arrival_us, stats.last_answer_us);
}

void
stats_reset(void)
{
	Stats		fresh = {
		.open = stats.open,
		.in_flight = stats.in_flight,
		.max_in_flight = stats.in_flight
	};

	stats = fresh;
}
