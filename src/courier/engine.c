/*-------------------------------------------------------------------------
 *
 * engine.c
 *		Performs HTTP requests, many at once.
 *
 * The hard part is money.  On a kept connection that dies before the answer,
 * libcurl sends the request again by itself, POST included, and the user
 * pays twice.  The callback before each sending (PREREQ) therefore notes
 * that a paid request is written, and refuses to see it a second time.
 *
 *-------------------------------------------------------------------------
 */
#include "engine.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <sys/socket.h>

#include "call.h"
#include "loop.h"
#include "point.h"

#define CONNECT_TIMEOUT_MS	10000L

/* A connection that was idle for longer may be dead without our knowing. */
#define MAX_IDLE_S		15L

/* Handles that are kept for the next call, 5.5 kB each. */
#define MAX_IDLE_CALLS	64

/* More settings than may come while a connection is kept. */
#define CA_SPELLINGS	64

static CURLM *multi;
static LoopTimer multi_timer;
static const Settings *settings;
static unsigned era;			/* counts changes of what handles are made of */
static char ca_file[PATH_MAX + CA_SPELLINGS];

static Call *idle_calls;
static int	idle_count;
static Call *failed_calls;		/* to be reported by engine_collect */

static bool *opened;			/* by file descriptor: by open_socket */
static size_t opened_size;

static Call *make_call(void);
static void set_destination(Call *call, const AddressRange *ranges,
							int range_count, long timeout_ms);
static void release(Call *call);

static void
multi_ready(int fd, int events)
{
	int			running;

	curl_multi_socket_action(multi, fd,
							 (events & LOOP_READ ? CURL_CSELECT_IN : 0) |
							 (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0) |
							 (events & LOOP_HANGUP ? CURL_CSELECT_ERR : 0),
							 &running);
}

static void
multi_timed_out(LoopTimer *timer)
{
	int			running;

	(void) timer;
	curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static int
on_timer(CURLM *m, long ms, void *context)
{
	(void) m;
	(void) context;
	if (ms < 0)
		loop_stop_timer(&multi_timer);
	else
		loop_set_timer(&multi_timer, ms);
	return 0;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *context,
		  void *assigned)
{
	(void) easy;
	(void) context;
	(void) assigned;
	if (what != CURL_POLL_REMOVE)
		loop_watch(fd, (what & CURL_POLL_IN ? LOOP_READ : 0) |
				   (what & CURL_POLL_OUT ? LOOP_WRITE : 0), multi_ready);
	else if ((size_t) fd < opened_size && opened[fd])
		loop_watch(fd, 0, multi_ready); /* close_socket will tell its end */
	else
		loop_forget(fd);		/* libcurl's own, closed behind our back */
	return 0;
}

void
engine_start(void)
{
	/* libcurl copies each request's head, key included */
	curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, secret_free,
						 secret_realloc, strdup, calloc);
	multi = curl_multi_init();
	if (multi == NULL)
		abort();
	multi_timer.expired = multi_timed_out;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
}

/*
 * The file of the operator or that of the system; "" where the system has a
 * directory of CAs only.
 */
static const char *
find_ca_file(void)
{
	const char *systems = curl_version_info(CURLVERSION_NOW)->cainfo;

	if (settings->ca_file[0] != '\0')
		return settings->ca_file;
	return systems != NULL && strlen(systems) < PATH_MAX &&
		access(systems, R_OK) == 0 ? systems : "";
}

/*
 * What libcurl keeps it keeps by the name of the CA file: connections, and for
 * a day the certificates in it.  A file that may have changed therefore needs
 * a new name, and slashes in front of a path make one.
 */
static void
spell_ca_file(void)
{
	const char *name = find_ca_file();
	int			slashes = 0;

	if (name[0] == '/')
		slashes = (int) (era % CA_SPELLINGS);
	memset(ca_file, '/', (size_t) slashes);
	strcpy(ca_file + slashes, name);
}

void
engine_configure(const Settings *new_settings)
{
	settings = new_settings;
	era++;
	spell_ca_file();
	while (idle_calls != NULL)
	{
		Call	   *call = idle_calls;

		idle_calls = call->next;
		idle_count--;
		curl_easy_cleanup(call->easy);
		free(call);
	}
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
					  (long) settings->max_in_flight + 8);
}

/* Of a body: as many as anybody may send, or fewer. */
static size_t
max_bytes(const Exchange *x)
{
	size_t		own = x->request.max_bytes;

	return own > 0 && own < settings->max_response_bytes ? own :
		settings->max_response_bytes;
}

Call *
engine_send(Exchange *x, const AddressRange *ranges, int range_count,
			long timeout_ms, Share *share, CallEnded ended, void *owner)
{
	Call	   *call = idle_calls;

	if (call != NULL)
	{
		idle_calls = call->next;
		idle_count--;
	}
	else
		call = make_call();
	call->x = x;
	call->ended = ended;
	call->owner = owner;
	call->next = NULL;

	set_destination(call, ranges, range_count, timeout_ms);
	call_set_limits(call, max_bytes(x), share);
	if (!call_set_request(call))
		call->early = CURLE_BAD_FUNCTION_ARGUMENT;
	else if (curl_multi_add_handle(multi, call->easy) != CURLM_OK)
		call->early = CURLE_OUT_OF_MEMORY;
	if (call->early != CURLE_OK)
	{
		call->next = failed_calls;
		failed_calls = call;
		loop_set_timer(&multi_timer, 0);	/* so that it is collected */
	}
	return call;
}

void
engine_abort(Call *call)
{
	Call	  **link;

	for (link = &failed_calls; *link != NULL; link = &(*link)->next)
	{
		if (*link == call)
		{
			*link = call->next;
			break;
		}
	}
	release(call);
}

void
engine_collect(void)
{
	CURLMsg    *message;
	int			left;

	while (failed_calls != NULL)
	{
		Call	   *call = failed_calls;
		CallEnded	ended = call->ended;
		void	   *owner = call->owner;

		failed_calls = call->next;
		call_fill_reply(call, call->early);
		release(call);
		ended(owner);
	}
	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		Call	   *call;
		CallEnded	ended;
		void	   *owner;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		ended = call->ended;
		owner = call->owner;
		call_fill_reply(call, message->data.result);
		if (!call->x->request.is_channel || message->data.result != CURLE_OK)
			release(call);
		ended(owner);
	}
}

int
engine_channel_socket(const Call *call)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	curl_easy_getinfo(call->easy, CURLINFO_ACTIVESOCKET, &fd);
	return fd;
}

static ssize_t
count_moved(CURLcode code, size_t moved)
{
	if (code == CURLE_AGAIN)
		return 0;
	/* nothing received, and nothing to wait for, is the end */
	return code == CURLE_OK && moved > 0 ? (ssize_t) moved : -1;
}

ssize_t
engine_channel_send(Call *call, const void *bytes, size_t len)
{
	size_t		moved = 0;
	CURLcode	code = curl_easy_send(call->easy, bytes, len, &moved);

	return count_moved(code, moved);
}

ssize_t
engine_channel_receive(Call *call, void *bytes, size_t size)
{
	size_t		moved = 0;
	CURLcode	code = curl_easy_recv(call->easy, bytes, size, &moved);

	return count_moved(code, moved);
}

static curl_socket_t
on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	Call	   *call = context;
	AddressVerdict verdict;
	int			fd;

	verdict = address_judge(&address->addr, address->addrlen, call->ranges,
							call->range_count);
	if (call->x->request.unix_path != NULL && address->family == AF_UNIX)
		verdict = ADDRESS_NAMED;
	if (purpose != CURLSOCKTYPE_IPCXN || verdict == ADDRESS_REFUSED ||
		(call->is_plain && verdict != ADDRESS_NAMED))
	{
		call->is_refused = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
				address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if ((size_t) fd >= opened_size)
	{
		size_t		size = ((size_t) fd + 1) * 2;

		opened = realloc(opened, size * sizeof(bool));
		if (opened == NULL)
			abort();
		memset(opened + opened_size, 0, (size - opened_size) * sizeof(bool));
		opened_size = size;
	}
	opened[fd] = true;
	return fd;
}

static int
on_close(void *context, curl_socket_t fd)
{
	(void) context;
	loop_forget(fd);
	opened[fd] = false;
	return close(fd);
}

/*
 * Runs when the connection stands, TLS included, and before the first byte
 * of the request.  The address is judged again: the connection may be one
 * that was opened for another provider with other ranges.
 */
static int
on_prereq(void *context, char *remote, char *local, int remote_port,
		  int local_port)
{
	Call	   *call = context;
	AddressVerdict verdict;

	(void) local;
	(void) remote_port;
	(void) local_port;

	/* a channel is nobody else's connection */
	if (call->x->request.is_channel)
		return CURL_PREREQFUNC_OK;
	verdict = address_judge_text(remote, call->ranges, call->range_count);
	if (verdict == ADDRESS_REFUSED ||
		(call->is_plain && verdict != ADDRESS_NAMED))
	{
		call->is_refused = true;
		return CURL_PREREQFUNC_ABORT;
	}
	if (call->x->request.is_paid && call->x->reply.wrote)
		return CURL_PREREQFUNC_ABORT;
	POINT("before-send");
	call->x->reply.wrote = true;
	return CURL_PREREQFUNC_OK;
}

/* Only while points are armed. */
static int
on_progress(void *context, curl_off_t dltotal, curl_off_t dlnow,
			curl_off_t ultotal, curl_off_t ulnow)
{
	Call	   *call = context;

	(void) dltotal;
	(void) dlnow;
	(void) ultotal;
	if (!call->is_shown && call->x->reply.wrote &&
		ulnow >= (curl_off_t) call->x->request.body_len)
	{
		call->is_shown = true;
		POINT("request-written");
	}
	return 0;
}

/* A handle with everything that is the same for all calls. */
static Call *
make_call(void)
{
	Call	   *call = calloc(1, sizeof(Call));
	CURL	   *easy = curl_easy_init();

	if (call == NULL || easy == NULL)
		abort();
	call->easy = easy;
	call->era = era;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 64L * 1024);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "bambi/" BAMBI_VERSION);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, MAX_IDLE_S);

	/* with HTTP/2 one lost connection were a hundred uncertain calls */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);

	/* nothing from the environment, nothing remembered, nothing followed */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NETRC, CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);

	/* no compression is asked for, and none is undone: nothing can swell */
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);

	curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (ca_file[0] != '\0')
	{
		/* with a directory, too, the file were parsed for each connection */
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}

	call_set_listeners(call);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_prereq);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	if (point_is_armed)
	{
		curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl_easy_setopt(easy, CURLOPT_XFERINFODATA, call);
	}
	return call;
}

static void
set_destination(Call *call, const AddressRange *ranges, int range_count,
				long timeout_ms)
{
	const Request *request = &call->x->request;
	CURL	   *easy = call->easy;

	call->ranges = ranges;
	call->range_count = range_count;
	call->is_plain = (range_count > 0 || request->unix_path != NULL) &&
		strncasecmp(request->url, "http://", 7) == 0;

	/* libcurl itself holds the URL against this one word */
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
					 call->is_plain ? "http" : "https");
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
					 request->connect_ms > 0 ? request->connect_ms :
					 CONNECT_TIMEOUT_MS);
}

/* Takes the call off libcurl, and keeps its handle for another one. */
static void
release(Call *call)
{
	CURL	   *easy = call->easy;
	unsigned	made = call->era;
	bool		is_channel = call->x->request.is_channel;

	curl_multi_remove_handle(multi, easy);
	call_clear_request(call);
	call_clear_reply(call);

	memset(call, 0, sizeof(*call));
	call->easy = easy;
	call->era = made;
	if (made != era || is_channel || idle_count >= MAX_IDLE_CALLS)
	{
		curl_easy_cleanup(easy);
		free(call);
		return;
	}
	call->next = idle_calls;
	idle_calls = call;
	idle_count++;
}
