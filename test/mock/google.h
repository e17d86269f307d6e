/*-------------------------------------------------------------------------
 *
 * google.h
 *		Google's protocols: Gemini API, Vertex with an API key (express) and
 *		with a service account's token, and Imagen's predict.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_GOOGLE_H
#define MOCK_GOOGLE_H

#include "http.h"

/*
 * Answers a request to an address of Google's, with or without /google or
 * /vertex before it; false if it is none.  GET /v1/models is one with a key of
 * Google's only.
 */
extern bool google_answer(Connection *c, const Request *request);

#endif							/* MOCK_GOOGLE_H */
