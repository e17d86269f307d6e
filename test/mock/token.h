/*-------------------------------------------------------------------------
 *
 * token.h
 *		OAuth as Google's service accounts use it: a signed JWT for a token
 *		that lives for a while (RFC 7523).
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_TOKEN_H
#define MOCK_TOKEN_H

#include <jansson.h>

#include "http.h"

/* POST /token */
extern void token_answer(Connection *c, const Request *request);

/* Was this token given, is its life not over, and is it for this project? */
extern bool token_is_alive(const char *token);
extern bool token_is_for(const char *token, const char *project);

/*
 * The body of POST /_mock/service-account: {"client_email", "public_key" (PEM),
 * "project_id"?, "token_uri"?}.  A token of an account with a project is for
 * that project alone.  NULL, or what is wrong with it.
 */
extern const char *token_register(const json_t *account);

/*
 * The body of POST /_mock/tokens: {"life": seconds of tokens from now on,
 * "announced": what expires_in says, "revoke": true ends all that were given}.
 */
extern const char *token_set(const json_t *wish);

/* Accounts and tokens are forgotten. */
extern void token_reset(void);

#endif							/* MOCK_TOKEN_H */
