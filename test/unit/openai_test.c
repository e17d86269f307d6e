/*-------------------------------------------------------------------------
 *
 * openai_test.c
 *		The OpenAI adapter asks as official clients do, reads every answer as
 *		the fixtures expect, and never repeats what may have cost.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../src/courier/body.h"
#include "../../src/protocol/picture.h"
#include "../../src/courier/providers/provider.h"
#include "../../src/courier/retry.h"
#include "check.h"

extern const ProviderAdapter provider_openai;

#define FIXTURES "../fixtures/"

static const char key[] = "sk-test0123456789abcdefghijklmnop";

typedef struct Play
{
	Exchange	x;
	Generation	generation;
	Outcome		outcome;
	Body	   *body;
} Play;

/* A request with these parameters, ready for its reply. */
static Next
begin(Play *play, const char *model, json_t *parameters, json_t *settings)
{
	memset(play, 0, sizeof(*play));
	play->x.arena = arena_create();
	play->x.base_url = "https://api.openai.com/v1";
	play->x.settings = settings;
	play->x.secret = secret_create(play->x.arena, (const uint8_t *) key,
								   sizeof(key) - 1);
	play->generation.model = model;
	play->generation.prompt = "cat";
	play->generation.parameters = parameters;
	play->generation.client_request_id = "00000000-0000-7000-8000-000000000001.1";
	return provider_openai.generate(&play->x, &play->generation,
									&play->outcome);
}

static void
end(Play *play)
{
	for (int i = 0; i < play->outcome.picture_count; i++)
		free(play->outcome.pictures[i].picture.bytes);
	exchange_clear_reply(&play->x);
	body_destroy(play->body);
	json_decref(play->generation.parameters);
	json_decref(play->x.settings);
	arena_destroy(play->x.arena);
}

static const char *
request_header(const Play *play, const char *name)
{
	const Header *header;

	for (header = play->x.request.headers; header; header = header->next)
	{
		if (strcasecmp(header->name, name) == 0)
			return header->value;
	}
	return NULL;
}

static bool
body_holds(const Play *play, const char *piece)
{
	char	   *text = strndup(play->x.request.body, play->x.request.body_len);
	bool		is_there = strstr(text, piece) != NULL;

	free(text);
	return is_there;
}

static void
add_reply_header(Play *play, const char *name, const char *value)
{
	Header	   *header = arena_alloc(play->x.arena, sizeof(Header));

	header->name = name;
	header->value = value;
	header->next = play->x.reply.headers;
	play->x.reply.headers = header;
}

/* The body comes in pieces of this length, as from a network. */
static Next
answer(Play *play, long status, const char *text, size_t piece)
{
	Reply	   *reply = &play->x.reply;
	size_t		len = strlen(text);

	play->body = body_create(play->x.request.picture_path, 1 << 20, 1 << 20);
	for (size_t at = 0; at < len; at += piece)
		body_add(play->body, text + at, len - at < piece ? len - at : piece);
	reply->status = status;
	reply->wrote = true;
	reply->is_complete = true;
	reply->body = body_text(play->body, &reply->body_len);
	reply->picture_count = body_take_pictures(play->body, reply->pictures);
	return provider_openai.generate(&play->x, &play->generation,
									&play->outcome);
}

/* ---- the table of answers and network events ---- */

static void
check_fault(const char *id, const Fault *fault, const json_t *expect)
{
	const char *class = json_string_value(json_object_get(expect, "class"));
	const char *charged = json_string_value(json_object_get(expect, "charged"));
	bool		auto_retry = json_is_true(json_object_get(expect, "auto_retry"));
	double		after = json_number_value(json_object_get(expect,
														  "retry_after_s"));
	int			delay = retry_delay_ms(fault, 1, 0);

	CHECK(strcmp(fault_code(fault->class), class) == 0, "%s: class %s is %s",
		  id, fault_code(fault->class), class);
	CHECK(fault->retry_after_ms == (long) (after * 1000),
		  "%s: hint is %ld ms", id, fault->retry_after_ms);
	CHECK((delay >= 0) == auto_retry, "%s: %s repeated by itself", id,
		  auto_retry ? "is" : "is not");
	CHECK(strcmp(fault_charged_name(fault->charged), charged) == 0,
		  "%s: charged %s is %s", id, fault_charged_name(fault->charged),
		  charged);
	CHECK(fault->message[0] != '\0' && strstr(fault->message, "sk-") == NULL,
		  "%s: has a message without a key", id);
}

static void
check_answer(const json_t *row)
{
	const char *id = json_string_value(json_object_get(row, "id"));
	const json_t *body = json_object_get(row, "body");
	const json_t *expect = json_object_get(row, "expect");
	const char *raw = json_string_value(json_object_get(row, "raw_body"));
	char	   *dumped = raw == NULL ? json_dumps(body, 0) : NULL;
	const char *name;
	json_t	   *value;
	Play		play;
	Next		next;

	begin(&play, "gpt-image-2", json_object(), json_object());
	json_object_foreach(json_object_get(row, "headers"), name, value)
		add_reply_header(&play, name, json_string_value(value));
	next = answer(&play, json_integer_value(json_object_get(row, "status")),
				  raw != NULL ? raw : dumped, 7);

	if (strcmp(json_string_value(json_object_get(expect, "class")),
			   "success") == 0)
		CHECK(next == NEXT_DONE && play.outcome.picture_count > 0,
			  "%s: succeeds", id);
	else
	{
		const char *request_id = exchange_reply_header(&play.x, "x-request-id");

		CHECK(next == NEXT_FAIL, "%s: fails", id);
		check_fault(id, &play.x.fault, expect);
		if (request_id != NULL)
			CHECK(strcmp(play.outcome.provider_request_id, request_id) == 0,
				  "%s: the request id is kept", id);
	}
	end(&play);
	free(dumped);
}

static void
check_event(const json_t *row)
{
	static const struct
	{
		const char *id;
		Transport	transport;
		bool		wrote;
	}			events[] =
	{
		{"net-dns", TRANSPORT_DNS, false},
		{"net-refused", TRANSPORT_REFUSED, false},
		{"net-connect-timeout", TRANSPORT_CONNECT_TIMEOUT, false},
		{"net-tls", TRANSPORT_TLS, false},
		{"net-read-timeout", TRANSPORT_TIMEOUT, true},
		{"net-reset-after-send", TRANSPORT_RESET, true},
		{"net-reset-midbody", TRANSPORT_RESET_BODY, true},
	};
	const char *id = json_string_value(json_object_get(row, "id"));
	bool		is_known = false;

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
	{
		Play		play;

		if (strcmp(events[i].id, id) != 0)
			continue;
		is_known = true;
		begin(&play, "gpt-image-2", json_object(), json_object());
		play.x.reply.transport = events[i].transport;
		play.x.reply.wrote = events[i].wrote;
		CHECK(provider_openai.generate(&play.x, &play.generation,
									   &play.outcome) == NEXT_FAIL,
			  "%s: fails", id);
		check_fault(id, &play.x.fault, json_object_get(row, "expect"));
		CHECK(play.x.fault.may_have_cost == events[i].wrote,
			  "%s: %s have cost", id, events[i].wrote ? "may" : "cannot");
		end(&play);
	}
	CHECK(is_known, "%s: the test knows this event", id);
}

/* ---- single facts ---- */

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
	CHECK(strcmp(request_header(&play, "content-type"),
				 "application/json") == 0, "%s %s: is JSON", sdk, name);
	json_decref(ours);
	end(&play);
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
	CHECK(strcmp(request_header(&play, "authorization"),
				 "Bearer sk-test0123456789abcdefghijklmnop") == 0,
		  "the key travels as a bearer token");
	CHECK(strcmp(request_header(&play, "x-client-request-id"),
				 "00000000-0000-7000-8000-000000000001.1") == 0,
		  "the call carries generation and attempt");
	CHECK(strcmp(request_header(&play, "openai-organization"), "org-1") == 0 &&
		  strcmp(request_header(&play, "openai-project"), "proj_1") == 0,
		  "organisation and project come from the settings");
	CHECK(!body_holds(&play, "quality"), "a null parameter is left out");
	CHECK(!body_holds(&play, "sk-test"), "the key is not in the body");
	end(&play);

	CHECK(begin(&play, "gpt-image-2", json_object(),
				json_pack("{s:s}", "project", "a\r\nX-Evil: 1")) == NEXT_FAIL
		  && play.x.fault.class == FAULT_BAD_REQUEST,
		  "a setting cannot smuggle a header in");
	end(&play);
	CHECK(begin(&play, "gpt-image-2", json_pack("{s:b}", "stream", 1),
				json_object()) == NEXT_FAIL &&
		  play.x.fault.charged == CHARGED_NO && !play.x.fault.may_have_cost,
		  "a stream is refused before it costs");
	end(&play);
	CHECK(begin(&play, "gpt-image-2.6-flare",
				json_pack("{s:s}", "output_format", "svg"),
				json_object()) == NEXT_FAIL,
		  "a format that is not stored is refused before it costs");
	end(&play);
	begin(&play, "any", json_object(),
		  json_pack("{s:s}", "response_format", "b64_json"));
	CHECK(body_holds(&play, "\"response_format\":\"b64_json\""),
		  "a provider's setting may ask for base64");
	end(&play);
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
		add_reply_header(&play, "x-request-id", "req_1");
		next = answer(&play, 200, text, piece);
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
		end(&play);
	}
	free(text);
	json_decref(document);
}

static void
check_few_facts(void)
{
	Play		play;

	begin(&play, "gpt-image-2", json_object(), json_object());
	CHECK(answer(&play, 200, "{\"data\":[{\"b64_json\":\"AAAA\"},"
				 "{\"b64_json\":\"!\"},{\"url\":\"https://x/\"}],"
				 "\"usage\":{\"input_tokens\":5,\"output_tokens\":7}}",
				 9) == NEXT_DONE && play.outcome.picture_count == 1,
		  "of several pictures the whole ones count");
	CHECK(play.outcome.usage.text_input == 5 &&
		  play.outcome.usage.image_output == 7 &&
		  play.outcome.usage.total == -1,
		  "usage without details is text in, picture out");
	end(&play);

	begin(&play, "gpt-image-2", json_object(), json_object());
	CHECK(answer(&play, 200, "{\"data\":[{\"b64_json\":7},{\"b64_json\":"
				 "null},{\"b64_json\":[\"0\"]},{\"B64_JSON\":\"0\"}]}",
				 5) == NEXT_FAIL && play.x.fault.class == FAULT_UNKNOWN,
		  "an index can only come from the scanner");
	end(&play);

	begin(&play, "gpt-image-2", json_object(), json_object());
	answer(&play, 400, "{\"error\":{\"message\":\"bad key "
		   "sk-test0123456789abcdefghijklmnop, really\"}}", 100);
	CHECK(strcmp(play.x.fault.message, "bad key ***, really") == 0,
		  "an echoed key is scrubbed");
	end(&play);

	begin(&play, "gpt-image-2", json_object(), json_object());
	play.x.reply.transport = TRANSPORT_RESET_BODY;
	answer(&play, 429, "{\"error\":{\"mess", 100);
	CHECK(play.x.fault.class == FAULT_RATE_LIMITED &&
		  play.x.fault.may_repeat && play.x.fault.charged == CHARGED_NO,
		  "a refusal is one, also if the rest of it was lost");
	end(&play);

	begin(&play, "gpt-image-2", json_object(), json_object());
	answer(&play, 400, "{\"error\":{\"code\":\"slow_down\"}}", 100);
	CHECK(play.x.fault.class == FAULT_RATE_LIMITED && !play.x.fault.may_repeat,
		  "only a 429 is documented as not processed");
	end(&play);

	begin(&play, "gpt-image-2", json_object(), json_object());
	add_reply_header(&play, "x-should-retry", "true");
	answer(&play, 500, "{\"error\":{\"code\":\"rate_limit_exceeded\"}}", 100);
	CHECK(play.x.fault.may_have_cost && !play.x.fault.may_repeat,
		  "a 500 is never repeated, whatever it says of itself");
	end(&play);
}

int
main(void)
{
	json_t	   *rows = json_load_file(FIXTURES "error-fixtures.json", 0, NULL);
	json_t	   *calls = json_load_file(FIXTURES "openai/calls.json", 0, NULL);
	size_t		i;
	json_t	   *row;

	CHECK(json_array_size(json_object_get(rows, "http")) >= 29 &&
		  json_array_size(json_object_get(rows, "transport")) >= 7,
		  "the fixtures are there");
	json_array_foreach(json_object_get(rows, "http"), i, row)
	{
		const char *provider = json_string_value(json_object_get(row,
																 "provider"));

		if (strncmp(provider, "openai", 6) == 0)
			check_answer(row);
	}
	json_array_foreach(json_object_get(rows, "transport"), i, row)
		check_event(row);
	json_array_foreach(json_object_get(calls, "calls"), i, row)
		check_call(row);
	check_request();
	check_pictures();
	check_few_facts();
	json_decref(rows);
	json_decref(calls);
	return check_done();
}
