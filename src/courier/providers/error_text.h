/*-------------------------------------------------------------------------
 *
 * error_text.h
 *		What an error answer says about itself, in whichever of the forms
 *		that servers use.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ERROR_TEXT_H
#define BAMBI_ERROR_TEXT_H

#include <jansson.h>

#include "../arena.h"

/* As it came, so to be scrubbed; all may be NULL. */
typedef struct ErrorText
{
	const char *message;
	const char *type;
	const char *code;
	long		status;			/* a code that is an HTTP status, or 0 */
} ErrorText;

/*
 * Of {"error":{...}}, {"error":"...","code":...}, {"message":...},
 * {"detail":...} with a text, an object or FastAPI's list, of the first of a
 * list of these, or of anything else, NULL included.  Texts are lent from
 * root, or in the arena.
 */
extern void error_text_read(Arena *arena, const json_t *root,
							ErrorText *text);

#endif							/* BAMBI_ERROR_TEXT_H */
