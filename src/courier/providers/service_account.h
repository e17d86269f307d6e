/*-------------------------------------------------------------------------
 *
 * service_account.h
 *		A service account of Google: its key, and the access token that it
 *		is exchanged for (RFC 7523).
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SERVICE_ACCOUNT_H
#define BAMBI_SERVICE_ACCOUNT_H

#include "provider.h"

/* The user's key, taken apart; all lent until service_account_close. */
typedef struct ServiceAccount
{
	json_t	   *json;
	const char *email;
	const char *private_key;	/* PEM */
	const char *key_id;			/* or NULL */
	const char *project;		/* or NULL */
	const char *token_uri;
} ServiceAccount;

/* Whether a key is one, and not an API key. */
extern bool service_account_is(const Secret *key);

/*
 * Takes x->secret apart.  NEXT_DONE, or NEXT_FAIL if it is no key of a
 * service account, or wants its token from an address that nobody allowed.
 */
extern Next service_account_open(Exchange *x, ServiceAccount *account);

/* Wipes what was taken apart. */
extern void service_account_close(ServiceAccount *account);

/* The token that is known already, in the arena, or NULL. */
extern const Secret *service_account_token(Exchange *x);

/* Forgets it: it was refused. */
extern void service_account_drop_token(Exchange *x);

/* Makes the request for a new token: NEXT_SEND. */
extern Next service_account_ask(Exchange *x, const ServiceAccount *account);

/*
 * Reads the answer to it, and remembers the token; in the arena.  NULL, and
 * x->fault says why.
 */
extern const Secret *service_account_read(Exchange *x);

#endif							/* BAMBI_SERVICE_ACCOUNT_H */
