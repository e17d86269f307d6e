/*-------------------------------------------------------------------------
 *
 * filesystem.c
 *		The image store in a directory of this machine, or of one that is
 *		mounted here.
 *
 * A picture lies at <user>/<first two of its hash>/<hash>.<format>, below
 * the directory, so the same picture of the same user is there once.  That
 * is the hard part: it may be put again while an earlier row of it is being
 * erased.  Every put therefore sets the file's time, and erase leaves alone
 * what is younger than the row it erases.  A lock on the innermost directory
 * keeps the two apart, also where an old courier and its successor meet.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>

#include "directory.h"
#include "file.h"
#include "store.h"

/* After a name, where it is not all there yet. */
#define MARK		'.'

#define UUID_LEN	36
#define HASH_LEN	64
#define MAX_FORMAT	4			/* "jpeg", "webp" */

/* A location, taken apart. */
typedef struct Place
{
	char		user[UUID_LEN + 1];
	char		shard[3];
	char		name[HASH_LEN + 1 + MAX_FORMAT + 1];
} Place;

/* The open directories of a place; -1 is none. */
typedef struct Folders
{
	int			root;
	int			user;
	int			shard;
} Folders;

static bool read_location(const char *location, Place *place);
static bool open_folders(const char *directory, const Place *place, bool make,
						 Folders *folders);
static void close_folders(Folders *folders);
static bool is_there(const Folders *folders, const Place *place, size_t len);

static const char *
check(const json_t *settings)
{
	const char *directory = json_string_value(json_object_get(settings,
															  "store_directory"));

	if (directory == NULL || directory[0] == '\0')
		return "bambi.store_directory is not set";
	if (directory[0] != '/')
		return "bambi.store_directory needs an absolute path";
	return NULL;
}

/* errno says what is wrong; an operator, or time, will mend it. */
static Next
fail(Exchange *x, const char *doing)
{
	exchange_fail(x, FAULT_STORE_DOWN,
				  arena_printf(x->arena, "the image store cannot %s: %s",
							   doing, strerror(errno)));
	x->fault.may_repeat = true;
	return NEXT_FAIL;
}

/* The settings and the location are in order. */
static bool
prepare(Exchange *x, const char *location, Place *place)
{
	const char *problem = check(x->settings);

	if (problem != NULL)
	{
		exchange_fail(x, FAULT_STORE_DOWN, problem);
		x->fault.may_repeat = true;
		return false;
	}
	if (!read_location(location, place))
	{
		exchange_fail(x, FAULT_BAD_REQUEST,
					  "this is no location in the image store");
		return false;
	}
	return true;
}

static char *
path_of(Exchange *x, const StoredImage *image)
{
	return arena_printf(x->arena, "%s/%.2s/%s.%s", image->user, image->sha256,
						image->sha256, image->format);
}

static Next
put_at(Exchange *x, const char *location, const Picture *picture,
	   const char *sha256)
{
	const char *directory = exchange_setting(x, "store_directory");
	Place		place;
	Folders		folders;
	Next		next = NEXT_DONE;

	(void) sha256;
	if (!prepare(x, location, &place))
		return NEXT_FAIL;

	/*
	 * The directories are synced in any case: whoever made them, or renamed
	 * the file, may have died before that.
	 */
	if (!open_folders(directory, &place, true, &folders))
		next = fail(x, "be opened");
	else if (!is_there(&folders, &place, picture->len) &&
			 !file_write(folders.shard, place.name, MARK, picture))
		next = fail(x, "be written to");
	else if (fsync(folders.shard) != 0 || fsync(folders.user) != 0 ||
			 fsync(folders.root) != 0)
		next = fail(x, "be written to");
	close_folders(&folders);
	return next;
}

static Next
put(Exchange *x, const StoredImage *image, char **location)
{
	char	   *path = path_of(x, image);
	Next		next = put_at(x, path, image->picture, image->sha256);

	if (next == NEXT_DONE)
		*location = path;
	return next;
}

static Next
erase(Exchange *x, const char *location, int64_t deleted_at_us)
{
	const char *directory = exchange_setting(x, "store_directory");
	Place		place;
	Folders		folders;
	Next		next = NEXT_DONE;

	if (!prepare(x, location, &place))
		return NEXT_FAIL;
	if (!open_folders(directory, &place, false, &folders))
	{
		/* where the root is, all below it may be gone */
		if (folders.root < 0 || errno != ENOENT)
			next = fail(x, "be opened");
	}
	else if (!file_remove(folders.shard, place.name, MARK, deleted_at_us) ||
			 fsync(folders.shard) != 0)
		next = fail(x, "be written to");
	else
	{
		/* a user who has nothing leaves nothing; else both are not empty */
		unlinkat(folders.user, place.shard, AT_REMOVEDIR);
		unlinkat(folders.root, place.user, AT_REMOVEDIR);
	}
	close_folders(&folders);
	return next;
}

static Next
get(Exchange *x, const char *location, Picture *picture)
{
	const char *directory = exchange_setting(x, "store_directory");
	Place		place;
	Folders		folders;
	Next		next = NEXT_DONE;

	memset(picture, 0, sizeof(*picture));
	if (!prepare(x, location, &place))
		return NEXT_FAIL;
	if (!open_folders(directory, &place, false, &folders) ||
		!file_read(folders.shard, place.name, picture))
	{
		if (folders.root >= 0 && errno == ENOENT)
			next = store_fail_missing(x);
		else
			next = fail(x, "be read");
	}
	close_folders(&folders);
	return next;
}

/* ---- places ---- */

static bool
is_hex(const char *text, size_t len)
{
	return strspn(text, "0123456789abcdef") >= len;
}

/* Nothing but the shape that put gives it, so no way out of the directory. */
static bool
read_location(const char *location, Place *place)
{
	static const char *const formats[] = {".png", ".jpeg", ".webp",
	".gif"};
	const char *hash = location + UUID_LEN + 1 + 2 + 1;
	size_t		i;

	if (strlen(location) < UUID_LEN + 1 + 2 + 1 + HASH_LEN + 1)
		return false;
	for (i = 0; i < UUID_LEN; i++)
	{
		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (location[i] != '-')
				return false;
		}
		else if (!is_hex(location + i, 1))
			return false;
	}
	if (location[UUID_LEN] != '/' || hash[-1] != '/' ||
		!is_hex(hash, HASH_LEN) ||
		memcmp(location + UUID_LEN + 1, hash, 2) != 0)
		return false;
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
	{
		if (strcmp(hash + HASH_LEN, formats[i]) == 0)
		{
			sprintf(place->user, "%.*s", UUID_LEN, location);
			sprintf(place->shard, "%.2s", hash);
			strcpy(place->name, hash);
			return true;
		}
	}
	return false;
}

/* False with errno set.  What is open must be closed in any case. */
static bool
open_folders(const char *directory, const Place *place, bool make,
			 Folders *folders)
{
	folders->user = folders->shard = -1;
	folders->root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folders->root < 0)
		return false;
	folders->user = file_open_folder(folders->root, place->user, make);
	if (folders->user < 0)
		return false;
	folders->shard = file_open_folder(folders->user, place->shard, make);
	return folders->shard >= 0 && flock(folders->shard, LOCK_EX) == 0;
}

/* errno stays. */
static void
close_folders(Folders *folders)
{
	int			saved = errno;

	if (folders->shard >= 0)
		close(folders->shard);
	if (folders->user >= 0)
		close(folders->user);
	if (folders->root >= 0)
		close(folders->root);
	errno = saved;
}

/* ---- files ---- */

/*
 * Whether the file is there and whole; then its time is now.  It was synced
 * before it got its name, so the right size is enough.
 */
static bool
is_there(const Folders *folders, const Place *place, size_t len)
{
	struct stat st;
	bool		ok;
	int			fd = openat(folders->shard, place->name,
							O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return false;
	ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		(size_t) st.st_size == len && file_set_time(fd) && fsync(fd) == 0;
	close(fd);
	return ok;
}

const StoreAdapter store_filesystem = {
	.name = "filesystem",
	.own_setting = "store_directory",
	.check = check,
	.place = path_of,
	.put = put,
	.put_at = put_at,
	.erase = erase,
	.get = get,
	.archive = &archive_directory,
};
