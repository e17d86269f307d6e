/*-------------------------------------------------------------------------
 *
 * link.c
 *		The socket to the worker: frames in and out, many with one system
 *		call.
 *
 * What is sent is gathered from where it lies (sendmsg): a picture is not
 * copied on its way out.  What is received lies in one buffer, and a frame
 * that is not all there yet waits in it for its rest.
 *
 *-------------------------------------------------------------------------
 */
#include "link.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/uio.h>

#include "loop.h"
#include "point.h"

#define FIRST_BUFFER	(256 * 1024)
/* A buffer that a picture has made larger than this is given back. */
#define KEPT_BUFFER		(2 * 1024 * 1024)
/* As many pieces as one sendmsg takes (IOV_MAX). */
#define PIECES_PER_SEND	1024
/* So that a busy worker cannot keep the loop from everything else. */
#define READS_PER_TURN	8
#define MAX_LOG_TEXT	1000

typedef struct Piece
{
	const uint8_t *bytes;
	size_t		len;
	int		   *unsent;			/* NULL: bytes are malloc'ed, and ours */
} Piece;

static int	link_fd = -1;
static LinkReceive receive_frame;

static uint8_t *in;
static size_t in_size;
static size_t in_len;

static Piece *out;				/* a ring */
static size_t out_size;
static size_t out_first;
static size_t out_count;
static size_t out_sent;			/* bytes of the first piece */

static void ready(int fd, int events);
static void receive(bool to_the_end);
static bool take_frames(void);
static void hang_up(void);

void
link_start(int fd, LinkReceive receive)
{
	link_fd = fd;
	receive_frame = receive;
	in_size = FIRST_BUFFER;
	in = malloc(in_size);
	if (in == NULL)
		abort();
	loop_watch(fd, LOOP_READ, ready);
}

bool
link_is_open(void)
{
	return link_fd >= 0;
}

static void
ready(int fd, int events)
{
	(void) fd;
	if (events & (LOOP_READ | LOOP_HANGUP))
		receive((events & LOOP_HANGUP) != 0);
	if (link_fd >= 0 && (events & LOOP_WRITE))
		link_flush();
}

/* A worker that is gone is read out at once: nothing is begun meanwhile. */
static void
receive(bool to_the_end)
{
	int			reads;

	for (reads = 0; to_the_end || reads < READS_PER_TURN; reads++)
	{
		size_t		room = in_size - in_len;
		ssize_t		n = recv(link_fd, in + in_len, room, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
		{
			hang_up();
			return;
		}
		in_len += (size_t) n;
		if (!take_frames())
		{
			hang_up();
			return;
		}
		if ((size_t) n < room && !to_the_end)
			return;
	}
}

/* No smaller than what lies in it. */
static void
resize_input(size_t size)
{
	if (size < in_len)
		size = in_len;
	if (size == in_size)
		return;
	in = realloc(in, size);
	if (in == NULL)
		abort();
	in_size = size;
}

/* False if the stream is broken. */
static bool
take_frames(void)
{
	size_t		at = 0;
	size_t		wanted = FIRST_BUFFER;

	while (in_len - at >= FRAME_HEAD_SIZE)
	{
		FrameHead	head;
		const char *key = (const char *) in + at + FRAME_HEAD_SIZE;

		if (!frame_decode(in + at, &head))
			return false;
		if (in_len - at < head.len)
		{
			wanted = head.len;
			break;
		}
		if (!receive_frame(&head, key, key + head.key_len,
						   (const uint8_t *) key + head.key_len +
						   head.json_len))
			return false;
		at += head.len;
	}
	in_len -= at;
	memmove(in, in + at, in_len);
	if (wanted > in_size || in_size > KEPT_BUFFER)
		resize_input(wanted);
	return true;
}

static void
drop_first(void)
{
	Piece	   *piece = &out[out_first];

	if (piece->unsent != NULL)
		(*piece->unsent)--;
	else
		free((void *) piece->bytes);
	out_first = (out_first + 1) % out_size;
	out_count--;
}

static void
drop_all(void)
{
	while (out_count > 0)
		drop_first();
	out_sent = 0;
}

static void
hang_up(void)
{
	loop_forget(link_fd);
	close(link_fd);
	link_fd = -1;
	drop_all();
}

static void
enqueue(const uint8_t *bytes, size_t len, int *unsent)
{
	Piece	   *piece;

	if (out_count == out_size)
	{
		size_t		size = out_size == 0 ? 256 : out_size * 2;
		Piece	   *ring = malloc(size * sizeof(Piece));
		size_t		i;

		if (ring == NULL)
			abort();
		for (i = 0; i < out_count; i++)
			ring[i] = out[(out_first + i) % out_size];
		free(out);
		out = ring;
		out_size = size;
		out_first = 0;
	}
	piece = &out[(out_first + out_count++) % out_size];
	piece->bytes = bytes;
	piece->len = len;
	piece->unsent = unsent;
}

void
link_send(const void *bytes, size_t len, int *unsent)
{
	/* an empty piece would make sendmsg return 0 for ever */
	if (link_fd < 0 || len == 0)
		return;
	(*unsent)++;
	enqueue(bytes, len, unsent);
}

void
link_send_text(FrameType type, uint64_t tag, uint32_t status,
			   const char *json, size_t len)
{
	link_send_payload(type, tag, status, json, len, NULL);
}

void
link_send_payload(FrameType type, uint64_t tag, uint32_t status,
				  const char *json, size_t len, Picture *payload)
{
	FrameHead	head = {.type = (uint8_t) type,.tag = tag,.status = status};
	Picture		given = {NULL, 0, false};
	uint8_t    *frame;

	if (payload != NULL)
	{
		given = *payload;
		memset(payload, 0, sizeof(*payload));
	}
	if (link_fd < 0 || len > FRAME_MAX_JSON || given.len > FRAME_MAX_PICTURE)
	{
		free(given.bytes);
		return;
	}
	head.json_len = (uint32_t) len;
	head.picture_len = (uint32_t) given.len;
	frame = malloc(FRAME_HEAD_SIZE + len);
	if (frame == NULL)
		abort();
	frame_encode(&head, frame);
	memcpy(frame + FRAME_HEAD_SIZE, json, len);
	enqueue(frame, FRAME_HEAD_SIZE + len, NULL);
	if (given.len > 0)
		enqueue(given.bytes, given.len, NULL);
	else
		free(given.bytes);
}

void
link_send_progress(uint64_t tag, uint32_t percent, const Picture *preview)
{
	FrameHead	head = {.type = FRAME_PROGRESS,.tag = tag,.status = percent};
	uint8_t    *frame;

	if (link_fd < 0)
		return;
	if (preview != NULL && preview->len <= FRAME_MAX_PICTURE)
		head.picture_len = (uint32_t) preview->len;
	frame = malloc(FRAME_HEAD_SIZE + head.picture_len);
	if (frame == NULL)
		abort();
	frame_encode(&head, frame);
	if (head.picture_len > 0)
		memcpy(frame + FRAME_HEAD_SIZE, preview->bytes, head.picture_len);
	enqueue(frame, head.len, NULL);
}

void
link_log(FrameLevel level, const char *format,...)
{
	char		text[MAX_LOG_TEXT];
	va_list		args;
	int			len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0)
		return;
	link_send_text(FRAME_LOG, 0, level, text,
				   (size_t) len < sizeof(text) ? (size_t) len :
				   sizeof(text) - 1);
}

void
link_flush(void)
{
	bool		sent_outcome = false;

	while (link_fd >= 0 && out_count > 0)
	{
		struct iovec vector[PIECES_PER_SEND];
		struct msghdr message = {.msg_iov = vector};
		ssize_t		n;

		while (message.msg_iovlen < PIECES_PER_SEND &&
			   message.msg_iovlen < out_count)
		{
			Piece	   *piece = &out[(out_first + message.msg_iovlen) %
									 out_size];

			vector[message.msg_iovlen].iov_base = (void *) piece->bytes;
			vector[message.msg_iovlen].iov_len = piece->len;
			message.msg_iovlen++;
		}
		vector[0].iov_base = (uint8_t *) vector[0].iov_base + out_sent;
		vector[0].iov_len -= out_sent;
		n = sendmsg(link_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
		{
			/*
			 * The worker is gone.  What it said before (TAKEN above all) may
			 * still lie in the socket, and comes before end of file.
			 */
			shutdown(link_fd, SHUT_WR);
			drop_all();
			break;
		}
		out_sent += (size_t) n;
		while (out_count > 0 && out_sent >= out[out_first].len)
		{
			/* only answers are lent */
			sent_outcome |= out[out_first].unsent != NULL;
			out_sent -= out[out_first].len;
			drop_first();
		}
	}
	if (link_fd >= 0)
		loop_watch(link_fd, LOOP_READ | (out_count > 0 ? LOOP_WRITE : 0),
				   ready);
	if (sent_outcome)
		POINT("outcome-sent");
}
