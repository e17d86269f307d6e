/*-------------------------------------------------------------------------
 *
 * models.h
 *		Which models the mock provider knows, and what a picture of each costs
 *		in tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_MODELS_H
#define MOCK_MODELS_H

typedef enum Family
{
	FAMILY_GONE,				/* answered 404, as deprecated */
	FAMILY_DALLE_2,				/* these two as well, but for --legacy */
	FAMILY_DALLE_3,
	FAMILY_FOREIGN,				/* another server's, of any name */
	FAMILY_1,					/* GPT image models from here on */
	FAMILY_2,					/* free sizes from here on */
	FAMILY_2_5,					/* qualities xhigh and max from here on */
	FAMILY_2_6
} Family;

typedef struct Model
{
	const char *name;
	Family		family;
} Model;

extern const Model models[];	/* ends with a NULL name */

extern const Model foreign_model;

extern const Model *model_find(const char *name);	/* or NULL */
extern int	model_output_tokens(const Model *model, const char *quality,
								int width, int height);

#endif							/* MOCK_MODELS_H */
