/*-------------------------------------------------------------------------
 *
 * server.h
 *		A server of HTTP on this machine, in threads, that does what a test
 *		says.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SERVER_H
#define BAMBI_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "driver.h"

/*
 * Answers the nth request of a connection, head and body, terminated; false
 * if the connection is to be closed.  Several may be called at once.
 */
typedef bool (*ServerBehave) (int fd, const char *request, size_t len,
							  int nth);

static int	server_port;
static atomic_int server_connections;
static atomic_int server_requests;	/* whose body came whole */
static atomic_bool server_is_seen;	/* a byte of a silent connection */

static int	server_listener;
static ServerBehave server_behave;

static inline bool
server_say(int fd, const char *text, size_t len)
{
	while (len > 0)
	{
		ssize_t		n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		text += n;
		len -= (size_t) n;
	}
	return true;
}

static inline bool
server_answer(int fd, const char *status, const char *headers,
			  const char *body)
{
	char		head[4096];

	snprintf(head, sizeof(head),
			 "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
			 "X-Request-Id: req_unit\r\n%sContent-Length: %zu\r\n\r\n",
			 status, headers, strlen(body));
	return server_say(fd, head, strlen(head)) &&
		server_say(fd, body, strlen(body));
}

static inline void *
server_serve(void *arg)
{
	int			fd = (int) (intptr_t) arg;
	char		request[65536];
	size_t		len = 0;
	int			nth = 0;

	for (;;)
	{
		char	   *end;
		char	   *length;
		size_t		whole;
		ssize_t		n = recv(fd, request + len, sizeof(request) - 1 - len,
							 0);

		if (n <= 0)
			break;
		if (request[0] == 0x16)
		{
			/* a TLS handshake, which is never answered */
			server_is_seen = true;
			continue;
		}
		len += (size_t) n;
		request[len] = '\0';
		end = strstr(request, "\r\n\r\n");
		if (end == NULL)
			continue;
		length = strstr(request, "Content-Length: ");
		whole = (size_t) (end + 4 - request) +
			(length != NULL ? (size_t) atol(length + 16) : 0);
		if (len < whole)
			continue;
		server_requests++;
		len = 0;
		if (!server_behave(fd, request, whole, ++nth))
			break;
	}
	shutdown(fd, SHUT_RDWR);
	close(fd);
	return NULL;
}

static inline void *
server_accept(void *arg)
{
	(void) arg;
	for (;;)
	{
		pthread_t	thread;
		int			fd = accept(server_listener, NULL, NULL);

		if (fd < 0)
			return NULL;
		server_connections++;
		pthread_create(&thread, NULL, server_serve, (void *) (intptr_t) fd);
		pthread_detach(thread);
	}
}

static inline void
server_start(ServerBehave behave)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	socklen_t	len = sizeof(address);
	pthread_t	thread;

	server_behave = behave;
	server_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server_listener, (struct sockaddr *) &address, len) != 0 ||
		listen(server_listener, 256) != 0 ||
		getsockname(server_listener, (struct sockaddr *) &address, &len) != 0)
		driver_die("listen");
	server_port = ntohs(address.sin_port);
	pthread_create(&thread, NULL, server_accept, NULL);
}

#endif							/* BAMBI_SERVER_H */
