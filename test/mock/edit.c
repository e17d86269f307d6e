/*-------------------------------------------------------------------------
 *
 * edit.c
 *		The pictures that OpenAI's edits bring with them, in a form or in JSON.
 *
 *-------------------------------------------------------------------------
 */
#include "openai_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "form.h"
#include "input.h"

#define MAX_INPUT_BYTES		(50UL * 1024 * 1024)
#define MAX_MASK_BYTES		(4UL * 1024 * 1024)

/* ---- forms ---- */

/* A text field as JSON would have it. */
static json_t *
field_value(const Part *part)
{
	static const char *const integers[] = {
		"n", "output_compression", "partial_images", "frame_count",
		"frame_duration_ms"
	};
	char		number[16];
	char	   *end;
	long		value;

	if (strcmp(part->name, "stream") == 0 && part->length == 4 &&
		memcmp(part->bytes, "true", 4) == 0)
		return json_true();
	if (strcmp(part->name, "stream") == 0 && part->length == 5 &&
		memcmp(part->bytes, "false", 5) == 0)
		return json_false();
	for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++)
	{
		if (strcmp(part->name, integers[i]) != 0)
			continue;
		snprintf(number, sizeof(number), "%.*s", (int) part->length,
				 part->bytes);
		value = strtol(number, &end, 10);
		if (end != number && *end == '\0')
			return json_integer(value);
	}
	return json_stringn(part->bytes, part->length);
}

static bool
take_file(const Part *part, Wish *wish, Refusal *why)
{
	if (strcmp(part->name, "mask") == 0)
	{
		wish->mask.bytes = part->bytes;
		wish->mask.length = part->length;
		return true;
	}
	if (strcmp(part->name, "image") != 0 && strcmp(part->name, "image[]") != 0)
		return refuse(why, 400, REQUEST_ERROR, NULL, "unknown_parameter",
					  "Unknown parameter: '%s'.", part->name);
	if (strcmp(part->name, "image") == 0 && wish->input_count > 0)
		return refuse(why, 400, REQUEST_ERROR, "image",
					  "duplicate_parameter", "Duplicate parameter: 'image'. "
					  "You provided multiple values for this parameter, "
					  "whereas only one is allowed. If you are trying to "
					  "provide a list of values, use the array syntax "
					  "instead e.g. 'image[]=<value>'.");
	if (wish->input_count == MAX_INPUTS)
		return refuse(why, 400, USER_ERROR, "image", "invalid_value",
					  "Too many images: the most are %d.", MAX_INPUTS);
	wish->inputs[wish->input_count].bytes = part->bytes;
	wish->inputs[wish->input_count++].length = part->length;
	return true;
}

json_t *
edit_read_form(const Request *request, Wish *wish, Refusal *why)
{
	Part		parts[MAX_PARTS];
	int			count = form_parse(request, parts);
	json_t	   *body = json_object();
	bool		is_good = count >= 0;

	if (!is_good)
		refuse(why, 400, REQUEST_ERROR, NULL, NULL,
			   "Could not parse multipart form");
	for (int i = 0; i < count && is_good; i++)
	{
		if (parts[i].is_file)
			is_good = take_file(&parts[i], wish, why);
		else if (json_object_set_new(body, parts[i].name,
									 field_value(&parts[i])) != 0)
			is_good = refuse(why, 400, REQUEST_ERROR, NULL, NULL,
							 "Could not parse multipart form");
	}
	if (is_good)
		return body;
	json_decref(body);
	return NULL;
}

/* ---- JSON ---- */

static bool
take_reference(const json_t *reference, Input *input, unsigned char **room,
			   Refusal *why)
{
	const char *url = json_string_value(json_object_get(reference,
														"image_url"));
	const char *file = json_string_value(json_object_get(reference,
														 "file_id"));

	if (url != NULL && strlen(url) > MAX_IMAGE_URL)
		return refuse(why, 400, REQUEST_ERROR, "images",
					  "string_above_max_length", "Invalid 'image_url': "
					  "string too long.");
	return input_read(url, file, input, room) ||
		refuse(why, 400, USER_ERROR, "images", "invalid_image_url",
			   "Expected either 'image_url', with an https or data URL, or "
			   "'file_id'.");
}

bool
edit_read_json(const json_t *body, Wish *wish, void **kept, Refusal *why)
{
	json_t	   *images = json_object_get(body, "images");
	json_t	   *mask = json_object_get(body, "mask");
	size_t		count = json_array_size(images);
	unsigned char *room;

	*kept = NULL;
	if (!json_is_object(body))
		return true;			/* check_request says why not */
	if (count > MAX_INPUTS)
		return refuse(why, 400, USER_ERROR, "images", "invalid_value",
					  "Too many images: the most are %d.", MAX_INPUTS);
	room = *kept = input_room(count + 1);
	for (size_t i = 0; i < count; i++)
		if (!take_reference(json_array_get(images, i),
							&wish->inputs[wish->input_count++], &room, why))
			return false;
	return mask == NULL || take_reference(mask, &wish->mask, &room, why);
}

/* ---- are they pictures? ---- */

/* Width and height of a PNG, as they stand in it. */
static const char *
png_size(const Input *input)
{
	return (const char *) input->bytes + 16;
}

static bool
check_mask(const Wish *wish, Refusal *why)
{
	const Input *mask = &wish->mask;
	const Input *first = &wish->inputs[0];
	unsigned char colour_type;

	if (mask->bytes == NULL || input_is_reference(mask))
		return true;
	if (!input_is_png(mask))
		return refuse(why, 400, USER_ERROR, "mask", "invalid_image_file",
					  "Invalid mask image: expected a PNG.");
	if (mask->length >= MAX_MASK_BYTES)
		return refuse(why, 400, USER_ERROR, "mask", "image_too_large",
					  "Invalid mask image: it must be less than 4MB.");
	colour_type = png_size(mask)[9];
	if (colour_type != 4 && colour_type != 6)
		return refuse(why, 400, USER_ERROR, "mask",
					  "invalid_mask_image_format",
					  "Invalid mask image format - mask image missing alpha "
					  "channel");
	if (input_is_png(first) && memcmp(png_size(mask), png_size(first), 8) != 0)
		return refuse(why, 400, USER_ERROR, "mask", "invalid_image_size",
					  "Invalid mask image: its size is not that of the first "
					  "image.");
	return true;
}

bool
check_inputs(const Wish *wish, Refusal *why)
{
	Family		family = wish->model->family;

	if (wish->input_count == 0)
		return refuse(why, 400, REQUEST_ERROR, "image",
					  "missing_required_parameter",
					  "Missing required parameter: 'image'.");
	for (int i = 0; i < wish->input_count; i++)
	{
		const Input *input = &wish->inputs[i];

		if (input_is_reference(input))
			continue;
		if (!input_is_picture(input))
			return refuse(why, 400, USER_ERROR, "image",
						  "invalid_image_file", "Invalid image file or mode "
						  "for image %d, please check your image file.",
						  i + 1);
		if (input->length >= MAX_INPUT_BYTES)
			return refuse(why, 400, USER_ERROR, "image", "image_too_large",
						  "Invalid image: it must be less than 50MB.");
	}
	if (family == FAMILY_DALLE_3)
		return refuse(why, 400, REQUEST_ERROR, "model", "invalid_value",
					  "Value must be 'dall-e-2'.");
	if (family == FAMILY_DALLE_2 &&
		(wish->input_count > 1 || !input_is_png(&wish->inputs[0]) ||
		 wish->inputs[0].length >= MAX_MASK_BYTES ||
		 memcmp(png_size(&wish->inputs[0]), png_size(&wish->inputs[0]) + 4,
				4) != 0))
		return refuse(why, 400, REQUEST_ERROR, "image", NULL,
					  "Uploaded image must be a square PNG and less than 4 "
					  "MB.");
	return check_mask(wish, why);
}
