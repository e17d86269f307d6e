/*-------------------------------------------------------------------------
 *
 * imagen.h
 *		Imagen's :predict, as Vertex served it: request and answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_IMAGEN_H
#define BAMBI_IMAGEN_H

#include "provider.h"

/* Where the pictures stand in an answer. */
#define IMAGEN_PICTURE_PATH	"predictions[].bytesBase64Encoded"

/* Whether a model is one of this family. */
extern bool imagen_has(const char *model);

/* The body of the request; NULL, and x->fault says why. */
extern json_t *imagen_body(Exchange *x, const Generation *g);

extern Next imagen_read(Exchange *x, const Generation *g, Outcome *outcome);

#endif							/* BAMBI_IMAGEN_H */
