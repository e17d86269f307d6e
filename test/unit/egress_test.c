/*-------------------------------------------------------------------------
 *
 * egress_test.c
 *		Nobody can make the courier connect where it may not, however the
 *		address is written and whoever names it: as a provider's base URL, as
 *		a picture's address in an answer, as the target of a redirect.
 *
 * internet.c leads every connection that is made to the trap, whatever its
 * address, so that none goes unseen.  Pictures' hosts are listed by the
 * operator here, so that the rule of names does not hide that of addresses.
 *
 *-------------------------------------------------------------------------
 */
#include "driver.h"

#include "../../src/courier/url.h"
#include "check.h"
#include "server.h"

#define PROVIDER_NET	"198.51.100.7/32"

#define NOT_LISTED \
	"the answer names an address for its picture that is not one of the " \
	"provider's image hosts"

#define PNG \
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA" \
	"WjR9awAAAABJRU5ErkJggg=="
#define ANSWER "{\"data\":[{\"b64_json\":\"" PNG "\"}]}"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* PORT becomes a number. */
static const char *const spellings[] = {
	/* this machine */
	"https://127.0.0.1:PORT",
	"https://127.1:PORT",
	"https://127.0.1:PORT",
	"https://2130706433:PORT",
	"https://0x7f.1:PORT",
	"https://0x7f000001:PORT",
	"https://0X7F.0X0.0X0.0X1:PORT",
	"https://0177.0.0.1:PORT",
	"https://017700000001:PORT",
	"https://127.0.0.1.:PORT",
	"https://127.255.255.254:PORT",
	"https://0:PORT",
	"https://0.0.0.0:PORT",
	"https://localhost:PORT",
	"https://LocalHost.:PORT",
	"https://a.localhost:PORT",
	"https://[::1]:PORT",
	"https://[0:0:0:0:0:0:0:1]:PORT",
	"https://[::]:PORT",

	/* IPv4 inside IPv6 */
	"https://[::ffff:127.0.0.1]:PORT",
	"https://[::ffff:7f00:1]:PORT",
	"https://[::FFFF:7F00:0001]:PORT",
	"https://[::127.0.0.1]:PORT",
	"https://[::ffff:0:127.0.0.1]:PORT",
	"https://[64:ff9b::7f00:1]:PORT",
	"https://[64:ff9b::169.254.169.254]:PORT",
	"https://[64:ff9b:1::a00:5]:PORT",
	"https://[2002:7f00:1::]:PORT",
	"https://[2002:a00:5::1]:PORT",
	"https://[2001:0:a00:5::1]:PORT",
	"https://[2001:470:1::5efe:10.0.0.5]:PORT",
	"https://[2001:470:1::200:5efe:10.0.0.5]:PORT",

	/* inner and reserved networks */
	"https://[fe80::1%25lo]:PORT",
	"https://[fe80::1]:PORT",
	"https://[fd00::1]:PORT",
	"https://[fec0::1]:PORT",
	"https://[ff02::1]:PORT",
	"https://[2001:db8::1]:PORT",
	"https://169.254.169.254:PORT",
	"https://2852039166:PORT",
	"https://0xa9.0xfe.0xa9.0xfe:PORT",
	"https://0251.0376.0251.0376:PORT",
	"https://[::ffff:a9fe:a9fe]:PORT",
	"https://10.0.0.1:PORT",
	"https://172.16.0.1:PORT",
	"https://172.31.255.254:PORT",
	"https://192.168.1.1:PORT",
	"https://100.64.0.1:PORT",
	"https://198.18.0.1:PORT",
	"https://198.19.255.254:PORT",
	"https://192.0.2.1:PORT",
	"https://192.0.0.8:PORT",
	"https://203.0.113.9:PORT",
	"https://224.0.0.1:PORT",
	"https://240.0.0.1:PORT",
	"https://255.255.255.255:PORT",

	/* the letters of it */
	"https://127\u30020\u30020\u30021:PORT",
	"https://\uff11\uff12\uff17.0.0.1:PORT",
	"https://127\uff0e0\uff0e0\uff0e1:PORT",
	"https://%31%32%37.0.0.1:PORT",
	"https://127%2e0%2e0%2e1:PORT",
	"HTTPS://127.0.0.1:PORT",
	"https:/127.0.0.1:PORT",
	"https:\\\\127.0.0.1:PORT",
	"//127.0.0.1:PORT",
	"127.0.0.1:PORT",
	"https://provider.test@127.0.0.1:PORT",
	"https://provider.test:80@127.0.0.1:PORT",
	"https://:@127.0.0.1:PORT",
	"https://127.0.0.1:PORT\\@provider.test",
	"https://provider.test\\@127.0.0.1:PORT",
	"https://127.0.0.1:PORT#@provider.test",
	"https://127.0.0.1:PORT?@provider.test",
	"https://127.0.0.1:PORT/..\\@provider.test",
	"https://127.0.0.1:PORT%2f@provider.test",
	"https://127.0.0.1\t:PORT",
	"gopher://127.0.0.1:PORT",
	"file:///etc/passwd?PORT",

	/* names */
	"https://loopback.test:PORT",
	"https://LOOPBACK.test:PORT",
	"https://loopback6.test:PORT",
	"https://private.test:PORT",
	"https://metadata.test:PORT",
	"https://mapped.test:PORT",
	"https://nat64.test:PORT",
	"https://zero.test:PORT",
};

/* Who names the address. */
typedef enum Way
{
	WAY_BASE,
	WAY_PLAIN_BASE,				/* where http is allowed to somebody else */
	WAY_PICTURE,
	WAY_REDIRECT,
	WAY_THIRD_REDIRECT
} Way;

#define WAYS	5

static const char *const way_names[WAYS] = {
	"base URL", "plain base URL", "picture", "redirect", "third redirect"
};

/* Outcomes arrive in any order. */
typedef struct Cell
{
	bool		has_ended;
	uint32_t	status;
	bool		wrote;
	char		code[32];
	char		message[256];
} Cell;

static Courier courier;
static Cell cells[lengthof(spellings) * WAYS];
static int	trap_listener;
static int	trap_port;
static atomic_int trapped;

/* ---- the trap ---- */

static void *
trap(void *arg)
{
	int			fd;

	while ((fd = accept(trap_listener, NULL, NULL)) >= 0)
	{
		trapped++;
		close(fd);
	}
	return arg;
}

static void
set_trap(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	socklen_t	len = sizeof(address);
	pthread_t	thread;

	trap_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(trap_listener, (struct sockaddr *) &address, len) != 0 ||
		listen(trap_listener, 1024) != 0 ||
		getsockname(trap_listener, (struct sockaddr *) &address, &len) != 0)
		driver_die("listen");
	trap_port = ntohs(address.sin_port);
	pthread_create(&thread, NULL, trap, NULL);
}

/* ---- the provider ---- */

/* In out, at least 256 bytes. */
static const char *
spell(const char *spelling, char *out)
{
	const char *port = strstr(spelling, "PORT");

	if (port == NULL)
		snprintf(out, 256, "%s", spelling);
	else
		snprintf(out, 256, "%.*s443%s", (int) (port - spelling), spelling,
				 port + 4);
	return out;
}

static bool
answer_with_url(int fd, const char *url)
{
	json_t	   *body = json_pack("{s:[{s:s}]}", "data", "url", url);
	char	   *text = json_dumps(body, 0);
	bool		goes_on = server_answer(fd, "200 OK", "", text);

	free(text);
	json_decref(body);
	return goes_on;
}

static bool
redirect(int fd, const char *to)
{
	char		header[300];

	snprintf(header, sizeof(header), "Location: %s\r\n", to);
	return server_answer(fd, "302 Found", header, "");
}

/* The number behind word, or -1. */
static int
number_behind(const char *request, const char *word)
{
	const char *at = strstr(request, word);

	return at != NULL ? atoi(at + strlen(word)) : -1;
}

/* What the prompt says, or the path. */
static bool
behave(int fd, const char *request, size_t len, int nth)
{
	char		url[256];
	int			i;

	(void) len;
	(void) nth;
	if ((i = number_behind(request, "go to the picture ")) >= 0)
		return answer_with_url(fd, spell(spellings[i], url));
	if ((i = number_behind(request, "be led to the picture ")) >= 0)
	{
		snprintf(url, sizeof(url), "http://provider.test/last/%d", i);
		return answer_with_url(fd, url);
	}
	if ((i = number_behind(request, "be led far to the picture ")) >= 0)
	{
		snprintf(url, sizeof(url), "http://provider.test/first/%d", i);
		return answer_with_url(fd, url);
	}
	if ((i = number_behind(request, "GET /first/")) >= 0)
	{
		snprintf(url, sizeof(url), "/second/%d", i);
		return redirect(fd, url);
	}
	if ((i = number_behind(request, "GET /second/")) >= 0)
	{
		snprintf(url, sizeof(url), "/last/%d", i);
		return redirect(fd, url);
	}
	if ((i = number_behind(request, "GET /last/")) >= 0)
		return redirect(fd, spell(spellings[i], url));

	/* those of the names that turn; each connection is the last */
	if (strstr(request, "GET /there") != NULL)
		redirect(fd, "/picture");
	else if (strstr(request, "at another address") != NULL)
	{
		const char *name = strstr(request, "Host: ") + 6;

		snprintf(url, sizeof(url), "http://%.*s/there",
				 (int) strcspn(name, "\r"), name);
		answer_with_url(fd, url);
	}
	else if (strstr(request, "once") != NULL)
		server_answer(fd, "200 OK", "Connection: close\r\n", ANSWER);
	else
		return server_answer(fd, "200 OK", "", ANSWER);
	return false;
}

/* ---- the jobs ---- */

/* host may be NULL; it is one of the operator's image hosts. */
static void
send_job(uint64_t tag, const char *base_url, const char *network,
		 const char *host, const char *prompt)
{
	json_t	   *job = json_pack("{s:s, s:i, s:s, s:s, s:s, s:[s*], s:{},"
								"s:{s:[s*]}, s:s, s:s, s:{}, s:s}",
								"user", DRIVER_USER, "tries", 1,
								"provider", "openai", "adapter", "xai",
								"base_url", base_url, "networks", network,
								"settings", "operator_settings",
								"image_hosts", host, "model", "grok",
								"prompt", prompt, "parameters",
								"store", "database");
	char	   *text = json_dumps(job, JSON_COMPACT);

	if (text == NULL)
		driver_die(base_url);
	driver_send(&courier, FRAME_JOB, tag, courier.sealed, text);
	free(text);
	json_decref(job);
}

/* The next outcome; its tag. */
static uint64_t
next_outcome(Cell *cell)
{
	Frame		frame;
	json_t	   *json;

	if (!driver_await(courier.fd, FRAME_OUTCOME, &frame))
		driver_die("no outcome");
	driver_send(&courier, FRAME_TAKEN, frame.head.tag, "", "");
	json = driver_json(&frame);
	cell->has_ended = true;
	cell->status = frame.head.status;
	cell->wrote = (frame.head.flags & FRAME_FLAG_WROTE) != 0;
	snprintf(cell->code, sizeof(cell->code), "%s", driver_text(json, "code"));
	snprintf(cell->message, sizeof(cell->message), "%s",
			 driver_text(json, "message"));
	json_decref(json);
	return frame.head.tag;
}

static Cell
perform(const char *base_url, const char *network, const char *host,
		const char *prompt)
{
	Cell		cell;

	send_job(1, base_url, network, host, prompt);
	next_outcome(&cell);
	return cell;
}

static bool
is(const Cell *cell, FrameResult result, const char *code)
{
	if (cell->status == result && strcmp(cell->code, code) == 0)
		return true;
	printf("# status %u, \"%s\", %s\n", cell->status, cell->code,
		   cell->message);
	return false;
}

/* ---- the matrix ---- */

static void
send_cell(Arena *arena, size_t spelling, Way way)
{
	static const char *const prompts[WAYS] = {
		"come", "come", "go to the picture", "be led to the picture",
		"be led far to the picture"
	};
	char		target[256];
	char		prompt[64];
	Url			url = {NULL, NULL, NULL};

	spell(spellings[spelling], target);
	url_read(arena, target, &url);
	snprintf(prompt, sizeof(prompt), "%s %zu", prompts[way], spelling);
	if (way == WAY_PLAIN_BASE && strncmp(target, "https:", 6) == 0)
		memmove(target + 4, target + 5, strlen(target + 4));
	send_job(spelling * WAYS + way + 1,
			 way < WAY_PICTURE ? target : "http://provider.test",
			 way == WAY_BASE ? NULL : PROVIDER_NET, url.host, prompt);
}

/* Whether a cell ended as one that was refused, and why in words. */
static bool
is_refused(const Cell *cell, Way way)
{
	static const struct
	{
		const char *message;
		const char *code;
	}			reasons[] =
	{
		{"the address of the picture's host is not allowed",
		"address_refused"},
		{NOT_LISTED, "address_refused"},
		{"the picture's address redirects too often, or to nowhere",
		"unknown"},
	};

	if (!cell->has_ended || cell->status != RESULT_FAILED)
		return false;
	if (way < WAY_PICTURE)
		return !cell->wrote && strcmp(cell->code, "address_refused") == 0;
	for (size_t i = 0; i < lengthof(reasons); i++)
	{
		if (strcmp(cell->message, reasons[i].message) == 0)
			return cell->wrote && strcmp(cell->code, reasons[i].code) == 0;
	}
	return false;
}

static void
check_spellings(void)
{
	const size_t count = lengthof(spellings) * WAYS;
	Arena	   *arena = arena_create();
	int			by_address = 0;
	size_t		i;

	for (i = 0; i < count; i++)
		send_cell(arena, i / WAYS, i % WAYS);
	arena_destroy(arena);
	for (i = 0; i < count; i++)
	{
		Cell		cell;
		uint64_t	tag = next_outcome(&cell);

		cells[tag - 1] = cell;
	}
	for (i = 0; i < lengthof(spellings); i++)
	{
		bool		all = true;

		for (int way = 0; way < WAYS; way++)
		{
			const Cell *cell = &cells[i * WAYS + way];
			bool		fine = is_refused(cell, way);

			if (!fine)
				printf("# %s: status %u, wrote %d, \"%s\", %s\n",
					   way_names[way], cell->status, cell->wrote, cell->code,
					   cell->message);
			all = all && fine;
			by_address += strstr(cell->message, "address of the") != NULL;
		}
		CHECK(all, "%s is refused, whoever names it", spellings[i]);
	}
	printf("# counted: %zu inner addresses named, %d by the rule of addresses "
		   "refused, %d connections\n", count, by_address, trapped);
	CHECK(by_address > (int) count / 2, "most by the rule of addresses");
	CHECK(trapped == 0, "%zu addresses, %d connections", count, trapped);
}

/* ---- names that do not stay what they were ---- */

static void
check_rebinding(void)
{
	const char *net = PROVIDER_NET;
	Cell		cell;
	int			before;

	cell = perform("http://turns1a.test", net, NULL, "once");
	CHECK(is(&cell, RESULT_SUCCEEDED, ""), "a name is good at first");
	cell = perform("http://turns1a.test", net, NULL, "once");
	CHECK(is(&cell, RESULT_FAILED, "address_refused") && !cell.wrote,
		  "and refused when it has turned");

	cell = perform("http://turns1b.test", net, NULL, "at another address");
	CHECK(is(&cell, RESULT_FAILED, "address_refused") &&
		  strstr(cell.message, "is not allowed") != NULL,
		  "also if it turns before its picture is fetched");
	cell = perform("http://turns2b.test", net, NULL, "at another address");
	CHECK(is(&cell, RESULT_FAILED, "address_refused") &&
		  strstr(cell.message, "is not allowed") != NULL,
		  "or redirected to");
	before = server_connections;
	cell = perform("http://turns1c.test", net, NULL, "stay");
	cell = perform("http://turns1c.test", net, NULL, "stay");
	CHECK(is(&cell, RESULT_SUCCEEDED, "") &&
		  server_connections == before + 1,
		  "a kept connection leads where it always did");

	before = server_connections;
	cell = perform("http://inner-first.test", net, NULL, "once");
	CHECK(is(&cell, RESULT_SUCCEEDED, "") &&
		  server_connections == before + 1,
		  "of two addresses the good one is taken");
	cell = perform("http://inner-second.test", "198.51.100.8/32", NULL,
				   "once");
	CHECK(!cell.wrote && cell.status != RESULT_SUCCEEDED,
		  "and not the other, if the good one is closed");
	CHECK(trapped == 0, "nobody was reached by it");
}

static void
check_kept_connections(void)
{
	static const char *const others[] = {
		NULL, "10.0.0.0/8", "198.51.100.8/32", "127.0.0.0/8", "::/0"
	};
	int			before;
	Cell		cell = perform("http://provider.test", PROVIDER_NET, NULL,
							   "stay");

	CHECK(is(&cell, RESULT_SUCCEEDED, ""), "a connection is kept");
	before = server_requests;
	for (size_t i = 0; i < lengthof(others); i++)
	{
		cell = perform("http://provider.test", others[i], NULL, "stay");
		CHECK(is(&cell, RESULT_FAILED, "address_refused") && !cell.wrote &&
			  server_requests == before,
			  "not for one with the range %s",
			  others[i] != NULL ? others[i] : "of nobody");
	}
}

/* What is let through is seen, by each way: else all of this proves nothing. */
static void
check_trap(void)
{
	int			before = trapped;
	int			fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	Cell		cell;

	cell = perform("https://public.test", NULL, NULL, "come");
	CHECK(!cell.wrote && trapped == before + 1,
		  "the trap catches a public address");
	cell = perform("https://10.0.0.5", "10.0.0.0/8", NULL, "come");
	CHECK(!cell.wrote && trapped == before + 2,
		  "and an inner one that the operator has named");
	cell = perform("https://[2001:470:1::5efe:a00:5]", "2001:470::/32", NULL,
				   "come");
	CHECK(fd < 0 || (!cell.wrote && trapped == before + 3),
		  "in IPv6 too");
	if (fd >= 0)
		close(fd);
}

static void
start_courier(void)
{
	static char options[1024];
	const char *asan = getenv("ASAN_OPTIONS");
	char		port[16];

	snprintf(port, sizeof(port), "%d", server_port);
	setenv("INTERNET_PROVIDER", port, 1);
	snprintf(port, sizeof(port), "%d", trap_port);
	setenv("INTERNET_TRAP", port, 1);
	snprintf(options, sizeof(options), "%s:verify_asan_link_order=0",
			 asan != NULL ? asan : "");
	setenv("ASAN_OPTIONS", options, 1);
	setenv("LD_PRELOAD", INTERNET, 1);
	courier = driver_start();
	unsetenv("LD_PRELOAD");
	driver_configure(&courier, ",\"call_timeout_ms\":15000,"
					 "\"max_in_flight\":64");
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	server_start(behave);
	set_trap();
	start_courier();

	check_spellings();
	check_rebinding();
	check_kept_connections();
	check_trap();

	close(courier.fd);
	courier.fd = -1;
	CHECK(driver_wait(&courier) == 0, "the courier ends well");
	driver_clean(&courier);
	driver_forget_key();
	return check_done();
}
