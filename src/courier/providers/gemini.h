/*-------------------------------------------------------------------------
 *
 * gemini.h
 *		generateContent, as the Gemini API and Vertex serve it: request and
 *		answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_GEMINI_H
#define BAMBI_GEMINI_H

#include "provider.h"

/* Where the pictures stand in an answer. */
#define GEMINI_PICTURE_PATH	"candidates[].content.parts[].inlineData.data"

/* The body of the request; NULL, and x->fault says why. */
extern json_t *gemini_body(Exchange *x, const Generation *g, bool is_vertex);

/*
 * Reads an answer.  A call makes one picture: while there are fewer than
 * were asked for the same request goes out again, as a new one.
 */
extern Next gemini_read(Exchange *x, const Generation *g, Outcome *outcome);

#endif							/* BAMBI_GEMINI_H */
