/*-------------------------------------------------------------------------
 *
 * echo.h
 *		Refuses a call and gives back its key, in one disguise or another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_ECHO_H
#define MOCK_ECHO_H

#include "http.h"

/* whole, masked, upper, spaced, percent, json, html, hex, base64, bearer */
extern bool echo_knows(const char *form);

/* The key is in the message, in x-request-id and in a header of its own. */
extern void echo_answer(Connection *c, const Request *request,
						const char *form);

#endif							/* MOCK_ECHO_H */
