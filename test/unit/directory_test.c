/*-------------------------------------------------------------------------
 *
 * directory_test.c
 *		The archive in a directory: a file is there whole, or as it was; no
 *		name leads out, and what is erased leaves nothing.
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
#include <unistd.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include "../../src/courier/archive_name.h"
#include "../../src/courier/stores/directory.h"
#include "check.h"

#define NAME	"image_generations/2026-03/0001.zst"

static Exchange x = {.is_archive = true};
static char directory[] = "/tmp/bambi-unit-XXXXXX";
static const ArchiveAdapter *archive = &archive_directory;

static const char *
path_of(const char *name)
{
	return arena_printf(x.arena, "%s/%s", directory, name);
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
empty(void)
{
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	mkdir(directory, 0700);
}

static int	files;
static int	folders;

static int
count_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void) path;
	if (flag != FTW_D)
		files++;
	else if (ftw->level > 0)
		folders++;
	if (ftw->level > 0 && (st->st_mode & 077) != 0)
		files += 1000;
	return 0;
}

/* Whether there are so many; those that others may read do not count. */
static bool
holds(int wanted_files, int wanted_folders)
{
	files = folders = 0;
	nftw(directory, count_one, 16, FTW_PHYS);
	if (files == wanted_files && folders == wanted_folders)
		return true;
	printf("# %d files, %d folders\n", files, folders);
	return false;
}

static void
leave_behind(const char *name)
{
	int			fd = open(path_of(name), O_WRONLY | O_CREAT, 0600);

	if (fd < 0 || write(fd, "half", 4) != 4)
		printf("# %s: %s\n", name, strerror(errno));
	close(fd);
}

static Next
put(const char *name, const char *text)
{
	Picture		content = {(uint8_t *) text, strlen(text), false};

	return archive->put(&x, name, &content, "");
}

static bool
gives(const char *name, const char *text)
{
	Picture		content;
	bool		ok = archive->get(&x, name, &content) == NEXT_DONE &&
	content.len == strlen(text) &&
	memcmp(content.bytes, text, content.len) == 0;

	free(content.bytes);
	return ok;
}

/* Whether it has failed so that it is tried again, with these words. */
static bool
waits(Next next, const char *words)
{
	if (next == NEXT_FAIL && x.fault.class == FAULT_STORE_DOWN &&
		x.fault.may_repeat && !x.fault.is_missing &&
		strstr(x.fault.message, "archive") != NULL &&
		strstr(x.fault.message, words) != NULL &&
		strstr(x.fault.message, directory) == NULL)
		return true;
	printf("# %s\n", x.fault.message);
	return false;
}

static bool
is_absent(const char *name)
{
	Picture		content;

	return archive->get(&x, name, &content) == NEXT_FAIL &&
		content.bytes == NULL && x.fault.is_missing &&
		strcmp(x.fault.message, "the file is not in the archive") == 0;
}

static void
check_files(void)
{
	CHECK(put(NAME, "a chunk") == NEXT_DONE && holds(1, 2),
		  "a file lies at its name, in directories of our own");
	CHECK(access(path_of(NAME), F_OK) == 0 && gives(NAME, "a chunk"),
		  "and comes back as it was");
	CHECK(put(NAME, "another, and a longer one") == NEXT_DONE &&
		  gives(NAME, "another, and a longer one") && holds(1, 2),
		  "put again it is another file");
	CHECK(put(NAME, "short") == NEXT_DONE && gives(NAME, "short"),
		  "and nothing of what was before");
	CHECK(put("manifest", "top") == NEXT_DONE && gives("manifest", "top") &&
		  holds(2, 2), "a file may lie at the top");

	CHECK(put(NAME ".1", "neighbour") == NEXT_DONE &&
		  put("image_generations/2026-04/0001.zst", "next") == NEXT_DONE &&
		  archive->erase(&x, NAME) == NEXT_DONE && is_absent(NAME) &&
		  gives(NAME ".1", "neighbour") && holds(3, 3),
		  "an erased file is gone, its neighbours are not");
	CHECK(archive->erase(&x, NAME) == NEXT_DONE, "what is gone is erased");
	CHECK(archive->erase(&x, "image_generations/2026-04/0001.zst") ==
		  NEXT_DONE && holds(2, 2),
		  "a directory with nothing in it goes too");
	CHECK(archive->erase(&x, "image_generations/2026-04/0001.zst") ==
		  NEXT_DONE && is_absent("image_generations/2026-04/0001.zst"),
		  "what lay in it is gone as well");
	CHECK(archive->erase(&x, NAME ".1") == NEXT_DONE &&
		  archive->erase(&x, "manifest") == NEXT_DONE && holds(0, 0),
		  "at last nothing is left but the archive's own directory");
}

/* What a courier leaves that is killed while it writes. */
static void
check_crashes(void)
{
	put(NAME, "whole");
	leave_behind(NAME "~4711-0");
	leave_behind(NAME "~4711-1");
	CHECK(gives(NAME, "whole") && holds(3, 2),
		  "half a file beside it is no part of it");
	CHECK(put(NAME, "anew") == NEXT_DONE && gives(NAME, "anew") &&
		  holds(1, 2), "a put takes what was left away");
	leave_behind(NAME "~4711-2");
	CHECK(archive->erase(&x, NAME) == NEXT_DONE && holds(0, 0),
		  "an erase does, too");

	put("a/b/other", "other");
	leave_behind("a/b/c~4711-0");
	CHECK(is_absent("a/b/c") && archive->erase(&x, "a/b/c") == NEXT_DONE &&
		  holds(1, 2) && gives("a/b/other", "other"),
		  "also where the file itself was never there");
	empty();
}

static void
check_names(void)
{
	static const char *const wrong[] = {
		"", "/", ".", "..", "/etc/passwd", "../a", "a/../b", "a/..", "./a",
		"a/.", "a//b", "/a", "a/", "a/.../b", "a b", "a~1-1", "a\\b", "a\nb",
		"a%2fb", "a:b", "\xc3\xbc", "a/b?c", "*"
	};
	static const char *const right[] = {
		"a", "a.b", ".a", "..a", "a..", "-a", "_", "A/b-c/d_e.0",
		"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16"
	};
	char		deep[64] = "a";
	char		piece[202];
	char		text[ARCHIVE_NAME_MAX + 2];
	Picture		content;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		CHECK(put(wrong[i], "x") == NEXT_FAIL &&
			  x.fault.class == FAULT_BAD_REQUEST && !x.fault.may_repeat &&
			  archive->get(&x, wrong[i], &content) == NEXT_FAIL &&
			  x.fault.class == FAULT_BAD_REQUEST && !x.fault.is_missing &&
			  archive->erase(&x, wrong[i]) == NEXT_FAIL &&
			  x.fault.class == FAULT_BAD_REQUEST &&
			  strcmp(x.fault.message, "this is no name in the archive") == 0,
			  "name %zu is none", i);
	}
	CHECK(holds(0, 0), "and nothing came of any");
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
	{
		CHECK(put(right[i], right[i]) == NEXT_DONE &&
			  gives(right[i], right[i]) &&
			  archive->erase(&x, right[i]) == NEXT_DONE && holds(0, 0),
			  "\"%s\" is a name", right[i]);
	}

	for (int i = 1; i < ARCHIVE_NAME_DEPTH; i++)
		strcat(deep, "/a");
	CHECK(archive_name_is_fine(deep) &&
		  !archive_name_is_fine(strcat(deep, "/a")),
		  "a name may be so deep, and no deeper");
	memset(piece, 'a', sizeof(piece));
	piece[201] = '\0';
	CHECK(put(piece + 1, "x") == NEXT_DONE && gives(piece + 1, "x") &&
		  archive->erase(&x, piece + 1) == NEXT_DONE && put(piece, "x") ==
		  NEXT_FAIL, "a piece may be so long, and no longer");
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 100 == 99 ? '/' : 'a';
	text[sizeof(text) - 1] = '\0';
	CHECK(archive_name_is_fine(text + 1) && !archive_name_is_fine(text),
		  "and so may all of it");
}

static void
check_prefixes(void)
{
	static const struct
	{
		const char *prefix;
		const char *path;		/* of "a/b", or NULL */
	}			cases[] =
	{
		{"", "a/b"},
		{"bambi/", "bambi/a/b"},
		{"one/two-", "one/two-a/b"},
		{"/", NULL},
		{"../", NULL},
		{"a//", NULL},
		{"a b/", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		json_t	   *settings = json_pack("{s:s}", "archive_prefix",
										 cases[i].prefix);
		const char *path = archive_name(x.arena, settings, "a/b");
		const char *problem = archive_prefix_problem(settings);

		if (cases[i].path != NULL)
			CHECK(problem == NULL && path != NULL &&
				  strcmp(path, cases[i].path) == 0,
				  "\"%s\" is a prefix", cases[i].prefix);
		else
			CHECK(path == NULL && problem != NULL &&
				  strstr(problem, "bambi.archive_prefix") != NULL,
				  "\"%s\" is none", cases[i].prefix);
		CHECK(archive_name(x.arena, settings, "../a") == NULL,
			  "and makes no name of what is none");
		json_decref(settings);
	}
}

static void
check_links(void)
{
	Picture		content;

	put("a/b", "mine");
	put("elsewhere", "not mine");
	CHECK(unlink(path_of("a/b")) == 0 &&
		  symlink(path_of("elsewhere"), path_of("a/b")) == 0 &&
		  archive->get(&x, "a/b", &content) == NEXT_FAIL &&
		  waits(NEXT_FAIL, "be read"), "a link is not followed");
	CHECK(put("a/b", "mine again") == NEXT_DONE &&
		  gives("a/b", "mine again") && gives("elsewhere", "not mine"),
		  "a put replaces it, and not what it leads to");
	unlink(path_of("a/b"));
	rmdir(path_of("a"));
	mkdir(path_of("outside"), 0700);
	CHECK(symlink(path_of("outside"), path_of("a")) == 0 &&
		  waits(put("a/b", "x"), "be opened") &&
		  waits(archive->erase(&x, "a/b"), "be opened"),
		  "nor is one in place of a directory");
	CHECK(archive->get(&x, "outside", &content) == NEXT_FAIL &&
		  waits(NEXT_FAIL, "be read"), "a directory is no file");
	empty();
}

static void
check_faults(void)
{
	json_t	   *usual = x.settings;
	struct rlimit limit;
	struct rlimit none;
	Picture		content;
	Next		next;

	put(NAME, "before");
	/* as a full disk does */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	none = limit;
	none.rlim_cur = 5;
	setrlimit(RLIMIT_FSIZE, &none);
	next = put(NAME, "longer than there is room");
	setrlimit(RLIMIT_FSIZE, &limit);
	CHECK(waits(next, strerror(EFBIG)) && gives(NAME, "before") &&
		  holds(1, 2), "where there is no room all is as it was");

	CHECK(truncate(path_of(NAME), 0) == 0 &&
		  waits(archive->get(&x, NAME, &content), "be read"),
		  "an empty file is none of ours");

	x.settings = json_pack("{s:s}", "archive_directory", path_of("unmounted"));
	CHECK(waits(put(NAME, "x"), strerror(ENOENT)) &&
		  access(path_of("unmounted"), F_OK) != 0,
		  "a directory that is missing is not made");
	CHECK(waits(archive->erase(&x, NAME), strerror(ENOENT)),
		  "nothing in it counts as erased");
	CHECK(waits(archive->get(&x, NAME, &content), strerror(ENOENT)),
		  "nor as absent");
	json_decref(x.settings);

	x.settings = json_pack("{s:s}", "archive_directory", "relative");
	CHECK(waits(put(NAME, "x"), "absolute"), "its path has to be absolute");
	json_decref(x.settings);
	x.settings = json_object();
	CHECK(waits(put(NAME, "x"), "archive_directory is not set"),
		  "and to be set");
	json_decref(x.settings);
	x.settings = usual;
	CHECK(archive->check(usual) == NULL, "then it will do");
	empty();
}

int
main(void)
{
	x.arena = arena_create();
	x.base_url = "";
	if (mkdtemp(directory) == NULL)
		return 1;
	x.settings = json_pack("{s:s}", "archive_directory", directory);

	check_files();
	check_crashes();
	check_names();
	check_prefixes();
	check_links();
	check_faults();

	CHECK(rmdir(directory) == 0, "nothing is left");
	json_decref(x.settings);
	arena_destroy(x.arena);
	return check_done();
}
