/*-------------------------------------------------------------------------
 *
 * document.h
 *		JSON documents that are made, not written out by hand.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_DOCUMENT_H
#define MOCK_DOCUMENT_H

#include <jansson.h>

#include "http.h"

/* A string of whatever bytes a stranger sent; NULL gives null. */
extern json_t *document_text(const char *text);

/* Sends it; headers as for connection_answer.  Steals the reference. */
extern void document_answer(Connection *c, int status, const char *headers,
							json_t *document);

#endif							/* MOCK_DOCUMENT_H */
