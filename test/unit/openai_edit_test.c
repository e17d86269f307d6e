/*-------------------------------------------------------------------------
 *
 * openai_edit_test.c
 *		The OpenAI adapter sends pictures to be edited as official clients do,
 *		or as JSON, and none that would be refused.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"
#include "play.h"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

static const char key[] = "sk-test0123456789abcdefghijklmnop";

/* An edit of count pictures, each as this one. */
static Next
begin(Play *play, const char *model, const Input *input, int count,
	  const Input *mask, json_t *parameters, json_t *settings)
{
	Input	   *inputs;

	play_begin(play, provider_find("openai"), "https://api.openai.com/v1",
			   key, model, parameters, settings, NULL);
	inputs = arena_alloc(play->x.arena, (size_t) count * sizeof(Input));
	for (int i = 0; i < count; i++)
		inputs[i] = *input;
	play->generation.prompt = "hat";
	play->generation.inputs = inputs;
	play->generation.input_count = count;
	play->generation.mask = mask;
	return play_step(play);
}

static const FormPart *
find_part(const Play *play, const char *name)
{
	const FormPart *part = play->x.request.form;

	while (part != NULL && strcmp(part->name, name) != 0)
		part = part->next;
	return part;
}

static bool
part_is(const Play *play, const char *name, const char *value)
{
	const FormPart *part = find_part(play, name);

	return part != NULL && part->file_name == NULL &&
		part->len == strlen(value) &&
		memcmp(part->bytes, value, part->len) == 0;
}

/* ---- against recorded calls ---- */

/* What the recording's author called the file. */
static const char *
recorded_name(const char *file_name)
{
	static const char *const names[][2] = {
		{"image.png", "a.png"},
		{"image-1.png", "a.png"},
		{"image-2.png", "b.png"},
		{"mask.png", "m.png"},
	};

	for (size_t i = 0; i < lengthof(names); i++)
	{
		if (strcmp(names[i][0], file_name) == 0)
			return names[i][1];
	}
	return file_name;
}

/* The form as it is written on the wire, masked as in the recordings. */
static char *
write_form(const Play *play)
{
	Arena	   *arena = play->x.arena;
	char	   *text = arena_strdup(arena, "");
	const FormPart *part;

	for (part = play->x.request.form; part != NULL; part = part->next)
	{
		char	   *bytes = arena_strndup(arena, "", 0);

		for (size_t i = 0; i < part->len; i++)
		{
			char		c = ((const char *) part->bytes)[i];
			bool		is_plain = (c >= 0x20 && c < 0x7f) || c == '\r' ||
			c == '\n';

			bytes = arena_printf(arena, "%s%c", bytes, is_plain ? c : '.');
		}
		text = arena_printf(arena, "%s--<b>\r\nContent-Disposition: "
							"form-data; name=\"%s\"", text, part->name);
		if (part->file_name != NULL)
			text = arena_printf(arena, "%s; filename=\"%s\"\r\n"
								"Content-Type: %s", text,
								recorded_name(part->file_name),
								part->media_type);
		text = arena_printf(arena, "%s\r\n\r\n%s\r\n", text, bytes);
	}
	return arena_printf(arena, "%s--<b>--\r\n", text);
}

static void
check_call(const json_t *call)
{
	const char *name = json_string_value(json_object_get(call, "call"));
	const json_t *request = json_object_get(call, "request");
	const char *theirs = json_string_value(json_object_get(request, "body"));
	Input		pixel = play_pixel();
	bool		has_mask = strstr(theirs, "name=\"mask\"") != NULL;
	const char *ours;
	Play		play;

	CHECK(begin(&play, "gpt-image-2.6-flare", &pixel, has_mask ? 2 : 1,
				has_mask ? &pixel : NULL, json_object(),
				json_object()) == NEXT_SEND, "%s: is sent", name);
	CHECK(strcmp(play.x.request.url,
				 "https://api.openai.com/v1/images/edits") == 0 &&
		  strcmp(play.x.request.method, "POST") == 0 &&
		  play.x.request.body == NULL, "%s: same place", name);
	ours = write_form(&play);
	theirs = strstr(theirs, "--<b>");
	CHECK(strncmp(ours, theirs, strlen(ours)) == 0 &&
		  strcmp(theirs + strlen(ours), ">") == 0, "%s: same form", name);
	CHECK(play.x.request.is_paid && play.x.request.ordinal == 1 &&
		  strcmp(play_request_header(&play, "authorization"),
				 "Bearer sk-test0123456789abcdefghijklmnop") == 0,
		  "%s: is a paid call with the key", name);
	play_end(&play);
}

/* ---- single facts ---- */

static void
check_form(void)
{
	Input		pixel = play_pixel();
	Input		jpeg = pixel;
	Play		play;

	jpeg.format = "jpeg";
	begin(&play, "gpt-image-2.6-flare", &jpeg, 1, NULL,
		  json_pack("{s:i, s:s, s:b, s:i, s:n, s:s, s:{s:s, s:{s:s}}}",
					"n", 2, "size", "1024x1024", "stream", 1,
					"partial_images", 3, "quality", "mask", "file-1",
					"svg", "model", "m", "reasoning", "effort", "low"),
		  json_object());
	CHECK(part_is(&play, "n", "2") && part_is(&play, "size", "1024x1024"),
		  "numbers and texts are fields of the form");
	CHECK(part_is(&play, "stream", "true") &&
		  part_is(&play, "partial_images", "3") &&
		  strcmp(play.x.request.event_picture_path, "b64_json") == 0,
		  "an edit may be streamed");
	CHECK(part_is(&play, "svg[model]", "m") &&
		  part_is(&play, "svg[reasoning][effort]", "low"),
		  "an object is written as official clients do");
	CHECK(find_part(&play, "quality") == NULL, "a null is left out");
	CHECK(find_part(&play, "mask") == NULL,
		  "a parameter cannot stand for a picture");
	CHECK(find_part(&play, "image") != NULL &&
		  strcmp(find_part(&play, "image")->file_name, "image.jpg") == 0 &&
		  strcmp(find_part(&play, "image")->media_type, "image/jpeg") == 0 &&
		  find_part(&play, "image")->bytes == jpeg.bytes &&
		  find_part(&play, "image")->len == jpeg.len,
		  "the picture itself is in the form, by its type");
	play_end(&play);

	begin(&play, "dall-e-2", &pixel, 1, &pixel, json_object(),
		  json_pack("{s:s}", "edit_body", "json"));
	CHECK(part_is(&play, "response_format", "b64_json") &&
		  find_part(&play, "image") != NULL &&
		  find_part(&play, "mask") != NULL,
		  "dall-e-2 gets a form that asks for base64");
	play_end(&play);
}

static void
check_document(void)
{
	Input		pixel = play_pixel();
	json_t	   *ours;
	json_t	   *expected;
	Play		play;

	CHECK(begin(&play, "gpt-image-2.6-flare", &pixel, 2, &pixel,
				json_pack("{s:s, s:[s]}", "quality", "low", "images",
						  "https://evil.example/"),
				json_pack("{s:s}", "edit_body", "json")) == NEXT_SEND &&
		  play.x.request.form == NULL &&
		  strcmp(play.x.request.url,
				 "https://api.openai.com/v1/images/edits") == 0,
		  "a provider's setting may ask for JSON");
	ours = play_request_json(&play);
	expected = json_pack("{s:s, s:s, s:s, s:[{s:s}, {s:s}], s:{s:s}}",
						 "model", "gpt-image-2.6-flare", "prompt", "hat",
						 "quality", "low", "images",
						 "image_url", "data:image/png;base64," PLAY_PIXEL,
						 "image_url", "data:image/png;base64," PLAY_PIXEL,
						 "mask",
						 "image_url", "data:image/png;base64," PLAY_PIXEL);
	CHECK(json_equal(ours, expected), "its pictures are addresses of data");
	json_decref(ours);
	json_decref(expected);
	play_end(&play);
}

/* The longest picture whose address is not over the limit, and one more. */
static void
check_document_limit(void)
{
	size_t		fits = (20971520 - strlen("data:image/png;base64,")) / 4 * 3;
	Input		large = play_pixel();
	Play		play;

	large.bytes = calloc(1, fits + 1);
	large.len = fits;
	CHECK(begin(&play, "gpt-image-2", &large, 1, NULL, json_object(),
				json_pack("{s:s}", "edit_body", "json")) == NEXT_SEND,
		  "a picture may be as large as an address may be long");
	play_end(&play);
	large.len = fits + 1;
	CHECK(begin(&play, "gpt-image-2", &large, 1, NULL, json_object(),
				json_pack("{s:s}", "edit_body", "json")) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_BAD_REQUEST &&
		  play.x.fault.charged == CHARGED_NO, "a byte more is refused");
	play_end(&play);
	CHECK(begin(&play, "gpt-image-2", &large, 1, NULL, json_object(),
				json_object()) == NEXT_SEND, "and fits into a form");
	play_end(&play);
	free((uint8_t *) large.bytes);
}

/* Refused before anything is sent, with this in the message. */
static void
check_refusal(const char *model, Input input, int count, const Input *mask,
			  const char *why)
{
	Play		play;

	CHECK(begin(&play, model, &input, count, mask, json_object(),
				json_object()) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_BAD_REQUEST &&
		  play.x.fault.charged == CHARGED_NO && !play.x.fault.may_have_cost &&
		  strstr(play.x.fault.message, why) != NULL, "refused: %s", why);
	play_end(&play);
}

static void
check_limits(void)
{
	Input		pixel = play_pixel();
	Input		gif = pixel;
	Input		wide = pixel;
	Input		small = pixel;
	Input		huge = pixel;
	Play		play;

	gif.format = "gif";
	wide.width = 2;
	small.len = 4 * 1024 * 1024;
	huge.len = 50 * 1024 * 1024;
	check_refusal("gpt-image-2", pixel, 17, NULL, "at most 16");
	check_refusal("gpt-image-2", gif, 1, NULL, "png, jpeg or webp");
	check_refusal("gpt-image-2", huge, 1, NULL, "50 MB");
	check_refusal("gpt-image-2", pixel, 1, &gif, "mask must be png");
	check_refusal("gpt-image-2", pixel, 1, &wide, "as wide and as high");
	check_refusal("gpt-image-2", pixel, 1, &small, "less than 4 MB");
	check_refusal("dall-e-2", pixel, 2, NULL, "one square png");
	check_refusal("dall-e-2", wide, 1, NULL, "one square png");
	check_refusal("dall-e-2", small, 1, NULL, "one square png");

	CHECK(begin(&play, "gpt-image-2", &wide, 16, &wide, json_object(),
				json_object()) == NEXT_SEND, "sixteen are not refused");
	play_end(&play);
}

/* The answer is read as any other; but what went in was mostly pictures. */
static void
check_answer(void)
{
	Input		pixel = play_pixel();
	Play		play;

	begin(&play, "gpt-image-2", &pixel, 1, NULL, json_object(), json_object());
	CHECK(play_answer(&play, 200, "{\"data\":[{\"b64_json\":\"" PLAY_PIXEL
					  "\"}],\"usage\":{\"input_tokens\":50,"
					  "\"output_tokens\":196,\"input_tokens_details\":"
					  "{\"text_tokens\":9,\"image_tokens\":41}}}",
					  11) == NEXT_DONE && play.outcome.picture_count == 1 &&
		  play.outcome.usage.text_input == 9 &&
		  play.outcome.usage.image_input == 41,
		  "an edit's tokens are told apart");
	play_end(&play);

	begin(&play, "gpt-image-2", &pixel, 1, NULL, json_object(), json_object());
	play_answer(&play, 200, "{\"data\":[{\"b64_json\":\"" PLAY_PIXEL
				"\"}],\"usage\":{\"input_tokens\":50}}", 11);
	CHECK(play.outcome.usage.text_input == -1 &&
		  play.outcome.usage.image_input == 50,
		  "where they are not, they count as the pictures'");
	play_end(&play);
}

int
main(void)
{
	json_t	   *calls = json_load_file(FIXTURES "openai/edits.json", 0, NULL);
	size_t		i;
	json_t	   *row;

	CHECK(json_array_size(json_object_get(calls, "calls")) == 2,
		  "the recorded calls are there");
	json_array_foreach(json_object_get(calls, "calls"), i, row)
		check_call(row);
	check_form();
	check_document();
	check_document_limit();
	check_limits();
	check_answer();
	json_decref(calls);
	return check_done();
}
