/*-------------------------------------------------------------------------
 *
 * images.h
 *		OpenAI's image protocol: POST /v1/images/generations, GET /v1/models.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_IMAGES_H
#define MOCK_IMAGES_H

#include "http.h"

/* An error in OpenAI's form. */
extern void answer_error(Connection *c, int status, const char *type,
						 const char *param, const char *code,
						 const char *message);

extern void images_generate(Connection *c, const Request *request);
extern void images_models(Connection *c, const Request *request,
						  const char *model);

/* Bytes of every picture, as option --picture-bytes says; 0: as asked. */
extern long images_picture_bytes;

#endif							/* MOCK_IMAGES_H */
