/*-------------------------------------------------------------------------
 *
 * web.h
 *		A session that PostgREST made for a request: what it says of the
 *		request, and what it reads of the answer.
 *
 * All of it are settings of the transaction.  They mean something only where
 * the session's role is one of bambi.authenticators: anybody can set them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_WEB_H
#define BAMBI_WEB_H

/* The session's role may speak for others by name of bambi.authenticators. */
extern bool bambi_session_is_authenticator(void);

/* Such a session, in a request whose path begins so. */
extern bool bambi_web_request_is(const char *path_prefix);

/* A request header, by its name in lower case; palloc'ed, or NULL. */
extern char *bambi_web_header(const char *name);

/* Status and headers (a JSON array of one-key objects) of the answer. */
extern void bambi_web_answer(const char *status, const char *headers);

/*
 * A string member of a JSON object's first level, palloc'ed; NULL if the text
 * is no JSON object, or the member is missing, no string, or spelled with
 * escapes.  Never throws, whatever the text.
 */
extern char *bambi_json_string_member(const char *json, const char *name);

/* A setting's value, NULL if it is missing or empty. */
extern const char *bambi_setting_or_null(const char *name);

#endif							/* BAMBI_WEB_H */
