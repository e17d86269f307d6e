/*-------------------------------------------------------------------------
 *
 * openai.h
 *		The parts of the OpenAI adapter: asking, reading pictures, reading
 *		errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_OPENAI_H
#define BAMBI_OPENAI_H

#include "provider.h"

/* openai_request.c: NEXT_SEND, or NEXT_FAIL before it costs. */
extern Next openai_ask(Exchange *x, const Generation *g);

/* openai_request.c: asks for the list of models, which proves a key. */
extern Next openai_ask_models(Exchange *x);

/* openai_answer.c: an answer with a good status. */
extern Next openai_read(Exchange *x, const Generation *g, Outcome *outcome);

/* Whether the reply is a stream with its result in it, a picture or not. */
extern bool openai_has_result(Exchange *x);

extern int	openai_progress(const json_t *event, const Generation *g);

/* openai_error.c: an answer with another status. */
extern Next openai_fail(Exchange *x);

/*
 * openai_error.c: what the answer to openai_ask_models, of whatever kind,
 * says about the key; as ProviderAdapter.validate.
 */
extern Next openai_judge_key(Exchange *x);

/*
 * An error that came with a good status: an event of a stream, or a server's
 * odd habit.  What it says is believed; what it does not say may have cost.
 */
extern Next openai_fail_late(Exchange *x, const json_t *error);

#endif							/* BAMBI_OPENAI_H */
