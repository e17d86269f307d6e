/*-------------------------------------------------------------------------
 *
 * sealed_play.h
 *		Hands the real courier sealed keys that are not what they should be:
 *		changed in a byte, or in the row of another user or provider.
 *
 * All of it is some thirteen thousand jobs.  sealed_test.c tries a sample,
 * test/clients/sealed.c the whole.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SEALED_PLAY_H
#define BAMBI_SEALED_PLAY_H

#include "driver.h"

#include "check.h"

/* A row is a user with a provider. */
#define ROW_USERS		25
#define ROW_PROVIDERS	4
#define ROWS			(ROW_USERS * ROW_PROVIDERS)

#define SEALED_MAX		2048

#define THE_ONE_TEXT	"the stored key could not be opened"

/* What came of jobs, counted. */
typedef struct Outcomes
{
	int			tried;
	int			succeeded;
	int			unreadable;		/* by code and text; the rest is neither */
} Outcomes;

static char row_user[ROWS][37];
static const char *row_provider[ROWS];
static char row_sealed[ROWS][SEALED_MAX];

/* Each with a key of its own. */
static inline void
make_rows(const Courier *c)
{
	static const char *const providers[ROW_PROVIDERS] = {
		"openai", "xai", "google", "vertex"
	};
	int			i;

	for (i = 0; i < ROWS; i++)
	{
		char		secret[64];

		row_provider[i] = providers[i % ROW_PROVIDERS];
		snprintf(row_user[i], sizeof(row_user[i]),
				 "00000000-0000-7000-8000-%012d", i / ROW_PROVIDERS);
		snprintf(secret, sizeof(secret), "sk-0123456789abcdefghijklmnop-%d",
				 i);
		if (jwe_seal(c->public_pem, c->kid, row_user[i], row_provider[i],
					 (const uint8_t *) secret, strlen(secret), row_sealed[i],
					 SEALED_MAX) != JWE_OK)
			driver_die("jwe_seal");
	}
}

/*
 * One job, to its end, of a row with this key.  Its adapter needs no network,
 * so that it succeeds if the key opens, whatever its provider is called.
 */
static inline void
try_key(Courier *c, int row, const char *sealed, Outcomes *outcomes)
{
	static uint64_t tag = 1;
	char		job[512];
	Frame		frame;
	json_t	   *json;

	snprintf(job, sizeof(job),
			 "{\"user\":\"%s\",\"tries\":1,\"provider\":\"%s\","
			 "\"adapter\":\"sandbox\",\"base_url\":\"\",\"networks\":[],"
			 "\"settings\":{},\"model\":\"sandbox\",\"prompt\":\"a fawn\","
			 "\"parameters\":{\"size\":\"64x64\"},\"store\":\"database\"}",
			 row_user[row], row_provider[row]);

	/* the same slot, for the next job */
	tag += 0x10000;
	driver_send(c, FRAME_JOB, tag, sealed, job);
	if (!driver_await(c->fd, FRAME_OUTCOME, &frame))
		driver_die("no outcome");
	json = driver_json(&frame);
	outcomes->tried++;
	if (frame.head.status == RESULT_SUCCEEDED)
		outcomes->succeeded++;
	else if (strcmp(driver_text(json, "code"), "key_unreadable") == 0 &&
			 strcmp(driver_text(json, "message"), THE_ONE_TEXT) == 0)
		outcomes->unreadable++;
	else
		printf("# %s: %s\n", driver_text(json, "code"),
			   driver_text(json, "message"));
	json_decref(json);
	driver_send(c, FRAME_TAKEN, tag, "", "");
}

/* Every so manieth of the bytes, as the next one and as other characters. */
static inline Outcomes
try_mutations(Courier *c, size_t every)
{
	Outcomes	outcomes = {0};
	char		sealed[SEALED_MAX];
	size_t		len = strlen(row_sealed[0]);
	size_t		i;
	size_t		k;

	strcpy(sealed, row_sealed[0]);
	for (i = 0; i < len; i += every)
	{
		const char	kept = sealed[i];
		const char	others[] = {(char) (kept + 1), (char) (kept ^ 0x20),
		'A', '.'};

		for (k = 0; k < sizeof(others); k++)
		{
			sealed[i] = others[k];
			if (sealed[i] != kept)
				try_key(c, 0, sealed, &outcomes);
		}
		sealed[i] = kept;
	}
	return outcomes;
}

/* Every so manieth of the keys of rows in other rows. */
static inline Outcomes
try_transplants(Courier *c, int every)
{
	Outcomes	outcomes = {0};
	int			pair;

	for (pair = 0; pair < ROWS * ROWS; pair += every)
	{
		if (pair / ROWS != pair % ROWS)
			try_key(c, pair / ROWS, row_sealed[pair % ROWS], &outcomes);
	}
	return outcomes;
}

/* All of the rest of the main function; every is 1 for all there is. */
static inline int
sealed_play(int every)
{
	Courier		c = driver_start();
	Outcomes	own = {0};
	Outcomes	mutated;
	Outcomes	transplanted;
	int			i;

	driver_configure(&c, "");
	make_rows(&c);

	/* before, so that data keys are remembered, and none must be used */
	for (i = 0; i < ROWS; i++)
		try_key(&c, i, row_sealed[i], &own);
	CHECK(own.succeeded == ROWS, "%d keys open in their own rows",
		  own.succeeded);

	mutated = try_mutations(&c, (size_t) every);
	CHECK(mutated.unreadable == mutated.tried &&
		  mutated.tried >= 2700 / every,
		  "%d mutations of one byte: none opens, all with the one text",
		  mutated.tried);
	transplanted = try_transplants(&c, every);
	CHECK(transplanted.unreadable == transplanted.tried &&
		  transplanted.tried >= ROWS * (ROWS - 1) / every,
		  "%d transplants between users and providers: none opens, all with "
		  "the one text", transplanted.tried);
	printf("# counted: %d mutations and %d transplants that did not open, "
		   "%d and %d that did\n", mutated.unreadable,
		   transplanted.unreadable, mutated.tried - mutated.unreadable,
		   transplanted.tried - transplanted.unreadable);

	memset(&own, 0, sizeof(own));
	try_key(&c, 0, row_sealed[0], &own);
	CHECK(own.succeeded == 1, "and the key itself still opens");

	close(c.fd);
	CHECK(driver_wait(&c) == 0, "the courier leaves as it should");
	driver_clean(&c);
	driver_forget_key();
	return check_done();
}

#endif							/* BAMBI_SEALED_PLAY_H */
