/*-------------------------------------------------------------------------
 *
 * google_error.h
 *		What an error of a Google service means, and what follows from it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_GOOGLE_ERROR_H
#define BAMBI_GOOGLE_ERROR_H

#include "provider.h"

/*
 * NEXT_DONE if the reply is a whole answer with a status of success; else
 * x->fault says what is wrong.  Also for the token endpoint, whose errors
 * have OAuth's own shape.
 */
extern Next google_check(Exchange *x);

/* A fault that a complete answer of success turned out to be. */
extern Next google_fail_answer(Exchange *x, FaultClass class, Charged charged,
							   const char *message);

/*
 * The end of several calls of which the last one failed: a failure if no
 * picture has come, else what there is, with a note.
 */
extern Next google_settle(Exchange *x, Outcome *outcome);

#endif							/* BAMBI_GOOGLE_ERROR_H */
