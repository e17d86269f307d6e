/*-------------------------------------------------------------------------
 *
 * archive_test.c
 *		Errands of the archive, done by the real courier: what it says is
 *		there is there and whole, and what is not is never given for it.
 *
 *-------------------------------------------------------------------------
 */
#include "driver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <zstd.h>

#include "../../src/courier/hash.h"
#include "check.h"

#define NAME	"usage_events/2026-01/0001.zst"
#define STORED	"bambi/" NAME
#define USER	"00000000-0000-7000-8000-000000000001"

static Courier courier;
static char archive_directory[96];
static char store_directory[96];

static Frame answer;			/* the last one */
static json_t *facts;			/* what it says */

/* ---- the courier, and what lies there ---- */

static void
configure(const char *more)
{
	char		settings[1024];

	snprintf(settings, sizeof(settings),
			 "{\"database\":\"test\",\"archive_directory\":\"%s\","
			 "\"archive_prefix\":\"bambi/\",\"store_directory\":\"%s\"%s}",
			 archive_directory, store_directory, more);
	driver_send(&courier, FRAME_SETTINGS, 0, "", settings);
}

static void
start(void)
{
	courier = driver_start();
	snprintf(archive_directory, sizeof(archive_directory), "%s/archive",
			 courier.directory);
	snprintf(store_directory, sizeof(store_directory), "%s/store",
			 courier.directory);
	if (mkdir(archive_directory, 0700) != 0 ||
		mkdir(store_directory, 0700) != 0)
		driver_die(courier.directory);
	configure(",\"archive_store\":\"filesystem\"");
}

static char *
path_of(const char *directory, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

/* A file's bytes, to be freed; NULL if it is not there. */
static char *
read_file(const char *directory, const char *name, size_t *len)
{
	int			fd = open(path_of(directory, name), O_RDONLY);
	struct stat st;
	char	   *bytes;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) != 0)
		driver_die(name);
	*len = (size_t) st.st_size;
	bytes = malloc(*len + 1);
	if (!driver_read(fd, bytes, *len))
		driver_die(name);
	close(fd);
	return bytes;
}

static void
write_file(const char *directory, const char *name, const void *bytes,
		   size_t len)
{
	int			fd = open(path_of(directory, name),
						  O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t) len)
		driver_die(name);
	close(fd);
}

static bool
file_is(const char *directory, const char *name, const void *bytes,
		size_t len)
{
	size_t		there;
	char	   *text = read_file(directory, name, &there);
	bool		ok = text != NULL && there == len &&
	memcmp(text, bytes, len) == 0;

	free(text);
	return ok;
}

/* ---- errands ---- */

/* Whether it is done. */
static bool
ask(const char *json, const void *payload, size_t len)
{
	static uint64_t tag = 100;

	json_decref(facts);
	driver_send_payload(&courier, ++tag, json, payload, len);
	if (!driver_await(courier.fd, FRAME_ERRAND_DONE, &answer) ||
		answer.head.tag != tag)
		driver_die("no answer to the errand");
	facts = driver_json(&answer);
	return answer.head.status == 1;
}

static bool
ask_for(const char *json)
{
	return ask(json, "", 0);
}

/* Whether it is not done, for this reason; flag is set in the answer. */
static bool
refuses(bool is_done, const char *words, const char *flag)
{
	static const char *const flags[] = {"is_absent", "is_damaged"};
	bool		ok = !is_done && answer.head.picture_len == 0 &&
	strstr(driver_text(facts, "error"), words) != NULL;

	for (int i = 0; i < 2; i++)
		ok = ok && json_is_true(json_object_get(facts, flags[i])) ==
			(flag != NULL && strcmp(flag, flags[i]) == 0);
	if (!ok)
		printf("# %.*s\n", (int) answer.head.json_len, answer.json);
	return ok;
}

/* Whether the answer knows size and hash of these bytes, by these names. */
static bool
tells(const char *size, const char *hash, const void *bytes, size_t len)
{
	char		hex[HASH_HEX_SIZE];

	return hash_hex(bytes, len, hex) &&
		json_integer_value(json_object_get(facts, size)) ==
		(json_int_t) len && strcmp(driver_text(facts, hash), hex) == 0;
}

static bool
tells_file(const char *name)
{
	size_t		len;
	char	   *bytes = read_file(archive_directory, name, &len);
	bool		ok = bytes != NULL && tells("bytes", "sha256", bytes, len);

	free(bytes);
	return ok;
}

static char *
get_errand(const char *sha256, bool is_raw)
{
	static char json[512];

	snprintf(json, sizeof(json), "{\"kind\":\"archive_get\",\"name\":\"%s\","
			 "\"is_raw\":%s%s%s%s}", NAME, is_raw ? "true" : "false",
			 sha256 != NULL ? ",\"sha256\":\"" : "",
			 sha256 != NULL ? sha256 : "", sha256 != NULL ? "\"" : "");
	return json;
}

#define PUT(name, raw) \
	"{\"kind\":\"archive_put\",\"name\":\"" name "\",\"is_raw\":" raw "}"
#define ERASE(name)	"{\"kind\":\"archive_erase\",\"name\":\"" name "\"}"

static bool
gives(const void *bytes, size_t len)
{
	return answer.head.picture_len == len &&
		memcmp(answer.picture, bytes, len) == 0 &&
		tells("content_bytes", "content_sha256", bytes, len);
}

/* ---- files ---- */

static void
check_compressed(void)
{
	size_t		len = 150000;
	char	   *text = malloc(len);
	char		sha256[HASH_HEX_SIZE];
	size_t		stored_len;
	char	   *stored;

	for (size_t i = 0; i < len; i++)
		text[i] = "{\"id\": 12345}\n"[i % 14];
	CHECK(ask(PUT(NAME, "false"), text, len) && answer.head.picture_len == 0 &&
		  strcmp(driver_text(facts, "name"), NAME) == 0 &&
		  tells("content_bytes", "content_sha256", text, len) &&
		  tells_file(STORED), "a file is put, with what it is and has in it");
	snprintf(sha256, sizeof(sha256), "%s", driver_text(facts, "sha256"));
	stored = read_file(archive_directory, STORED, &stored_len);
	CHECK(stored_len < len / 10, "it is compressed");

	CHECK(ask_for(get_errand(sha256, false)) && gives(text, len) &&
		  tells_file(STORED), "it comes back as it was");
	CHECK(ask_for(get_errand(NULL, false)) && gives(text, len),
		  "also to whoever does not know its hash");
	CHECK(ask_for(get_errand(NULL, true)) && gives(stored, stored_len),
		  "and as it is stored");
	CHECK(ask(PUT(NAME, "false"), "other", 5) && tells_file(STORED) &&
		  ask_for(get_errand(NULL, false)) && gives("other", 5),
		  "put again it is another file");
	CHECK(refuses(ask_for(get_errand(sha256, false)), "damaged",
				  "is_damaged"), "which nobody gets who wants the old one");
	free(stored);
	free(text);
}

static void
check_raw(void)
{
	static const uint8_t bytes[] = {0, 1, 2, 0xff, 0, '\n'};

	CHECK(ask(PUT(NAME, "true"), bytes, sizeof(bytes)) &&
		  tells("bytes", "sha256", bytes, sizeof(bytes)) &&
		  tells("content_bytes", "content_sha256", bytes, sizeof(bytes)) &&
		  file_is(archive_directory, STORED, bytes, sizeof(bytes)),
		  "a raw file is stored as it is");
	CHECK(ask_for(get_errand(NULL, true)) && gives(bytes, sizeof(bytes)),
		  "and comes back so");
	CHECK(refuses(ask_for(get_errand(NULL, false)), "damaged", "is_damaged"),
		  "it cannot be taken for a compressed one");
	CHECK(ask_for(ERASE(NAME)) && access(path_of(archive_directory, STORED),
										 F_OK) != 0, "it is erased");
	CHECK(ask_for(ERASE(NAME)), "and erased is erased");
	CHECK(refuses(ask_for(get_errand(NULL, true)), "not in the archive",
				  "is_absent"), "it is told that it is not there");
}

/* What happens to files that lie there for years. */
static void
check_damage(void)
{
	char		sha256[HASH_HEX_SIZE];
	size_t		len;
	char	   *bytes;
	size_t		bomb_len = (size_t) 257 * 1024 * 1024;
	char	   *zeros = calloc(bomb_len, 1);

	ask(PUT(NAME, "false"), "the rows of a month", 19);
	snprintf(sha256, sizeof(sha256), "%s", driver_text(facts, "sha256"));
	bytes = read_file(archive_directory, STORED, &len);
	bytes[len / 2] ^= 4;
	write_file(archive_directory, STORED, bytes, len);
	CHECK(refuses(ask_for(get_errand(sha256, false)), "another hash",
				  "is_damaged"), "a bit that has turned is seen by the hash");
	CHECK(refuses(ask_for(get_errand(NULL, false)), "damaged", "is_damaged"),
		  "and by the file's own checksum");
	bytes[len / 2] ^= 4;
	write_file(archive_directory, STORED, bytes, len - 1);
	CHECK(refuses(ask_for(get_errand(NULL, false)), "end is missing",
				  "is_damaged"), "a file that was cut short is told");
	free(bytes);

	len = ZSTD_compressBound(bomb_len);
	bytes = malloc(len);
	len = ZSTD_compress(bytes, len, zeros, bomb_len, 1);
	write_file(archive_directory, STORED, bytes, len);
	CHECK(len < 100000 && refuses(ask_for(get_errand(NULL, false)),
								  "more comes out of it", "is_damaged"),
		  "a bomb is not unpacked");
	free(bytes);
	free(zeros);
	ask_for(ERASE(NAME));
}

static void
check_refusals(void)
{
	CHECK(refuses(ask(PUT(NAME, "false"), "", 0), "nothing to put", NULL),
		  "nothing is no file");
	CHECK(refuses(ask(PUT("../a", "true"), "x", 1), "no name", NULL) &&
		  refuses(ask_for(ERASE("../a")), "no name", NULL) &&
		  refuses(ask_for("{\"kind\":\"archive_get\",\"name\":\"/a\"}"),
				  "no name", NULL), "no name leads out of the archive");
	CHECK(refuses(ask("{\"kind\":\"archive_put\"}", "x", 1),
				  "could not be read", NULL),
		  "a file needs a name");

	if (rename(archive_directory, path_of(courier.directory, "away")) != 0)
		driver_die("rename");
	CHECK(refuses(ask(PUT(NAME, "true"), "x", 1), strerror(ENOENT), NULL) &&
		  refuses(ask_for(ERASE(NAME)), strerror(ENOENT), NULL) &&
		  refuses(ask_for(get_errand(NULL, true)), strerror(ENOENT), NULL),
		  "an archive that is away is neither written nor empty");
	if (rename(path_of(courier.directory, "away"), archive_directory) != 0)
		driver_die("rename");
	CHECK(ask(PUT(NAME, "true"), "x", 1), "until it is there again");
	ask_for(ERASE(NAME));

	configure("");
	CHECK(refuses(ask(PUT(NAME, "true"), "x", 1),
				  "bambi.archive_store is not set", NULL),
		  "without an archive it is told");
	configure(",\"archive_store\":\"supabase\"");
	CHECK(refuses(ask(PUT(NAME, "true"), "x", 1), "bambi.archive_store",
				  NULL), "not every store keeps an archive");
	configure(",\"archive_store\":\"s3\"");
	CHECK(refuses(ask(PUT(NAME, "true"), "x", 1),
				  "bambi.s3_endpoint is not set", NULL),
		  "one in a bucket needs what a bucket needs");
	configure(",\"archive_store\":\"filesystem\"");
}

/* ---- pictures ---- */

static void
check_pictures(void)
{
	static const uint8_t picture[] = "\x89PNG and so on";
	size_t		len = sizeof(picture);
	char		hex[HASH_HEX_SIZE];
	char		location[128];
	char		copy[512];
	char		bring[512];
	char		command[600];

	hash_hex(picture, len, hex);
	snprintf(location, sizeof(location), "%s/%.2s/%s.png", USER, hex, hex);
	snprintf(command, sizeof(command), "mkdir -p %s/%s/%.2s",
			 store_directory, USER, hex);
	if (system(command) != 0)
		driver_die(command);
	write_file(store_directory, location, picture, len);
	snprintf(copy, sizeof(copy), "{\"kind\":\"archive_copy\",\"store\":"
			 "\"filesystem\",\"location\":\"%s\",\"name\":\"%s\"}", location,
			 NAME);
	snprintf(bring, sizeof(bring), "{\"kind\":\"archive_return\",\"store\":"
			 "\"filesystem\",\"location\":\"%s\",\"name\":\"%s\","
			 "\"sha256\":\"%s\"}", location, NAME, hex);

	CHECK(ask_for(copy) && answer.head.picture_len == 0 &&
		  tells("bytes", "sha256", picture, len) &&
		  tells("content_bytes", "content_sha256", picture, len) &&
		  file_is(archive_directory, STORED, picture, len),
		  "a picture is copied from its store, as it is");
	CHECK(ask_for(copy), "also once more");
	snprintf(command, sizeof(command), "rm -r %s/%s", store_directory, USER);
	if (system(command) != 0)
		driver_die(command);
	CHECK(refuses(ask_for(copy), "no longer in the image store",
				  "is_absent"), "one that is not there is told");
	CHECK(ask_for(bring) && tells("bytes", "sha256", picture, len) &&
		  file_is(store_directory, location, picture, len),
		  "it comes back to where it was");
	CHECK(ask_for(bring) && file_is(store_directory, location, picture, len),
		  "also once more");

	if (unlink(path_of(store_directory, location)) != 0)
		driver_die(location);
	write_file(archive_directory, STORED, "forged", 6);
	CHECK(refuses(ask_for(bring), "another hash", "is_damaged") &&
		  access(path_of(store_directory, location), F_OK) != 0,
		  "another one does not come in its place");
	ask_for(ERASE(NAME));
	CHECK(refuses(ask_for(bring), "not in the archive", "is_absent"),
		  "nor does one that is gone");

	CHECK(refuses(ask_for("{\"kind\":\"archive_copy\",\"store\":\"database\","
						  "\"location\":\"x\",\"name\":\"x\"}"),
				  "cannot do that", NULL),
		  "the database's pictures go another way");
	CHECK(refuses(ask_for("{\"kind\":\"archive_copy\",\"store\":\"attic\","
						  "\"location\":\"x\",\"name\":\"x\"}"),
				  "could not be read", NULL) &&
		  refuses(ask_for("{\"kind\":\"archive_copy\",\"name\":\"x\"}"),
				  "could not be read", NULL) &&
		  refuses(ask_for("{\"kind\":\"archive_copy\",\"store\":"
						  "\"filesystem\",\"location\":\"../../x\","
						  "\"name\":\"x\"}"), "no location", NULL),
		  "a picture needs a place");
}

/* ---- what a store does to a file between put and proof ---- */

static void
await_file(const char *name)
{
	int			left;

	for (left = PATIENCE_MS; left > 0; left -= 5)
	{
		if (access(path_of(courier.directory, name), F_OK) == 0)
			return;
		driver_sleep(5);
	}
	driver_die(name);
}

/*
 * Whether a put is refused where something else lies there when it is read, or
 * nothing (NULL).
 */
static bool
is_found_out(const char *json, const void *bytes, size_t len)
{
	static uint64_t tag = 500;

	write_file(courier.directory, "archive-stage-ended", "", 0);
	driver_send_payload(&courier, ++tag, json, "a line\n", 7);
	await_file("archive-stage-ended.reached");
	if (bytes != NULL)
		write_file(archive_directory, STORED, bytes, len);
	else if (unlink(path_of(archive_directory, STORED)) != 0)
		driver_die(STORED);
	unlink(path_of(courier.directory, "archive-stage-ended"));
	unlink(path_of(courier.directory, "archive-stage-ended.reached"));
	json_decref(facts);
	if (!driver_await(courier.fd, FRAME_ERRAND_DONE, &answer) ||
		answer.head.tag != tag)
		driver_die("no answer to the errand");
	facts = driver_json(&answer);
	return refuses(answer.head.status == 1,
				   bytes != NULL ? "read back" : "not in the archive", NULL);
}

static void
check_proof(void)
{
	char		more[256];
	char		packed[256];
	size_t		len = ZSTD_compress(packed, sizeof(packed), "a lime\n", 7, 3);

	snprintf(more, sizeof(more), ",\"archive_store\":\"filesystem\","
			 "\"debug_points\":\"%s\"", courier.directory);
	configure(more);
	CHECK(is_found_out(PUT(NAME, "true"), "a lime\n", 7),
		  "what is not read back as it was put is not there");
	CHECK(is_found_out(PUT(NAME, "false"), packed, len),
		  "nor what unpacks to something else");
	CHECK(is_found_out(PUT(NAME, "false"), "a line\n", 7),
		  "or does not unpack");
	CHECK(is_found_out(PUT(NAME, "true"), NULL, 0),
		  "nor is what is gone by then taken for something lost long ago");
	configure(",\"archive_store\":\"filesystem\"");
	ask_for(ERASE(NAME));
}

/* ---- many, and the end ---- */

static void
check_many(void)
{
	int			done = 0;

	for (int i = 0; i < 20; i++)
	{
		char		json[128];

		snprintf(json, sizeof(json), "{\"kind\":\"archive_put\",\"name\":"
				 "\"many/%d\",\"is_raw\":false}", i);
		driver_send_payload(&courier, 1000 + (uint64_t) i, json, json,
							strlen(json));
	}
	for (int i = 0; i < 20; i++)
		done += driver_await(courier.fd, FRAME_ERRAND_DONE, &answer) &&
			answer.head.status == 1;
	CHECK(done == 20, "many that come at once are all done");
}

/* The worker goes while the archive is asked, and does not answer. */
static void
check_end(void)
{
	static const char credentials[] = "[default]\n"
	"aws_access_key_id = A\naws_secret_access_key = B\n";
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t	size = sizeof(address);
	int			listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd wait = {.fd = listener,.events = POLLIN};
	char		more[512];

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *) &address, size) != 0 ||
		listen(listener, 8) != 0 ||
		getsockname(listener, (struct sockaddr *) &address, &size) != 0)
		driver_die("listen");
	write_file(courier.directory, "credentials", credentials,
			   sizeof(credentials) - 1);
	snprintf(more, sizeof(more), ",\"archive_store\":\"s3\","
			 "\"archive_bucket\":\"attic\",\"data_directory\":\"/usr\","
			 "\"store_networks\":\"127.0.0.1\","
			 "\"s3_endpoint\":\"http://127.0.0.1:%d\","
			 "\"s3_credentials_file\":\"%s/credentials\"",
			 ntohs(address.sin_port), courier.directory);
	configure(more);
	driver_send_payload(&courier, 2000, PUT(NAME, "false"), "x", 1);
	CHECK(poll(&wait, 1, PATIENCE_MS) == 1, "a bucket is asked");
	close(courier.fd);
	courier.fd = -1;
	CHECK(driver_wait(&courier) == 0,
		  "without its worker the courier ends at once, and in peace");
	close(listener);
}

int
main(void)
{
	start();
	check_compressed();
	check_raw();
	check_damage();
	check_refusals();
	check_pictures();
	check_proof();
	check_many();
	check_end();

	json_decref(facts);
	driver_clean(&courier);
	return check_done();
}
