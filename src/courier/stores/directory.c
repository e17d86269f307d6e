/*-------------------------------------------------------------------------
 *
 * directory.c
 *		The archive in a directory of this machine, or of one that is mounted
 *		here.
 *
 * A file lies at its name.  A lock on the innermost directory keeps those
 * apart who put and erase the same, also where an old courier and its
 * successor meet.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>

#include "../archive_name.h"
#include "file.h"

/* After a name, where it is not all there yet: no name has it. */
#define MARK		'~'

/* The way to a file, and the directories that are open on it. */
typedef struct Way
{
	char		name[ARCHIVE_NAME_MAX + 1];
	char	   *pieces[ARCHIVE_NAME_DEPTH]; /* in name; the last is the file */
	int			folders[ARCHIVE_NAME_DEPTH];	/* the first is the root */
	int			depth;			/* of pieces */
	int			open;			/* how many folders are */
} Way;

static const char *
check(const json_t *settings)
{
	const char *directory = json_string_value(json_object_get(settings,
															  "archive_directory"));

	if (directory == NULL || directory[0] == '\0')
		return "bambi.archive_directory is not set";
	if (directory[0] != '/')
		return "bambi.archive_directory needs an absolute path";
	return NULL;
}

/* errno says what is wrong; an operator, or time, will mend it. */
static Next
fail(Exchange *x, const char *doing)
{
	exchange_fail(x, FAULT_STORE_DOWN,
				  arena_printf(x->arena, "the archive cannot %s: %s", doing,
							   strerror(errno)));
	x->fault.may_repeat = true;
	return NEXT_FAIL;
}

/* Takes the name apart; false with x->fault set. */
static bool
prepare(Exchange *x, const char *name, Way *way)
{
	const char *problem = check(x->settings);
	char	   *rest = way->name;

	way->depth = way->open = 0;
	if (problem != NULL)
	{
		exchange_fail(x, FAULT_STORE_DOWN, problem);
		x->fault.may_repeat = true;
		return false;
	}
	if (!archive_name_is_fine(name))
	{
		exchange_fail(x, FAULT_BAD_REQUEST, "this is no name in the archive");
		return false;
	}
	strcpy(way->name, name);
	while (rest != NULL)
		way->pieces[way->depth++] = strsep(&rest, "/");
	return true;
}

static int
innermost(const Way *way)
{
	return way->folders[way->depth - 1];
}

static const char *
leaf(const Way *way)
{
	return way->pieces[way->depth - 1];
}

/* False with errno set.  What is open must be closed in any case. */
static bool
open_way(const char *directory, Way *way, bool make)
{
	int			fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0)
	{
		way->folders[way->open++] = fd;
		if (way->open == way->depth)
			return flock(fd, LOCK_EX) == 0;
		fd = file_open_folder(fd, way->pieces[way->open - 1], make);
	}
	return false;
}

/* errno stays. */
static void
close_way(Way *way)
{
	int			saved = errno;

	while (way->open > 0)
		close(way->folders[--way->open]);
	errno = saved;
}

/* Where the root is, all below it may be gone. */
static bool
is_gone(const Way *way)
{
	return way->open > 0 && errno == ENOENT;
}

/*
 * From the innermost outwards, in any case: whoever made one, or renamed the
 * file, may have died before that.
 */
static bool
sync_way(const Way *way)
{
	int			i;

	for (i = way->depth - 1; i >= 0; i--)
	{
		if (fsync(way->folders[i]) != 0)
			return false;
	}
	return true;
}

static Next
put(Exchange *x, const char *name, const Picture *content, const char *sha256)
{
	Way			way;
	Next		next = NEXT_DONE;

	(void) sha256;
	if (!prepare(x, name, &way))
		return NEXT_FAIL;
	if (!open_way(exchange_setting(x, "archive_directory"), &way, true))
		next = fail(x, "be opened");
	else if (!file_remove_unfinished(innermost(&way), leaf(&way), MARK) ||
			 !file_write(innermost(&way), leaf(&way), MARK, content) ||
			 !sync_way(&way))
		next = fail(x, "be written to");
	close_way(&way);
	return next;
}

static Next
get(Exchange *x, const char *name, Picture *content)
{
	Way			way;
	Next		next = NEXT_DONE;

	memset(content, 0, sizeof(*content));
	if (!prepare(x, name, &way))
		return NEXT_FAIL;
	if (!open_way(exchange_setting(x, "archive_directory"), &way, false) ||
		!file_read(innermost(&way), leaf(&way), content))
		next = is_gone(&way) ? store_fail_missing(x) : fail(x, "be read");
	close_way(&way);
	return next;
}

static Next
erase(Exchange *x, const char *name)
{
	Way			way;
	Next		next = NEXT_DONE;
	int			i;

	if (!prepare(x, name, &way))
		return NEXT_FAIL;
	if (!open_way(exchange_setting(x, "archive_directory"), &way, false))
	{
		if (!is_gone(&way))
			next = fail(x, "be opened");
	}
	else if (!file_remove(innermost(&way), leaf(&way), MARK, INT64_MAX) ||
			 fsync(innermost(&way)) != 0)
		next = fail(x, "be written to");
	else
	{
		/* a directory with nothing in it goes; the others are not empty */
		for (i = way.depth - 1; i > 0; i--)
		{
			if (unlinkat(way.folders[i - 1], way.pieces[i - 1],
						 AT_REMOVEDIR) != 0)
				break;
		}
	}
	close_way(&way);
	return next;
}

const ArchiveAdapter archive_directory = {
	.check = check,
	.put = put,
	.get = get,
	.erase = erase,
};
