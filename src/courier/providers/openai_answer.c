/*-------------------------------------------------------------------------
 *
 * openai_answer.c
 *		What a good answer of the OpenAI images protocol brings.
 *
 * It is a document, or of a stream an array of the events that were no
 * previews.  A server may answer either, whatever it was asked for; and what
 * began well may end in an error.
 *
 *-------------------------------------------------------------------------
 */
#include <limits.h>
#include <string.h>

#include "openai.h"

/* What dall-e-3 takes as a prompt, four bytes each. */
#define MAX_REVISED_PROMPT	(16 * 1024)

/* Signed addresses have some hundred characters. */
#define MAX_URL			8192

/* A preview never says that all is done. */
#define MAX_PERCENT		99

/* ---- events ---- */

static bool
is_event(const json_t *event, const char *what)
{
	const char *type = json_string_value(json_object_get(event, "type"));

	if (type == NULL)
		return false;
	if (strncmp(type, "image_generation.", 17) == 0)
		return strcmp(type + 17, what) == 0;
	return strncmp(type, "image_edit.", 11) == 0 &&
		strcmp(type + 11, what) == 0;
}

static bool
is_error(const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "type"));
	const json_t *error = json_object_get(event, "error");

	return (type != NULL && strcmp(type, "error") == 0) ||
		json_is_object(error) || json_is_string(error);
}

/*
 * Previews come at even distances, as far as anybody can tell: the first of
 * three at a quarter of the way.
 */
int
openai_progress(const json_t *event, const Generation *g)
{
	json_int_t	index;
	json_int_t	count;

	if (!is_event(event, "partial_image"))
		return -1;
	index = json_integer_value(json_object_get(event, "partial_image_index"));
	count = json_integer_value(json_object_get(g->parameters,
											   "partial_images"));
	if (index < 0)
		index = 0;
	if (count < 1)
		count = 1;
	if (index >= count)
		return MAX_PERCENT;
	return (int) ((index + 1) * 100 / (count + 1));
}

bool
openai_has_result(Exchange *x)
{
	json_t	   *root = exchange_json(x);
	size_t		i;
	json_t	   *event;

	if (!json_is_array(root))
		return false;
	json_array_foreach(root, i, event)
	{
		if (is_event(event, "completed") || is_error(event))
			return true;
	}
	return false;
}

/* ---- tokens ---- */

static void
read_usage(const json_t *usage, const Generation *g, Usage *tokens)
{
	static const Usage not_counted = {-1, -1, -1, -1, -1, -1, -1};
	const json_t *input = json_object_get(usage, "input_tokens_details");
	const json_t *output = json_object_get(usage, "output_tokens_details");

	tokens->text_input = exchange_count(input, "text_tokens");
	tokens->text_input_cached = -1;
	tokens->image_input = exchange_count(input, "image_tokens");
	tokens->image_input_cached = -1;
	tokens->image_output = exchange_count(output, "image_tokens");
	tokens->text_output = exchange_count(output, "text_tokens");
	tokens->total = exchange_count(usage, "total_tokens");

	/* a gateway's zeros, where the server behind it has not counted */
	if (tokens->total == 0)
	{
		*tokens = not_counted;
		return;
	}

	/* without details: text in, or an edit's pictures; and a picture out */
	if (!json_is_object(input) && g->input_count == 0)
		tokens->text_input = exchange_count(usage, "input_tokens");
	else if (!json_is_object(input))
		tokens->image_input = exchange_count(usage, "input_tokens");
	if (!json_is_object(output))
		tokens->image_output = exchange_count(usage, "output_tokens");
}

/* What is known of both. */
static void
add_tokens(long *sum, long tokens)
{
	if (tokens >= 0)
		*sum = (*sum >= 0 ? *sum : 0) + tokens;
}

/* Each event of a stream counts the tokens of its own picture. */
static void
add_usage(const json_t *usage, const Generation *g, Usage *sum)
{
	Usage		one;

	read_usage(usage, g, &one);
	add_tokens(&sum->text_input, one.text_input);
	add_tokens(&sum->image_input, one.image_input);
	add_tokens(&sum->image_output, one.image_output);
	add_tokens(&sum->text_output, one.text_output);
	add_tokens(&sum->total, one.total);
}

/* ---- pictures ---- */

/* An address that a picture can be fetched from, or NULL. */
static const char *
read_url(const json_t *item)
{
	const char *url = json_string_value(json_object_get(item, "url"));

	if (url == NULL || strlen(url) > MAX_URL)
		return NULL;
	if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
		return NULL;
	for (const char *c = url; *c != '\0'; c++)
	{
		if (*c <= 0x20 || *c >= 0x7f)
			return NULL;
	}
	return url;
}

/* Takes a picture that is whole: of an element of "data", or of an event. */
static void
take_picture(Exchange *x, const json_t *item, Outcome *outcome)
{
	const char *revised = json_string_value(json_object_get(item,
															"revised_prompt"));
	OutcomePicture *taken = &outcome->pictures[outcome->picture_count];
	int			index = exchange_picture_index(x, json_object_get(item, "b64_json"));
	Picture    *picture = index >= 0 ? &x->reply.pictures[index] : NULL;

	if (outcome->picture_count == MAX_PICTURES)
		return;
	if (picture != NULL && !picture->is_broken && picture->len > 0)
	{
		taken->picture = *picture;
		memset(picture, 0, sizeof(*picture));
	}
	else if ((taken->url = read_url(item)) == NULL)
		return;
	if (revised != NULL)
		taken->revised_prompt = exchange_scrub(x, revised, MAX_REVISED_PROMPT);
	outcome->picture_count++;
}

/* ---- the answer ---- */

static Next
fail_unusable(Exchange *x, Charged charged, const char *message)
{
	exchange_fail(x, FAULT_UNKNOWN, message);
	x->fault.charged = charged;
	return NEXT_FAIL;
}

/* Sets *error to the last one in it, or NULL. */
static void
read_events(Exchange *x, json_t *events, const Generation *g,
			Outcome *outcome, const json_t **error)
{
	size_t		i;
	json_t	   *event;

	json_array_foreach(events, i, event)
	{
		if (is_event(event, "completed"))
		{
			take_picture(x, event, outcome);
			add_usage(json_object_get(event, "usage"), g, &outcome->usage);
		}
		else if (is_error(event))
			*error = event;
	}
}

static void
read_document(Exchange *x, json_t *root, const Generation *g,
			  Outcome *outcome, const json_t **error)
{
	size_t		i;
	json_t	   *item;

	json_array_foreach(json_object_get(root, "data"), i, item)
		take_picture(x, item, outcome);
	read_usage(json_object_get(root, "usage"), g, &outcome->usage);
	if (is_error(root))
		*error = root;
}

/*
 * Notes that some of the pictures that were asked for did not come, and may
 * be billed all the same.
 */
static void
note_missing(Exchange *x, const Generation *g, const json_t *error,
			 Outcome *outcome)
{
	json_int_t	asked = json_integer_value(json_object_get(g->parameters,
														   "n"));
	int			missing;

	if (asked > MAX_PICTURES)
		asked = MAX_PICTURES;
	missing = (int) asked - outcome->picture_count;
	if (error != NULL)
	{
		openai_fail_late(x, error);
		outcome->note = arena_strdup(x->arena, x->fault.message);
		if (x->fault.charged == CHARGED_NO)
			missing = 0;
		memset(&x->fault, 0, sizeof(x->fault));
	}
	else if (missing > 0)
		outcome->note = arena_printf(x->arena,
									 "%d of %d pictures did not come whole",
									 missing, (int) asked);
	outcome->missing_billed = missing > 0 ? missing : 0;
}

Next
openai_read(Exchange *x, const Generation *g, Outcome *outcome)
{
	Charged		charged = x->reply.picture_count > 0 ? CHARGED_YES :
	CHARGED_UNKNOWN;
	json_t	   *root = exchange_json(x);
	const json_t *error = NULL;

	if (root == NULL)
		return fail_unusable(x, charged,
							 "the provider's answer is no JSON document");
	if (json_is_array(root))
		read_events(x, root, g, outcome, &error);
	else
		read_document(x, root, g, outcome, &error);

	if (outcome->picture_count == 0 && error != NULL)
		return openai_fail_late(x, error);
	if (outcome->picture_count == 0)
		return fail_unusable(x, charged,
							 "the provider's answer holds no whole picture");
	note_missing(x, g, error, outcome);
	return NEXT_DONE;
}
