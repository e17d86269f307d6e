/*-------------------------------------------------------------------------
 *
 * sandbox_test.c
 *		The sandbox draws PNGs of the asked size and number, the same for the
 *		same prompt, without network and key.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/protocol/picture.h"
#include "../../src/courier/providers/provider.h"
#include "check.h"

extern const ProviderAdapter provider_openai;
extern const ProviderAdapter provider_sandbox;

/* fontconfig keeps what it has read until the process ends. */
extern const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libfontconfig";
}

/* input is what is edited, or NULL. */
static Next
edit(const char *prompt, const char *input, json_t *parameters,
	 Outcome *outcome)
{
	Exchange	x = {.arena = arena_create()};
	Input		edited = {.bytes = (const uint8_t *) input};
	Generation	g = {
		.model = "sandbox",.prompt = prompt,.parameters = parameters,
		.client_request_id = "id.1",.inputs = &edited,
		.input_count = input != NULL
	};
	Next		next;

	if (input != NULL)
		edited.len = strlen(input);

	memset(outcome, 0, sizeof(*outcome));
	do
		next = provider_sandbox.generate(&x, &g, outcome);
	while (next == NEXT_SLEEP && x.sleep_ms == 0);
	json_decref(parameters);
	arena_destroy(x.arena);
	return next;
}

static Next
draw(const char *prompt, json_t *parameters, Outcome *outcome)
{
	return edit(prompt, NULL, parameters, outcome);
}

static void
release(Outcome *outcome)
{
	for (int i = 0; i < outcome->picture_count; i++)
		free(outcome->pictures[i].picture.bytes);
}

static bool
is_same(const Picture *a, const Picture *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void
check_size(const char *size, int width, int height)
{
	Outcome		outcome;
	PictureFacts facts;

	CHECK(draw("a fawn", json_pack("{s:s}", "size", size), &outcome) ==
		  NEXT_DONE && outcome.picture_count == 1 &&
		  picture_sniff(outcome.pictures[0].picture.bytes,
						outcome.pictures[0].picture.len,
						&facts) == PICTURE_OK &&
		  strcmp(facts.format, "png") == 0 && facts.width == width &&
		  facts.height == height, "size %s is %dx%d", size, width, height);
	release(&outcome);
}

static void
check_refusals(void)
{
	static const char *const sizes[] = {
		"7", "0x16", "16x0", "-1x16", "16x16x16", "16x1537", "99999x16", "x",
	};
	Outcome		outcome;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		CHECK(draw("a fawn", json_pack("{s:s}", "size", sizes[i]),
				   &outcome) == NEXT_FAIL && outcome.picture_count == 0,
			  "size \"%s\" is refused", sizes[i]);
	CHECK(draw("a fawn", json_pack("{s:i}", "n", 11), &outcome) == NEXT_FAIL,
		  "eleven pictures are refused");
	CHECK(draw("a fawn", json_pack("{s:i}", "n", 0), &outcome) == NEXT_FAIL,
		  "no pictures are refused");
}

static void
check_prompts(void)
{
	static const char *const prompts[] = {
		"", " ", "a", "one\ntwo\tthree", "Ein Reh im Schnee, ganz fr\xc3\xbch",
		"\xe9\x9b\xaa\xe3\x81\xae\xe4\xb8\xad\xe3\x81\xae\xe5\xad\x90\xe9\xb9\xbf",
		"averyverylongwordwithoutanyspacethatgoesonandonandonandonandonandon",
	};
	char		endless[20001];
	Outcome		one;
	Outcome		two;

	memset(endless, 'w', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	for (size_t i = 0; i < sizeof(prompts) / sizeof(prompts[0]); i++)
	{
		CHECK(draw(prompts[i], json_pack("{s:s}", "size", "128x96"), &one) ==
			  NEXT_DONE, "prompt %zu is drawn", i);
		release(&one);
	}
	CHECK(draw(endless, json_pack("{s:s}", "size", "128x128"), &one) ==
		  NEXT_DONE, "an endless prompt is drawn");
	release(&one);

	draw("a fawn", json_pack("{s:s, s:i}", "size", "64x64", "n", 10), &one);
	draw("a fawn", json_pack("{s:s, s:i}", "size", "64x64", "n", 1), &two);
	CHECK(one.picture_count == 10 && two.picture_count == 1,
		  "as many as asked for");
	CHECK(is_same(&one.pictures[0].picture, &two.pictures[0].picture),
		  "the same prompt gives the same picture");
	CHECK(!is_same(&one.pictures[0].picture, &one.pictures[1].picture),
		  "two pictures of a prompt differ");
	CHECK(one.usage.total == -1 && one.usage.image_output == -1,
		  "it has no usage");
	release(&two);
	draw("a faun", json_pack("{s:s}", "size", "64x64"), &two);
	CHECK(!is_same(&one.pictures[0].picture, &two.pictures[0].picture),
		  "another prompt gives another picture");
	release(&one);
	release(&two);
}

static void
check_edits(void)
{
	Outcome		plain;
	Outcome		one;
	Outcome		again;
	Outcome		other;

	draw("a fawn", json_pack("{s:s}", "size", "64x64"), &plain);
	edit("a fawn", "picture", json_pack("{s:s}", "size", "64x64"), &one);
	edit("a fawn", "picture", json_pack("{s:s}", "size", "64x64"), &again);
	edit("a fawn", "Picture", json_pack("{s:s}", "size", "64x64"), &other);
	CHECK(!is_same(&plain.pictures[0].picture, &one.pictures[0].picture),
		  "an edit gives another picture than the prompt alone");
	CHECK(is_same(&one.pictures[0].picture, &again.pictures[0].picture),
		  "the same edit gives the same picture");
	CHECK(!is_same(&one.pictures[0].picture, &other.pictures[0].picture),
		  "an edit of another picture gives another one");
	release(&plain);
	release(&one);
	release(&again);
	release(&other);
}

int
main(void)
{
	check_size("16x16", 16, 16);
	check_size("96x128", 96, 128);
	check_size("256x256", 256, 256);
	check_size("auto", 512, 512);
	check_refusals();
	check_prompts();
	check_edits();
	CHECK(provider_find("sandbox") == &provider_sandbox &&
		  provider_find("openai") == &provider_openai &&
		  provider_find("") == NULL, "providers are found by name");
	CHECK(!provider_sandbox.needs_key && provider_openai.needs_key,
		  "only the sandbox needs no key");
	return check_done();
}
