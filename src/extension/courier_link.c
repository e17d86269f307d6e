/*-------------------------------------------------------------------------
 *
 * courier_link.c
 *		The worker's end of its courier.
 *
 * The courier must outlive the server, so it gets a session of its own, none
 * of the server's descriptors, and the lock of its spool directory, which it
 * holds from before its first job until it is gone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "courier_link.h"
#include "settings.h"
#include "shmem.h"

#define SOCKET_FD		3
#define LOCK_FD			4
#define INPUT_SIZE		(256 * 1024)
#define KEPT_OUTGOING	(4 * 1024 * 1024)
/* of earlier couriers, too, that still end their calls */
#define MAX_KEEPERS		64
/* where close_range is missing and RLIMIT_NOFILE says nothing sensible */
#define MOST_FDS		65536

/* Of the server's environment; else the courier's is empty. */
static const char *const handed_on[] = {
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
};

/* What the child needs, made before the fork: it may not allocate. */
typedef struct Birth
{
	const char *program;
	char	   *argv[3];
	char	   *envp[1 + lengthof(handed_on) + 1];
	char		directory[MAXPGPATH];
	int			socket;
	int			lock;
} Birth;

/* A frame of which only the head has come so far. */
typedef struct Partial
{
	bool		has_head;
	FrameHead	head;
	text	   *json;
	bytea	   *picture;
	uint32		have;			/* bytes of key, JSON and picture so far */
} Partial;

static int	courier_socket = -1;
static pid_t keepers[MAX_KEEPERS];	/* the newest last; some have left */
static int	keeper_count = 0;
static StringInfoData outgoing;
static int	outgoing_sent = 0;	/* bytes of outgoing that are sent */
static uint64 stream_start = 0; /* where in the stream outgoing begins */
static char *input = NULL;
static int	input_start = 0;
static int	input_end = 0;
static Partial partial;

void
bambi_courier_initialize(void)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	input = palloc(INPUT_SIZE);
	initStringInfo(&outgoing);
	MemoryContextSwitchTo(old);
}

void
bambi_note_error(const char *message)
{
	BambiWorkerSlot *slot = bambi_my_slot();

	if (slot == NULL)
		return;
	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	strlcpy(slot->last_error, message, sizeof(slot->last_error));
	slot->last_error_at = GetCurrentTimestamp();
	LWLockRelease(bambi_shmem_lock());
}

const char *
bambi_spool_of_database(void)
{
	static char path[MAXPGPATH];

	snprintf(path, sizeof(path), "%s/" UINT64_FORMAT ".%u",
			 bambi_spool_root(), GetSystemIdentifier(), MyDatabaseId);
	return path;
}

static bool
make_directory(const char *path)
{
	if (mkdir(path, S_IRWXU) == 0 || errno == EEXIST)
		return true;
	ereport(LOG,
			(errcode_for_file_access(),
			 errmsg("could not create directory \"%s\": %m", path)));
	return false;
}

/* Opens and locks; -1 if that cannot be. */
static int
make_locked_directory(const char *path)
{
	char		lock[MAXPGPATH + 8];
	int			fd;

	if (!make_directory(bambi_spool_root()) ||
		!make_directory(bambi_spool_of_database()) ||
		!make_directory(path))
		return -1;

	snprintf(lock, sizeof(lock), "%s/lock", path);
	fd = open(lock, O_CREAT | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	ereport(LOG,
			(errcode_for_file_access(),
			 errmsg("could not lock \"%s\": %m", lock)));
	if (fd >= 0)
		close(fd);
	return -1;
}

static void
close_from(int first)
{
	struct rlimit limit;
	int			last = MOST_FDS;

#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
#endif
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
		limit.rlim_cur != RLIM_INFINITY)
		last = (int) limit.rlim_cur;
	for (int fd = first; fd < last; fd++)
		close(fd);
}

/* In the child: async-signal-safe calls only, from here to execve. */
static void
become_courier(const Birth *birth)
{
	struct rlimit no_core = {0, 0};
	sigset_t	none;
	int			null;
	int			socket;
	int			lock;

	for (int signo = 1; signo < NSIG; signo++)
		(void) signal(signo, SIG_DFL);

	/* The postmaster signals process groups; this one is none of its. */
	setsid();

	/* By way of high numbers: dup2(n, n) would keep close-on-exec. */
	socket = fcntl(birth->socket, F_DUPFD, 64);
	lock = fcntl(birth->lock, F_DUPFD, 64);
	null = open("/dev/null", O_RDWR);
	if (socket < 0 || lock < 0 || null < 0)
		_exit(127);
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
		dup2(socket, SOCKET_FD) < 0 || dup2(lock, LOCK_FD) < 0)
		_exit(127);
	close_from(LOCK_FD + 1);

	setrlimit(RLIMIT_CORE, &no_core);
	if (chdir(birth->directory) != 0)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(birth->program, birth->argv, birth->envp);
	_exit(127);
}

static pid_t
give_birth(const Birth *birth)
{
	sigset_t	all;
	sigset_t	before;
	pid_t		pid;

	/* No handler of the server may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become_courier(birth);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

/* A keeper leaves some time after its courier: each start asks again. */
static void
reap_keepers(void)
{
	int			left = 0;

	for (int i = 0; i < keeper_count; i++)
	{
		int			status;

		if (waitpid(keepers[i], &status, WNOHANG) == 0)
			keepers[left++] = keepers[i];
	}
	keeper_count = left;
}

static void
remember_keeper(pid_t pid)
{
	reap_keepers();
	if (keeper_count == MAX_KEEPERS)
		memmove(keepers, keepers + 1, --keeper_count * sizeof(pid_t));
	keepers[keeper_count++] = pid;
}

static void
remember_courier(int socket, pid_t pid)
{
	BambiWorkerSlot *slot = bambi_my_slot();

	courier_socket = socket;
	remember_keeper(pid);
	resetStringInfo(&outgoing);
	outgoing_sent = 0;
	stream_start = 0;
	input_start = input_end = 0;
	memset(&partial, 0, sizeof(partial));

	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	slot->courier_pid = pid;
	slot->courier_started_at = GetCurrentTimestamp();
	LWLockRelease(bambi_shmem_lock());
	pg_atomic_fetch_add_u32(&slot->courier_starts, 1);
}

static void
set_environment(Birth *birth)
{
	int			count = 0;

	birth->envp[count++] = "LC_ALL=C.UTF-8";
	for (size_t i = 0; i < lengthof(handed_on); i++)
	{
		const char *value = getenv(handed_on[i]);

		if (value)
			birth->envp[count++] = psprintf("%s=%s", handed_on[i], value);
	}
	birth->envp[count] = NULL;
}

bool
bambi_courier_start(const pg_uuid_t *incarnation)
{
	Birth		birth;
	int			sockets[2];
	pid_t		pid;
	char	   *database = MemoryContextStrdup(CurrentMemoryContext,
											   MyBgworkerEntry->bgw_extra);

	snprintf(birth.directory, sizeof(birth.directory), "%s/%s",
			 bambi_spool_of_database(),
			 DatumGetCString(DirectFunctionCall1(uuid_out,
												 UUIDPGetDatum(incarnation))));
	birth.program = bambi_courier_program();
	birth.argv[0] = psprintf("bambi-courier: %s", database);
	birth.argv[1] = "--serve";
	birth.argv[2] = NULL;
	set_environment(&birth);

	if (access(birth.program, X_OK) != 0)
	{
		bambi_note_error("the program bambi-courier cannot be executed");
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not execute \"%s\": %m", birth.program),
				 errhint("Set bambi.courier_path.")));
		return false;
	}

	birth.lock = make_locked_directory(birth.directory);
	if (birth.lock < 0)
	{
		bambi_note_error("the spool directory cannot be written");
		return false;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
				   sockets) != 0)
	{
		close(birth.lock);
		ereport(LOG, (errmsg("could not create a socket pair: %m")));
		return false;
	}
	birth.socket = sockets[1];
	pid = give_birth(&birth);

	/* The child holds the lock through the same open file: never LOCK_UN. */
	close(birth.lock);
	close(sockets[1]);
	if (pid < 0)
	{
		close(sockets[0]);
		ereport(LOG, (errmsg("could not fork the courier: %m")));
		return false;
	}
	remember_courier(sockets[0], pid);
	return true;
}

bool
bambi_courier_is_there(void)
{
	return courier_socket >= 0;
}

int
bambi_courier_socket(void)
{
	return courier_socket;
}

static void
append(FrameHead *head, const char *key, const char *json,
	   const bytea *picture)
{
	uint8		bytes[FRAME_HEAD_SIZE];

	head->key_len = key ? strlen(key) : 0;
	head->json_len = json ? strlen(json) : 0;
	head->picture_len = picture ? VARSIZE_ANY_EXHDR(picture) : 0;
	frame_encode(head, bytes);
	appendBinaryStringInfo(&outgoing, (char *) bytes, sizeof(bytes));
	if (head->key_len)
		appendBinaryStringInfo(&outgoing, key, head->key_len);
	if (head->json_len)
		appendBinaryStringInfo(&outgoing, json, head->json_len);
	if (head->picture_len)
		appendBinaryStringInfo(&outgoing, VARDATA_ANY(picture),
							   head->picture_len);
}

uint64
bambi_courier_append(FrameHead *head, const char *key, const char *json)
{
	append(head, key, json, NULL);
	return bambi_courier_mark();
}

void
bambi_courier_append_picture(FrameHead *head, const char *json,
							 const bytea *picture)
{
	append(head, NULL, json, picture);
}

Size
bambi_courier_backlog(void)
{
	return outgoing.len - outgoing_sent;
}

uint64
bambi_courier_mark(void)
{
	return stream_start + outgoing.len;
}

void
bambi_courier_cut(uint64 mark)
{
	/* Never below what is sent: frames of a turn are sent after it only. */
	Assert(mark >= stream_start + outgoing_sent);
	outgoing.len = (int) (mark - stream_start);
	outgoing.data[outgoing.len] = '\0';
}

uint64
bambi_courier_sent(void)
{
	return stream_start + outgoing_sent;
}

/* What pictures to edit have made of it is given back. */
static void
shrink_outgoing(void)
{
	if (outgoing.maxlen <= KEPT_OUTGOING)
		return;
	outgoing.data = repalloc(outgoing.data, KEPT_OUTGOING);
	outgoing.maxlen = KEPT_OUTGOING;
}

bool
bambi_courier_send(void)
{
	while (courier_socket >= 0 && outgoing_sent < outgoing.len)
	{
		ssize_t		n = send(courier_socket, outgoing.data + outgoing_sent,
							 outgoing.len - outgoing_sent,
							 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		outgoing_sent += n;
	}
	if (outgoing_sent == outgoing.len)
	{
		stream_start += outgoing.len;
		outgoing_sent = 0;
		resetStringInfo(&outgoing);
		shrink_outgoing();
	}
	return false;
}

/* Bytes from the socket to memory; 0 for none now, -1 for the end. */
static int
read_socket(char *to, size_t size)
{
	for (;;)
	{
		ssize_t		n = recv(courier_socket, to, size, MSG_DONTWAIT);

		if (n > 0)
			return (int) n;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		return -1;
	}
}

/* More into the input buffer; as read_socket. */
static int
fill_input(void)
{
	int			n;

	if (input_start > 0)
	{
		memmove(input, input + input_start, input_end - input_start);
		input_end -= input_start;
		input_start = 0;
	}
	n = read_socket(input + input_end, INPUT_SIZE - input_end);
	if (n > 0)
		input_end += n;
	return n;
}

/* Room for the frame whose head came; frames to the worker carry no key. */
static bool
begin_frame(MemoryContext context)
{
	FrameHead  *head = &partial.head;

	if (!frame_decode((uint8 *) input + input_start, head) ||
		head->key_len != 0)
		return false;
	input_start += FRAME_HEAD_SIZE;
	partial.has_head = true;
	partial.have = 0;
	partial.json = NULL;
	partial.picture = NULL;
	if (head->json_len)
	{
		partial.json = MemoryContextAllocHuge(context,
											  VARHDRSZ + head->json_len);
		SET_VARSIZE(partial.json, VARHDRSZ + head->json_len);
	}
	if (head->picture_len)
	{
		partial.picture = MemoryContextAllocHuge(context,
												 VARHDRSZ + head->picture_len);
		SET_VARSIZE(partial.picture, VARHDRSZ + head->picture_len);
	}
	return true;
}

/* Where the next byte of the frame goes, and how many fit there. */
static char *
next_place(size_t *room)
{
	FrameHead  *head = &partial.head;

	if (partial.have < head->json_len)
	{
		*room = head->json_len - partial.have;
		return VARDATA(partial.json) + partial.have;
	}
	*room = head->json_len + head->picture_len - partial.have;
	return *room ? VARDATA(partial.picture) + partial.have - head->json_len : NULL;
}

BambiReceived
bambi_courier_receive(BambiFrame *frame, MemoryContext context)
{
	char	   *place;
	size_t		room;

	if (courier_socket < 0)
		return BAMBI_GONE;

	while (!partial.has_head)
	{
		int			n;

		if (input_end - input_start >= FRAME_HEAD_SIZE)
		{
			if (!begin_frame(context))
				return BAMBI_GONE;
			break;
		}
		n = fill_input();
		if (n <= 0)
			return n == 0 ? BAMBI_NOTHING : BAMBI_GONE;
	}

	while ((place = next_place(&room)) != NULL)
	{
		size_t		there = input_end - input_start;
		int			n;

		if (there > 0)
		{
			n = (int) Min(room, there);
			memcpy(place, input + input_start, n);
			input_start += n;
		}
		else if (room >= INPUT_SIZE)
			n = read_socket(place, room);	/* a big picture, not by way of
											 * input */
		else
		{
			n = fill_input();
			if (n > 0)
				continue;
		}
		if (n <= 0)
			return n == 0 ? BAMBI_NOTHING : BAMBI_GONE;
		partial.have += n;
	}

	frame->head = partial.head;
	frame->json = partial.json;
	frame->picture = partial.picture;
	partial.has_head = false;
	return BAMBI_FRAME;
}


void
bambi_courier_let_go(void)
{
	BambiWorkerSlot *slot = bambi_my_slot();

	if (courier_socket < 0)
		return;
	close(courier_socket);
	courier_socket = -1;
	if (partial.has_head)
	{
		if (partial.json)
			pfree(partial.json);
		if (partial.picture)
			pfree(partial.picture);
		partial.has_head = false;
	}
	reap_keepers();
	LWLockAcquire(bambi_shmem_lock(), LW_EXCLUSIVE);
	slot->courier_pid = 0;
	LWLockRelease(bambi_shmem_lock());
}
