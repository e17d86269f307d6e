/*-------------------------------------------------------------------------
 *
 * raw.c
 *		How fast can libcurl alone do what the courier does?
 *
 * libcurl's multi interface on epoll, keep-alive, so many generations in
 * flight, each posted as the courier posts it and its answer read whole and
 * thrown away.  Nothing is durable: this is the bound, not a competitor.
 *
 *-------------------------------------------------------------------------
 */
#include <curl/curl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#define MAX_IN_FLIGHT	4096
#define EVENTS_PER_TURN	256

#define BODY "{\"model\":\"gpt-image-2.6-flare\"," \
	"\"prompt\":\"a fawn in the snow, in the morning light\"," \
	"\"size\":\"1024x1024\",\"quality\":\"low\",\"n\":1}"

typedef struct Call
{
	CURL	   *easy;
	struct curl_slist *headers;
	char	   *request_id;		/* the digits in the last header */
	size_t		received;
} Call;

static CURLM *multi;
static int	epoll_fd;
static long timeout_ms = -1;
static Call calls[MAX_IN_FLIGHT];
static long started;
static long finished;
static long failed;
static long total = 20000;

static double
seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_utime.tv_sec + u.ru_stime.tv_sec +
		(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static size_t
receive(char *data, size_t size, size_t count, void *call)
{
	(void) data;
	((Call *) call)->received += size * count;
	return size * count;
}

static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *unused,
			 void *known)
{
	struct epoll_event e = {.data.fd = fd};

	(void) easy;
	(void) unused;
	if (what == CURL_POLL_REMOVE)
	{
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, &e);
		return 0;
	}
	e.events = (what & CURL_POLL_IN ? EPOLLIN : 0) |
		(what & CURL_POLL_OUT ? EPOLLOUT : 0);
	if (known != NULL)
		epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &e);
	else
	{
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
		curl_multi_assign(multi, fd, &epoll_fd);
	}
	return 0;
}

static int
set_timer(CURLM *m, long ms, void *unused)
{
	(void) m;
	(void) unused;
	timeout_ms = ms;
	return 0;
}

static void
make_call(Call *call, const char *url, const char *key)
{
	char		line[256];

	snprintf(line, sizeof(line), "Authorization: Bearer %s", key);
	call->headers = curl_slist_append(NULL, "Content-Type: application/json");
	call->headers = curl_slist_append(call->headers, line);
	call->headers = curl_slist_append(call->headers, "X-Client-Request-Id: "
									  "00000000-0000-7000-8000-000000000000.1");
	call->request_id = strrchr(call->headers->next->next->data, '-') + 1;

	call->easy = curl_easy_init();
	curl_easy_setopt(call->easy, CURLOPT_URL, url);
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE, (long) strlen(BODY));
	curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(call->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(call->easy, CURLOPT_PROXY, "");
}

static void
start_call(Call *call)
{
	char		digits[32];

	snprintf(digits, sizeof(digits), "%012ld.1", ++started);
	memcpy(call->request_id, digits, strlen(digits));
	call->received = 0;
	curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS, BODY);
	curl_multi_add_handle(multi, call->easy);
}

static void
reap(void)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		CURL	   *easy = message->easy_handle;
		CURLcode	result = message->data.result;
		Call	   *call;
		long		status = 0;

		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		curl_multi_remove_handle(multi, easy);
		finished++;
		if (result != CURLE_OK || status != 200 || call->received == 0)
			failed++;
		if (started < total)
			start_call(call);
	}
}

static void
run(void)
{
	while (finished < total)
	{
		struct epoll_event events[EVENTS_PER_TURN];
		int			running;
		int			count = epoll_wait(epoll_fd, events, EVENTS_PER_TURN,
									   timeout_ms > 1000 ? 1000 : timeout_ms);

		if (count == 0)
		{
			timeout_ms = -1;
			curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
		}
		for (int i = 0; i < count; i++)
		{
			int			what = 0;

			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				what |= CURL_CSELECT_IN;
			if (events[i].events & EPOLLOUT)
				what |= CURL_CSELECT_OUT;
			curl_multi_socket_action(multi, events[i].data.fd, what, &running);
		}
		reap();
	}
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"url", required_argument, NULL, 'u'},
		{"key", required_argument, NULL, 'k'},
		{"in-flight", required_argument, NULL, 'i'},
		{"total", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0}
	};
	const char *url = NULL;
	const char *key = "sk-raw";
	int			in_flight = 256;
	double		begun;
	double		cpu;
	double		took;
	int			option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option)
		{
			case 'u':
				url = optarg;
				break;
			case 'k':
				key = optarg;
				break;
			case 'i':
				in_flight = atoi(optarg);
				break;
			case 't':
				total = atol(optarg);
				break;
		}
	if (url == NULL || in_flight < 1 || in_flight > MAX_IN_FLIGHT)
	{
		fprintf(stderr, "usage: raw --url URL [--key KEY] "
				"[--in-flight 1..%d] [--total N]\n", MAX_IN_FLIGHT);
		return 2;
	}

	curl_global_init(CURL_GLOBAL_DEFAULT);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) in_flight + 8);
	for (int i = 0; i < in_flight; i++)
		make_call(&calls[i], url, key);

	begun = seconds(CLOCK_MONOTONIC);
	cpu = cpu_seconds();
	for (int i = 0; i < in_flight && started < total; i++)
		start_call(&calls[i]);
	run();
	took = seconds(CLOCK_MONOTONIC) - begun;
	cpu = cpu_seconds() - cpu;

	printf("requests=%ld failed=%ld seconds=%.3f rate=%.0f cpu_us=%.1f\n",
		   finished, failed, took, finished / took, cpu * 1e6 / finished);
	return failed != 0;
}
