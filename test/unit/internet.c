/*-------------------------------------------------------------------------
 *
 * internet.c
 *		An internet for the courier of a test: preloaded into it, answers for
 *		DNS, and leads every connection to this machine.
 *
 * Names below are all there are.  A connection to PROVIDER reaches the
 * test's provider, one to CLOSED is refused, and one to any other address,
 * inner or public, the trap, which counts it: so an address that was let
 * through is seen, whatever it was.  The courier is none the wiser; to it the
 * peer is the address that it asked for.
 *
 * INTERNET_PROVIDER and INTERNET_TRAP are the ports of the two.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define PROVIDER	"198.51.100.7"
#define CLOSED		"198.51.100.8"

#define MAX_FILES	4096
#define MAX_NAMES	16

/* Older than a name may lie in libcurl's cache, in seconds. */
#define NAME_LIFE	100

typedef struct Name
{
	const char *name;
	const char *addresses[2];
} Name;

static const Name names[] = {
	{"provider.test", {PROVIDER, NULL}},
	{"public.test", {"93.184.215.14", NULL}},
	{"public6.test", {"2606:4700:4700::1111", NULL}},
	{"localhost.", {"127.0.0.1", "::1"}},
	{"127.0.0.1.", {"127.0.0.1", NULL}},
	{"loopback.test", {"127.0.0.1", NULL}},
	{"loopback6.test", {"::1", NULL}},
	{"private.test", {"10.0.0.5", NULL}},
	{"metadata.test", {"169.254.169.254", NULL}},
	{"mapped.test", {"::ffff:127.0.0.1", NULL}},
	{"nat64.test", {"64:ff9b::a00:5", NULL}},
	{"zero.test", {"0.0.0.0", NULL}},
	{"inner-first.test", {"10.0.0.5", PROVIDER}},
	{"inner-second.test", {CLOSED, "10.0.0.5"}},
};

/* Of "turnsN...": the provider N times, then this. */
#define TURNED	"127.0.0.1"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char turning[MAX_NAMES][64];
static int	turns[MAX_NAMES];
static atomic_int connections;

static struct sockaddr_storage peers[MAX_FILES];
static socklen_t peer_sizes[MAX_FILES];

/* How often a turning name was asked for before. */
static int
count_turn(const char *name)
{
	int			i = 0;
	int			count;

	pthread_mutex_lock(&lock);
	while (i < MAX_NAMES - 1 && turning[i][0] != '\0' &&
		   strcmp(turning[i], name) != 0)
		i++;
	strncpy(turning[i], name, sizeof(turning[i]) - 1);
	count = turns[i]++;
	pthread_mutex_unlock(&lock);
	return count;
}

static const Name *
find_name(const char *name)
{
	static const Name good = {"", {PROVIDER, NULL}};
	static const Name turned = {"", {TURNED, NULL}};

	if (strncmp(name, "turns", 5) == 0)
		return count_turn(name) < name[5] - '0' ? &good : &turned;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strcasecmp(names[i].name, name) == 0)
			return &names[i];
	}
	return NULL;
}

/* One block, as freeaddrinfo expects it; NULL if not of this family. */
static struct addrinfo *
make_entry(const char *address, int family, int port)
{
	struct addrinfo *entry = calloc(1, sizeof(struct addrinfo) +
									sizeof(struct sockaddr_in6));
	struct sockaddr_in *v4;
	struct sockaddr_in6 *v6;

	if (entry == NULL)
		abort();
	v4 = (struct sockaddr_in *) (entry + 1);
	v6 = (struct sockaddr_in6 *) (entry + 1);
	entry->ai_addr = (struct sockaddr *) (entry + 1);
	entry->ai_socktype = SOCK_STREAM;
	if (family != AF_INET6 && inet_pton(AF_INET, address, &v4->sin_addr) == 1)
	{
		entry->ai_family = v4->sin_family = AF_INET;
		entry->ai_addrlen = sizeof(*v4);
		v4->sin_port = htons((uint16_t) port);
		return entry;
	}
	if (family != AF_INET && inet_pton(AF_INET6, address, &v6->sin6_addr) == 1)
	{
		entry->ai_family = v6->sin6_family = AF_INET6;
		entry->ai_addrlen = sizeof(*v6);
		v6->sin6_port = htons((uint16_t) port);
		return entry;
	}
	free(entry);
	return NULL;
}

int
getaddrinfo(const char *node, const char *service,
			const struct addrinfo *hints, struct addrinfo **result)
{
	int			(*next) (const char *, const char *,
						 const struct addrinfo *, struct addrinfo **) =
	dlsym(RTLD_NEXT, "getaddrinfo");
	const Name *name = find_name(node);
	struct addrinfo **end = result;

	if (name == NULL)
	{
		/* a number in one of its spellings, or nobody's name */
		struct addrinfo numeric = *hints;

		numeric.ai_flags |= AI_NUMERICHOST;
		return next(node, service, &numeric, result);
	}
	*result = NULL;
	for (int i = 0; i < 2 && name->addresses[i] != NULL; i++)
	{
		*end = make_entry(name->addresses[i], hints->ai_family,
						  service != NULL ? atoi(service) : 0);
		if (*end != NULL)
			end = &(*end)->ai_next;
	}
	return *result != NULL ? 0 : EAI_NONAME;
}

void
freeaddrinfo(struct addrinfo *list)
{
	while (list != NULL)
	{
		struct addrinfo *entry = list;

		list = list->ai_next;
		free(entry->ai_canonname);
		free(entry);
	}
}

/* After each connection all names in caches are too old. */
time_t
time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += (time_t) connections * NAME_LIFE;
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

static bool
is_address(const struct sockaddr *address, const char *text)
{
	struct in_addr wanted;

	inet_pton(AF_INET, text, &wanted);
	return address->sa_family == AF_INET &&
		memcmp(&((const struct sockaddr_in *) address)->sin_addr, &wanted,
			   sizeof(wanted)) == 0;
}

int
connect(int fd, const struct sockaddr *address, socklen_t len)
{
	int			(*next) (int, const struct sockaddr *, socklen_t) =
	dlsym(RTLD_NEXT, "connect");
	const char *port = getenv(is_address(address, PROVIDER) ?
							  "INTERNET_PROVIDER" : "INTERNET_TRAP");
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
		return next(fd, address, len);
	connections++;
	if (is_address(address, CLOSED))
	{
		errno = ECONNREFUSED;
		return -1;
	}
	if (port == NULL || fd >= MAX_FILES)
		abort();
	memcpy(&peers[fd], address, len);
	peer_sizes[fd] = len;
	v4.sin_port = v6.sin6_port = htons((uint16_t) atoi(port));
	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6.sin6_addr);
	if (address->sa_family == AF_INET)
		return next(fd, (const struct sockaddr *) &v4, sizeof(v4));
	return next(fd, (const struct sockaddr *) &v6, sizeof(v6));
}

int
getpeername(int fd, struct sockaddr *address, socklen_t *len)
{
	int			(*next) (int, struct sockaddr *, socklen_t *) =
	dlsym(RTLD_NEXT, "getpeername");
	int			result = next(fd, address, len);

	if (result == 0 && fd < MAX_FILES && peer_sizes[fd] > 0)
	{
		memcpy(address, &peers[fd], peer_sizes[fd]);
		*len = peer_sizes[fd];
	}
	return result;
}
