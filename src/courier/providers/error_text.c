/*-------------------------------------------------------------------------
 *
 * error_text.c
 *		What an error answer says about itself, in whichever of the forms
 *		that servers use.
 *
 *-------------------------------------------------------------------------
 */
#include "error_text.h"

#include <string.h>

/* Of a list of complaints; the first says enough. */
#define MAX_COMPLAINTS	3

/* Steps to the field that a complaint is about. */
#define MAX_PLACE	6

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL && text[0] != '\0' ? text : NULL;
}

/* "body.size: ", of ["body", "size"] */
static const char *
read_place(Arena *arena, const json_t *steps)
{
	const char *place = "";
	size_t		i;
	json_t	   *step;

	json_array_foreach(steps, i, step)
	{
		const char *dot = i > 0 ? "." : "";

		if (i == MAX_PLACE)
			break;
		if (json_is_string(step))
			place = arena_printf(arena, "%s%s%s", place, dot,
								 json_string_value(step));
		else if (json_is_integer(step))
			place = arena_printf(arena, "%s%s%lld", place, dot,
								 (long long) json_integer_value(step));
	}
	return place[0] != '\0' ? arena_printf(arena, "%s: ", place) : "";
}

/* FastAPI's [{"loc":["body","size"],"msg":"..."}], or texts; NULL if none. */
static const char *
read_complaints(Arena *arena, const json_t *list)
{
	const char *text = NULL;
	size_t		i;
	json_t	   *item;

	json_array_foreach(list, i, item)
	{
		const char *message = json_string_value(item);

		if (i == MAX_COMPLAINTS)
			break;
		if (message == NULL)
			message = text_of(item, "msg");
		if (message == NULL)
			message = text_of(item, "message");
		if (message == NULL)
			continue;
		text = arena_printf(arena, "%s%s%s%s", text != NULL ? text : "",
							text != NULL ? "; " : "",
							read_place(arena, json_object_get(item, "loc")),
							message);
	}
	return text;
}

static const char *
read_message(Arena *arena, const json_t *object)
{
	static const char *const names[] = {"message", "detail", "error", "msg"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		const json_t *value = json_object_get(object, names[i]);
		const char *text = text_of(object, names[i]);

		if (text == NULL && json_is_object(value))
		{
			text = text_of(value, "message");
			if (text == NULL)
				text = text_of(value, "error");
		}
		if (text == NULL)
			text = read_complaints(arena, value);
		if (text != NULL)
			return text;
	}
	return NULL;
}

void
error_text_read(Arena *arena, const json_t *root, ErrorText *text)
{
	const json_t *error;
	const json_t *code;

	if (json_is_array(root))
		root = json_array_get(root, 0);
	error = json_object_get(root, "error");
	if (!json_is_object(error))
		error = root;
	text->message = read_message(arena, error);
	if (text->message == NULL)
		text->message = read_message(arena, root);
	text->type = text_of(error, "type");
	text->code = text_of(error, "code");

	code = json_object_get(error, "code");
	text->status = (long) json_integer_value(code);
	if (text->status < 400 || text->status > 599)
		text->status = 0;
}
