/*-------------------------------------------------------------------------
 *
 * models.c
 *		The models of openai-images.amended.openapi.json and their tokens.
 *
 * Tokens of 1024x1024 and of 1536x1024 are the measured ones where prices.json
 * has them; other sizes go by the number of pixels.
 *
 *-------------------------------------------------------------------------
 */
#include "models.h"

#include <stddef.h>
#include <string.h>

const Model models[] = {
	{"gpt-image-2.6-sunburst", FAMILY_2_6},
	{"gpt-image-2.6-flare", FAMILY_2_6},
	{"gpt-image-2.5-sunburst", FAMILY_2_5},
	{"gpt-image-2.5-sunburst-2026-09-08", FAMILY_2_5},
	{"gpt-image-2.5-flare", FAMILY_2_5},
	{"gpt-image-2.5-flare-2026-09-08", FAMILY_2_5},
	{"gpt-image-2", FAMILY_2},
	{"gpt-image-2-2026-04-21", FAMILY_2},
	{"gpt-image-1.5", FAMILY_1},
	{"gpt-image-1-mini", FAMILY_1},
	{"chatgpt-image-latest", FAMILY_1},
	{"gpt-image-1", FAMILY_GONE},
	{"dall-e-3", FAMILY_DALLE_3},
	{"dall-e-2", FAMILY_DALLE_2},
	{NULL, FAMILY_GONE}
};

const Model foreign_model = {"", FAMILY_FOREIGN};

typedef struct Tokens
{
	Family		family;
	const char *quality;
	int			square;
	int			oblong;
} Tokens;

static const Tokens tokens[] = {
	{FAMILY_1, "low", 272, 408},
	{FAMILY_1, "medium", 1056, 1584},
	{FAMILY_1, "high", 4160, 6240},
	{FAMILY_2, "low", 196, 158},
	{FAMILY_2, "medium", 1756, 1372},
	{FAMILY_2, "high", 7024, 5488},
	{FAMILY_2_5, "low", 196, 158},
	{FAMILY_2_5, "medium", 439, 343},
	{FAMILY_2_5, "high", 1756, 1372},
	{FAMILY_2_5, "xhigh", 3122, 2459},
	{FAMILY_2_5, "max", 7024, 5488},
};

const Model *
model_find(const char *name)
{
	for (const Model *m = models; m->name != NULL; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

int
model_output_tokens(const Model *model, const char *quality, int width,
					int height)
{
	Family		family = model->family;

	if (family == FAMILY_2_6)
		family = FAMILY_2_5;
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
	{
		const Tokens *t = &tokens[i];

		if (t->family != family || strcmp(t->quality, quality) != 0)
			continue;
		if ((width == 1536 && height == 1024) ||
			(width == 1024 && height == 1536))
			return t->oblong;
		return (long) t->square * width * height / (1024 * 1024);
	}
	return 0;
}
