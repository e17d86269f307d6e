/*-------------------------------------------------------------------------
 *
 * openai_request.c
 *		How the OpenAI adapter asks: a picture from a prompt, or an edit of
 *		pictures; as a document or as a form.
 *
 * What is known to be refused, or to bring what could not be read, is not
 * sent.  All else is left to the server, which knows its models better.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../base64.h"
#include "openai.h"

#define MAX_SETTING		200

/*
 * Of a picture in a form, in bytes; and of a mask, or of dall-e-2's one.
 * Whose megabytes they are is not said, so the larger ones.
 */
#define MAX_FILE		(50 * 1024 * 1024 - 1)
#define MAX_SMALL_FILE	(4 * 1024 * 1024 - 1)

/* Of a picture in a document, in characters. */
#define MAX_IMAGE_URL	20971520

#define MAX_PARTIAL_IMAGES	3

/* Of parameters that are objects, in a form. */
#define MAX_FORM_DEPTH	4

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

typedef struct MediaType
{
	const char *format;
	const char *name;
	const char *extension;
} MediaType;

/* What may be edited. */
static const MediaType media_types[] = {
	{"png", "image/png", "png"},
	{"jpeg", "image/jpeg", "jpg"},
	{"webp", "image/webp", "webp"},
};

/* What can be stored. */
static const char *const output_formats[] = {"png", "jpeg", "webp", "gif"};

/* Decided here, whatever the parameters say. */
static const char *const own_fields[] = {
	"model", "prompt", "response_format", "stream", "partial_images",
	"image", "image[]", "images", "mask", "markup",
};

/* ---- what is not sent ---- */

static bool
is_listed(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
	{
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static const MediaType *
find_media_type(const char *format)
{
	for (size_t i = 0; i < lengthof(media_types); i++)
	{
		if (strcmp(media_types[i].format, format) == 0)
			return &media_types[i];
	}
	return NULL;
}

static bool
is_streamed(const Generation *g)
{
	return json_is_true(json_object_get(g->parameters, "stream"));
}

/* What would be paid for and then could not be read, or NULL. */
static const char *
find_unreadable(const Generation *g)
{
	const json_t *previews = json_object_get(g->parameters,
											 "partial_images");
	const char *format = json_string_value(json_object_get(g->parameters,
														   "output_format"));

	if (format != NULL &&
		!is_listed(output_formats, lengthof(output_formats), format))
		return "\"output_format\" must be png, jpeg, webp or gif";
	if (is_streamed(g) && previews != NULL && !json_is_null(previews) &&
		(!json_is_integer(previews) || json_integer_value(previews) < 0 ||
		 json_integer_value(previews) > MAX_PARTIAL_IMAGES))
		return "\"partial_images\" must be from 0 to 3";
	return NULL;
}

static bool
is_dalle_2(const Generation *g)
{
	return strcmp(g->model, "dall-e-2") == 0;
}

/* Why the pictures of an edit would be refused, or NULL. */
static const char *
find_unfit_input(const Generation *g)
{
	const Input *first = &g->inputs[0];
	const Input *mask = g->mask;

	if (g->input_count > MAX_INPUTS)
		return "an edit takes at most 16 pictures";
	for (int i = 0; i < g->input_count; i++)
	{
		if (find_media_type(g->inputs[i].format) == NULL)
			return "a picture to be edited must be png, jpeg or webp";
		if (g->inputs[i].len > MAX_FILE)
			return "a picture to be edited must have less than 50 MB";
	}
	if (is_dalle_2(g) &&
		(g->input_count != 1 || strcmp(first->format, "png") != 0 ||
		 first->width != first->height || first->len > MAX_SMALL_FILE))
		return "dall-e-2 edits one square png of less than 4 MB";
	if (mask == NULL)
		return NULL;
	if (strcmp(mask->format, "png") != 0)
		return "the mask must be png";
	if (mask->len > MAX_SMALL_FILE)
		return "the mask must have less than 4 MB";
	if (mask->width != first->width || mask->height != first->height)
		return "the mask must be as wide and as high as the first picture";
	return NULL;
}

/* ---- the fields ---- */

/*
 * In which form pictures are asked for, or NULL for no word about it.  The
 * models of the DALL-E family send an address unless asked for bytes; GPT
 * image models refuse the very question.  Other servers' habits are the
 * provider's setting, "none" above all; where it allows, the user may choose.
 */
static const char *
choose_response_format(const Exchange *x, const Generation *g)
{
	const char *setting = exchange_setting(x, "response_format");
	const char *wish =
	json_string_value(json_object_get(g->parameters, "response_format"));

	if (setting != NULL && strcmp(setting, "none") == 0)
		return NULL;
	if (wish == NULL)
		wish = setting;
	if (wish == NULL && strncmp(g->model, "dall-e-", 7) == 0)
		wish = "b64_json";
	if (wish != NULL && strcmp(wish, "b64_json") != 0 &&
		strcmp(wish, "url") != 0)
		return NULL;
	return wish;
}

/* All but the pictures, or NULL if something is not UTF-8. */
static json_t *
make_fields(const Exchange *x, const Generation *g)
{
	const char *response_format = choose_response_format(x, g);
	json_t	   *fields = json_pack("{s:s, s:s}", "model", g->model,
								   "prompt", g->prompt);
	const char *name;
	json_t	   *value;

	if (fields == NULL)
		return NULL;
	json_object_foreach(g->parameters, name, value)
	{
		if (!is_listed(own_fields, lengthof(own_fields), name) &&
			!json_is_null(value))
			json_object_set(fields, name, value);
	}
	if (response_format != NULL)
		json_object_set_new(fields, "response_format",
							json_string(response_format));
	if (is_streamed(g))
	{
		value = json_object_get(g->parameters, "partial_images");
		json_object_set_new(fields, "stream", json_true());
		if (json_is_integer(value))
			json_object_set(fields, "partial_images", value);
	}
	return fields;
}

/* ---- an edit as a document ---- */

/* {"image_url": "data:image/png;base64,..."}; NULL if that is too long. */
static json_t *
make_reference(Exchange *x, const Input *input)
{
	const char *prefix = arena_printf(x->arena, "data:%s;base64,",
									  find_media_type(input->format)->name);
	json_t	   *reference;

	if (strlen(prefix) + BASE64_ENCODED(input->len) > MAX_IMAGE_URL)
		return NULL;
	reference = json_object();
	if (json_object_set_new(reference, "image_url",
							exchange_base64(prefix, input->bytes,
											input->len)) != 0)
	{
		json_decref(reference);
		return NULL;
	}
	return reference;
}

/* Takes the fields. */
static const char *
post_document(Exchange *x, const Generation *g, json_t *fields)
{
	json_t	   *images = json_array();
	bool		fits = true;

	for (int i = 0; i < g->input_count; i++)
		fits = json_array_append_new(images,
									 make_reference(x, &g->inputs[i])) == 0 &&
			fits;
	json_object_set_new(fields, "images", images);
	if (g->mask != NULL)
		fits = json_object_set_new(fields, "mask",
								   make_reference(x, g->mask)) == 0 && fits;
	if (!fits)
	{
		json_decref(fields);
		return "a picture is too large for an edit that is sent as JSON";
	}
	exchange_post(x, "/images/edits", fields);
	return NULL;
}

/* ---- an edit as a form ---- */

/* An object is written svg[model], svg[reasoning][effort]: as clients do. */
static void
add_field(Exchange *x, const char *name, json_t *value, int depth)
{
	char	   *text;
	const char *member;
	size_t		i;
	json_t	   *inner;

	if (json_is_string(value))
	{
		exchange_form_text(x, name, json_string_value(value));
		return;
	}
	if (!json_is_object(value) && !json_is_array(value))
	{
		text = json_dumps(value, JSON_ENCODE_ANY);
		if (text != NULL)
			exchange_form_text(x, name, text);
		free(text);
		return;
	}
	if (depth == MAX_FORM_DEPTH)
		return;
	json_object_foreach(value, member, inner)
		add_field(x, arena_printf(x->arena, "%s[%s]", name, member), inner,
				  depth + 1);
	json_array_foreach(value, i, inner)
		add_field(x, arena_printf(x->arena, "%s[]", name), inner, depth + 1);
}

static void
add_file(Exchange *x, const char *name, const char *file, const Input *input)
{
	const MediaType *type = find_media_type(input->format);

	exchange_form_file(x, name,
					   arena_printf(x->arena, "%s.%s", file, type->extension),
					   type->name, input->bytes, input->len);
}

/* Takes the fields. */
static void
post_form(Exchange *x, const Generation *g, json_t *fields)
{
	const char *name;
	json_t	   *value;

	exchange_form(x, "/images/edits");
	json_object_foreach(fields, name, value)
		add_field(x, name, value, 0);
	json_decref(fields);
	if (g->mask != NULL)
		add_file(x, "mask", "mask", g->mask);
	if (g->input_count == 1)
		add_file(x, "image", "image", &g->inputs[0]);
	for (int i = 0; g->input_count > 1 && i < g->input_count; i++)
		add_file(x, "image[]", arena_printf(x->arena, "image-%d", i + 1),
				 &g->inputs[i]);
}

/* ---- the request ---- */

/* Sends a setting as a header; false if it is no fit value for one. */
static bool
add_setting(Exchange *x, const char *header, const char *setting)
{
	const char *value = exchange_setting(x, setting);

	if (value == NULL || value[0] == '\0')
		return true;
	if (strlen(value) > MAX_SETTING)
		return false;
	for (const char *c = value; *c != '\0'; c++)
	{
		if (*c <= 0x20 || *c >= 0x7f)
			return false;
	}
	exchange_header(x, header, value);
	return true;
}

/* A form unless the provider wants JSON, which dall-e-2 never understood. */
static const char *
post_edit(Exchange *x, const Generation *g, json_t *fields)
{
	const char *body = exchange_setting(x, "edit_body");

	if (body != NULL && strcmp(body, "json") == 0 && !is_dalle_2(g))
		return post_document(x, g, fields);
	post_form(x, g, fields);
	return NULL;
}

/* Says who asks: NEXT_SEND, or NEXT_FAIL. */
static Next
authorize(Exchange *x)
{
	exchange_bearer(x);
	if (!add_setting(x, "OpenAI-Organization", "organization") ||
		!add_setting(x, "OpenAI-Project", "project"))
		return exchange_fail(x, FAULT_BAD_REQUEST,
							 "the settings \"organization\" and \"project\" "
							 "must be plain identifiers");
	return NEXT_SEND;
}

Next
openai_ask_models(Exchange *x)
{
	exchange_get(x, "/models");
	return authorize(x);
}

Next
openai_ask(Exchange *x, const Generation *g)
{
	const char *unfit = find_unreadable(g);
	json_t	   *fields;

	if (unfit == NULL && g->input_count > 0)
		unfit = find_unfit_input(g);
	if (unfit != NULL)
		return exchange_fail(x, FAULT_BAD_REQUEST, unfit);

	fields = make_fields(x, g);
	if (fields == NULL)
		return exchange_fail(x, FAULT_INTERNAL, "the request is not UTF-8");
	if (g->input_count == 0)
		exchange_post(x, "/images/generations", fields);
	else
		unfit = post_edit(x, g, fields);
	if (unfit != NULL)
		return exchange_fail(x, FAULT_BAD_REQUEST, unfit);

	exchange_header(x, "X-Client-Request-Id", g->client_request_id);
	if (authorize(x) == NEXT_FAIL)
		return NEXT_FAIL;
	x->request.is_paid = true;
	x->request.ordinal = 1;
	x->request.picture_path = "data[].b64_json";
	if (is_streamed(g))
		x->request.event_picture_path = "b64_json";
	return NEXT_SEND;
}
