/*-------------------------------------------------------------------------
 *
 * engine.c
 *		Performs HTTP requests, many at once; the only file that knows
 *		libcurl.
 *
 * The hard part is money.  On a kept connection that dies before the answer,
 * libcurl sends the request again by itself, POST included, and the user
 * pays twice.  The callback before each sending (PREREQ) therefore notes
 * that a paid request is written, and refuses to see it a second time.
 *
 * Memory is bounded by a budget: a large answer begins only if its size has
 * a place in it; else its transfer is paused until there is one.
 *
 *-------------------------------------------------------------------------
 */
#include "engine.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <sys/socket.h>

#include "base64.h"
#include "body.h"
#include "budget.h"
#include "event_stream.h"
#include "loop.h"
#include "point.h"

#define CONNECT_TIMEOUT_MS	10000L
#define MAX_HEAD_BYTES	(64 * 1024)

/* A connection that was idle for longer may be dead without our knowing. */
#define MAX_IDLE_S		15L

/* The stall guard, once a body has begun. */
#define STALL_S			30L

/* Smaller answers come and go without asking for a place in the budget. */
#define FREE_BYTES		(16 * 1024)

/* What is reserved for a larger answer that does not tell its length. */
#define UNTOLD_BYTES	(2 * 1024 * 1024)

/* Handles that are kept for the next call, 5.5 kB each. */
#define MAX_IDLE_CALLS	64

/* More settings than may come while a connection is kept. */
#define CA_SPELLINGS	64

struct Call
{
	CURL	   *easy;
	unsigned	era;			/* in which the handle was made */
	struct curl_slist *headers;

	Exchange   *x;
	const AddressRange *ranges;
	int			range_count;
	CallEnded	ended;
	void	   *owner;

	Body	   *body;			/* what is received: one of the two, or */
	EventStream *events;		/* none before its first byte */
	curl_mime  *mime;
	size_t		head_bytes;
	size_t		received;		/* of the body */
	curl_off_t	told;			/* the body's length, or -1 */
	Share		share;			/* of the byte budget */
	CURLcode	early;			/* could not even begin */
	bool		is_plain;		/* http: only to the ranges */
	bool		is_refused;		/* by the address rules */
	bool		is_too_large;
	bool		is_shown;		/* at the point "request-written" */

	Call	   *next;			/* in idle, failed or waiting */
};

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
static bool prepare(Call *call, const AddressRange *ranges, int range_count,
					long timeout_ms);
static void release(Call *call);
static void fill_reply(Call *call, CURLcode code);
static void on_granted(Share *share);

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
 * What libcurl keeps it keeps by the name of the CA file: connections, and for
 * a day the certificates in it.  A file that may have changed therefore needs
 * a new name, and slashes in front of a path make one.
 */
static void
spell_ca_file(void)
{
	int			slashes = 0;

	if (settings->ca_file[0] == '/')
		slashes = (int) (era % CA_SPELLINGS);
	memset(ca_file, '/', (size_t) slashes);
	strcpy(ca_file + slashes, settings->ca_file);
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
	call->share.owner = call;
	call->share.whole = share;
	call->share.granted = on_granted;
	call->next = NULL;

	if (!prepare(call, ranges, range_count, timeout_ms))
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
		fill_reply(call, call->early);
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
		fill_reply(call, message->data.result);
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

static void
on_granted(Share *share)
{
	Call	   *call = share->owner;

	curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

static size_t
on_head(char *line, size_t size, size_t count, void *context)
{
	Call	   *call = context;
	Exchange   *x = call->x;
	size_t		len = size * count;
	char	   *colon = memchr(line, ':', len);
	char	   *value;
	char	   *end = line + len;
	Header	   *header;
	char	   *c;

	call->head_bytes += len;
	if (call->head_bytes > MAX_HEAD_BYTES)
	{
		call->is_too_large = true;
		return 0;
	}
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		x->reply.headers = NULL;	/* those of a 1xx are not the answer's */
	if (colon == NULL)
		return len;

	value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (unsigned char) end[-1] <= ' ')
		end--;
	header = arena_alloc(x->arena, sizeof(Header));
	header->name = c = arena_strndup(x->arena, line, (size_t) (colon - line));
	for (; *c != '\0'; c++)
	{
		if (*c >= 'A' && *c <= 'Z')
			*c = (char) (*c - 'A' + 'a');
	}
	header->value = arena_strndup(x->arena, value, (size_t) (end - value));
	header->next = x->reply.headers;
	x->reply.headers = header;
	return len;
}

static void
destroy_body(void *body)
{
	body_destroy(body);
}

static void
destroy_events(void *events)
{
	event_stream_destroy(events);
}

/* Nobody is asked of an event of which nobody wants to know. */
static bool
take_none(void *owner, const char *text, size_t len, Picture *picture)
{
	(void) owner;
	(void) text;
	(void) len;
	(void) picture;
	return false;
}

static bool
is_event_stream(const Call *call)
{
	static const char type[] = "text/event-stream";
	const char *value = exchange_reply_header(call->x, "content-type");

	return call->x->request.event_picture_path != NULL && value != NULL &&
		strncasecmp(value, type, sizeof(type) - 1) == 0;
}

static bool
begin_events(Call *call, size_t max)
{
	Exchange   *x = call->x;

	call->events = event_stream_create(x->request.event_picture_path, max,
									   BODY_MAX_TEXT, x->take_event != NULL ?
									   x->take_event : take_none,
									   x->event_owner);
	if (call->events == NULL)
		return false;
	arena_on_destroy(x->arena, destroy_events, call->events);
	return true;
}

static size_t
max_bytes(const Call *call)
{
	size_t		own = call->x->request.max_bytes;

	return own > 0 && own < settings->max_response_bytes ? own :
		settings->max_response_bytes;
}

/* False if the answer is larger than anybody may send. */
static bool
begin_body(Call *call)
{
	const char *path = call->x->request.picture_path;
	size_t		max = max_bytes(call);

	/* from now on, not while the provider thinks */
	curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_TIME, STALL_S);

	if (is_event_stream(call))
		return begin_events(call, max);
	if (call->told > (curl_off_t) max)
		return false;
	call->body = body_create(path, max, path != NULL ? BODY_MAX_TEXT : max);
	if (call->body == NULL)
		return false;
	arena_on_destroy(call->x->arena, destroy_body, call->body);
	if (call->told > 0)
		body_expect(call->body, (size_t) call->told);
	return true;
}

static bool
add_to_body(Call *call, const char *bytes, size_t len)
{
	if (call->events != NULL)
		return event_stream_add(call->events, bytes, len);
	return body_add(call->body, bytes, len);
}

static size_t
held_by_body(const Call *call)
{
	if (call->events != NULL)
		return event_stream_held(call->events);
	/* a body that is a picture itself is text to the scanner */
	return call->x->request.is_picture ? call->received :
		body_held(call->body);
}

/* Whether the body may go on now; if not, it is told when. */
static bool
may_receive(Call *call, size_t len)
{
	if (call->share.held > 0 && call->told > 0)
		return true;
	if (call->share.held > 0)
	{
		/* beyond what was guessed; that is allocated, but not filled yet */
		size_t		held = held_by_body(call);

		return held <= call->share.held ||
			budget_ask(&call->share, held - call->share.held);
	}
	if (call->told > (curl_off_t) max_bytes(call))
		return true;			/* to be refused, not to wait */
	if (call->told > FREE_BYTES)
		return budget_ask(&call->share,
						  BASE64_DECODED_MAX((size_t) call->told));
	if (call->received + len > FREE_BYTES)
		return budget_ask(&call->share, UNTOLD_BYTES);
	return true;
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *context)
{
	Call	   *call = context;
	size_t		len = size * count;

	if (call->received == 0)
		curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
						  &call->told);
	if (!may_receive(call, len))
		return CURL_WRITEFUNC_PAUSE;

	if ((call->body == NULL && call->events == NULL && !begin_body(call)) ||
		!add_to_body(call, bytes, len))
	{
		call->is_too_large = true;
		return 0;
	}
	call->received += len;

	/* what is needed beside what it told */
	if (call->share.held > 0 && call->told > 0)
		budget_grow(&call->share, held_by_body(call));
	return len;
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
	if (settings->ca_file[0] != '\0')
	{
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}

	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
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

/* A line of the head; false if it would be two. */
static bool
add_header(Call *call, const Header *header)
{
	size_t		name_len = strlen(header->name);
	size_t		value_len = strlen(header->value);
	size_t		size = name_len + value_len + 3;
	char		line[256];
	char	   *text = size <= sizeof(line) ? line : malloc(size);
	struct curl_slist *list = NULL;

	if (text == NULL)
		abort();
	memcpy(text, header->name, name_len);
	memcpy(text + name_len, ": ", 2);
	memcpy(text + name_len + 2, header->value, value_len + 1);
	if (strpbrk(text, "\r\n") == NULL)
		list = curl_slist_append(call->headers, text);
	OPENSSL_cleanse(text, size);
	if (text != line)
		free(text);
	if (list != NULL)
		call->headers = list;
	return list != NULL;
}

/* Where libcurl is in a part that lies in somebody else's memory. */
typedef struct FormReader
{
	const FormPart *part;
	size_t		at;
} FormReader;

static size_t
read_part(char *to, size_t size, size_t count, void *context)
{
	FormReader *reader = context;
	size_t		len = reader->part->len - reader->at;

	if (len > size * count)
		len = size * count;
	memcpy(to, (const char *) reader->part->bytes + reader->at, len);
	reader->at += len;
	return len;
}

static int
seek_part(void *context, curl_off_t offset, int origin)
{
	FormReader *reader = context;

	if (origin != SEEK_SET || offset < 0 ||
		(size_t) offset > reader->part->len)
		return CURL_SEEKFUNC_FAIL;
	reader->at = (size_t) offset;
	return CURL_SEEKFUNC_OK;
}

static bool
add_form(Call *call, const FormPart *part)
{
	call->mime = curl_mime_init(call->easy);
	for (; call->mime != NULL && part != NULL; part = part->next)
	{
		curl_mimepart *to = curl_mime_addpart(call->mime);
		FormReader *reader = arena_alloc(call->x->arena, sizeof(FormReader));

		/* not copied: the bytes outlive the call */
		reader->part = part;
		if (to == NULL || curl_mime_name(to, part->name) != CURLE_OK ||
			curl_mime_data_cb(to, (curl_off_t) part->len, read_part,
							  seek_part, NULL, reader) != CURLE_OK ||
			(part->file_name != NULL &&
			 (curl_mime_filename(to, part->file_name) != CURLE_OK ||
			  curl_mime_type(to, part->media_type) != CURLE_OK)))
			return false;
	}
	return call->mime != NULL &&
		curl_easy_setopt(call->easy, CURLOPT_MIMEPOST, call->mime) == CURLE_OK;
}

static bool
prepare(Call *call, const AddressRange *ranges, int range_count,
		long timeout_ms)
{
	static const Header no_expect = {.name = "Expect",.value = ""};
	const Request *request = &call->x->request;
	const Header *header;
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

	if (request->is_channel)
	{
		curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
		curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_path);
		return true;
	}
	for (header = request->headers; header != NULL; header = header->next)
	{
		if (!add_header(call, header))
			return false;
	}
	if (!add_header(call, &no_expect))
		return false;
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);

	if (request->form != NULL)
		return add_form(call, request->form);
	if (request->body != NULL)
	{
		/* not copied: the bytes outlive the call */
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
						 (curl_off_t) request->body_len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
	}
	else
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
					 strcmp(request->method,
							request->body != NULL ? "POST" : "GET") == 0 ?
					 NULL : request->method);
	return true;
}

/* Takes the call off libcurl, and keeps its handle for another one. */
static void
release(Call *call)
{
	CURL	   *easy = call->easy;
	unsigned	made = call->era;
	bool		is_channel = call->x->request.is_channel;

	curl_multi_remove_handle(multi, easy);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
	if (call->mime != NULL)
	{
		curl_easy_setopt(easy, CURLOPT_MIMEPOST, NULL);
		curl_mime_free(call->mime);
	}
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 0L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, 0L);
	curl_slist_free_all(call->headers);
	budget_release(&call->share);

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

static Transport
name_transport(const Call *call, CURLcode code)
{
	bool		wrote = call->x->reply.wrote;

	if (call->is_refused && !wrote)
		return TRANSPORT_ADDRESS;
	if (call->is_too_large)
		return TRANSPORT_TOO_LARGE;
	switch (code)
	{
		case CURLE_OK:
			return TRANSPORT_OK;
		case CURLE_COULDNT_RESOLVE_HOST:
			return TRANSPORT_DNS;
		case CURLE_COULDNT_CONNECT:
			return TRANSPORT_REFUSED;
		case CURLE_OPERATION_TIMEDOUT:
			return wrote ? TRANSPORT_TIMEOUT : TRANSPORT_CONNECT_TIMEOUT;
		case CURLE_URL_MALFORMAT:
		case CURLE_LOGIN_DENIED:	/* it names a user */
		case CURLE_UNSUPPORTED_PROTOCOL:
			/* of the address; or an answer that is no HTTP */
			return wrote ? TRANSPORT_OTHER : TRANSPORT_ADDRESS;
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_ISSUER_ERROR:
			return wrote ? TRANSPORT_RESET : TRANSPORT_TLS;
		default:
			if (call->body != NULL || call->events != NULL)
				return TRANSPORT_RESET_BODY;
			return wrote ? TRANSPORT_RESET : TRANSPORT_OTHER;
	}
}

static void
fill_reply(Call *call, CURLcode code)
{
	Reply	   *reply = &call->x->reply;

	reply->transport = name_transport(call, code);
	reply->is_complete = code == CURLE_OK;
	if (reply->wrote)
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &reply->status);
	reply->body = "";
	if (call->events != NULL)
	{
		reply->body = event_stream_text(call->events, &reply->body_len);
		reply->picture_count = event_stream_take_pictures(call->events,
														  reply->pictures);
	}
	else if (call->body != NULL && call->x->request.is_picture &&
			 reply->status >= 200 && reply->status <= 299)
	{
		body_take_text(call->body, &reply->pictures[0]);
		reply->pictures[0].is_broken = !reply->is_complete;
		reply->picture_count = 1;
	}
	else if (call->body != NULL)
	{
		reply->body = body_text(call->body, &reply->body_len);
		reply->picture_count = body_take_pictures(call->body,
												  reply->pictures);
	}
	if (reply->wrote)
		POINT("answer-received");
}
