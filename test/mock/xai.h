/*-------------------------------------------------------------------------
 *
 * xai.h
 *		xAI's image protocol: generations and edits, at once or deferred, and
 *		what a key is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_XAI_H
#define MOCK_XAI_H

#include "http.h"

/* path: what follows the version, "/images/edits" for example */
extern void xai_answer(Connection *c, const Request *request,
					   const char *path);

/* Deferred requests are forgotten. */
extern void xai_reset(void);

#endif							/* MOCK_XAI_H */
