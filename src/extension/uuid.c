/*-------------------------------------------------------------------------
 *
 * uuid.c
 *		Ids that carry their time.
 *
 * 48 bits of Unix milliseconds, 12 bits that count 4096ths of the
 * millisecond, 62 random bits (RFC 9562, section 6.2, method 3).  Tables are
 * partitioned by these ids, so time and id translate into each other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "fmgr.h"
#include "utils/builtins.h"

#include "uuid.h"

#define NS_PER_S	INT64CONST(1000000000)
#define NS_PER_MS	INT64CONST(1000000)
#define US_PER_MS	1000

/* So much later, the 12 bits below the millisecond are surely greater. */
#define STEP_NS		(NS_PER_MS / 4096 + 1)

/* Microseconds from the Unix epoch to PostgreSQL's. */
#define EPOCH_US \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* of an id; two bits of them give way to the variant */
#define RANDOM_BYTES	8

#define MAX_MS		((INT64CONST(1) << 48) - 1)

PG_FUNCTION_INFO_V1(bambi_uuid_v7);
PG_FUNCTION_INFO_V1(bambi_uuid_floor);
PG_FUNCTION_INFO_V1(bambi_uuid_time);

/* The clock, moved on where it stands still or goes back. */
static int64
ascending_ns(void)
{
	static int64 last = 0;
	struct timespec now;
	int64		ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = now.tv_sec * NS_PER_S + now.tv_nsec;
	if (ns < last + STEP_NS)
		ns = last + STEP_NS;
	last = ns;
	return ns;
}

static void
put_time(pg_uuid_t *id, int64 ms, uint32 fraction)
{
	for (int i = 0; i < 6; i++)
		id->data[i] = (unsigned char) (ms >> (8 * (5 - i)));
	id->data[6] = 0x70 | (fraction >> 8 & 0x0f);
	id->data[7] = fraction & 0xff;
}

/*
 * Random bytes from a store: the generator takes as long for 8 of them as for
 * hundreds.  No process that forks ever makes ids, so none is given twice.
 */
static void
take_random(unsigned char *bytes)
{
	static unsigned char store[RANDOM_BYTES * 64];
	static size_t used = sizeof(store);

	if (used == sizeof(store))
	{
		if (!pg_strong_random(store, sizeof(store)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random values")));
		used = 0;
	}
	memcpy(bytes, store + used, RANDOM_BYTES);
	used += RANDOM_BYTES;
}

void
bambi_uuid_make(pg_uuid_t *id)
{
	int64		ns = ascending_ns();

	put_time(id, ns / NS_PER_MS, (uint32) (ns % NS_PER_MS * 4096 / NS_PER_MS));
	take_random(&id->data[8]);
	id->data[8] = 0x80 | (id->data[8] & 0x3f);
}

void
bambi_uuid_lowest(TimestampTz time, pg_uuid_t *id)
{
	int64		ms;

	memset(id, 0, sizeof(*id));
	if (TIMESTAMP_IS_NOBEGIN(time))
		return;
	if (TIMESTAMP_IS_NOEND(time))
	{
		memset(id, 0xff, sizeof(*id));
		return;
	}

	ms = time < -EPOCH_US ? 0 : (time + EPOCH_US) / US_PER_MS;
	if (ms > MAX_MS)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range for a uuid")));
	put_time(id, ms, 0);
	id->data[8] = 0x80;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
bambi_uuid_parse(const char *digits, pg_uuid_t *id)
{
	for (int i = 0; i < UUID_LEN; i++)
	{
		int			high = hex_value(digits[0]);
		int			low = high < 0 ? -1 : hex_value(digits[1]);

		if (low < 0)
			return false;
		id->data[i] = (unsigned char) (high << 4 | low);
		digits += 2;
		if (*digits == '-' && i % 2 == 1 && i < UUID_LEN - 1)
			digits++;
	}
	return *digits == '\0';
}

void
bambi_uuid_print(const pg_uuid_t *id, char printed[UUID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char	   *out = printed;

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[id->data[i] >> 4];
		*out++ = digits[id->data[i] & 0x0f];
	}
	*out = '\0';
}

Datum
bambi_uuid_v7(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	bambi_uuid_make(id);
	PG_RETURN_UUID_P(id);
}

Datum
bambi_uuid_floor(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	bambi_uuid_lowest(PG_GETARG_TIMESTAMPTZ(0), id);
	PG_RETURN_UUID_P(id);
}

TimestampTz
bambi_uuid_made(const pg_uuid_t *id)
{
	int64		ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id->data[i];
	return ms * US_PER_MS - EPOCH_US;
}

Datum
bambi_uuid_time(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(bambi_uuid_made(PG_GETARG_UUID_P(0)));
}
