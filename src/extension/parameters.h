/*-------------------------------------------------------------------------
 *
 * parameters.h
 *		Whether a model can do what a request asks for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PARAMETERS_H
#define BAMBI_PARAMETERS_H

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
 * BAMBI_BAD_VALUE if there is no prompt or it is longer than the model takes.
 * Gives its length in characters.
 */
extern int	bambi_prompt_check(const BambiModel *model, text *prompt);

#endif							/* BAMBI_PARAMETERS_H */
