/*-------------------------------------------------------------------------
 *
 * clock.c
 *		A clock that a test moves on while a server runs.
 *
 * To be preloaded.  BAMBI_CLOCK names a file with the seconds by which the
 * wall clock is ahead, a 64-bit integer; what programs wait by stays as it
 * is.  Debian's libfaketime does not do here: the postmaster of PostgreSQL 15
 * forks in signal handlers, inside of calls in which that library takes itself
 * back, and the child keeps the machine's clock for ever.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead = NULL;

__attribute__((constructor))
static void
open_clock(void)
{
	const char *path = getenv("BAMBI_CLOCK");
	int			file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void	   *map;

	if (file < 0)
		return;
	map = mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, file, 0);
	if (map != MAP_FAILED)
		ahead = map;
	close(file);
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int			result = syscall(SYS_clock_gettime, id, t);

	if (result == 0 && ahead != NULL &&
		(id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += *ahead;
	return result;
}

int
gettimeofday(struct timeval *restrict t, void *restrict zone)
{
	struct timespec now;

	(void) zone;
	clock_gettime(CLOCK_REALTIME, &now);
	t->tv_sec = now.tv_sec;
	t->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (t != NULL)
		*t = now.tv_sec;
	return now.tv_sec;
}
