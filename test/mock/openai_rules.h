/*-------------------------------------------------------------------------
 *
 * openai_rules.h
 *		What a call in OpenAI's protocol asks for, and why not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_OPENAI_RULES_H
#define MOCK_OPENAI_RULES_H

#include <jansson.h>

#include "ledger.h"
#include "models.h"
#include "picture.h"

#define USER_ERROR		"image_generation_user_error"
#define REQUEST_ERROR	"invalid_request_error"

/* What was asked for, after validation. */
typedef struct Wish
{
	bool		is_edit;		/* these two before validation */
	bool		is_foreign;		/* of a server that is only compatible */
	const Model *model;
	const char *model_name;		/* as asked for, for the ledger */
	const char *prompt;
	int			n;
	const char *quality;		/* never "auto" */
	PictureWish picture;
	bool		streams;
	int			partial_images;
	bool		by_url;
	Input		inputs[MAX_INPUTS];
	int			input_count;
	Input		mask;			/* bytes NULL: none */
} Wish;

/* Why not. */
typedef struct Refusal
{
	int			status;
	const char *type;
	const char *param;
	const char *code;
	char		message[512];
} Refusal;

/* dall-e-2 and dall-e-3 answer, as option --legacy says. */
extern bool openai_serves_legacy;

/* Fills in the refusal; false, always. */
extern bool refuse(Refusal *why, int status, const char *type,
				   const char *param, const char *code, const char *format,...)
			__attribute__((format(printf, 6, 7)));

/* All but the pictures of an edit; the wish keeps pointers into body. */
extern bool check_request(const json_t *body, Wish *wish, Refusal *why);

/*
 * Takes a form apart: its text fields become a JSON body like that of a
 * generation, which is given, its files the inputs of the wish.
 */
extern json_t *edit_read_form(const Request *request, Wish *wish,
							  Refusal *why);

/* The inputs of a JSON body; *kept is what they need, to be freed. */
extern bool edit_read_json(const json_t *body, Wish *wish, void **kept,
						   Refusal *why);

/* After check_request: may these pictures be edited by this model? */
extern bool check_inputs(const Wish *wish, Refusal *why);

#endif							/* MOCK_OPENAI_RULES_H */
