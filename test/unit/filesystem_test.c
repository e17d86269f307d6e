/*-------------------------------------------------------------------------
 *
 * filesystem_test.c
 *		The image store in a directory: what is put is there once, whole and
 *		private; what was put again is not erased; no location leads out.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../src/courier/stores/store.h"
#include "check.h"

#define USER	"00000000-0000-7000-8000-000000000001"
#define HASH \
	"ab3485fe5c1d9de5f2a1f7b6b3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6"
#define LOCATION	USER "/ab/" HASH ".png"

#define SECOND_US	INT64_C(1000000)

static Exchange x;
static char directory[] = "/tmp/bambi-unit-XXXXXX";
static const StoreAdapter *store;
static uint8_t bytes[] = "not much of a picture";

static const char *
path_of(const char *name)
{
	return arena_printf(x.arena, "%s/%s", directory, name);
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void) st;
	(void) flag;
	(void) ftw;
	return remove(path);
}

static void
clear(void)
{
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
empty(void)
{
	clear();
	mkdir(directory, 0700);
}

static int	found;
static const char *found_path;

static int
count_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void) ftw;
	if (flag != FTW_D)
	{
		found++;
		found_path = arena_strdup(x.arena, path);
	}
	else if (ftw->level > 0 && (st->st_mode & 07777) != 0700)
		found += 1000;
	return 0;
}

/* Files below the directory; a thousand more for each open directory. */
static int
count(void)
{
	found = 0;
	nftw(directory, count_one, 16, FTW_PHYS);
	return found;
}

static Next
put_as(const char *format, char **location)
{
	Picture		picture = {.bytes = bytes,.len = sizeof(bytes)};
	StoredImage image = {
		.user = USER,
		.generation = "00000000-0000-7000-8000-000000000002",
		.position = 1,
		.format = format,
		.sha256 = HASH,
		.picture = &picture
	};

	return store->put(&x, &image, location);
}

static Next
put(char **location)
{
	return put_as("png", location);
}

static bool
holds_it(void)
{
	Picture		picture;
	bool		ok = store->get(&x, LOCATION, &picture) == NEXT_DONE &&
	picture.len == sizeof(bytes) &&
	memcmp(picture.bytes, bytes, sizeof(bytes)) == 0;

	free(picture.bytes);
	return ok;
}

/* Sets the time of its file, so that no test waits for a clock. */
static void
age(int64_t at_us)
{
	struct timespec times[2];

	times[0].tv_sec = at_us / SECOND_US;
	times[0].tv_nsec = at_us % SECOND_US * 1000;
	times[1] = times[0];
	utimensat(AT_FDCWD, path_of(LOCATION), times, 0);
}

static int64_t
age_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return -1;
	return st.st_mtim.tv_sec * SECOND_US + st.st_mtim.tv_nsec / 1000;
}

static void
check_put(void)
{
	char	   *location = NULL;
	struct stat st;
	int64_t		before = now_us();
	ino_t		inode;

	CHECK(put(&location) == NEXT_DONE && strcmp(location, LOCATION) == 0,
		  "a picture lies at user, hash and format");
	CHECK(count() == 1, "there is nothing else, in directories of our own");
	CHECK(stat(path_of(LOCATION), &st) == 0 && (st.st_mode & 07777) == 0600,
		  "nobody else may read it");
	CHECK(age_of(path_of(LOCATION)) >= before &&
		  age_of(path_of(LOCATION)) <= now_us(),
		  "its time is when it was put, to the microsecond");
	CHECK(holds_it(), "it comes back as it was");

	inode = st.st_ino;
	age(before - 100 * SECOND_US);
	CHECK(put(&location) == NEXT_DONE && strcmp(location, LOCATION) == 0 &&
		  stat(path_of(LOCATION), &st) == 0 && st.st_ino == inode &&
		  age_of(path_of(LOCATION)) >= before && count() == 1,
		  "put again it is the same file, with a new time");

	CHECK(truncate(path_of(LOCATION), 3) == 0 &&
		  put(&location) == NEXT_DONE && holds_it() && count() == 1,
		  "what is not whole is written anew");
	empty();
}

static void
check_erase(void)
{
	char	   *location;
	int64_t		now = now_us();
	int			fd;

	put(&location);
	age(now);
	CHECK(store->erase(&x, LOCATION, now - 1) == NEXT_DONE && holds_it(),
		  "what was put after its row was deleted stays");
	CHECK(store->erase(&x, LOCATION, now) == NEXT_DONE && holds_it(),
		  "also in the same microsecond");
	CHECK(store->erase(&x, LOCATION, now + 1) == NEXT_DONE && count() == 0 &&
		  access(path_of(USER), F_OK) != 0,
		  "what is older goes, and its directories with it");
	CHECK(store->erase(&x, LOCATION, now + 1) == NEXT_DONE,
		  "what is gone is erased");

	put(&location);
	fd = open(path_of(LOCATION ".4711-0"), O_WRONLY | O_CREAT, 0600);
	close(fd);
	fd = open(path_of(USER "/ab/other.png"), O_WRONLY | O_CREAT, 0600);
	close(fd);
	CHECK(store->erase(&x, LOCATION, now_us() + SECOND_US) == NEXT_DONE &&
		  count() == 1 && strstr(found_path, "other.png") != NULL,
		  "what a crash has left of it goes too, and no other file");
	empty();
}

/*
 * Other couriers erase an old row while the picture is put again.  They may
 * take a directory away from under a put, which is then repeated.
 */
static void
check_race(void)
{
	const int	rounds = 200;
	int64_t		deleted_at = now_us();
	pid_t		others[3];
	int			lost = 0;
	int			stopped = 0;

	for (int i = 0; i < 3; i++)
	{
		others[i] = fork();
		if (others[i] == 0)
		{
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				store->erase(&x, LOCATION, deleted_at);
		}
	}
	for (int i = 0; i < rounds; i++)
	{
		char	   *location;
		Next		next = NEXT_FAIL;

		age(deleted_at - SECOND_US);
		for (int try = 0; try < 10000 && next == NEXT_FAIL; try++)
			next = put(&location);
		lost += next != NEXT_DONE || access(path_of(LOCATION), F_OK) != 0;
	}
	for (int i = 0; i < 3; i++)
	{
		int			status;

		kill(others[i], SIGKILL);
		stopped += waitpid(others[i], &status, 0) == others[i] &&
			WIFSIGNALED(status);
	}
	CHECK(lost == 0 && stopped == 3,
		  "what is put is there, whoever erases what was before");
	empty();
}

/* All that a provider may make. */
static void
check_formats(void)
{
	static const char *const formats[] = {"png", "jpeg", "webp", "gif"};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
	{
		char	   *location = NULL;
		Picture		picture = {0};

		CHECK(put_as(formats[i], &location) == NEXT_DONE &&
			  store->get(&x, location, &picture) == NEXT_DONE &&
			  store->erase(&x, location, now_us() + SECOND_US) == NEXT_DONE,
			  "a %s is put, read and erased", formats[i]);
		free(picture.bytes);
	}
}

static void
check_locations(void)
{
	static const char *const wrong[] = {
		"", "/", "..", "/etc/passwd", "../" LOCATION, "/" LOCATION,
		LOCATION "/", LOCATION "x", LOCATION ".4711-0",
		USER "/ac/" HASH ".png", USER "/../" HASH ".png",
		USER "/ab/" HASH, USER "/ab/" HASH ".bmp",
		USER "/ab/../" HASH ".png",
		"00000000-0000-7000-8000-00000000000/ab/" HASH ".png",
		"../../../../../../../../../../../..../ab/" HASH ".png",
		"........-....-....-....-............/ab/" HASH ".png",
		USER "/ab/ab/85fe5c1d9de5f2a1f7b6b3d4e5f60718293a4b5c6d7e8f90a1b2c3d4"
		"e5f6.png",
	};
	char	   *location;
	Picture		picture;
	struct stat st;

	put(&location);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		CHECK(store->get(&x, wrong[i], &picture) == NEXT_FAIL &&
			  x.fault.class == FAULT_BAD_REQUEST && !x.fault.may_repeat &&
			  picture.bytes == NULL &&
			  store->erase(&x, wrong[i], INT64_MAX) == NEXT_FAIL &&
			  x.fault.class == FAULT_BAD_REQUEST,
			  "\"%s\" is no location", wrong[i]);
	}
	CHECK(holds_it() && count() == 1, "and nothing came of it");

	rename(path_of(LOCATION), path_of("away"));
	CHECK(symlink(path_of("away"), path_of(LOCATION)) == 0 &&
		  store->get(&x, LOCATION, &picture) == NEXT_FAIL,
		  "a link is not followed");
	CHECK(put(&location) == NEXT_DONE &&
		  lstat(path_of(LOCATION), &st) == 0 && S_ISREG(st.st_mode) &&
		  holds_it(), "it is replaced");
	rename(path_of(USER), path_of("aside"));
	CHECK(symlink(path_of("aside"), path_of(USER)) == 0 &&
		  store->get(&x, LOCATION, &picture) == NEXT_FAIL &&
		  put(&location) == NEXT_FAIL &&
		  x.fault.class == FAULT_STORE_DOWN,
		  "nor is one in place of a directory");
	empty();
}

static void
check_faults(void)
{
	struct rlimit limit;
	struct rlimit none;
	char	   *location;
	Picture		picture;
	Next		next;

	CHECK(store->get(&x, LOCATION, &picture) == NEXT_FAIL &&
		  x.fault.class == FAULT_BAD_REQUEST && !x.fault.may_repeat,
		  "what is not there is not waited for");

	/* as a full disk does */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	none = limit;
	none.rlim_cur = 5;
	setrlimit(RLIMIT_FSIZE, &none);
	next = put(&location);
	setrlimit(RLIMIT_FSIZE, &limit);
	CHECK(next == NEXT_FAIL && x.fault.class == FAULT_STORE_DOWN &&
		  x.fault.may_repeat &&
		  strstr(x.fault.message, strerror(EFBIG)) != NULL && count() == 0,
		  "where there is no room it is tried again, and nothing is left");

	clear();
	CHECK(put(&location) == NEXT_FAIL &&
		  x.fault.class == FAULT_STORE_DOWN && x.fault.may_repeat &&
		  strstr(x.fault.message, strerror(ENOENT)) != NULL &&
		  strstr(x.fault.message, directory) == NULL,
		  "where the directory is missing it is tried again");
	CHECK(store->erase(&x, LOCATION, INT64_MAX) == NEXT_FAIL &&
		  x.fault.class == FAULT_STORE_DOWN && x.fault.may_repeat,
		  "and nothing counts as erased");
	CHECK(store->get(&x, LOCATION, &picture) == NEXT_FAIL &&
		  x.fault.class == FAULT_STORE_DOWN && x.fault.may_repeat,
		  "nor as lost");
	mkdir(directory, 0700);
}

static void
check_settings(void)
{
	json_t	   *none = json_object();
	json_t	   *relative = json_pack("{s:s}", "store_directory", "pictures");
	json_t	   *usual = x.settings;
	char	   *location;

	CHECK(strstr(store->check(none), "not set") != NULL &&
		  strstr(store->check(relative), "absolute") != NULL &&
		  store->check(usual) == NULL,
		  "the directory has to be set, and absolute");
	x.settings = relative;
	CHECK(put(&location) == NEXT_FAIL &&
		  x.fault.class == FAULT_STORE_DOWN && x.fault.may_repeat,
		  "else nothing is put anywhere");
	x.settings = usual;
	json_decref(none);
	json_decref(relative);
}

int
main(void)
{
	store = store_find("filesystem");
	x.arena = arena_create();
	x.base_url = "";
	if (mkdtemp(directory) == NULL)
		return 1;
	x.settings = json_pack("{s:s}", "store_directory", directory);

	check_settings();
	check_put();
	check_erase();
	check_race();
	check_formats();
	check_locations();
	check_faults();

	CHECK(rmdir(directory) == 0, "nothing is left");
	json_decref(x.settings);
	arena_destroy(x.arena);
	return check_done();
}
