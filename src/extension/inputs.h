/*-------------------------------------------------------------------------
 *
 * inputs.h
 *		Whether a model can edit the pictures that it is given.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_INPUTS_H
#define BAMBI_INPUTS_H

#include "parameters.h"

/* What is known of a picture from its header. */
typedef struct BambiInput
{
	const char *format;			/* "png", "jpeg", ... */
	int			width;			/* pixels */
	int			height;
	int64		bytes;
} BambiInput;

/*
 * BAMBI_BAD_VALUE unless the model edits, and takes so many pictures at once:
 * one at least, whatever they are.
 */
extern void bambi_inputs_check_count(const BambiModel *model, int count);

/*
 * BAMBI_BAD_VALUE unless the model takes these pictures, with this mask or,
 * where that is NULL, without one; the error says which picture, and what
 * would have been right.
 */
extern void bambi_inputs_check(const BambiModel *model,
							   const BambiInput *inputs, int count,
							   const BambiInput *mask);

#endif							/* BAMBI_INPUTS_H */
