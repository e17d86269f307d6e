/*-------------------------------------------------------------------------
 *
 * point.c
 *		Labelled points where a test can hold a process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "storage/pmsignal.h"

#include "point.h"

#define POLL_US		(10 * 1000)

/*
 * No interrupt is served here: what is tested is a process that dies, or
 * stays away, exactly at this place.
 */
void
bambi_point_hold(const char *name)
{
	char		path[MAXPGPATH];
	char		reached[MAXPGPATH + 16];
	char		unfinished[MAXPGPATH + 16];
	char		pid[16];
	int			len = snprintf(pid, sizeof(pid), "%d\n", (int) getpid());
	int			fd;

	snprintf(path, sizeof(path), "%s/%s", bambi_debug_points, name);
	if (access(path, F_OK) != 0)
		return;

	/*
	 * Under another name first, which nobody else has: who sees the file sees
	 * all of it, however many come here.
	 */
	snprintf(unfinished, sizeof(unfinished), "%s.%d", path, (int) getpid());
	snprintf(reached, sizeof(reached), "%s.reached", path);
	fd = open(unfinished, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0)
	{
		bool		is_written = write(fd, pid, len) == len;

		close(fd);
		if (!is_written || rename(unfinished, reached) != 0)
			elog(LOG, "could not write to \"%s\": %m", reached);
	}
	/* the test may also take away that it was reached: once more, then */
	while (access(path, F_OK) == 0 && access(reached, F_OK) == 0)
	{
		pg_usleep(POLL_US);
		/* an aborted test must leave nobody behind */
		if (!PostmasterIsAlive())
			_exit(2);
	}
}
