/*-------------------------------------------------------------------------
 *
 * openai_test.c
 *		The OpenAI adapter asks as official clients do, reads what comes back,
 *		and never repeats what may have cost.
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/protocol/picture.h"
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
	ours = play_request_json(&play);
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
	CHECK(strcmp(play_request_header(&play, "openai-organization"),
				 "org-1") == 0 &&
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
	CHECK(begin(&play, "gpt-image-2.6-flare",
				json_pack("{s:s}", "output_format", "svg"),
				json_object()) == NEXT_FAIL,
		  "a format that is not stored is refused before it costs");
	play_end(&play);
	CHECK(begin(&play, "gpt-image-2.6-flare",
				json_pack("{s:s, s:i}", "output_format", "gif",
						  "frame_count", 8), json_object()) == NEXT_SEND,
		  "an animated gif is stored, so it may be asked for");
	play_end(&play);
	CHECK(begin(&play, "\xff", json_object(), json_object()) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_INTERNAL,
		  "what is not UTF-8 is not sent");
	play_end(&play);
}

/* The whole body, beside model and prompt; all of them JSON. */
static void
check_fields(const char *model, const char *parameters, const char *settings,
			 const char *expected)
{
	json_t	   *theirs = json_loads(expected, 0, NULL);
	json_t	   *ours;
	Play		play;

	json_object_set_new(theirs, "model", json_string(model));
	json_object_set_new(theirs, "prompt", json_string("cat"));
	begin(&play, model, json_loads(parameters, 0, NULL),
		  json_loads(settings, 0, NULL));
	ours = play_request_json(&play);
	CHECK(json_equal(ours, theirs), "%s with %s and %s is asked for %s", model,
		  parameters, settings, expected);
	json_decref(ours);
	json_decref(theirs);
	play_end(&play);
}

static void
check_families(void)
{
	static const char dalle_3[] =
	"{\"quality\":\"hd\",\"style\":\"natural\",\"size\":\"1792x1024\"}";
	static const char gpt[] =
	"{\"n\":4,\"size\":\"1536x1024\",\"quality\":\"max\",\"background\":"
	"\"transparent\",\"output_format\":\"webp\",\"output_compression\":80,"
	"\"moderation\":\"low\",\"complexity\":\"high\",\"frame_count\":2,"
	"\"frame_duration_ms\":100,\"svg\":{\"model\":\"m\"},"
	"\"safety_identifier\":\"u\"}";

	check_fields("gpt-image-2.6-sunburst", gpt, "{}", gpt);
	check_fields("dall-e-3", dalle_3, "{}",
				 "{\"quality\":\"hd\",\"style\":\"natural\",\"size\":"
				 "\"1792x1024\",\"response_format\":\"b64_json\"}");
	check_fields("dall-e-3", "{}", "{\"response_format\":\"url\"}",
				 "{\"response_format\":\"url\"}");
	check_fields("dall-e-2", "{\"size\":\"256x256\",\"n\":10}", "{}",
				 "{\"size\":\"256x256\",\"n\":10,"
				 "\"response_format\":\"b64_json\"}");
	check_fields("dall-e-2", "{}", "{\"response_format\":\"none\"}", "{}");
	check_fields("any", "{}", "{}", "{}");
	check_fields("any", "{}", "{\"response_format\":\"b64_json\"}",
				 "{\"response_format\":\"b64_json\"}");
	check_fields("any", "{\"response_format\":\"url\",\"model\":\"dear\","
				 "\"prompt\":\"dog\",\"images\":[{\"image_url\":"
				 "\"https://x.example/\"}],\"mask\":{\"file_id\":\"f\"}}",
				 "{}", "{\"response_format\":\"url\"}");
	check_fields("any", "{\"response_format\":\"url\"}",
				 "{\"response_format\":\"none\"}", "{}");
	check_fields("dall-e-3", "{\"response_format\":\"url\"}", "{}",
				 "{\"response_format\":\"url\"}");
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

/* As LiteLLM fills it in. */
static void
check_zeros(void)
{
	const Usage *usage;
	Play		play;

	begin(&play, "any", json_object(), json_object());
	usage = &play.outcome.usage;
	CHECK(play_answer(&play, 200, "{\"data\":[{\"url\":\"https://x.example/1\","
					  "\"b64_json\":null}],\"usage\":{\"total_tokens\":0,"
					  "\"input_tokens\":0,\"input_tokens_details\":"
					  "{\"image_tokens\":0,\"text_tokens\":0},"
					  "\"output_tokens\":0}}", 9) == NEXT_DONE &&
		  usage->total == -1 && usage->text_input == -1 &&
		  usage->image_input == -1 && usage->image_output == -1 &&
		  usage->text_output == -1, "a picture of no tokens was not counted");
	play_end(&play);
}

/* By address, as DALL-E answers if not asked for bytes. */
static void
check_addresses(void)
{
	static const char *const unfit[] = {
		"", "/1.png", "file:///etc/passwd", "ftp://x.example/1",
		"https://x.example/a b", "https://x.example/\\n",
	};
	const char *const *hosts = provider_find("openai")->image_hosts;
	char		long_url[9000];
	char	   *text;
	Play		play;

	begin(&play, "dall-e-3", json_object(), json_object());
	CHECK(play_answer(&play, 200, "{\"data\":[{\"url\":\"https://"
					  "oaidalleapiprodscus.blob.core.windows.net/i?sig=1\","
					  "\"revised_prompt\":\"a cat\"}]}", 9) == NEXT_DONE &&
		  play.outcome.picture_count == 1 &&
		  play.outcome.pictures[0].picture.bytes == NULL &&
		  strcmp(play.outcome.pictures[0].url, "https://"
				 "oaidalleapiprodscus.blob.core.windows.net/i?sig=1") == 0
		  && strcmp(play.outcome.pictures[0].revised_prompt, "a cat") == 0,
		  "a picture may come as an address");
	CHECK(play.outcome.usage.total == -1 &&
		  play.outcome.usage.image_output == -1,
		  "tokens that nobody counted are unknown");
	CHECK(strcmp(hosts[0], "oaidalleapiprodscus.blob.core.windows.net") == 0 &&
		  hosts[1] == NULL, "at the host where DALL-E leaves them");
	play_end(&play);

	for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++)
	{
		begin(&play, "dall-e-3", json_object(), json_object());
		text = arena_printf(play.x.arena, "{\"data\":[{\"url\":\"%s\"}]}",
							unfit[i]);
		CHECK(play_answer(&play, 200, text, 9) == NEXT_FAIL &&
			  play.x.fault.class == FAULT_UNKNOWN,
			  "no address of a picture: %s", unfit[i]);
		play_end(&play);
	}

	memset(long_url, 'a', sizeof(long_url));
	memcpy(long_url, "https://", 8);
	for (size_t len = 8192; len <= 8193; len++)
	{
		begin(&play, "dall-e-3", json_object(), json_object());
		text = arena_printf(play.x.arena, "{\"data\":[{\"url\":\"%.*s\"}]}",
							(int) len, long_url);
		CHECK((play_answer(&play, 200, text, 999) == NEXT_DONE) ==
			  (len == 8192), "an address of %zu characters", len);
		play_end(&play);
	}
}

/* No more than there is room for, whatever the answer holds. */
static void
check_many_pictures(void)
{
	json_t	   *items = json_array();
	json_t	   *document;
	char	   *text;
	Play		play;

	for (int i = 0; i < 30; i++)
		json_array_append_new(items,
							  json_pack("{s:s}", i % 2 ? "b64_json" : "url",
										i % 2 ? PLAY_PIXEL : "https://x/"));
	document = json_pack("{s:o}", "data", items);
	text = json_dumps(document, 0);
	begin(&play, "any", json_object(), json_object());
	CHECK(play_answer(&play, 200, text, 99) == NEXT_DONE &&
		  play.outcome.picture_count == MAX_PICTURES,
		  "of thirty pictures ten are taken");
	play_end(&play);
	free(text);
	json_decref(document);
}

static void
check_few_facts(void)
{
	Play		play;

	begin(&play, "gpt-image-2", json_pack("{s:i}", "n", 3), json_object());
	CHECK(play_answer(&play, 200, "{\"data\":[{\"b64_json\":\"AAAA\"},"
					  "{\"b64_json\":\"!\"},{\"url\":\"no address\"}],"
					  "\"usage\":{\"input_tokens\":5,\"output_tokens\":7}}",
					  9) == NEXT_DONE && play.outcome.picture_count == 1,
		  "of several pictures the whole ones count");
	CHECK(play.outcome.usage.text_input == 5 &&
		  play.outcome.usage.image_output == 7 &&
		  play.outcome.usage.total == -1,
		  "usage without details is text in, picture out");
	CHECK(play.outcome.missing_billed == 2 &&
		  strcmp(play.outcome.note, "2 of 3 pictures did not come whole") == 0,
		  "the others may be billed, and are told of");
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

	begin(&play, "any", json_object(), json_object());
	CHECK(play_answer(&play, 422, "{\"detail\":[{\"loc\":[\"body\",\"n\"],"
					  "\"msg\":\"too many\"},{\"loc\":[\"body\",\"s\",0],"
					  "\"msg\":\"too large\"}]}", 100) == NEXT_FAIL &&
		  strcmp(play.x.fault.message,
				 "body.n: too many; body.s.0: too large") == 0,
		  "complaints are told with their place");
	play_end(&play);

	begin(&play, "any", json_object(), json_object());
	CHECK(play_answer(&play, 404, "<html>Not Found</html>", 100) == NEXT_FAIL
		  && play.x.fault.class == FAULT_UNKNOWN &&
		  strstr(play.x.fault.message, "base URL") != NULL,
		  "a page that is not there points to the base URL");
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
	play_answer(&play, 500,
				"{\"error\":{\"code\":\"rate_limit_exceeded\"}}", 100);
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
	check_families();
	check_pictures();
	check_zeros();
	check_addresses();
	check_many_pictures();
	check_few_facts();
	json_decref(calls);
	return check_done();
}
