/*-------------------------------------------------------------------------
 *
 * supabase_test.c
 *		The store in a bucket of Supabase Storage: what it asks, and what it
 *		makes of the answers.
 *
 *-------------------------------------------------------------------------
 */
#include "store_play.h"

#define SECRET	"sb_secret_0123456789abcdefghij"
#define PATH	PLAY_USER "/" PLAY_GENERATION "/2.webp"
#define OBJECT	"https://abc.test/storage/v1/object/"

/* As that of today says it, and as that of yesterday did. */
#define NO_OBJECT \
	"{\"statusCode\":\"404\",\"code\":\"NoSuchKey\",\"error\":\"NoSuchKey\"," \
	"\"message\":\"Object not found\"}"
#define NO_OBJECT_BEFORE \
	"{\"statusCode\":\"404\",\"error\":\"not_found\"," \
	"\"message\":\"Object not found\"}"
#define NO_BUCKET \
	"{\"statusCode\":\"404\",\"code\":\"NoSuchBucket\"," \
	"\"error\":\"NoSuchBucket\",\"message\":\"Bucket not found\"}"

static const StoreAdapter *store;

static void
begin(void)
{
	play_begin(json_pack("{s:s, s:s}", "supabase_url", "https://abc.test",
						 "supabase_bucket", "pictures"), SECRET, 1);
}

static void
set(const char *name, const char *value)
{
	json_object_set_new(x.settings, name, json_string(value));
}

static bool
has_key(void)
{
	return strcmp(play_header("authorization"), "Bearer " SECRET) == 0 &&
		strcmp(play_header("apikey"), SECRET) == 0 &&
		strstr(x.request.url, SECRET) == NULL;
}

static void
check_put(void)
{
	char	   *location = NULL;

	begin();
	CHECK(play_put(store, &location) == NEXT_SEND &&
		  play_asks("POST", OBJECT "pictures/" PATH),
		  "a picture goes to its user, generation and position");
	CHECK(x.request.body_len == 7 &&
		  memcmp(x.request.body, "picture", 7) == 0 &&
		  strcmp(play_header("content-type"), "image/webp") == 0,
		  "with its type");
	CHECK(strcmp(play_header("x-upsert"), "true") == 0,
		  "it may be put again");
	CHECK(has_key(), "the key is in headers, and in no address");
	play_answer(200, "{\"Id\":\"1\",\"Key\":\"pictures/x\"}");
	CHECK(play_put(store, &location) == NEXT_DONE &&
		  strcmp(location, PATH) == 0, "its location is its path");

	set("store_prefix", "a b/");
	play_again();
	CHECK(play_put(store, &location) == NEXT_SEND &&
		  play_asks("POST", OBJECT "pictures/a%20b/" PATH),
		  "the prefix is encoded");

	play_answer(400, "{\"statusCode\":\"413\",\"error\":\"Payload too large\","
				"\"message\":\"too large, " SECRET "\"}");
	CHECK(play_waits(play_put(store, &location), "413: too large, ***"),
		  "a refusal means what its body says, without the key");
	play_answer(400, NO_BUCKET);
	CHECK(play_waits(play_put(store, &location), "404: Bucket not found"),
		  "a missing bucket can be mended");
	play_answer(502, "<html>");
	CHECK(play_waits(play_put(store, &location), "answered 502"),
		  "so can a gateway");
	play_fail(TRANSPORT_DNS);
	CHECK(play_waits(play_put(store, &location), "does not resolve"),
		  "and a name");
	play_end();
}

static void
check_erase(void)
{
	begin();
	CHECK(store->erase(&x, PATH, 0) == NEXT_SEND &&
		  play_asks("DELETE", OBJECT "pictures/" PATH) && has_key(),
		  "erasing is DELETE");
	play_answer(200, "{\"message\":\"Successfully deleted\"}");
	CHECK(store->erase(&x, PATH, 0) == NEXT_DONE, "200 is done");
	play_answer(400, NO_OBJECT);
	CHECK(store->erase(&x, PATH, 0) == NEXT_DONE, "what is gone is erased");
	play_answer(400, NO_OBJECT_BEFORE);
	CHECK(store->erase(&x, PATH, 0) == NEXT_DONE,
		  "also as it was said before");
	play_answer(404, NO_OBJECT);
	CHECK(store->erase(&x, PATH, 0) == NEXT_DONE,
		  "and by a status that says it");
	play_answer(400, NO_BUCKET);
	CHECK(play_waits(store->erase(&x, PATH, 0), "404: Bucket not found"),
		  "what is in no bucket is not");
	play_answer(404, "{\"message\":\"Route DELETE:/ not found\"}");
	CHECK(play_waits(store->erase(&x, PATH, 0), "404: Route"),
		  "nor what somebody else does not know");
	CHECK((play_again(),
		   play_refuses(store->erase(&x, "../" PATH, 0), "location")),
		  "no location leads out of the bucket");
	play_end();
}

static void
check_get(void)
{
	Picture		picture;

	begin();
	CHECK(store->get(&x, PATH, &picture) == NEXT_SEND &&
		  play_asks("GET", OBJECT "authenticated/pictures/" PATH) &&
		  x.request.is_picture && has_key(), "fetching is GET");
	play_answer_picture("bytes");
	CHECK(store->get(&x, PATH, &picture) == NEXT_DONE &&
		  picture.len == 5 && memcmp(picture.bytes, "bytes", 5) == 0 &&
		  x.reply.picture_count == 0, "the bytes are given");
	free(picture.bytes);
	play_answer(400, NO_OBJECT);
	CHECK(play_refuses(store->get(&x, PATH, &picture), "no longer"),
		  "what is gone is not waited for");
	play_answer(400, "{\"statusCode\":\"403\",\"error\":\"Unauthorized\","
				"\"message\":\"jwt expired\"}");
	CHECK(play_waits(store->get(&x, PATH, &picture), "403: jwt expired"),
		  "what is forbidden is");
	play_end();
}

static void
check_links(void)
{
	char	   *url = NULL;

	begin();
	CHECK(store->link(&x, PATH, 3600, &url) == NEXT_SEND &&
		  play_asks("POST", OBJECT "sign/pictures/" PATH) && has_key() &&
		  x.request.body_len == 18 &&
		  memcmp(x.request.body, "{\"expiresIn\":3600}", 18) == 0,
		  "a link is asked for");
	play_answer(200, "{\"signedURL\":\"/object/sign/pictures/a.png?token=ey\"}");
	CHECK(store->link(&x, PATH, 3600, &url) == NEXT_DONE &&
		  strcmp(url, OBJECT "sign/pictures/a.png?token=ey") == 0,
		  "it is the answer's path below the API's");
	play_answer(200, "{\"signedURL\":\"https://evil.test/\"}");
	CHECK(play_waits(store->link(&x, PATH, 3600, &url), "no signed address"),
		  "which has to be one");
	play_answer(200, "{\"signedURL\":\"/a\\nb\"}");
	CHECK(play_waits(store->link(&x, PATH, 3600, &url), "no signed address"),
		  "without a second line");
	play_answer(200, "{\"signedURL\":null}");
	CHECK(play_waits(store->link(&x, PATH, 3600, &url), "no signed address"),
		  "and has to be there");
	play_answer(400, NO_OBJECT);
	CHECK(play_refuses(store->link(&x, PATH, 3600, &url), "no longer"),
		  "there is none to what is gone");

	play_again();
	CHECK(play_refuses(store->link(&x, PATH, -1, &url), "so long"),
		  "nor for a time that is past");
	CHECK(play_refuses(store->link(&x, PATH, 0, &url), "for ever"),
		  "nor for good, where the bucket is private");
	set("supabase_public", "on");
	CHECK(store->link(&x, "a b/c.png", 0, &url) == NEXT_DONE &&
		  strcmp(url, OBJECT "public/pictures/a%20b/c.png") == 0,
		  "where it is public there is");
	CHECK(play_refuses(store->link(&x, "a/../b", 0, &url), "location"),
		  "but not out of the bucket");
	set("store_public_url", "https://cdn.test");
	CHECK(store->link(&x, "a b/c.png", 0, &url) == NEXT_DONE &&
		  strcmp(url, "https://cdn.test/a%20b/c.png") == 0,
		  "unless there is another public address");
	play_end();
}

static void
check_settings(void)
{
	static const struct
	{
		const char *name;
		const char *value;
		const char *problem;
	}			cases[] =
	{
		{"supabase_url", "", "supabase_url is not set"},
		{"supabase_url", "abc.test", "supabase_url is no address"},
		{"supabase_bucket", "", "supabase_bucket is not set"},
		{"supabase_bucket", "a/b", "supabase_bucket is no name"},
		{"store_prefix", "../", "store_prefix is no"},
	};
	static const char *const keys[] = {NULL, "", "two lines\nof it", "a b"};
	char	   *location;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		begin();
		CHECK(store->check(x.settings) == NULL, "usual settings will do");
		set(cases[i].name, cases[i].value);
		CHECK(play_waits(play_put(store, &location), cases[i].problem),
			  "%s may not be \"%s\"", cases[i].name, cases[i].value);
		play_end();
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
	{
		play_begin(json_pack("{s:s, s:s}", "supabase_url", "https://abc.test",
							 "supabase_bucket", "pictures"), keys[i], 1);
		CHECK(play_waits(play_put(store, &location), "key"),
			  "key %zu is none", i);
		play_end();
	}
}

static void
check_put_at(void)
{
	begin();
	set("store_prefix", "new/");
	CHECK(play_put_at(store, "old/" PATH) == NEXT_SEND &&
		  play_asks("POST", OBJECT "pictures/old/" PATH) && has_key() &&
		  strcmp(play_header("content-type"), "image/webp") == 0 &&
		  strcmp(play_header("x-upsert"), "true") == 0,
		  "a picture comes back to where it was, whatever the prefix is now");
	play_answer(200, "{\"Id\":\"1\",\"Key\":\"pictures/x\"}");
	CHECK(play_put_at(store, "old/" PATH) == NEXT_DONE, "and is there");
	play_again();
	CHECK(play_refuses(play_put_at(store, "../" PATH), "no location"),
		  "but nowhere else");
	play_end();
}

int
main(void)
{
	store = store_find("supabase");
	check_put();
	check_put_at();
	check_erase();
	check_get();
	check_links();
	check_settings();
	return check_done();
}
