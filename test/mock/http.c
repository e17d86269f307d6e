/*-------------------------------------------------------------------------
 *
 * http.c
 *		An HTTP/1.1 server on one thread: epoll, keep-alive, answers that may
 *		wait, and connections that end as badly as a test wants.
 *
 * Bodies need a Content-Length.  A connection that is done with stays in
 * memory until the turn of the loop is over, because a later event of the same
 * turn may still name it.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "http.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "faults.h"
#include "ledger.h"

#define EVENTS_PER_TURN		256
#define MAX_DESCRIPTORS		65536

static int	epoll_fd = -1;
static int	listen_fd = -1;
static Connection *connections[MAX_DESCRIPTORS];
static Connection *dead;
static RequestHandler handle;
static volatile sig_atomic_t stop_asked;

int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- connections ---- */

void
connection_watch(Connection *c, uint32_t events)
{
	struct epoll_event e = {.events = events,.data.ptr = c};

	if (c->watched == events)
		return;
	epoll_ctl(epoll_fd, c->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
			  c->fd, &e);
	c->watched = events;
}

void
connection_close(Connection *c)
{
	if (c->state == STATE_DEAD)
		return;
	answer_forget(c);
	connections[c->fd] = NULL;
	close(c->fd);
	stats.open--;
	c->state = STATE_DEAD;
	c->next_dead = dead;
	dead = c;
}

void
connection_reset(Connection *c)
{
	struct linger abruptly = {.l_onoff = 1,.l_linger = 0};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abruptly, sizeof(abruptly));
	stats.resets++;
	connection_close(c);
}

static void
bury(void)
{
	while (dead != NULL)
	{
		Connection *c = dead;

		dead = c->next_dead;
		free(c->in);
		free(c->text);
		free(c);
	}
}

static void
accept_all(void)
{
	for (;;)
	{
		int			one = 1;
		int			fd = accept4(listen_fd, NULL, NULL,
								 SOCK_NONBLOCK | SOCK_CLOEXEC);
		Connection *c;

		if (fd < 0)
			return;
		if (fd >= MAX_DESCRIPTORS ||
			(c = calloc(1, sizeof(Connection))) == NULL)
		{
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->fd = fd;
		connections[fd] = c;
		stats.connections++;
		stats.open++;
		connection_watch(c, EPOLLIN);
	}
}

/* ---- requests ---- */

static bool
is_header(const char *line, size_t length, const char *name,
		  const char **value, size_t *value_length)
{
	size_t		n = strlen(name);

	if (length <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
		return false;
	for (n++; n < length && (line[n] == ' ' || line[n] == '\t'); n++)
		;
	*value = line + n;
	*value_length = length - n;
	return true;
}

static void
keep(char *to, size_t size, const char *from, size_t length)
{
	if (length >= size)
		length = size - 1;
	memcpy(to, from, length);
	to[length] = '\0';
}

static void
refuse_request(Connection *c, int status)
{
	c->close_after = true;
	answer_text(c, "the mock provider does not understand this request\n");
	connection_answer(c, status, "content-type: text/plain\r\n", 0);
}

static void
read_header(Connection *c, Request *r, const char *line, size_t length,
			long *content_length, bool *expects)
{
	const char *v;
	size_t		n;

	if (is_header(line, length, "host", &v, &n))
		keep(r->host, sizeof(r->host), v, n);
	else if (is_header(line, length, "content-length", &v, &n))
		*content_length = n > 0 && n < 10 && isdigit((unsigned char) *v) ?
			atol(v) : -1;
	else if (is_header(line, length, "transfer-encoding", &v, &n))
		*content_length = -1;
	else if (is_header(line, length, "authorization", &v, &n))
	{
		r->has_authorization = true;
		if (n > 7 && strncasecmp(v, "Bearer ", 7) == 0)
			keep(r->bearer, sizeof(r->bearer), v + 7, n - 7);
	}
	else if (is_header(line, length, "x-client-request-id", &v, &n))
		keep(r->client_request_id, sizeof(r->client_request_id), v, n);
	else if (is_header(line, length, "content-type", &v, &n))
		keep(r->content_type, sizeof(r->content_type), v, n);
	else if (is_header(line, length, "expect", &v, &n))
		*expects = true;
	else if (is_header(line, length, "connection", &v, &n))
		c->close_after = n == 5 && strncasecmp(v, "close", 5) == 0;
	else if (is_header(line, length, "x-goog-api-key", &v, &n) ||
			 is_header(line, length, "apikey", &v, &n))
		keep(r->api_key, sizeof(r->api_key), v, n);
	else if (is_header(line, length, "x-upsert", &v, &n))
		r->upserts = n == 4 && strncasecmp(v, "true", 4) == 0;
}

/*
 * Read the head of a request.  Returns its length, 0 when it is not complete.
 * content_length becomes -1 for what cannot be served.
 */
static size_t
read_head(Connection *c, Request *r, long *content_length, bool *expects)
{
	const char *end = memmem(c->in, c->in_length, "\r\n\r\n", 4);
	const char *line = c->in;
	const char *eol;
	char		target[sizeof(r->path) + 32];
	char		version[16];
	char	   *query;

	if (end == NULL)
		return 0;
	r->bearer[0] = r->client_request_id[0] = r->path[0] = '\0';
	r->host[0] = r->content_type[0] = r->api_key[0] = '\0';
	r->has_authorization = r->upserts = false;
	r->query = "";
	c->close_after = false;

	eol = memmem(line, end + 2 - line, "\r\n", 2);
	keep(target, sizeof(target), line, eol - line);
	if (sscanf(target, "%7s %2047s %15s", r->method, r->path, version) != 3 ||
		strncmp(version, "HTTP/1.", 7) != 0)
		*content_length = -1;
	query = strchr(r->path, '?');
	if (query != NULL)
	{
		*query = '\0';
		r->query = query + 1;
		if (strncmp(r->query, "key=", 4) == 0)
			keep(r->api_key, sizeof(r->api_key), r->query + 4,
				 strcspn(r->query + 4, "&"));
	}

	for (line = eol + 2; line < end; line = eol + 2)
	{
		eol = memmem(line, end + 2 - line, "\r\n", 2);
		read_header(c, r, line, eol - line, content_length, expects);
	}
	return end + 4 - c->in;
}

/* Answer what has come in completely, one request after another. */
void
connection_process(Connection *c)
{
	while (c->state == STATE_READING && c->in_length > 0)
	{
		Request		request;
		long		content_length = 0;
		bool		expects = false;
		size_t		head = read_head(c, &request, &content_length, &expects);
		size_t		whole;

		if (head == 0 && c->in_length < MAX_HEAD)
			return;
		if (head == 0 || head > MAX_HEAD || content_length < 0 ||
			content_length > MAX_BODY)
		{
			refuse_request(c, content_length > MAX_BODY ? 413 : 400);
			return;
		}
		whole = head + content_length;
		if (c->in_length < whole)
		{
			if (expects && c->in_length == head &&
				send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25,
					 MSG_NOSIGNAL) != 25)
				connection_close(c);
			else
				c->in = buffer_grow(c->in, &c->in_size, whole);
			return;
		}
		request.body = c->in + head;
		request.body_length = content_length;
		request.arrived_us = c->arrived_us;
		stats.requests++;
		handle(c, &request);
		if (c->state == STATE_DEAD)
			return;
		c->in_length -= whole;
		if (c->in_length > 0)
		{
			memmove(c->in, c->in + whole, c->in_length);
			c->arrived_us = now_us();
		}
	}
}

/*
 * Is a provider's request waiting in the socket?  Those who test must get
 * through, the storage has faults of its own, and the end of a connection is
 * no request.
 */
static bool
is_call_waiting(Connection *c)
{
	char		start[64];
	ssize_t		n = recv(c->fd, start, sizeof(start), MSG_PEEK);

	return n > 0 && memmem(start, n, "/_mock/", 7) == NULL &&
		memmem(start, n, "/storage/", 9) == NULL;
}

static void
read_more(Connection *c)
{
	ssize_t		n;

	if (c->in_length == 0 && faults_may_reset_before() &&
		is_call_waiting(c) && faults_reset_before())
	{
		connection_reset(c);
		return;
	}
	if (c->in_size - c->in_length < FIRST_BUFFER / 2)
		c->in = buffer_grow(c->in, &c->in_size, c->in_length + FIRST_BUFFER);
	n = recv(c->fd, c->in + c->in_length, c->in_size - c->in_length, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
	{
		connection_close(c);
		return;
	}
	if (c->in_length == 0)
		c->arrived_us = now_us();
	c->in_length += n;
	connection_process(c);
}

static void
attend(Connection *c, uint32_t events)
{
	switch (c->state)
	{
		case STATE_READING:
			read_more(c);
			break;
		case STATE_WAITING:
			if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			{
				stats.abandoned += c->call != 0;
				connection_close(c);
			}
			break;
		case STATE_WRITING:
			answer_continue(c);
			break;
		case STATE_DEAD:
			break;
	}
}

static int
compare_arrivals(const void *a, const void *b)
{
	int64_t		one = (*(Connection *const *) a)->arrived_us;
	int64_t		other = (*(Connection *const *) b)->arrived_us;

	return (one > other) - (one < other);
}

void
http_release(int most)
{
	static Connection *held[MAX_DESCRIPTORS];
	int			count = 0;

	for (int fd = 0; fd < MAX_DESCRIPTORS; fd++)
	{
		Connection *c = connections[fd];

		if (c != NULL && c->is_held && c->state == STATE_WAITING)
			held[count++] = c;
	}
	qsort(held, count, sizeof(held[0]), compare_arrivals);
	for (int i = 0; i < count && i < most; i++)
	{
		held[i]->is_held = false;
		answer_continue(held[i]);
	}
}

/* ---- the loop ---- */

static void
stop(int signal_number)
{
	(void) signal_number;
	stop_asked = 1;
}

int
http_listen(int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	socklen_t	length = sizeof(address);
	int			one = 1;

	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listen_fd, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		listen(listen_fd, SOMAXCONN) != 0 ||
		getsockname(listen_fd, (struct sockaddr *) &address, &length) != 0)
	{
		perror("bambi-mock: cannot listen");
		exit(1);
	}
	return ntohs(address.sin_port);
}

void
http_run(RequestHandler handler, bool until_eof)
{
	struct epoll_event e = {.events = EPOLLIN};
	struct sigaction action = {.sa_handler = stop};
	sigset_t	blocked;
	sigset_t	open;

	handle = handler;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &open);
	sigdelset(&open, SIGTERM);
	sigdelset(&open, SIGINT);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	e.data.ptr = &listen_fd;
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &e);
	e.data.ptr = NULL;			/* standard input */
	if (until_eof && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &e) != 0)
	{
		perror("bambi-mock: standard input is no pipe");
		exit(1);
	}

	while (!stop_asked)
	{
		struct epoll_event events[EVENTS_PER_TURN];
		int			count = epoll_pwait(epoll_fd, events, EVENTS_PER_TURN,
										answer_timeout(), &open);

		for (int i = 0; i < count; i++)
		{
			char		ignored[512];

			if (events[i].data.ptr == &listen_fd)
				accept_all();
			else if (events[i].data.ptr == NULL)
				stop_asked |= read(0, ignored, sizeof(ignored)) <= 0;
			else
				attend(events[i].data.ptr, events[i].events);
		}
		answer_what_is_due();
		bury();
	}
}
