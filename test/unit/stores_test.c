/*-------------------------------------------------------------------------
 *
 * stores_test.c
 *		Which stores can be used is a matter of settings and of safe files;
 *		what is wrong is said once.
 *
 *-------------------------------------------------------------------------
 */
#include "driver.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "../../src/courier/link.h"
#include "../../src/courier/loop.h"
#include "../../src/courier/stores.h"
#include "check.h"

#define CREDENTIALS \
	"[default]\naws_access_key_id = A\naws_secret_access_key = B"

static Settings settings;
static char directory[] = "/tmp/bambi-unit-XXXXXX";
static int	pair[2];
static const StoreAdapter *s3;
static const StoreAdapter *supabase;

static const char *
path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
	int			fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, mode);

	if (write(fd, text, strlen(text)) != (ssize_t) strlen(text))
		driver_die(name);
	close(fd);
}

static void
set(const char *name, const char *value)
{
	json_object_set_new(settings.keys, name, json_string(value));
}

/* As a new SETTINGS frame with what has been set. */
static void
configure(void)
{
	json_t	   *copy = json_deep_copy(settings.keys);

	json_decref(settings.keys);
	settings.keys = copy;
	stores_configure(&settings);
	link_flush();
}

/* The next line of the log, or an empty one. */
static const char *
next_line(void)
{
	static char line[1024];
	struct pollfd wait = {.fd = pair[1],.events = POLLIN};
	Frame		frame;

	line[0] = '\0';
	if (poll(&wait, 1, 0) == 1 && driver_receive(pair[1], &frame) &&
		frame.head.type == FRAME_LOG)
		snprintf(line, sizeof(line), "%.*s", (int) frame.head.json_len,
				 frame.json);
	return line;
}

static bool
has_problem(const StoreAdapter *store, const char *words)
{
	const char *problem = stores_problem(store);

	if (problem != NULL && strstr(problem, words) != NULL)
		return true;
	printf("# %s\n", problem != NULL ? problem : "none");
	return false;
}

/* Whether x would have this secret, and NULL for none. */
static bool
has_secret(const StoreAdapter *store, const char *text)
{
	Exchange	x = {.arena = arena_create()};
	bool		ok;

	stores_prepare(store, &x);
	if (text == NULL)
		ok = x.secret == NULL;
	else
		ok = x.secret != NULL && x.secret->len == strlen(text) &&
			memcmp(x.secret->bytes, text, x.secret->len) == 0;
	ok = ok && x.base_url[0] == '\0' &&
		(settings.keys == NULL || json_equal(x.settings, settings.keys));
	arena_destroy(x.arena);
	return ok;
}

static void
check_none(void)
{
	CHECK(has_problem(s3, "not come yet"),
		  "before the first settings no store can be used");
	configure();
	CHECK(stores_problem(store_find("database")) == NULL,
		  "the database can always be used");
	CHECK(has_problem(store_find("filesystem"), "store_directory is not set")
		  && has_problem(s3, "s3_endpoint is not set") &&
		  has_problem(supabase, "supabase_url is not set"),
		  "others need settings");
	CHECK(next_line()[0] == '\0', "nobody is told who did not ask for them");
	set("store_directory", "/srv/pictures");
	configure();
	CHECK(stores_problem(store_find("filesystem")) == NULL,
		  "a directory is enough for the filesystem");
	set("store_directory", "pictures");
	configure();
	CHECK(strstr(next_line(), "absolute path") != NULL,
		  "what is wrong with what was set is said in the log");
	set("store_directory", "");
}

static void
check_credentials(void)
{
	Exchange	x = {.arena = arena_create()};

	set("s3_endpoint", "https://s3.test");
	set("s3_bucket", "bucket");
	configure();
	CHECK(has_problem(s3, "s3_credentials_file is not set") &&
		  strstr(next_line(), "s3_credentials_file is not set") != NULL &&
		  has_secret(s3, NULL), "a bucket needs credentials");
	configure();
	CHECK(next_line()[0] == '\0', "and that is said once");

	set("s3_credentials_file", path_of("credentials"));
	configure();
	CHECK(has_problem(s3, "does not exist") &&
		  strstr(next_line(), "does not exist") != NULL, "they are a file");
	write_file("credentials", CREDENTIALS " \r\n\n", 0644);
	configure();
	CHECK(has_problem(s3, "s3_credentials_file must have mode 0600"),
		  "that nobody else may read");
	chmod(path_of("credentials"), 0600);
	set("data_directory", directory);
	configure();
	CHECK(has_problem(s3, "inside the data directory"),
		  "and that base backups do not carry away");
	set("data_directory", "/usr");
	configure();
	CHECK(stores_problem(s3) == NULL && has_secret(s3, CREDENTIALS),
		  "then an exchange has them, without the file's last newline");
	CHECK(has_secret(supabase, NULL) &&
		  has_secret(store_find("database"), NULL),
		  "and no exchange with another store");

	stores_prepare(s3, &x);
	write_file("credentials", "[default]", 0600);
	configure();
	CHECK(has_secret(s3, "[default]") &&
		  strcmp((const char *) x.secret->bytes, CREDENTIALS) == 0,
		  "new ones are for new exchanges");
	stores_forget();
	CHECK(has_problem(s3, "not come yet") &&
		  strcmp((const char *) x.secret->bytes, CREDENTIALS) == 0,
		  "forgotten, they still end with who has them");
	arena_destroy(x.arena);
	configure();

	set("supabase_url", "https://abc.test");
	set("supabase_bucket", "pictures");
	set("supabase_key_file", path_of("key"));
	write_file("key", "sb_secret_1\n", 0400);
	configure();
	CHECK(stores_problem(supabase) == NULL &&
		  has_secret(supabase, "sb_secret_1") && has_secret(s3, "[default]"),
		  "two stores have a file each");
	set("supabase_bucket", "a/b");
	configure();
	CHECK(has_problem(supabase, "supabase_bucket is no name") &&
		  has_secret(supabase, NULL),
		  "no file is read for settings that will not do");

	set("s3_bucket", "");
	set("supabase_bucket", "");
	while (next_line()[0] != '\0')
		continue;
	unlink(path_of("credentials"));
	unlink(path_of("key"));
}

static bool
archive_problem_is(const char *words)
{
	const char *problem;
	bool		is_there = stores_archive(&problem) != NULL;

	if (is_there ? words == NULL : words != NULL &&
		strstr(problem, words) != NULL)
		return true;
	printf("# %s\n", problem != NULL ? problem : "none");
	return false;
}

static void
check_archive(void)
{
	Exchange	x = {.arena = arena_create()};

	configure();
	CHECK(archive_problem_is("archive_store is not set") &&
		  next_line()[0] == '\0', "nobody needs an archive");
	set("archive_store", "attic");
	configure();
	CHECK(archive_problem_is("archive_store names no store") &&
		  strstr(next_line(), "archive_store") != NULL,
		  "who wants one is told what is wrong");
	set("archive_store", "filesystem");
	configure();
	CHECK(archive_problem_is("archive_directory is not set") &&
		  strstr(next_line(), "archive_directory is not set") != NULL,
		  "one in a directory needs a directory");
	configure();
	CHECK(next_line()[0] == '\0', "which is said once");
	set("archive_directory", "/srv/archive");
	set("archive_prefix", "../");
	configure();
	CHECK(archive_problem_is("archive_prefix is no"),
		  "its prefix leads nowhere else");
	set("archive_prefix", "");
	configure();
	CHECK(archive_problem_is(NULL), "a directory is enough");

	set("archive_store", "s3");
	set("s3_credentials_file", "");
	set("archive_bucket", "attic");
	set("s3_endpoint", "https://s3.test");
	while (next_line()[0] != '\0')
		continue;
	configure();
	CHECK(archive_problem_is("s3_credentials_file is not set") &&
		  strstr(next_line(), "s3_credentials_file is not set") != NULL,
		  "one in a bucket needs credentials");
	write_file("credentials", CREDENTIALS, 0600);
	set("s3_credentials_file", path_of("credentials"));
	configure();
	CHECK(archive_problem_is(NULL) && has_problem(s3, "s3_bucket is not set"),
		  "and no bucket for pictures");
	stores_prepare_archive(&x);
	CHECK(x.is_archive && x.secret != NULL &&
		  strcmp((const char *) x.secret->bytes, CREDENTIALS) == 0,
		  "which its exchanges have");
	stores_prepare(store_find("filesystem"), &x);
	CHECK(!x.is_archive && x.secret == NULL, "and no others");

	arena_destroy(x.arena);
	set("archive_store", "");
	set("archive_bucket", "");
	set("s3_credentials_file", "");
	configure();
	while (next_line()[0] != '\0')
		continue;
	unlink(path_of("credentials"));
}

static AddressVerdict
judge(const char *address)
{
	int			count;
	const AddressRange *ranges = stores_ranges(&count);

	return address_judge_text(address, ranges, count);
}

static void
check_ranges(void)
{
	char		many[1024] = "";
	int			count;

	configure();
	stores_ranges(&count);
	CHECK(count == 0 && judge("10.1.2.3") == ADDRESS_REFUSED &&
		  judge("127.0.0.1") == ADDRESS_REFUSED,
		  "stores are at public addresses");
	set("store_networks", "10.0.0.0/8, 127.0.0.1 ,fd00::/8");
	configure();
	stores_ranges(&count);
	CHECK(count == 3 && judge("10.1.2.3") == ADDRESS_NAMED &&
		  judge("127.0.0.1") == ADDRESS_NAMED &&
		  judge("fd00::1") == ADDRESS_NAMED &&
		  judge("127.0.0.2") == ADDRESS_REFUSED &&
		  next_line()[0] == '\0', "and where the operator says");
	set("store_networks", "10.0.0.0/8,127.0.0.1/33");
	configure();
	CHECK(judge("10.1.2.3") == ADDRESS_NAMED &&
		  judge("127.0.0.1") == ADDRESS_REFUSED &&
		  judge("fd00::1") == ADDRESS_REFUSED &&
		  strstr(next_line(), "\"127.0.0.1/33\"") != NULL,
		  "what is no range is ignored, and said");
	configure();
	CHECK(next_line()[0] == '\0', "once");
	for (int i = 0; i < 33; i++)
		sprintf(many + strlen(many), "10.0.0.%d,", i);
	set("store_networks", many);
	configure();
	CHECK(judge("10.0.0.31") == ADDRESS_NAMED &&
		  judge("10.0.0.32") == ADDRESS_REFUSED &&
		  strstr(next_line(), "more than 32") != NULL,
		  "there is an end to them");
	set("store_networks", "");
	configure();
	CHECK(judge("10.0.0.1") == ADDRESS_REFUSED, "and they end");
}

int
main(void)
{
	s3 = store_find("s3");
	supabase = store_find("supabase");
	if (mkdtemp(directory) == NULL ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		driver_die("socketpair");
	loop_start();
	link_start(pair[0], NULL);
	settings_set_defaults(&settings);

	CHECK(has_problem(s3, "not come yet") && has_secret(s3, NULL),
		  "without settings there is nothing");
	settings.keys = json_object();
	check_none();
	check_credentials();
	check_archive();
	check_ranges();

	stores_forget();
	json_decref(settings.keys);
	CHECK(rmdir(directory) == 0, "no other file was made");
	return check_done();
}
