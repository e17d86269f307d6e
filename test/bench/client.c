/*-------------------------------------------------------------------------
 *
 * client.c
 *		A client of the database that keeps time.
 *
 *		client pace --count N --every-us US --sql SQL
 *			runs SQL N times, one each US microseconds, and prints for each
 *			time, when its commit was acknowledged (CLOCK_REALTIME, in us), how
 *			long it took (us) and the first column of what it returned
 *
 *		client drain --sql SQL --until SQL
 *			runs SQL once, then asks the second until it returns "t", each
 *			5 ms, and prints the seconds in between
 *
 *		--init SQL is run first.  libpq's environment says where.
 *
 *-------------------------------------------------------------------------
 */
#include <getopt.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASK_AGAIN_US	5000

static PGconn *connection;

static int64_t
now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
sleep_until(int64_t us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		;
}

/* The first column of the first row, in a buffer that is lent. */
static const char *
run(const char *sql)
{
	static char value[256];
	PGresult   *result = PQexec(connection, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
	{
		fprintf(stderr, "client: %s", PQerrorMessage(connection));
		exit(1);
	}
	value[0] = '\0';
	if (PQntuples(result) > 0)
		snprintf(value, sizeof(value), "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	return value;
}

static void
pace(const char *sql, long count, long every_us)
{
	int64_t		next = now_us(CLOCK_MONOTONIC);

	for (long i = 0; i < count; i++)
	{
		int64_t		asked;
		const char *value;
		int64_t		acknowledged;

		sleep_until(next);
		next += every_us;
		asked = now_us(CLOCK_REALTIME);
		value = run(sql);
		acknowledged = now_us(CLOCK_REALTIME);
		printf("%" PRId64 " %" PRId64 " %s\n", acknowledged,
			   acknowledged - asked, value);
	}
}

static void
drain(const char *sql, const char *until)
{
	int64_t		begun = now_us(CLOCK_MONOTONIC);
	int64_t		next = begun;

	run(sql);
	while (strcmp(run(until), "t") != 0)
	{
		next += ASK_AGAIN_US;
		sleep_until(next);
	}
	printf("%.4f\n", (now_us(CLOCK_MONOTONIC) - begun) / 1e6);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"init", required_argument, NULL, 'i'},
		{"sql", required_argument, NULL, 's'},
		{"until", required_argument, NULL, 'u'},
		{"count", required_argument, NULL, 'c'},
		{"every-us", required_argument, NULL, 'e'},
		{NULL, 0, NULL, 0}
	};
	const char *init = NULL;
	const char *sql = NULL;
	const char *until = NULL;
	long		count = 1;
	long		every_us = 50000;
	int			option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option)
		{
			case 'i':
				init = optarg;
				break;
			case 's':
				sql = optarg;
				break;
			case 'u':
				until = optarg;
				break;
			case 'c':
				count = atol(optarg);
				break;
			case 'e':
				every_us = atol(optarg);
				break;
		}
	if (optind != argc - 1 || sql == NULL ||
		(strcmp(argv[optind], "drain") == 0) != (until != NULL))
	{
		fprintf(stderr, "usage: client pace|drain --sql SQL [OPTION]...\n");
		return 2;
	}

	connection = PQconnectdb("");
	if (PQstatus(connection) != CONNECTION_OK)
	{
		fprintf(stderr, "client: %s", PQerrorMessage(connection));
		return 1;
	}
	if (init != NULL)
		run(init);
	if (until != NULL)
		drain(sql, until);
	else
		pace(sql, count, every_us);
	PQfinish(connection);
	return 0;
}
