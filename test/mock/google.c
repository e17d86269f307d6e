/*-------------------------------------------------------------------------
 *
 * google.c
 *		Answers in Google's protocols.
 *
 * The three ways in differ in address and credential and in little else.  A
 * block is an answer with status 200.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "google.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "call.h"
#include "document.h"
#include "google_rules.h"
#include "token.h"

#define MAX_INLINE		20971520UL	/* bytes of a request */
#define INPUT_TOKENS	560		/* of a picture to edit; a made-up number */
#define JSON			"content-type: application/json; charset=UTF-8\r\n"

static void
answer_refusal(Connection *c, const GoogleRefusal *why)
{
	json_t	   *error = json_pack("{s:i,s:o,s:s}", "code", why->status,
								  "message", document_text(why->message),
								  "status", why->word);

	if (why->reason != NULL)
		json_object_set_new(error, "details",
							json_pack("[{s:s,s:s,s:s}]", "@type",
									  "type.googleapis.com/"
									  "google.rpc.ErrorInfo", "reason",
									  why->reason, "domain",
									  "googleapis.com"));
	document_answer(c, why->status, JSON, json_pack("{s:o}", "error", error));
}

/* ---- where ---- */

/* Up to the end or one of those characters; returns what follows. */
static const char *
take(const char *path, const char *end, char *to, size_t size)
{
	size_t		length = strcspn(path, end);

	if (length >= size)
		length = size - 1;
	memcpy(to, path, length);
	to[length] = '\0';
	return path + strcspn(path, end);
}

/* /v1/models/MODEL:METHOD and the other forms; false if it is none. */
static bool
find_place(const char *path, Place *place)
{
	static const char publisher[] = "publishers/google/models";
	const char *rest;

	memset(place, 0, sizeof(*place));
	if (strncmp(path, "/v1/", 4) == 0)
		rest = path + 4;
	else if (strncmp(path, "/v1beta/", 8) == 0)
		rest = path + 8;
	else if (strncmp(path, "/v1beta1/", 9) == 0)
		rest = path + 9;
	else
		return false;

	if (strncmp(rest, "projects/", 9) == 0)
	{
		place->has_project = true;
		rest = take(rest + 9, "/", place->project, sizeof(place->project));
		if (strncmp(rest, "/locations/", 11) != 0)
			return false;
		rest = take(rest + 11, "/", place->location, sizeof(place->location));
		rest += *rest == '/';
	}
	if (strncmp(rest, publisher, sizeof(publisher) - 1) == 0)
	{
		place->is_vertex = true;
		rest += sizeof(publisher) - 1;
	}
	else if (strncmp(rest, "models", 6) == 0 && !place->has_project)
		rest += 6;
	else
		return false;
	if (*rest == '\0')
		return true;
	if (*rest != '/')
		return false;
	rest = take(rest + 1, ":", place->model, sizeof(place->model));
	if (*rest == ':')
		take(rest + 1, "", place->method, sizeof(place->method));
	return strchr(place->model, '/') == NULL;
}

/* ---- who ---- */

static bool
check_api_key(const char *key, const Place *place, GoogleRefusal *why)
{
	if (key[0] == '\0' && place->is_vertex)
		return google_refuse(why, 401, "UNAUTHENTICATED",
							 "CREDENTIALS_MISSING", "Request is missing "
							 "required authentication credential.");
	if (key[0] == '\0')
		return google_refuse(why, 403, "PERMISSION_DENIED", NULL,
							 "Method doesn't allow unregistered callers "
							 "(callers without established identity). Please "
							 "use API Key or other form of API consumer "
							 "identity to call this API.");
	if (strncmp(key, "AQ.invalid", 10) == 0)
		return google_refuse(why, 401, "UNAUTHENTICATED",
							 "ACCESS_TOKEN_TYPE_UNSUPPORTED", "Request had "
							 "invalid authentication credentials. Expected "
							 "OAuth 2 access token, login cookie or other "
							 "valid authentication credential.");
	if ((strncmp(key, "AIza", 4) != 0 && strncmp(key, "AQ.", 3) != 0) ||
		strncmp(key, "AIza-invalid", 12) == 0)
		return google_refuse(why, 400, "INVALID_ARGUMENT", "API_KEY_INVALID",
							 "API key not valid. Please pass a valid API "
							 "key.");
	return true;
}

static bool
check_token(const Request *request, const Place *place, GoogleRefusal *why)
{
	if (!token_is_alive(request->bearer))
		return google_refuse(why, 401, "UNAUTHENTICATED",
							 "ACCESS_TOKEN_EXPIRED", "Request had invalid "
							 "authentication credentials. Expected OAuth 2 "
							 "access token, login cookie or other valid "
							 "authentication credential.");
	if (!token_is_for(request->bearer, place->project))
		return google_refuse(why, 403, "PERMISSION_DENIED",
							 "IAM_PERMISSION_DENIED", "Permission "
							 "'aiplatform.endpoints.predict' denied on "
							 "resource '//aiplatform.googleapis.com/projects/"
							 "%s/locations/%s/publishers/google/models/%s' "
							 "(or it may not exist).", place->project,
							 place->location, place->model);
	return true;
}

static bool
check_credentials(const Request *request, const Place *place,
				  GoogleRefusal *why)
{
	if (request->has_authorization && request->api_key[0] != '\0')
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "Multiple authentication credentials received. "
							 "Please pass only one.");
	if (place->has_project && request->api_key[0] != '\0')
		return google_refuse(why, 401, "UNAUTHENTICATED",
							 "CREDENTIALS_MISSING", "API keys are not "
							 "supported by this API. Expected OAuth2 access "
							 "token or other authentication credentials that "
							 "assert a principal.");
	if (place->has_project)
		return check_token(request, place, why);
	return check_api_key(request->api_key, place, why);
}

/* ---- the answer ---- */

static int
output_tokens(const GoogleWish *wish)
{
	if (strcmp(wish->size, "512") == 0)
		return 747;
	if (strcmp(wish->size, "2K") == 0)
		return 1680;
	return strcmp(wish->size, "4K") == 0 ? 2520 : 1120;
}

static void
gather_picture(Connection *c, const GoogleWish *wish, const Plan *plan,
			   const PictureWish *picture, bool is_thought)
{
	answer_text(c, "{%s\"inlineData\":{\"mimeType\":\"image/%s\",\"data\":\"",
				is_thought ? "\"thought\":true," : "",
				format_name(wish->picture.format));
	answer_blob(c, call_picture(plan, picture));
	answer_text(c, "\"}}");
}

static void
gather_parts(Connection *c, const GoogleWish *wish, const Plan *plan)
{
	PictureWish picture = wish->picture;

	picture.colour = prompt_colour(wish->prompt);
	if (plan->thought)
	{
		PictureWish interim = picture;

		interim.colour += 100;
		gather_picture(c, wish, plan, &interim, true);
		answer_text(c, ",");
	}
	if (wish->wants_text)
		answer_text(c, "{\"text\":\"Here is your picture.\"},");
	gather_picture(c, wish, plan, &picture, false);
}

/* No picture: words, or nothing at all. */
static void
gather_finish(Connection *c, const Plan *plan)
{
	answer_text(c, "\"candidates\":[{\"index\":0,");
	if (strcmp(plan->finish, "NO_IMAGE") == 0 ||
		strcmp(plan->finish, "STOP") == 0)
		answer_text(c, "\"content\":{\"role\":\"model\",\"parts\":[{\"text\":"
					"\"I cannot draw that.\"}]},");
	else
		answer_text(c, "\"finishMessage\":\"Unable to show the generated "
					"image.\",");
	answer_text(c, "\"finishReason\":\"%s\"}]", plan->finish);
}

static void
answer_content(Connection *c, const Request *request, const Call *call,
			   const Plan *plan, uint64_t sequence)
{
	const GoogleWish *wish = call->wish;
	long		text = prompt_tokens(wish->prompt);
	long		input = wish->input_count * INPUT_TOKENS;
	long		out = output_tokens(wish);
	long		thoughts = plan->thought ? 300 : 0;

	(void) request;
	answer_text(c, "{");
	if (plan->block[0] != '\0')
	{
		answer_text(c, "\"promptFeedback\":{\"blockReason\":\"%s\"}",
					plan->block);
		out = thoughts = 0;
	}
	else if (plan->finish[0] != '\0')
	{
		gather_finish(c, plan);
		out = 0;
	}
	else
	{
		answer_text(c, "\"candidates\":[{\"index\":0,\"content\":{\"role\":"
					"\"model\",\"parts\":[");
		gather_parts(c, wish, plan);
		answer_text(c, "]},\"finishReason\":\"STOP\"}]");
	}
	if (plan->has_tokens)
	{
		text = plan->tokens[0];
		input = plan->tokens[1];
		out = plan->tokens[2];
		thoughts = plan->tokens[3];
	}
	answer_text(c, ",\"usageMetadata\":{\"promptTokenCount\":%ld,"
				"\"promptTokensDetails\":["
				"{\"modality\":\"TEXT\",\"tokenCount\":%ld},"
				"{\"modality\":\"IMAGE\",\"tokenCount\":%ld}],"
				"\"candidatesTokenCount\":%ld,\"thoughtsTokenCount\":%ld,"
				"\"totalTokenCount\":%ld,\"candidatesTokensDetails\":"
				"[{\"modality\":\"IMAGE\",\"tokenCount\":%ld}]},"
				"\"modelVersion\":\"%s\",\"responseId\":\"mock-%" PRIu64 "\"}",
				text + input, text, input, out, thoughts,
				text + input + out + thoughts, out, call->entry.model,
				sequence);
	connection_answer(c, 200, JSON, plan->delay_ms);
}

/* If everything is blocked, there is not even an empty list. */
static void
answer_predict(Connection *c, const Request *request, const Call *call,
			   const Plan *plan, uint64_t sequence)
{
	const GoogleWish *wish = call->wish;
	PictureWish picture = wish->picture;

	(void) request;
	(void) sequence;
	picture.colour = prompt_colour(wish->prompt);
	answer_text(c, "{");
	if (plan->block[0] == '\0')
	{
		answer_text(c, "\"predictions\":[");
		for (int i = 0; i < wish->n; i++)
		{
			answer_text(c, "%s{\"mimeType\":\"image/%s\","
						"\"bytesBase64Encoded\":\"", i > 0 ? "," : "",
						format_name(picture.format));
			answer_blob(c, call_picture(plan, &picture));
			answer_text(c, "\"}");
			picture.colour++;
		}
		answer_text(c, "]");
	}
	else if (wish->tells_reason)
		answer_text(c, "\"predictions\":[{\"raiFilteredReason\":\"The image "
					"you want to create was filtered out. Support codes: "
					"%s\"}]", plan->block);
	answer_text(c, "}");
	connection_answer(c, 200, JSON, plan->delay_ms);
}

/* What was drawn and then withheld is paid, as far as anybody knows. */
static void
book_block(const Plan *plan, Entry *entry)
{
	entry->status = 200;
	entry->charged = plan->finish[0] != '\0';
}

/* ---- calls ---- */

static bool
check_call(const Request *request, const Place *place, const json_t *body,
		   GoogleWish *wish, GoogleRefusal *why)
{
	if (!check_credentials(request, place, why) ||
		!google_check_model(place, wish, why))
		return false;
	if (request->body_length > MAX_INLINE)
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "Request payload size exceeds the limit: "
							 "20971520 bytes.");
	wish->body_length = request->body_length;
	if (wish->model == NULL)
		return google_check_predict(body, wish, why);
	return google_check_content(body, place, wish, why);
}

static void
make_pictures(Connection *c, const Request *request, const Place *place)
{
	bool		is_predict = strcmp(place->method, "predict") == 0;
	json_t	   *body = json_loadb(request->body, request->body_length, 0, NULL);
	GoogleWish	wish = {0};
	GoogleRefusal why;
	Plan		plan;
	const char *wrong;
	bool		is_valid = check_call(request, place, body, &wish, &why);
	Call		call = {
		.entry = {
			.provider = place->is_vertex ? "vertex" : "google",
			.model = place->model,
			.n = wish.n,
			.inputs = wish.inputs,
			.input_count = wish.input_count,
		},
		.opening = is_predict ?
		"{\"predictions\":[{\"bytesBase64Encoded\":\"" :
		"{\"candidates\":[{\"index\":0,\"finishReason\":\"STOP\",\"content\":"
		"{\"role\":\"model\",\"parts\":[{\"inlineData\":{\"mimeType\":"
		"\"image/png\",\"data\":\"",
		.closing = is_predict ? "\"}]}" : "\"}}]}}]}",
		.wish = &wish,
		.answer = is_predict ? answer_predict : answer_content,
		.book_block = book_block,
	};

	if (is_valid && (wrong = faults_plan(wish.prompt, &plan)) != NULL)
		is_valid = google_refuse(&why, 400, "INVALID_ARGUMENT",
								 "MOCK_DIRECTIVE", "%s", wrong);
	if (is_valid)
		call_accept(c, request, &call, &plan);
	else
	{
		call_refuse(request, &call, why.status, why.word);
		answer_refusal(c, &why);
	}
	free(wish.prompt);
	free(wish.kept);
	json_decref(body);
}

static void
count_tokens(Connection *c, const Request *request, const Place *place)
{
	json_t	   *body = json_loadb(request->body, request->body_length, 0, NULL);
	GoogleWish	wish = {0};
	GoogleRefusal why;

	stats.key_checks++;
	if (check_call(request, place, body, &wish, &why))
	{
		answer_text(c, "{\"totalTokens\":%d}", prompt_tokens(wish.prompt) +
					wish.input_count * INPUT_TOKENS);
		connection_answer(c, 200, JSON, 0);
	}
	else
		answer_refusal(c, &why);
	free(wish.prompt);
	free(wish.kept);
	json_decref(body);
}

/* ---- models ---- */

static void
gather_model(Connection *c, const char *name)
{
	answer_text(c, "{\"name\":\"models/%s\",\"displayName\":\"%s\","
				"\"supportedGenerationMethods\":[\"generateContent\","
				"\"countTokens\"]}", name, name);
}

static void
list_models(Connection *c, const Request *request)
{
	const char *size = strstr(request->query, "pageSize=");
	const char *from = strstr(request->query, "pageToken=");
	int			most = size != NULL ? atoi(size + 9) : 50;
	int			first = from != NULL ? atoi(from + 10) : 0;
	int			number = 0;
	int			given = 0;

	answer_text(c, "{\"models\":[");
	for (const GoogleModel *m = google_models; m->name != NULL; m++)
	{
		if (m->on_vertex_only || number++ < first)
			continue;
		if (given == most)
			break;
		if (given++ > 0)
			answer_text(c, ",");
		gather_model(c, m->name);
	}
	answer_text(c, "]");
	if (first + given < number)
		answer_text(c, ",\"nextPageToken\":\"%d\"", first + given);
	answer_text(c, "}");
	connection_answer(c, 200, JSON, 0);
}

static void
show_models(Connection *c, const Request *request, const Place *place)
{
	GoogleWish	wish = {0};
	GoogleRefusal why;

	stats.key_checks++;
	if (!check_credentials(request, place, &why) ||
		(place->model[0] != '\0' && !google_check_model(place, &wish, &why)))
		answer_refusal(c, &why);
	else if (place->model[0] == '\0')
		list_models(c, request);
	else
	{
		gather_model(c, place->model);
		connection_answer(c, 200, JSON, 0);
	}
}

bool
google_answer(Connection *c, const Request *request)
{
	const char *path = request->path;
	bool		is_get = strcmp(request->method, "GET") == 0;
	bool		is_prefixed = strncmp(path, "/google/", 8) == 0 ||
	strncmp(path, "/vertex/", 8) == 0;
	Place		place;
	GoogleRefusal why;

	if (is_prefixed)
		path += 7;
	if (strcmp(path, "/token") == 0 && !is_get)
	{
		token_answer(c, request);
		return true;
	}
	if (!find_place(path, &place))
		memset(&place, 0, sizeof(place));
	else if (!is_prefixed && is_get && !place.is_vertex &&
			 strncmp(path, "/v1/", 4) == 0 && request->api_key[0] == '\0')
		return false;			/* OpenAI's models */
	else if (is_get)
	{
		show_models(c, request, &place);
		return true;
	}

	if (strcmp(place.method, "generateContent") == 0 ||
		(strcmp(place.method, "predict") == 0 && place.has_project))
		make_pictures(c, request, &place);
	else if (strcmp(place.method, "countTokens") == 0)
		count_tokens(c, request, &place);
	else if (is_prefixed || place.method[0] != '\0')
	{
		google_refuse(&why, 404, "NOT_FOUND", NULL,
					  "The requested URL was not found on this server.");
		answer_refusal(c, &why);
	}
	else
		return false;
	return true;
}
