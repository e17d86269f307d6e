/*-------------------------------------------------------------------------
 *
 * openai_test.c
 *		The OpenAI adapter asks as official clients do, reads what comes back,
 *		and never repeats what may have cost.
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/courier/picture.h"
#include "check.h"
#include "play.h"

static const char key[] = "sk-test0123456789abcdefghijklmnop";

/* A request with these parameters, ready for its reply. */
static Next
begin(Play *play, const char *model, json_t *parameters, json_t *settings)
{
	play_begin(play, provider_find("openai"), "https://api.openai.com/v1",
			   key, model, parameters, settings, NULL);
	return play_step(play);
}

static void
check_call(const json_t *call)
{
	const char *name = json_string_value(json_object_get(call, "call"));
	const char *sdk = json_string_value(json_object_get(call, "sdk"));
	json_t	   *theirs = json_object_get(json_object_get(call, "request"),
										 "body");
	const char *model = json_string_value(json_object_get(theirs, "model"));
	json_t	   *parameters = json_deep_copy(theirs);
	json_t	   *ours;
	Play		play;

	json_object_del(parameters, "model");
	json_object_del(parameters, "prompt");
	json_object_del(parameters, "response_format");
	CHECK(begin(&play, model, parameters, json_object()) == NEXT_SEND,
		  "%s %s: is sent", sdk, name);
	ours = json_loadb(play.x.request.body, play.x.request.body_len, 0, NULL);
	CHECK(json_equal(ours, theirs), "%s %s: same body", sdk, name);
	CHECK(strcmp(play.x.request.method, "POST") == 0 &&
		  strcmp(play.x.request.url,
				 "https://api.openai.com/v1/images/generations") == 0,
		  "%s %s: same place", sdk, name);
	CHECK(strcmp(play_request_header(&play, "content-type"),
				 "application/json") == 0, "%s %s: is JSON", sdk, name);
	json_decref(ours);
	play_end(&play);
}

static void
check_request(void)
{
	json_t	   *settings = json_pack("{s:s, s:s}", "organization", "org-1",
									 "project", "proj_1");
	Play		play;

	begin(&play, "gpt-image-2", json_pack("{s:n, s:i}", "quality", "n", 2),
		  settings);
	CHECK(play.x.request.is_paid, "a generation is a paid call");
	CHECK(strcmp(play_request_header(&play, "authorization"),
				 "Bearer sk-test0123456789abcdefghijklmnop") == 0,
		  "the key travels as a bearer token");
	CHECK(strcmp(play_request_header(&play, "x-client-request-id"),
				 "00000000-0000-7000-8000-000000000001.1") == 0,
		  "the call carries generation and attempt");
	CHECK(strcmp(play_request_header(&play, "openai-organization"), "org-1") == 0 &&
		  strcmp(play_request_header(&play, "openai-project"), "proj_1") == 0,
		  "organisation and project come from the settings");
	CHECK(!play_body_holds(&play, "quality"), "a null parameter is left out");
	CHECK(!play_body_holds(&play, "sk-test"), "the key is not in the body");
	play_end(&play);

	CHECK(begin(&play, "gpt-image-2", json_object(),
				json_pack("{s:s}", "project", "a\r\nX-Evil: 1")) == NEXT_FAIL
		  && play.x.fault.class == FAULT_BAD_REQUEST,
		  "a setting cannot smuggle a header in");
	play_end(&play);
	CHECK(begin(&play, "gpt-image-2", json_pack("{s:b}", "stream", 1),
				json_object()) == NEXT_FAIL &&
		  play.x.fault.charged == CHARGED_NO && !play.x.fault.may_have_cost,
		  "a stream is refused before it costs");
	play_end(&play);
	CHECK(begin(&play, "gpt-image-2.6-flare",
				json_pack("{s:s}", "output_format", "svg"),
				json_object()) == NEXT_FAIL,
		  "a format that is not stored is refused before it costs");
	play_end(&play);
	begin(&play, "any", json_object(),
		  json_pack("{s:s}", "response_format", "b64_json"));
	CHECK(play_body_holds(&play, "\"response_format\":\"b64_json\""),
		  "a provider's setting may ask for base64");
	play_end(&play);
}

static void
check_pictures(void)
{
	json_t	   *document = json_load_file(FIXTURES "openai/answer.json", 0,
										  NULL);
	char	   *text = json_dumps(document, 0);

	for (size_t piece = 1; piece < 40; piece += 6)
	{
		Play		play;
		PictureFacts facts = {0};
		Usage	   *usage = &play.outcome.usage;
		Next		next;

		begin(&play, "gpt-image-2", json_object(), json_object());
		play_reply_header(&play, "x-request-id", "req_1");
		next = play_answer(&play, 200, text, piece);
		CHECK(next == NEXT_DONE && play.outcome.picture_count == 2,
			  "two pictures arrive in pieces of %zu", piece);
		for (int i = 0; i < play.outcome.picture_count; i++)
			CHECK(picture_sniff(play.outcome.pictures[i].picture.bytes,
								play.outcome.pictures[i].picture.len,
								&facts) == PICTURE_OK && facts.width == 1,
				  "picture %d is one, in pieces of %zu", i, piece);
		CHECK(usage->text_input == 13 && usage->image_input == 0 &&
			  usage->image_output == 392 && usage->text_output == 0 &&
			  usage->total == 405 && usage->text_input_cached == -1,
			  "tokens are read, and what is not said is unknown");
		CHECK(play.outcome.pictures[0].revised_prompt == NULL &&
			  strcmp(play.outcome.pictures[1].revised_prompt,
					 "a prompt that says \"b64_json\":\"AAAA\" for fun") == 0,
			  "the revised prompt is kept, and is no picture");
		CHECK(strcmp(play.outcome.provider_request_id, "req_1") == 0,
			  "the request id is kept on success");
		play_end(&play);
	}
	free(text);
	json_decref(document);
}

static void
check_few_facts(void)
{
	Play		play;

	begin(&play, "gpt-image-2", json_object(), json_object());
	CHECK(play_answer(&play, 200, "{\"data\":[{\"b64_json\":\"AAAA\"},"
					  "{\"b64_json\":\"!\"},{\"url\":\"https://x/\"}],"
					  "\"usage\":{\"input_tokens\":5,\"output_tokens\":7}}",
					  9) == NEXT_DONE && play.outcome.picture_count == 1,
		  "of several pictures the whole ones count");
	CHECK(play.outcome.usage.text_input == 5 &&
		  play.outcome.usage.image_output == 7 &&
		  play.outcome.usage.total == -1,
		  "usage without details is text in, picture out");
	play_end(&play);

	begin(&play, "gpt-image-2", json_object(), json_object());
	CHECK(play_answer(&play, 200, "{\"data\":[{\"b64_json\":7},{\"b64_json\":"
					  "null},{\"b64_json\":[\"0\"]},{\"B64_JSON\":\"0\"}]}",
					  5) == NEXT_FAIL && play.x.fault.class == FAULT_UNKNOWN,
		  "an index can only come from the scanner");
	play_end(&play);

	begin(&play, "gpt-image-2", json_object(), json_object());
	play_answer(&play, 400, "{\"error\":{\"message\":\"bad key "
				"sk-test0123456789abcdefghijklmnop, really\"}}", 100);
	CHECK(strcmp(play.x.fault.message, "bad key ***, really") == 0,
		  "an echoed key is scrubbed");
	play_end(&play);

	begin(&play, "gpt-image-2", json_object(), json_object());
	play.x.reply.transport = TRANSPORT_RESET_BODY;
	play_answer(&play, 429, "{\"error\":{\"mess", 100);
	CHECK(play.x.fault.class == FAULT_RATE_LIMITED &&
		  play.x.fault.may_repeat && play.x.fault.charged == CHARGED_NO,
		  "a refusal is one, also if the rest of it was lost");
	play_end(&play);

	begin(&play, "gpt-image-2", json_object(), json_object());
	play_answer(&play, 400, "{\"error\":{\"code\":\"slow_down\"}}", 100);
	CHECK(play.x.fault.class == FAULT_RATE_LIMITED && !play.x.fault.may_repeat,
		  "only a 429 is documented as not processed");
	play_end(&play);

	begin(&play, "gpt-image-2", json_object(), json_object());
	play_reply_header(&play, "x-should-retry", "true");
	play_answer(&play, 500, "{\"error\":{\"code\":\"rate_limit_exceeded\"}}", 100);
	CHECK(play.x.fault.may_have_cost && !play.x.fault.may_repeat,
		  "a 500 is never repeated, whatever it says of itself");
	play_end(&play);
}

int
main(void)
{
	json_t	   *calls = json_load_file(FIXTURES "openai/calls.json", 0, NULL);
	size_t		i;
	json_t	   *row;

	CHECK(json_array_size(json_object_get(calls, "calls")) >= 3,
		  "the recorded calls are there");
	json_array_foreach(json_object_get(calls, "calls"), i, row)
		check_call(row);
	check_request();
	check_pictures();
	check_few_facts();
	json_decref(calls);
	return check_done();
}
