/*-------------------------------------------------------------------------
 *
 * openai.c
 *		Answers in OpenAI's protocol: pictures whole, by address or as a stream
 *		of events, and errors.
 *
 * How a stream tells the usage of several pictures is documented nowhere;
 * here each picture's event has its own, and the first one what came in.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "openai.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "call.h"
#include "document.h"
#include "gallery.h"
#include "openai_rules.h"

#define INPUT_TOKENS	323		/* of a picture to edit; a made-up number */
#define COLOUR_STEP		100		/* previews have other colours */
#define PARTIAL_TOKENS	100		/* of a preview, as documented */

void
answer_error(Connection *c, int status, const char *type, const char *param,
			 const char *code, const char *message)
{
	char		headers[128];

	snprintf(headers, sizeof(headers),
			 "content-type: application/json\r\n"
			 "x-request-id: req_mock%012" PRIx64 "\r\n", stats.requests);
	document_answer(c, status, headers,
					json_pack("{s:{s:o,s:s,s:o,s:s?}}", "error",
							  "message", document_text(message),
							  "type", type, "param", document_text(param),
							  "code", code));
}

/* ---- the key ---- */

/* Any key of the right look is right, unless its name says otherwise. */
static bool
check_key(const Request *request, bool is_foreign, Refusal *why)
{
	const char *key = request->bearer;

	if (strncmp(key, "sk-invalid", 10) != 0 &&
		(strncmp(key, "sk-", 3) == 0 || (is_foreign && key[0] != '\0')))
		return true;
	return refuse(why, 401, REQUEST_ERROR, NULL, "invalid_api_key",
				  "Incorrect API key provided: sk-test*********************. "
				  "You can find your API key at "
				  "https://platform.openai.com/account/api-keys.");
}

/* ---- the answer ---- */

static void
gather_usage(Connection *c, const Wish *wish, const Plan *plan, int pictures,
			 bool with_input)
{
	long		text = with_input ? prompt_tokens(wish->prompt) : 0;
	long		input = with_input ? wish->input_count * INPUT_TOKENS : 0;
	long		output = pictures *
	(model_output_tokens(wish->model, wish->quality, wish->picture.width,
						 wish->picture.height) +
	 wish->partial_images * PARTIAL_TOKENS);
	long		words = 0;

	if (plan->has_tokens)
	{
		text = plan->tokens[0];
		input = plan->tokens[1];
		output = plan->tokens[2];
		words = plan->tokens[3];
	}
	answer_text(c, "\"usage\":{\"input_tokens\":%ld,\"output_tokens\":%ld,"
				"\"total_tokens\":%ld,\"input_tokens_details\":"
				"{\"text_tokens\":%ld,\"image_tokens\":%ld},"
				"\"output_tokens_details\":"
				"{\"image_tokens\":%ld,\"text_tokens\":%ld}}",
				text + input, output + words, text + input + output + words,
				text, input, output, words);
}

static void
gather_manner(Connection *c, const Wish *wish)
{
	answer_text(c, "\"background\":\"%s\",\"output_format\":\"%s\","
				"\"quality\":\"%s\",\"size\":\"%dx%d\",",
				wish->picture.is_transparent ? "transparent" : "opaque",
				format_name(wish->picture.format), wish->quality,
				wish->picture.width, wish->picture.height);
}

static void
gather_picture(Connection *c, const Request *request, const Wish *wish,
			   const Plan *plan, const PictureWish *picture)
{
	bool		by_url = plan->form == FORM_URL ||
	(plan->form == FORM_AS_ASKED && wish->by_url);
	char		url[MAX_URL];

	if (by_url)
	{
		gallery_hang(request, plan, picture, url);
		answer_text(c, "{\"url\":\"%s\"", url);
	}
	else
	{
		answer_text(c, "{\"b64_json\":\"");
		answer_blob(c, call_picture(plan, picture));
		answer_text(c, "\"");
	}
	if (wish->model->family == FAMILY_DALLE_3)
		answer_text(c, ",\"revised_prompt\":\"A picture, revised.\"");
	answer_text(c, "}");
}

static void
answer_pictures(Connection *c, const Request *request, const Wish *wish,
				const Plan *plan, uint64_t sequence)
{
	PictureWish picture = wish->picture;
	char		headers[160];

	picture.colour = prompt_colour(wish->prompt);
	answer_text(c, "{\"created\":%" PRId64 ",", now_us() / 1000000);
	if (wish->model->family >= FAMILY_1)
		gather_manner(c, wish);
	answer_text(c, "\"data\":[");
	for (int i = 0; i < wish->n; i++)
	{
		if (i > 0)
			answer_text(c, ",");
		gather_picture(c, request, wish, plan, &picture);
		picture.colour++;
	}
	answer_text(c, "]");
	if (wish->model->family >= FAMILY_1)
	{
		answer_text(c, ",");
		gather_usage(c, wish, plan, wish->n, true);
	}
	answer_text(c, "}");
	call_headers(headers, sizeof(headers), plan, sequence);
	connection_answer(c, 200, headers, plan->delay_ms);
}

/* preview: its number, or -1 for the picture itself */
static void
gather_event(Connection *c, const Wish *wish, const Plan *plan,
			 const PictureWish *picture, int preview, bool is_first)
{
	char		name[64];

	snprintf(name, sizeof(name), "%s.%s",
			 wish->is_edit ? "image_edit" : "image_generation",
			 preview < 0 ? "completed" : "partial_image");
	answer_chunk_begin(c);
	answer_text(c, "event: %s\ndata: {\"type\":\"%s\",\"created_at\":%" PRId64
				",", name, name, now_us() / 1000000);
	gather_manner(c, wish);
	if (preview < 0)
		gather_usage(c, wish, plan, 1, is_first);
	else
		answer_text(c, "\"partial_image_index\":%d", preview);
	answer_text(c, ",\"b64_json\":\"");
	answer_blob(c, call_picture(plan, picture));
	answer_text(c, "\"}\n\n");
	answer_chunk_end(c);
}

static void
answer_stream(Connection *c, const Wish *wish, const Plan *plan,
			  uint64_t sequence)
{
	PictureWish picture = wish->picture;
	char		headers[160];
	int			last = wish->n - (plan->stream_end != STREAM_COMPLETED);

	picture.colour = prompt_colour(wish->prompt);
	for (int i = 0; i < wish->n; i++)
	{
		for (int preview = 0; preview < wish->partial_images; preview++)
		{
			PictureWish early = picture;

			early.colour += COLOUR_STEP * (preview + 1);
			gather_event(c, wish, plan, &early, preview, false);
			answer_pause(c, plan->pause_ms);
		}
		if (i < last)
			gather_event(c, wish, plan, &picture, -1, i == 0);
		if (i + 1 < wish->n)
			answer_pause(c, plan->pause_ms);
		picture.colour++;
	}
	if (plan->stream_end == STREAM_ERROR)
	{
		answer_chunk_begin(c);
		answer_text(c, "event: error\ndata: {\"type\":\"error\",\"error\":"
					"{\"type\":\"server_error\",\"code\":\"server_error\","
					"\"message\":\"The server had an error while processing "
					"your request.\",\"param\":null}}\n\n");
		answer_chunk_end(c);
	}
	snprintf(headers, sizeof(headers), "content-type: text/event-stream\r\n"
			 "x-request-id: req_mock%012" PRIx64 "\r\n", sequence);
	connection_answer_chunked(c, 200, headers, plan->delay_ms);
}

static void
answer_block(Connection *c, const Plan *plan, uint64_t sequence)
{
	char		headers[160];

	answer_text(c, "{\"error\":{\"message\":\"Your request was rejected by "
				"the safety system. safety_violations=[%s].\",\"type\":\""
				USER_ERROR "\",\"param\":null,\"code\":\"moderation_blocked\","
				"\"moderation_details\":{\"moderation_stage\":\"input\","
				"\"categories\":[\"%s\"]}}}", plan->block, plan->block);
	call_headers(headers, sizeof(headers), plan, sequence);
	connection_answer(c, 400, headers, plan->delay_ms);
}

static void
answer_call(Connection *c, const Request *request, const Call *call,
			const Plan *plan, uint64_t sequence)
{
	const Wish *wish = call->wish;

	if (plan->block[0] != '\0')
		answer_block(c, plan, sequence);
	else if (wish->streams)
		answer_stream(c, wish, plan, sequence);
	else
		answer_pictures(c, request, wish, plan, sequence);
}

/* ---- calls ---- */

static void
decide(Connection *c, const Request *request, Wish *wish, bool is_valid,
	   Refusal *why)
{
	Plan		plan;
	const char *wrong;
	Call		call = {
		.entry = {
			.provider = wish->is_foreign ? "compatible" : "openai",
			.model = wish->model_name,
			.n = wish->n,
			.inputs = wish->inputs,
			.input_count = wish->input_count,
			.mask = wish->mask.bytes != NULL ? &wish->mask : NULL,
		},
		.opening = "{\"created\":1795417200,\"data\":[{\"b64_json\":\"",
		.closing = "\"}]}",
		.wish = wish,
		.answer = answer_call,
	};

	if (is_valid && (wrong = faults_plan(wish->prompt, &plan)) != NULL)
		is_valid = refuse(why, 400, "mock_error", "prompt", "mock_directive",
						  "%s", wrong);
	if (is_valid)
	{
		call_accept(c, request, &call, &plan);
		return;
	}
	call_refuse(request, &call, why->status, why->code);
	answer_error(c, why->status, why->type, why->param, why->code,
				 why->message);
}

static void
generate(Connection *c, const Request *request, bool is_foreign)
{
	json_t	   *body = json_loadb(request->body, request->body_length, 0, NULL);
	Wish		wish = {.model_name = "",.is_foreign = is_foreign};
	Refusal		why = {0};
	bool		is_valid;

	is_valid = check_key(request, is_foreign, &why) &&
		check_request(body, &wish, &why);
	decide(c, request, &wish, is_valid, &why);
	json_decref(body);
}

static void
edit(Connection *c, const Request *request, bool is_foreign)
{
	Wish		wish = {
		.model_name = "",
		.is_foreign = is_foreign,
		.is_edit = true
	};
	Refusal		why = {0};
	json_t	   *body = NULL;
	void	   *kept = NULL;
	bool		is_form = strncasecmp(request->content_type,
									  "multipart/form-data", 19) == 0;
	bool		is_valid = check_key(request, is_foreign, &why);

	if (is_valid && is_form)
		is_valid = (body = edit_read_form(request, &wish, &why)) != NULL;
	else if (is_valid)
	{
		body = json_loadb(request->body, request->body_length, 0, NULL);
		is_valid = edit_read_json(body, &wish, &kept, &why);
	}
	is_valid = is_valid && check_request(body, &wish, &why) &&
		check_inputs(&wish, &why);
	if (is_valid && !is_form && wish.model->family < FAMILY_FOREIGN)
		is_valid = refuse(&why, 400, REQUEST_ERROR, "model", "invalid_value",
						  "JSON edits are only for GPT image models.");
	decide(c, request, &wish, is_valid, &why);
	json_decref(body);
	free(kept);
}

static void
answer_models(Connection *c, const Request *request, const char *model,
			  bool is_foreign)
{
	Refusal		why;
	bool		is_first = true;

	stats.key_checks++;
	if (!check_key(request, is_foreign, &why))
	{
		answer_error(c, why.status, why.type, why.param, why.code,
					 why.message);
		return;
	}
	if (strncmp(request->bearer, "sk-noscope", 10) == 0)
	{
		answer_error(c, 403, REQUEST_ERROR, NULL, NULL,
					 "You have insufficient permissions for this operation. "
					 "Missing scopes: api.model.read.");
		return;
	}
	if (model == NULL)
		answer_text(c, "{\"object\":\"list\",\"data\":[");
	for (const Model *m = models; m->name != NULL; m++)
	{
		if (m->family == FAMILY_GONE ||
			(m->family < FAMILY_FOREIGN && !openai_serves_legacy) ||
			(model != NULL && strcmp(model, m->name) != 0))
			continue;
		answer_text(c, "%s{\"id\":\"%s\",\"object\":\"model\","
					"\"created\":1776729600,\"owned_by\":\"system\"}",
					is_first ? "" : ",", m->name);
		is_first = false;
	}
	if (model != NULL && is_first)
	{
		answer_error(c, 404, REQUEST_ERROR, "model", "model_not_found",
					 "The model does not exist.");
		return;
	}
	if (model == NULL)
		answer_text(c, "]}");
	connection_answer(c, 200, "content-type: application/json\r\n", 0);
}

void
openai_answer(Connection *c, const Request *request, const char *path,
			  bool is_foreign)
{
	bool		is_get = strcmp(request->method, "GET") == 0;
	char		message[512];

	if (strcmp(path, "/images/generations") == 0 && !is_get)
		generate(c, request, is_foreign);
	else if (strcmp(path, "/images/edits") == 0 && !is_get)
		edit(c, request, is_foreign);
	else if (strcmp(path, "/models") == 0 && is_get)
		answer_models(c, request, NULL, is_foreign);
	else if (strncmp(path, "/models/", 8) == 0 && is_get)
		answer_models(c, request, path + 8, is_foreign);
	else
	{
		snprintf(message, sizeof(message), "Invalid URL (%s %.400s)",
				 request->method, request->path);
		answer_error(c, 404, REQUEST_ERROR, NULL, NULL, message);
	}
}
