/*-------------------------------------------------------------------------
 *
 * point.c
 *		Labelled points, where a test can hold the courier.
 *
 *-------------------------------------------------------------------------
 */
#include "point.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS		(10 * 1000 * 1000)

bool		point_is_armed = false;

static char points_directory[PATH_MAX];

void
point_arm(const char *directory)
{
	if (directory == NULL)
		directory = "";
	snprintf(points_directory, sizeof(points_directory), "%s", directory);
	point_is_armed = points_directory[0] != '\0';
}

void
point_hold(const char *name)
{
	static const struct timespec pause = {0, POLL_NS};
	char		path[PATH_MAX + 64];
	char		reached[PATH_MAX + 80];
	char		unfinished[PATH_MAX + 80];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s", points_directory, name);
	if (access(path, F_OK) != 0)
		return;

	/* under another name first: who sees the file sees all of it */
	snprintf(unfinished, sizeof(unfinished), "%s.tmp", path);
	file = fopen(unfinished, "w");
	if (file != NULL)
	{
		fprintf(file, "%d\n", (int) getpid());
		fclose(file);
	}
	snprintf(reached, sizeof(reached), "%s.reached", path);
	rename(unfinished, reached);

	/* the test may also take away that it was reached: once more, then */
	while (access(path, F_OK) == 0 && access(reached, F_OK) == 0)
		nanosleep(&pause, NULL);
}
