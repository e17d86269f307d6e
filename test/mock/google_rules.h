/*-------------------------------------------------------------------------
 *
 * google_rules.h
 *		What a call in Google's protocol asks for, and why not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_GOOGLE_RULES_H
#define MOCK_GOOGLE_RULES_H

#include <jansson.h>

#include "ledger.h"
#include "picture.h"

typedef struct GoogleModel
{
	const char *name;
	bool		on_vertex_only;
	bool		is_odd;			/* 512, and the very long shapes */
	bool		only_1k;
} GoogleModel;

extern const GoogleModel google_models[];	/* ends with a NULL name */

/* Where in Google's address space a request goes. */
typedef struct Place
{
	bool		is_vertex;
	bool		has_project;
	char		project[64];
	char		location[64];
	char		model[128];		/* "": the list of them */
	char		method[48];		/* "": GET */
} Place;

typedef struct GoogleWish
{
	size_t		body_length;	/* of the request; before validation */
	const GoogleModel *model;	/* NULL: Imagen */
	char	   *prompt;			/* all texts of it; to be freed */
	int			n;
	bool		wants_text;
	bool		tells_reason;	/* Imagen: why a picture is missing */
	const char *size;			/* 512, 1K, 2K or 4K */
	PictureWish picture;
	Input		inputs[MAX_INPUTS];
	int			input_count;
	void	   *kept;			/* what the inputs stand in; to be freed */
} GoogleWish;

typedef struct GoogleRefusal
{
	int			status;
	const char *word;			/* of google.rpc.Code */
	const char *reason;			/* of google.rpc.ErrorInfo, or NULL */
	char		message[512];
} GoogleRefusal;

/* Fills in the refusal; false, always. */
extern bool google_refuse(GoogleRefusal *why, int status, const char *word,
						  const char *reason, const char *format,...)
			__attribute__((format(printf, 5, 6)));

extern bool google_check_model(const Place *place, GoogleWish *wish,
							   GoogleRefusal *why);

/* The body of generateContent, or of countTokens. */
extern bool google_check_content(const json_t *body, const Place *place,
								 GoogleWish *wish, GoogleRefusal *why);

/* The body of Imagen's predict. */
extern bool google_check_predict(const json_t *body, GoogleWish *wish,
								 GoogleRefusal *why);

#endif							/* MOCK_GOOGLE_RULES_H */
