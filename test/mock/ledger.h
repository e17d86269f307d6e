/*-------------------------------------------------------------------------
 *
 * ledger.h
 *		What the provider would put on the bill.
 *
 * One entry per call that makes pictures and that was read whole, refused ones included
 * (charged is false there); it is in the file, by one write(), before the
 * first byte of the answer goes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_LEDGER_H
#define MOCK_LEDGER_H

#include "http.h"

#define MAX_INPUTS		16

/* A picture to edit; the bytes are lent. */
typedef struct Input
{
	const void *bytes;
	size_t		length;
} Input;

typedef struct Entry
{
	const char *provider;		/* all pointers are lent, for this call only */
	const char *model;
	int			n;				/* pictures that were asked for */
	const Input *inputs;
	int			input_count;
	const Input *mask;			/* or NULL */
	bool		accepted;		/* a valid key and a valid request */
	bool		charged;
	long long	ticks;			/* xai: what it costs if it is charged */
	int			status;			/* of the answer; 0 if there will be none */
	const char *fault;			/* or NULL */
} Entry;

extern void ledger_open(const char *path);	/* NULL: memory only */
extern uint64_t ledger_append(const Request *request, const Entry *entry);
extern void ledger_print(Connection *c);	/* as lines of JSON */

/*
 * When a call of the ledger begins to run and when it ends, by its number;
 * printed in this order, as +SEQ and -SEQ, a line each.
 */
extern void ledger_call_begins(uint64_t sequence);
extern void ledger_call_ends(uint64_t sequence);
extern void ledger_print_flights(Connection *c);
extern void ledger_reset(void);

typedef struct Stats
{
	uint64_t	requests;		/* of any kind, read whole */
	uint64_t	calls;			/* ledger entries */
	uint64_t	accepted;
	uint64_t	charged;
	uint64_t	resets;			/* connections reset on purpose */
	uint64_t	abandoned;		/* callers that left before their answer */
	uint64_t	downloads;		/* of pictures by address, redirects too */
	uint64_t	credentials_leaked; /* of these with a key: refused */
	uint64_t	token_exchanges;	/* that gave a token */
	uint64_t	key_checks;		/* free calls that a key is proved by */
	uint64_t	puts;			/* into the storage, that succeeded */
	uint64_t	erases;			/* objects erased there */
	uint64_t	connections;	/* accepted since the start */
	int			open;			/* connections now */
	int			in_flight;
	int			max_in_flight;
	int64_t		first_arrival_us;
	int64_t		last_arrival_us;
	int64_t		last_answer_us;
} Stats;

extern Stats stats;

extern void stats_print(Connection *c);
extern void stats_reset(void);	/* what is open or in flight stays */

#endif							/* MOCK_LEDGER_H */
