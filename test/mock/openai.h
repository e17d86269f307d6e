/*-------------------------------------------------------------------------
 *
 * openai.h
 *		OpenAI's image protocol: POST /v1/images/generations and
 *		/v1/images/edits, GET /v1/models.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_OPENAI_H
#define MOCK_OPENAI_H

#include "http.h"

/* An error in OpenAI's form. */
extern void answer_error(Connection *c, int status, const char *type,
						 const char *param, const char *code,
						 const char *message);

/*
 * path: what follows the version, "/images/edits" for example.  is_foreign: of
 * a server that only speaks OpenAI's language.
 */
extern void openai_answer(Connection *c, const Request *request,
						  const char *path, bool is_foreign);

#endif							/* MOCK_OPENAI_H */
