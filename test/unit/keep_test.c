/*-------------------------------------------------------------------------
 *
 * keep_test.c
 *		What a job does with its pictures: into the store that it names, and
 *		when that is down, nothing that was paid for is lost, whoever dies.
 *
 * The errands about stored pictures are here too.
 *
 *-------------------------------------------------------------------------
 */
#include "driver.h"

#include <sys/stat.h>

#include "check.h"

#define FIRST_ANSWER	"01010101-0101-0101-0101-010101010101.1.answer"

static char store_directory[80];

/* ---- the courier and its store ---- */

static Courier
start(void)
{
	Courier		c = driver_start();
	char		settings[512];

	snprintf(store_directory, sizeof(store_directory), "%s/store",
			 c.directory);
	snprintf(settings, sizeof(settings),
			 "{\"database\":\"test\",\"shutdown_grace_ms\":300,"
			 "\"store_directory\":\"%s\"}", store_directory);
	driver_send(&c, FRAME_SETTINGS, 0, "", settings);
	return c;
}

static void
set_up_store(void)
{
	if (mkdir(store_directory, 0700) != 0)
		driver_die(store_directory);
}

static void
send_job_of(Courier *c, const char *user, uint64_t tag, int n, json_t *inputs)
{
	json_t	   *job = json_pack("{s:s, s:i, s:s, s:s, s:s, s:[], s:{}, s:s,"
								"s:s, s:{s:s, s:i}, s:s, s:o*}",
								"user", user, "tries", 1, "provider",
								"sandbox", "adapter", "sandbox", "base_url",
								"", "networks", "settings", "model",
								"sandbox", "prompt", "a fawn", "parameters",
								"size", "64x64", "n", n, "store",
								"filesystem", "inputs", inputs);
	char	   *text = json_dumps(job, 0);

	driver_send(c, FRAME_JOB, tag, "", text);
	free(text);
	json_decref(job);
}

static void
send_job(Courier *c, uint64_t tag, int n)
{
	send_job_of(c, DRIVER_USER, tag, n, NULL);
}

/*
 * The outcome's JSON from a socket or a file, which is freed with
 * json_decref, or NULL; how many PICTURE frames came before it.
 */
static json_t *
read_outcome(int fd, FrameResult result, int *pictures)
{
	Frame		frame;

	*pictures = 0;
	while (driver_receive(fd, &frame))
	{
		if (frame.head.type == FRAME_PICTURE)
			(*pictures)++;
		if (frame.head.type != FRAME_OUTCOME)
			continue;
		if (frame.head.status == result)
			return driver_json(&frame);
		printf("# status %u %s\n", frame.head.status, frame.json);
		return NULL;
	}
	return NULL;
}

static json_t *
read_spooled(const Courier *c, const char *name, int *pictures)
{
	int			fd = driver_spooled(c, name);
	json_t	   *json;

	if (fd < 0)
		return NULL;
	json = read_outcome(fd, RESULT_SUCCEEDED, pictures);
	close(fd);
	return json;
}

/* Whether all images of the outcome are in this store, at a location or not. */
static bool
is_kept(const json_t *outcome, size_t count, const char *store)
{
	json_t	   *images = json_object_get(outcome, "images");
	bool		is_sent = strcmp(store, "database") == 0;
	size_t		i;
	json_t	   *image;

	json_array_foreach(images, i, image)
	{
		if (strcmp(driver_text(image, "store"), store) != 0 ||
			json_is_null(json_object_get(image, "location")) != is_sent)
			return false;
	}
	return json_array_size(images) == count;
}

/* Whether the location of an image leads to a file of its length. */
static bool
is_file(const json_t *outcome, size_t index)
{
	const json_t *image = json_array_get(json_object_get(outcome, "images"),
										 index);
	char		path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", store_directory,
			 driver_text(image, "location"));
	return stat(path, &st) == 0 &&
		st.st_size == json_integer_value(json_object_get(image, "bytes"));
}

/* Waits until a file of the spool is there, or gone. */
static bool
await_spooled(const Courier *c, const char *name, bool is_there)
{
	for (int left = PATIENCE_MS; left > 0; left -= 5)
	{
		if (driver_has_spooled(c, name) == is_there)
			return true;
		driver_sleep(5);
	}
	return false;
}

static void
end(Courier *c)
{
	close(c->fd);
	c->fd = -1;
	driver_wait(c);
	driver_clean(c);
}

/* ---- a store that is there ---- */

static json_t *
errand(Courier *c, uint64_t tag, const char *json, bool *is_done)
{
	Frame		frame;

	driver_send(c, FRAME_ERRAND, tag, "", json);
	if (!driver_await(c->fd, FRAME_ERRAND_DONE, &frame) ||
		frame.head.tag != tag)
		driver_die("no answer to the errand");
	*is_done = frame.head.status == 1;
	return driver_json(&frame);
}

static void
check_errand(Courier *c, const char *json, bool expected, const char *error)
{
	static uint64_t tag = 100;
	bool		is_done;
	json_t	   *answer = errand(c, tag++, json, &is_done);

	CHECK(is_done == expected &&
		  (error == NULL || strstr(driver_text(answer, "error"), error)),
		  "errand %.70s: %s", json, error != NULL ? error : "done");
	json_decref(answer);
}

static void
check_errands(Courier *c, const json_t *outcome)
{
	const char *location =
	driver_text(json_array_get(json_object_get(outcome, "images"), 0),
				"location");
	char		json[512];

	snprintf(json, sizeof(json), "{\"kind\":\"erase\",\"store\":\"filesystem\""
			 ",\"location\":\"%s\",\"deleted_at_us\":1}", location);
	check_errand(c, json, true, NULL);
	CHECK(is_file(outcome, 0), "what was put after its row went is not erased");
	snprintf(json, sizeof(json), "{\"kind\":\"erase\",\"store\":\"filesystem\""
			 ",\"location\":\"%s\",\"deleted_at_us\":4000000000000000}",
			 location);
	check_errand(c, json, true, NULL);
	CHECK(!is_file(outcome, 0) && is_file(outcome, 1),
		  "an erased picture is gone, another one is not");
	check_errand(c, json, true, NULL);

	check_errand(c, "{\"kind\":\"erase\",\"store\":\"filesystem\","
				 "\"location\":\"../../etc\",\"deleted_at_us\":1}", false,
				 "no location");
	check_errand(c, "{\"kind\":\"link\",\"store\":\"filesystem\","
				 "\"location\":\"x\",\"expires\":60}", false,
				 "cannot do that");
	check_errand(c, "{\"kind\":\"dance\",\"store\":\"filesystem\","
				 "\"location\":\"x\"}", false, "cannot do that");
	check_errand(c, "{\"kind\":\"erase\",\"store\":\"database\","
				 "\"location\":\"x\"}", false, "cannot do that");
	check_errand(c, "{\"kind\":\"link\",\"store\":\"s3\",\"location\":\"x\","
				 "\"expires\":60}", false, "is not set");
	check_errand(c, "{\"kind\":\"erase\",\"store\":\"attic\","
				 "\"location\":\"x\"}", false, "could not be read");
	check_errand(c, "{\"kind\":\"erase\",\"store\":\"filesystem\"}", false,
				 "could not be read");
	check_errand(c, "{\"kind\":", false, "could not be read");
	check_errand(c, "[]", false, "could not be read");
}

static void
check_stored_input(Courier *c, const json_t *outcome)
{
	const json_t *image = json_array_get(json_object_get(outcome, "images"),
										 1);
	json_t	   *answer;
	int			pictures;

	send_job_of(c, DRIVER_USER, 5, 1,
				json_pack("[{s:i, s:s, s:s}]", "position", 1, "store",
						  "filesystem", "location",
						  driver_text(image, "location")));
	answer = read_outcome(c->fd, RESULT_SUCCEEDED, &pictures);
	CHECK(answer != NULL, "a picture to edit is got from its store");
	json_decref(answer);

	send_job_of(c, DRIVER_USER, 6, 1,
				json_pack("[{s:i, s:s, s:s}]", "position", 1, "store",
						  "filesystem", "location", "nowhere"));
	answer = read_outcome(c->fd, RESULT_FAILED, &pictures);
	CHECK(answer != NULL, "one that is not there is waited for in vain");
	json_decref(answer);

	send_job_of(c, DRIVER_USER, 7, 1,
				json_pack("[{s:i, s:s, s:s}]", "position", 1, "store",
						  "s3", "location", "x"));
	answer = read_outcome(c->fd, RESULT_WAIT, &pictures);
	CHECK(answer != NULL &&
		  strcmp(driver_text(answer, "code"), "store_down") == 0,
		  "while its store is not configured, the job waits");
	json_decref(answer);
}

static void
keep_in_a_store(void)
{
	Courier		c = start();
	json_t	   *outcome;
	int			pictures;

	set_up_store();
	send_job(&c, 1, 2);
	outcome = read_outcome(c.fd, RESULT_SUCCEEDED, &pictures);
	CHECK(is_kept(outcome, 2, "filesystem") && pictures == 0,
		  "pictures for a store go there, and not to the worker");
	CHECK(is_file(outcome, 0) && is_file(outcome, 1),
		  "where the outcome says");
	CHECK(driver_count(&c, ".answer") == 0,
		  "for a store that is there nothing is spooled");
	driver_send(&c, FRAME_TAKEN, 1, "", "");
	check_stored_input(&c, outcome);
	check_errands(&c, outcome);
	json_decref(outcome);
	end(&c);
}

/* ---- a store that is down ---- */

static void
wait_for_a_store(void)
{
	Courier		c = start();
	json_t	   *outcome;
	int			pictures;

	send_job(&c, 1, 2);
	CHECK(await_spooled(&c, FIRST_ANSWER, true),
		  "while a store is down an answer lies in the spool");
	outcome = read_spooled(&c, FIRST_ANSWER, &pictures);
	CHECK(is_kept(outcome, 2, "database") && pictures == 2,
		  "with the pictures' bytes, for the database");
	json_decref(outcome);

	set_up_store();
	outcome = read_outcome(c.fd, RESULT_SUCCEEDED, &pictures);
	CHECK(is_kept(outcome, 2, "filesystem") && pictures == 0 &&
		  is_file(outcome, 0) && is_file(outcome, 1),
		  "when it is back, they go there");
	json_decref(outcome);
	CHECK(driver_has_spooled(&c, FIRST_ANSWER),
		  "the spooled answer stays until the outcome is taken");
	driver_send(&c, FRAME_TAKEN, 1, "", "");
	CHECK(await_spooled(&c, FIRST_ANSWER, false), "and is gone then");
	end(&c);
}

static void
lose_the_worker(void)
{
	Courier		c = start();
	json_t	   *outcome;
	int			pictures;

	send_job(&c, 1, 1);
	await_spooled(&c, FIRST_ANSWER, true);
	close(c.fd);
	c.fd = -1;
	CHECK(driver_wait(&c) == 0 && driver_has_spooled(&c, "end"),
		  "without its worker it does not wait for a store");
	outcome = read_spooled(&c, FIRST_ANSWER, &pictures);
	CHECK(is_kept(outcome, 1, "database") && pictures == 1 &&
		  driver_count(&c, ".answer") == 1,
		  "and leaves one answer, with the bytes");
	json_decref(outcome);
	driver_clean(&c);
}

static void
end_in_time(void)
{
	Courier		c = start();
	json_t	   *outcome;
	int			pictures;

	send_job(&c, 1, 1);
	await_spooled(&c, FIRST_ANSWER, true);
	kill(driver_pid(&c), SIGTERM);
	outcome = read_outcome(c.fd, RESULT_SUCCEEDED, &pictures);
	CHECK(is_kept(outcome, 1, "database") && pictures == 1,
		  "told to stop, it sends the bytes when the grace is over");
	json_decref(outcome);
	CHECK(driver_wait(&c) == 0 && driver_has_spooled(&c, FIRST_ANSWER),
		  "and spools them, as nobody has taken them");
	driver_clean(&c);

	c = start();
	send_job(&c, 1, 1);
	await_spooled(&c, FIRST_ANSWER, true);
	kill(driver_pid(&c), SIGKILL);
	driver_wait(&c);
	outcome = read_spooled(&c, FIRST_ANSWER, &pictures);
	CHECK(is_kept(outcome, 1, "database") && pictures == 1,
		  "killed while it waits, it has lost nothing");
	json_decref(outcome);
	driver_clean(&c);
}

/* ---- a store that will never do ---- */

static void
do_without_a_store(void)
{
	Courier		c = start();
	json_t	   *outcome;
	int			pictures;

	set_up_store();
	send_job_of(&c, "no user", 1, 2, NULL);
	outcome = read_outcome(c.fd, RESULT_SUCCEEDED, &pictures);
	CHECK(is_kept(outcome, 2, "database") && pictures == 2,
		  "pictures that their store will never take go to the database");
	json_decref(outcome);

	driver_send(&c, FRAME_SETTINGS, 0, "", "{\"store_directory\":\"\"}");
	send_job(&c, 2, 1);
	outcome = read_outcome(c.fd, RESULT_WAIT, &pictures);
	CHECK(outcome != NULL &&
		  strcmp(driver_text(outcome, "code"), "store_down") == 0 &&
		  json_integer_value(json_object_get(outcome,
											 "retry_after_ms")) > 0,
		  "nothing is begun for a store that is not configured");
	json_decref(outcome);
	end(&c);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	keep_in_a_store();
	wait_for_a_store();
	lose_the_worker();
	end_in_time();
	do_without_a_store();
	return check_done();
}
