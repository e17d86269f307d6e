/*-------------------------------------------------------------------------
 *
 * archive_name.c
 *		What files in the archive may be called.
 *
 * One form for directories and buckets alike: nothing in it has a meaning for
 * a file system, a URL or a shell.
 *
 *-------------------------------------------------------------------------
 */
#include "archive_name.h"

#include <string.h>

/* A file system allows 255 bytes; a file that is being written has more. */
#define MAX_PIECE	200

bool
archive_name_is_fine(const char *name)
{
	static const char allowed[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	int			depth = 0;

	if (strlen(name) > ARCHIVE_NAME_MAX)
		return false;
	for (;;)
	{
		size_t		len = strspn(name, allowed);

		if (len == 0 || len > MAX_PIECE || strspn(name, ".") == len ||
			++depth > ARCHIVE_NAME_DEPTH)
			return false;
		if (name[len] == '\0')
			return true;
		if (name[len] != '/')
			return false;
		name += len + 1;
	}
}

static const char *
prefix_of(const json_t *settings)
{
	const char *prefix = json_string_value(json_object_get(settings,
														   "archive_prefix"));

	return prefix != NULL ? prefix : "";
}

const char *
archive_prefix_problem(const json_t *settings)
{
	Arena	   *arena = arena_create();
	bool		is_fine = archive_name(arena, settings, "x") != NULL;

	arena_destroy(arena);
	return is_fine ? NULL :
		"bambi.archive_prefix is no beginning of a path such as \"bambi/\"";
}

char *
archive_name(Arena *arena, const json_t *settings, const char *name)
{
	char	   *whole;

	if (!archive_name_is_fine(name))
		return NULL;
	whole = arena_printf(arena, "%s%s", prefix_of(settings), name);
	return archive_name_is_fine(whole) ? whole : NULL;
}
