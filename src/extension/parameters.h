/*-------------------------------------------------------------------------
 *
 * parameters.h
 *		Whether a model can do what a request asks for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PARAMETERS_H
#define BAMBI_PARAMETERS_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* What models.capabilities says of one model. */
typedef struct BambiModel
{
	const char *name;			/* slug/model_id, for messages */
	Jsonb	   *capabilities;
} BambiModel;

/*
 * The parameters as they are to be stored: what the user gave, without the
 * nulls, which mean "the default".  BAMBI_BAD_VALUE if it is no object.
 */
extern Jsonb *bambi_parameters_given(Jsonb *parameters);

/*
 * BAMBI_BAD_VALUE unless the model takes all of the parameters; the error
 * names parameter, model and what is allowed.
 */
extern void bambi_parameters_check(const BambiModel *model,
								   Jsonb *parameters);

/* How many pictures they ask for: "n", or its default, or one. */
extern int	bambi_parameters_count(const BambiModel *model,
								   Jsonb *parameters);

/*
 * What a parameter may come to be at the provider, as strings: what is given,
 * or its default; where that is "auto" or there is none, each of the listed
 * values but "auto".  NIL if it may be anything, or the model has it not.
 */
extern List *bambi_parameters_may_be(const BambiModel *model,
									 Jsonb *parameters, const char *name);

/* Whether one of them, by its rule, costs nobody knows what. */
extern bool bambi_parameters_are_unpriced(const BambiModel *model,
										  Jsonb *parameters);

/* WIDTHxHEIGHT, both from 1; false if it is no size. */
extern bool bambi_size_read(const char *size, int length, int *width,
							int *height);

/*
 * BAMBI_BAD_VALUE if there is no prompt or it is longer than the model takes.
 * Gives its length in characters.
 */
extern int	bambi_prompt_check(const BambiModel *model, text *prompt);

#endif							/* BAMBI_PARAMETERS_H */
