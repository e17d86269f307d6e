/*-------------------------------------------------------------------------
 *
 * s3_test.c
 *		The store in a bucket of S3: what it asks, and what it makes of the
 *		answers.  That the signatures are right is known by sigv4_test.
 *
 *-------------------------------------------------------------------------
 */
#include "store_play.h"

#define CREDENTIALS \
	"# of the bucket\n" \
	"[other]\naws_access_key_id = WRONG\naws_secret_access_key = WRONG\n" \
	"[default]\r\n" \
	"  aws_access_key_id=AKIAIOSFODNN7EXAMPLE\r\n" \
	"aws_secret_access_key =  wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY \n" \
	"region = eu-central-1\n" \
	"[third]\naws_access_key_id = WRONG\naws_secret_access_key = WRONG"

#define ERROR(code) \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" code \
	"</Code><Message>so it is</Message></Error>"

#define KEY	PLAY_USER "/" PLAY_GENERATION "/2.webp"

/* 2013-05-24T00:00:00Z */
#define NOW	1369353600

static const StoreAdapter *store;

static void
begin(void)
{
	play_begin(json_pack("{s:s, s:s}", "s3_endpoint", "https://s3.test",
						 "s3_bucket", "bucket"), CREDENTIALS, NOW);
}

static void
set(const char *name, const char *value)
{
	json_object_set_new(x.settings, name, json_string(value));
}

static void
check_put(void)
{
	char	   *location = NULL;
	char	   *again = NULL;

	begin();
	CHECK(play_put(store, &location) == NEXT_SEND &&
		  play_asks("PUT", "https://s3.test/bucket/" KEY),
		  "a picture goes to its user, generation and position");
	CHECK(x.request.body_len == 7 &&
		  memcmp(x.request.body, "picture", 7) == 0 &&
		  strcmp(play_header("content-type"), "image/webp") == 0 &&
		  strcmp(play_header("x-amz-content-sha256"), PLAY_HASH) == 0,
		  "with its type and its hash");
	CHECK(strstr(play_header("authorization"),
				 "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
				 "aws4_request, SignedHeaders=content-type;host;"
				 "x-amz-content-sha256;x-amz-date, ") != NULL,
		  "signed with the default profile, for the default region");
	play_answer(200, "");
	CHECK(play_put(store, &location) == NEXT_DONE &&
		  strcmp(location, KEY) == 0, "its location is its key");

	play_again();
	play_put(store, &again);
	play_answer(200, "");
	CHECK(play_put(store, &again) == NEXT_DONE &&
		  strcmp(again, location) == 0, "and the same if it is put again");

	set("store_prefix", "my pictures/");
	set("s3_region", "auto");
	set("s3_address_style", "host");
	set("s3_endpoint", "http://localhost:9000");
	play_again();
	CHECK(play_put(store, &location) == NEXT_SEND &&
		  play_asks("PUT", "http://bucket.localhost:9000/my%20pictures/" KEY)
		  && strstr(play_header("authorization"), "/auto/s3/") != NULL,
		  "prefix, region and the bucket's place are settings");
	play_answer(200, "");
	CHECK(play_put(store, &location) == NEXT_DONE &&
		  strcmp(location, "my pictures/" KEY) == 0,
		  "the location has the prefix, as it is");
	play_end();
}

static void
check_erase(void)
{
	begin();
	CHECK(store->erase(&x, KEY, 0) == NEXT_SEND &&
		  play_asks("DELETE", "https://s3.test/bucket/" KEY) &&
		  x.request.body == NULL, "erasing is DELETE");
	play_answer(204, "");
	CHECK(store->erase(&x, KEY, 0) == NEXT_DONE, "204 is done");
	play_answer(404, ERROR("NoSuchKey"));
	CHECK(store->erase(&x, KEY, 0) == NEXT_DONE, "what is gone is erased");
	play_answer(404, ERROR("NoSuchBucket"));
	CHECK(play_waits(store->erase(&x, KEY, 0), "404: NoSuchBucket"),
		  "what is in no bucket is not");
	play_answer(404, "<html>Not Found</html>");
	CHECK(play_waits(store->erase(&x, KEY, 0), "answered 404"),
		  "nor what somebody else does not know");
	play_end();
}

static void
check_get(void)
{
	Picture		picture;

	begin();
	CHECK(store->get(&x, KEY, &picture) == NEXT_SEND &&
		  play_asks("GET", "https://s3.test/bucket/" KEY) &&
		  x.request.is_picture, "fetching is GET");
	play_answer_picture("bytes");
	CHECK(store->get(&x, KEY, &picture) == NEXT_DONE &&
		  picture.len == 5 && memcmp(picture.bytes, "bytes", 5) == 0 &&
		  x.reply.picture_count == 0, "the bytes are given");
	free(picture.bytes);
	play_answer(404, ERROR("NoSuchKey"));
	CHECK(play_refuses(store->get(&x, KEY, &picture), "no longer"),
		  "what is gone is not waited for");
	play_answer(403, ERROR("AccessDenied"));
	CHECK(play_waits(store->get(&x, KEY, &picture), "403: AccessDenied"),
		  "what is forbidden is");
	play_answer_picture("byt");
	x.reply.pictures[0].is_broken = true;
	CHECK(play_waits(store->get(&x, KEY, &picture), "no picture"),
		  "so is half a picture");
	play_fail(TRANSPORT_TOO_LARGE);
	CHECK(store->get(&x, KEY, &picture) == NEXT_FAIL &&
		  x.fault.class == FAULT_RESPONSE_TOO_LARGE && !x.fault.may_repeat,
		  "what is too large stays so");
	play_end();
}

static void
check_links(void)
{
	char	   *url = NULL;

	begin();
	CHECK(store->link(&x, "a b/c+d.png", 86400, &url) == NEXT_DONE &&
		  strstr(url, "https://s3.test/bucket/a%20b/c%2Bd.png?"
				 "X-Amz-Algorithm=AWS4-HMAC-SHA256&") == url &&
		  strstr(url, "&X-Amz-Expires=86400&") != NULL &&
		  strstr(url, "&X-Amz-Signature=") != NULL &&
		  strstr(url, "wJalrXUtnFEMI") == NULL,
		  "a link is a signed address, and has no secret in it");
	CHECK(store->link(&x, KEY, 604800, &url) == NEXT_DONE &&
		  play_refuses(store->link(&x, KEY, 604801, &url), "7 days") &&
		  play_refuses(store->link(&x, KEY, -1, &url), "7 days"),
		  "it is good for a week at most");
	CHECK(play_refuses(store->link(&x, KEY, 0, &url), "for ever"),
		  "nor for good, by itself");
	set("store_public_url", "https://cdn.test/pictures");
	CHECK(store->link(&x, "a b/c.png", 0, &url) == NEXT_DONE &&
		  strcmp(url, "https://cdn.test/pictures/a%20b/c.png") == 0,
		  "unless there is a public address");

	/* the example of the S3 API reference */
	set("s3_endpoint", "https://s3.amazonaws.com");
	set("s3_bucket", "examplebucket");
	set("s3_address_style", "host");
	CHECK(store->link(&x, "test.txt", 86400, &url) == NEXT_DONE &&
		  strncmp(url, "https://examplebucket.s3.amazonaws.com/test.txt?",
				  48) == 0 &&
		  strstr(url, "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f9953"
				 "30da4c265957d157751f604d404") != NULL,
		  "it is the one that Amazon's reference shows");
	play_end();
}

static void
check_faults(void)
{
	static const struct
	{
		long		status;
		const char *body;
		const char *words;
	}			answers[] =
	{
		{403, ERROR("SignatureDoesNotMatch"), "403: SignatureDoesNotMatch"},
		{404, ERROR("NoSuchBucket"), "404: NoSuchBucket"},
		{301, ERROR("PermanentRedirect"), "301: PermanentRedirect"},
		{500, ERROR("InternalError"), "500: InternalError"},
		{400, ERROR("<b>"), "answered 400"},
		{400, "<Error><Code>" "NoEnd", "answered 400"},
		{400, ERROR(""), "answered 400"},
		{502, "", "answered 502"},
	};
	char	   *location;
	Header		retry_after = {.name = "retry-after",.value = "3"};

	begin();
	play_put(store, &location);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
	{
		play_answer(answers[i].status, answers[i].body);
		CHECK(play_waits(play_put(store, &location), answers[i].words),
			  "\"%s\" is tried again", answers[i].words);
	}
	play_answer(503, ERROR("SlowDown"));
	x.reply.headers = &retry_after;
	CHECK(play_waits(play_put(store, &location), "503: SlowDown") &&
		  x.fault.retry_after_ms == 3000, "when the store says");
	play_fail(TRANSPORT_RESET);
	CHECK(play_waits(play_put(store, &location), "was lost"),
		  "so is what may have arrived");
	play_fail(TRANSPORT_ADDRESS);
	CHECK(play_waits(play_put(store, &location), "bambi.store_networks"),
		  "and what an operator has to allow");
	play_end();
}

static void
check_locations(void)
{
	static const char *const wrong[] = {
		"", "/a", "a//b", "a/../b", "..", "a/..", "./a", "a/./b", "a/",
		"a\nb", "a\x7f",
	};
	char		long_one[1026];
	char	   *url;
	Picture		picture;

	begin();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		CHECK(play_refuses(store->get(&x, wrong[i], &picture), "location") &&
			  play_refuses(store->erase(&x, wrong[i], 0), "location") &&
			  play_refuses(store->link(&x, wrong[i], 60, &url), "location"),
			  "location %zu of the wrong ones is none", i);
	}
	memset(long_one, 'a', sizeof(long_one));
	long_one[1025] = '\0';
	CHECK(play_refuses(store->get(&x, long_one, &picture), "location"),
		  "nor is one that is longer than a key can be");
	long_one[1024] = '\0';
	CHECK(store->get(&x, long_one, &picture) == NEXT_SEND,
		  "one that is as long is");
	play_end();
}

static void
check_settings(void)
{
	static const struct
	{
		const char *name;
		const char *value;
		const char *problem;	/* or NULL */
	}			cases[] =
	{
		{"s3_endpoint", "", "s3_endpoint is not set"},
		{"s3_endpoint", "s3.test", "s3_endpoint is no address"},
		{"s3_endpoint", "ftp://s3.test", "s3_endpoint is no address"},
		{"s3_endpoint", "https://", "s3_endpoint is no address"},
		{"s3_endpoint", "https://user@s3.test", "s3_endpoint is no address"},
		{"s3_endpoint", "https://s3.test/", "s3_endpoint is no address"},
		{"s3_endpoint", "https://s3.test?a", "s3_endpoint is no address"},
		{"s3_endpoint", "https://s3.test/a/../b", "s3_endpoint is no address"},
		{"s3_endpoint", "https://abc.test:8443/storage/v1/s3", NULL},
		{"s3_endpoint", "http://[::1]:9000", NULL},
		{"s3_bucket", "", "s3_bucket is not set"},
		{"s3_bucket", "a/b", "s3_bucket is no name"},
		{"s3_bucket", "..", "s3_bucket is no name"},
		{"s3_region", "eu/central", "s3_region is no name"},
		{"s3_region", "", NULL},
		{"s3_address_style", "both", "s3_address_style is neither"},
		{"s3_address_style", "", NULL},
		{"store_prefix", "/a", "store_prefix is no"},
		{"store_prefix", "../", "store_prefix is no"},
		{"store_prefix", "a\tb", "store_prefix is no"},
		{"store_prefix", "a/b-", NULL},
		{"store_public_url", "cdn.test", "store_public_url is no"},
		{"store_public_url", "", NULL},
	};
	static const char *const no_credentials[] = {
		"x", "[default]\naws_access_key_id = A\n",
		"[default]\naws_secret_access_key = B\n",
		"aws_access_key_id = A\naws_secret_access_key = B\n",
		"[default]\naws_access_key_id = A\naws_secret_access_key =\n",
		"[default]\naws_access_key_id = A B\naws_secret_access_key = B\n",
		"[default]\n#aws_access_key_id = A\naws_secret_access_key = B\n",
		("[default]\n[default ]\naws_access_key_id = A\n"
		 "aws_secret_access_key = B\n"),
	};
	char	   *location;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const char *problem;

		begin();
		set(cases[i].name, cases[i].value);
		problem = store->check(x.settings);
		if (cases[i].problem == NULL)
			CHECK(problem == NULL, "%s may be \"%s\"", cases[i].name,
				  cases[i].value);
		else
			CHECK(problem != NULL &&
				  strstr(problem, cases[i].problem) != NULL &&
				  play_waits(play_put(store, &location), cases[i].problem),
				  "%s may not be case %zu", cases[i].name, i);
		play_end();
	}
	for (size_t i = 0;
		 i < sizeof(no_credentials) / sizeof(no_credentials[0]); i++)
	{
		play_begin(json_pack("{s:s, s:s}", "s3_endpoint", "https://s3.test",
							 "s3_bucket", "bucket"), no_credentials[i], NOW);
		CHECK(play_waits(play_put(store, &location), "s3_credentials_file"),
			  "file %zu without credentials", i);
		play_end();
	}

	play_begin(json_pack("{s:s, s:s}", "s3_endpoint", "https://s3.test",
						 "s3_bucket", "bucket"),
			   "[default]\naws_access_key_id=A\naws_secret_access_key=B\n"
			   "aws_session_token=C==\n", NOW);
	play_put(store, &location);
	CHECK(strcmp(play_header("x-amz-security-token"), "C==") == 0 &&
		  strstr(play_header("authorization"),
				 ";x-amz-security-token,") != NULL,
		  "a session token is sent, and signed");
	play_end();
}

static Next
put_file(const char *name)
{
	static uint8_t bytes[] = "chunk";
	static const Picture content = {.bytes = bytes,.len = 5};

	return store->archive->put(&x, name, &content, PLAY_HASH);
}

/* The same service, and perhaps a bucket of its own. */
static void
check_archive(void)
{
	const ArchiveAdapter *archive = store->archive;
	Picture		content;

	begin();
	x.is_archive = true;
	CHECK(put_file("bambi/a/1.zst") == NEXT_SEND &&
		  play_asks("PUT", "https://s3.test/bucket/bambi/a/1.zst") &&
		  x.request.body_len == 5 &&
		  strcmp(play_header("x-amz-content-sha256"), PLAY_HASH) == 0 &&
		  strcmp(play_header("content-type"),
				 "application/octet-stream") == 0 &&
		  strstr(play_header("authorization"), "/us-east-1/s3/") != NULL,
		  "a file of the archive is one signed PUT");
	play_answer(200, "");
	CHECK(put_file("bambi/a/1.zst") == NEXT_DONE, "and then it is there");

	play_again();
	set("archive_bucket", "attic");
	set("store_prefix", "pictures/");
	CHECK(put_file("1") == NEXT_SEND &&
		  play_asks("PUT", "https://s3.test/attic/1"),
		  "it may have a bucket of its own, and has no picture's prefix");
	play_again();
	CHECK(archive->get(&x, "1", &content) == NEXT_SEND &&
		  play_asks("GET", "https://s3.test/attic/1") &&
		  x.request.is_picture, "from which it is fetched");
	play_answer_picture("chunk");
	CHECK(archive->get(&x, "1", &content) == NEXT_DONE && content.len == 5,
		  "whole");
	free(content.bytes);
	play_answer(404, ERROR("NoSuchKey"));
	CHECK(play_refuses(archive->get(&x, "1", &content),
					   "not in the archive") && x.fault.is_missing,
		  "or known to be absent");
	play_answer(404, ERROR("NoSuchBucket"));
	CHECK(play_waits(archive->get(&x, "1", &content),
					 "the archive answered 404: NoSuchBucket") &&
		  !x.fault.is_missing, "which it is in no bucket that is missing");
	play_again();
	CHECK(archive->erase(&x, "1") == NEXT_SEND &&
		  play_asks("DELETE", "https://s3.test/attic/1"),
		  "and in which it is erased");
	play_answer(404, ERROR("NoSuchKey"));
	CHECK(archive->erase(&x, "1") == NEXT_DONE, "once and again");
	play_fail(TRANSPORT_REFUSED);
	CHECK(play_waits(archive->erase(&x, "1"),
					 "the archive could not be reached"),
		  "messages say that it is the archive");

	play_again();
	set("archive_bucket", "");
	set("s3_bucket", "");
	CHECK(play_waits(put_file("1"), "neither bambi.archive_bucket"),
		  "one of two buckets must be set");
	set("archive_bucket", "a/b");
	CHECK(play_waits(put_file("1"), "is no name of a bucket"),
		  "and be a bucket's name");
	set("archive_bucket", "attic");
	set("s3_endpoint", "");
	CHECK(play_waits(put_file("1"), "bambi.s3_endpoint is not set"),
		  "the rest is as for pictures");
	play_end();
}

static void
check_put_at(void)
{
	begin();
	set("store_prefix", "new/");
	CHECK(play_put_at(store, "old/" KEY) == NEXT_SEND &&
		  play_asks("PUT", "https://s3.test/bucket/old/" KEY) &&
		  strcmp(play_header("content-type"), "image/webp") == 0,
		  "a picture comes back to where it was, whatever the prefix is now");
	play_answer(200, "");
	CHECK(play_put_at(store, "old/" KEY) == NEXT_DONE,
		  "and is there");
	play_again();
	CHECK(play_refuses(play_put_at(store, "../" KEY),
					   "no location"), "but nowhere else");
	play_end();
}

int
main(void)
{
	store = store_find("s3");
	check_put();
	check_erase();
	check_get();
	check_links();
	check_faults();
	check_locations();
	check_settings();
	check_archive();
	check_put_at();
	return check_done();
}
