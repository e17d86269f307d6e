/*-------------------------------------------------------------------------
 *
 * main.c
 *		bambi-courier: carries generations from the worker to the providers,
 *		and their answers back.
 *
 *	bambi-courier --serve		as the worker starts it: the socket is file
 *								descriptor 3, the lock of its spool directory
 *								is 4, and that directory is the current one
 *	bambi-courier --make-key PATH
 *	bambi-courier --version
 *
 * The hard part is the end.  The courier outlives its worker: what runs
 * costs money, so it runs to its end, and its answer goes to the spool.  And
 * it is two processes: where the postmaster is process 1, it inherits an
 * orphaned courier and takes its death by a signal for a crash of its own; a
 * keeper between them always leaves in peace.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "budget.h"
#include "engine.h"
#include "errands.h"
#include "jobs.h"
#include "keys.h"
#include "keyservices/pem.h"
#include "link.h"
#include "loop.h"
#include "point.h"
#include "redis.h"
#include "settings.h"
#include "spool.h"
#include "stores.h"

#define SOCKET_FD	3
#define LOCK_FD		4

/* Four for each call of the largest bambi.max_in_flight. */
#define MAX_FILES	16384

/* Goes before the server does, when memory is short. */
#define OOM_SCORE	"300"

static Settings settings;
static int	signal_fd;
static int	signals_seen;		/* that ask for the end */
static bool is_over;			/* the grace has ended, or was cut short */
static LoopTimer grace_timer;

static int	serve(void);
static void keep(pid_t courier, const sigset_t *old_mask)
			__attribute__((noreturn));
static void harden(void);
static bool receive_frame(const FrameHead *head, const char *key,
						  const char *json, const uint8_t *picture);
static int	live(void);

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
	{
		printf("bambi-courier %s\n", BAMBI_VERSION);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "--make-key") == 0)
	{
		const char *error = pem_make_key(argv[2]);

		if (error != NULL)
			fprintf(stderr, "bambi-courier: %s: %s\n", argv[2], error);
		return error != NULL;
	}
	if (argc == 2 && strcmp(argv[1], "--serve") == 0)
		return serve();

	fprintf(stderr,
			"usage: bambi-courier --make-key PATH   make a master key for "
			"development\n"
			"       bambi-courier --version\n"
			"The server itself starts it with --serve.\n");
	return 1;
}

static int
serve(void)
{
	sigset_t	mask;
	sigset_t	old_mask;
	struct stat st;
	pid_t		courier;

	if (fstat(SOCKET_FD, &st) != 0 || !S_ISSOCK(st.st_mode) ||
		fstat(LOCK_FD, &st) != 0)
	{
		fprintf(stderr, "bambi-courier: --serve is for the server only\n");
		return 1;
	}

	/* blocked from before the fork: none is lost, none ends the keeper */
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, &old_mask);
	signal(SIGPIPE, SIG_IGN);

	courier = fork();
	if (courier < 0)
		return 1;
	if (courier > 0)
		keep(courier, &old_mask);

	signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		return 1;
	harden();
	return live();
}

/* Waits for the courier, and leaves with 0 or 1 whatever became of it. */
static void
keep(pid_t courier, const sigset_t *old_mask)
{
	int			status;
	int			fd;

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigprocmask(SIG_SETMASK, old_mask, NULL);

	/* above all the socket, the lock, and whatever collects a log */
	if (syscall(SYS_close_range, 0U, ~0U, 0U) != 0)
	{
		for (fd = 0; fd <= LOCK_FD; fd++)
			close(fd);
	}
	prctl(PR_SET_NAME, "bambi-keeper");
	while (waitpid(courier, &status, 0) < 0)
	{
		if (errno != EINTR)
			_exit(1);
	}
	_exit(WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1);
}

/* What must not reach a core file, another process, or the next in line. */
static void
harden(void)
{
	struct rlimit none = {0, 0};
	struct rlimit files;
	char		pid[16];
	int			len;
	int			fd;

	umask(077);

	/* before it is no longer dumpable, since the file is then root's */
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
	{
		if (write(fd, OOM_SCORE, sizeof(OOM_SCORE) - 1) < 0)
			errno = 0;			/* the worse for us, no more */
		close(fd);
	}
	setrlimit(RLIMIT_CORE, &none);

	/* one for each call, one more while its host's name is looked up */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < MAX_FILES)
	{
		files.rlim_cur = files.rlim_max < MAX_FILES ? files.rlim_max :
			MAX_FILES;
		setrlimit(RLIMIT_NOFILE, &files);
	}
#ifndef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 0);
#endif

	/* operators and tests look for us there */
	len = snprintf(pid, sizeof(pid), "%d\n", (int) getpid());
	if (ftruncate(LOCK_FD, 0) == 0 && pwrite(LOCK_FD, pid, (size_t) len, 0) < 0)
		errno = 0;

	fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC);
	fcntl(LOCK_FD, F_SETFD, FD_CLOEXEC);
}

static bool
receive_frame(const FrameHead *head, const char *key, const char *json,
			  const uint8_t *picture)
{
	switch ((FrameType) head->type)
	{
		case FRAME_SETTINGS:
			if (!settings_read(&settings, json, head->json_len))
				return false;
			point_arm(settings.debug_points);
			budget_set(settings.byte_budget);
			engine_configure(&settings);
			keys_configure(&settings);
			stores_configure(&settings);
			redis_configure(&settings);
			return true;
		case FRAME_PICTURE:
			return jobs_input(head, picture);
		case FRAME_JOB:
			return jobs_receive(head, key, json);
		case FRAME_TAKEN:
			jobs_taken(head);
			return true;
		case FRAME_CANCEL:
			jobs_cancel(head);
			return true;
		case FRAME_ERRAND:
			errands_receive(head, key, json, picture);
			return true;
		case FRAME_OUTCOME:
		case FRAME_LOG:
		case FRAME_SEALING_KEY:
		case FRAME_PROGRESS:
		case FRAME_ERRAND_DONE:
			break;				/* the courier's own */
	}
	return false;
}

static void
grace_is_over(LoopTimer *timer)
{
	(void) timer;
	is_over = true;
}

/*
 * SIGHUP is nothing to us.  The other two: first as if the worker were gone,
 * within the grace; once more, at once.
 */
static void
signal_came(int fd, int events)
{
	struct signalfd_siginfo info;

	(void) events;
	while (read(fd, &info, sizeof(info)) == sizeof(info))
	{
		if (info.ssi_signo == SIGHUP)
			continue;
		if (++signals_seen == 1)
			loop_set_timer(&grace_timer, settings.shutdown_grace_ms);
		else
			is_over = true;
	}
}

/* A log collector ends only when the last writer has gone. */
static void
leave_stderr(void)
{
	int			fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
	{
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
}

static int
live(void)
{
	bool		is_alone = false;

	srandom((unsigned) getpid() ^ (unsigned) time(NULL));
	settings_set_defaults(&settings);
	grace_timer.expired = grace_is_over;

	loop_start();
	loop_watch(signal_fd, LOOP_READ, signal_came);
	engine_start();
	engine_configure(&settings);
	budget_set(settings.byte_budget);
	jobs_start(&settings);
	link_start(SOCKET_FD, receive_frame);

	for (;;)
	{
		loop_turn();
		engine_collect();
		if (!is_alone && !link_is_open())
		{
			is_alone = true;
			leave_stderr();
			errands_stop();
			jobs_spool();
		}
		if (signals_seen > 0)
			jobs_stop();
		jobs_begin();
		link_flush();

		if (is_over)
			jobs_give_up();
		if (is_over || ((is_alone || signals_seen > 0) && jobs_count() == 0))
			break;
	}

	link_flush();
	if (!is_alone)
		jobs_spool();
	keys_forget();
	stores_forget();
	return jobs_are_safe() && spool_end() ? 0 : 1;
}
