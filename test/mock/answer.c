/*-------------------------------------------------------------------------
 *
 * answer.c
 *		Gathers an answer from text and pictures, lets it wait for its time,
 *		and writes as much of it, and as slowly, as the plan says.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "http.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>

#include "ledger.h"

#define BYTES_PER_TURN	(4 * 1024 * 1024)	/* to one of many connections */

static Connection *first_waiting;	/* sorted by due_ms */
static Connection *last_waiting;

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void *
buffer_grow(void *old, size_t *size, size_t wanted)
{
	void	   *new;

	if (wanted <= *size)
		return old;
	if (*size == 0)
		*size = FIRST_BUFFER;
	while (*size < wanted)
		*size *= 2;
	new = realloc(old, *size);
	if (new == NULL)
		abort();
	return new;
}

/* ---- the answers whose time has not come ---- */

static void
wait_for_time(Connection *c, long delay_ms)
{
	Connection *before = last_waiting;

	c->due_ms = now_ms() + delay_ms;
	while (before != NULL && before->due_ms > c->due_ms)
		before = before->earlier;
	c->earlier = before;
	c->later = before != NULL ? before->later : first_waiting;
	if (c->earlier != NULL)
		c->earlier->later = c;
	else
		first_waiting = c;
	if (c->later != NULL)
		c->later->earlier = c;
	else
		last_waiting = c;
}

static void
wait_no_more(Connection *c)
{
	if (c->due_ms == 0)
		return;
	if (c->earlier != NULL)
		c->earlier->later = c->later;
	else
		first_waiting = c->later;
	if (c->later != NULL)
		c->later->earlier = c->earlier;
	else
		last_waiting = c->earlier;
	c->earlier = c->later = NULL;
	c->due_ms = 0;
}

/* ---- gathering ---- */

static void
add_text_piece(Connection *c, size_t length)
{
	Piece	   *piece;

	if (c->piece_count == 0 || c->pieces[c->piece_count - 1].blob != NULL)
	{
		if (c->piece_count == MAX_PIECES)
			abort();
		piece = &c->pieces[c->piece_count++];
		piece->blob = NULL;
		piece->offset = c->text_length;
		piece->length = 0;
	}
	piece = &c->pieces[c->piece_count - 1];
	piece->length += length;
	c->text_length += length;
	c->body_length += length;
}

void
answer_bytes(Connection *c, const char *bytes, size_t length)
{
	c->text = buffer_grow(c->text, &c->text_size, c->text_length + length + 1);
	memcpy(c->text + c->text_length, bytes, length);
	add_text_piece(c, length);
}

void
answer_text(Connection *c, const char *format,...)
{
	va_list		args;
	int			length;

	c->text = buffer_grow(c->text, &c->text_size, c->text_length + 256);
	va_start(args, format);
	length = vsnprintf(c->text + c->text_length,
					   c->text_size - c->text_length, format, args);
	va_end(args);
	if (c->text_length + length >= c->text_size)
	{
		c->text = buffer_grow(c->text, &c->text_size, c->text_length + length + 1);
		va_start(args, format);
		vsnprintf(c->text + c->text_length, c->text_size - c->text_length,
				  format, args);
		va_end(args);
	}
	add_text_piece(c, length);
}

void
answer_blob(Connection *c, Blob *blob)
{
	Piece	   *piece = &c->pieces[c->piece_count];

	if (c->piece_count == MAX_PIECES)
		abort();
	piece->blob = blob;
	piece->offset = 0;
	piece->length = blob->length;
	c->body_length += blob->length;
	c->piece_count++;
}

void
answer_pause(Connection *c, long ms)
{
	if (c->pause_count == MAX_PAUSES)
		abort();
	c->pauses[c->pause_count].at = c->body_length;
	c->pauses[c->pause_count++].ms = ms;
}

void
answer_chunk_begin(Connection *c)
{
	c->chunk_text = c->text_length;
	answer_text(c, "%08x\r\n", 0);
	c->chunk_start = c->body_length;
}

void
answer_chunk_end(Connection *c)
{
	char		digits[9];

	snprintf(digits, sizeof(digits), "%08zx", c->body_length - c->chunk_start);
	memcpy(c->text + c->chunk_text, digits, 8);
	answer_text(c, "\r\n");
}

void
answer_drip(Connection *c, size_t bytes, long ms)
{
	c->step_bytes = bytes;
	c->step_ms = ms;
}

void
answer_fill(Connection *c, const char *block, size_t length, size_t total)
{
	c->filler = block;
	c->filler_length = length;
	c->total = total;			/* the rest is added when it is sent */
}

/* ---- sending ---- */

static const char *
reason(int status)
{
	switch (status)
	{
		case 200:
			return "OK";
		case 400:
			return "Bad Request";
		case 401:
			return "Unauthorized";
		case 404:
			return "Not Found";
		case 429:
			return "Too Many Requests";
		case 500:
			return "Internal Server Error";
		case 503:
			return "Service Unavailable";
		default:
			return "Mock";
	}
}

/* What to write next, up to room bytes from c->sent on. */
static int
gather(const Connection *c, struct iovec *iov, size_t room)
{
	int			count = 0;
	size_t		skip = c->sent;

	for (int i = -1; i < c->piece_count && room > 0; i++)
	{
		const Piece *p = i < 0 ? NULL : &c->pieces[i];
		const char *from = c->head;
		size_t		length = p == NULL ? c->head_length : p->length;

		if (p != NULL)
			from = p->blob != NULL ? p->blob->data : c->text + p->offset;
		if (skip >= length)
		{
			skip -= length;
			continue;
		}
		length -= skip;
		if (length > room)
			length = room;
		iov[count].iov_base = (void *) (from + skip);
		iov[count++].iov_len = length;
		room -= length;
		skip = 0;
	}
	if (room > 0)
	{
		skip %= c->filler_length;
		iov[count].iov_base = (void *) (c->filler + skip);
		iov[count].iov_len = c->filler_length - skip;
		if (iov[count].iov_len > room)
			iov[count].iov_len = room;
		count++;
	}
	return count;
}

/*
 * Send up to that byte as much as the socket takes.  Returns false when the
 * rest must wait for it, or for the other connections, or when this one is
 * gone.
 */
static bool
write_until(Connection *c, size_t end)
{
	size_t		turn = c->sent + BYTES_PER_TURN;

	while (c->sent < end)
	{
		struct iovec iov[MAX_PIECES + 2];
		int			count = gather(c, iov, end - c->sent);
		ssize_t		done = 0;

		if (c->sent < turn)
			done = writev(c->fd, iov, count);
		if (done == 0 || (done < 0 && errno == EAGAIN))
		{
			connection_watch(c, EPOLLOUT);
			return false;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
		{
			stats.abandoned += c->call != 0;
			connection_close(c);
			return false;
		}
		c->sent += done;
	}
	return true;
}

/* How far the answer may go now, and how long it is to rest there. */
static size_t
next_stop(const Connection *c, long *rest_ms)
{
	size_t		end = c->total;

	*rest_ms = -1;
	if (c->cut_answer)
		end = c->head_length + (c->total - c->head_length) / 2;
	if (c->next_pause < c->pause_count)
	{
		const Pause *pause = &c->pauses[c->next_pause];

		if (c->head_length + pause->at < end)
		{
			end = c->head_length + pause->at;
			*rest_ms = pause->ms;
		}
	}
	if (c->step_bytes > 0 && c->sent + c->step_bytes < end)
	{
		end = c->sent + c->step_bytes;
		*rest_ms = c->step_ms;
	}
	return end;
}

void
answer_forget(Connection *c)
{
	wait_no_more(c);
	for (int i = 0; i < c->piece_count; i++)
		if (c->pieces[i].blob != NULL)
			blob_release(c->pieces[i].blob);
	c->piece_count = 0;
	c->text_length = 0;
	c->body_length = 0;
	c->head_length = 0;
	c->filler = NULL;
	c->pause_count = c->next_pause = 0;
	c->step_bytes = 0;
	c->total = c->sent = 0;
	c->cut_answer = false;
	c->is_held = false;
	if (c->call != 0)
		ledger_call_ends(c->call);
	c->call = 0;
}

static void
send_answer(Connection *c)
{
	long		rest_ms;
	size_t		end = next_stop(c, &rest_ms);

	c->state = STATE_WRITING;
	if (!write_until(c, end))
		return;
	if (rest_ms >= 0)
	{
		if (c->next_pause < c->pause_count &&
			end == c->head_length + c->pauses[c->next_pause].at)
			c->next_pause++;
		c->state = STATE_WAITING;
		connection_watch(c, EPOLLRDHUP);
		wait_for_time(c, rest_ms);
		return;
	}
	if (c->call != 0)
		stats.last_answer_us = now_us();
	if (c->cut_answer)
	{
		connection_reset(c);
		return;
	}
	answer_forget(c);
	if (c->close_after)
	{
		connection_close(c);
		return;
	}
	c->state = STATE_READING;
	connection_watch(c, EPOLLIN);
}

void
connection_send(Connection *c, const char *head, long delay_ms)
{
	c->head_length = strlen(head);
	if (c->head_length >= sizeof(c->head))
		abort();
	if (head != c->head)
		memcpy(c->head, head, c->head_length + 1);
	c->total += c->head_length + c->body_length;
	c->sent = 0;
	if (!c->is_held && delay_ms <= 0)
	{
		send_answer(c);
		return;
	}
	c->state = STATE_WAITING;
	connection_watch(c, EPOLLRDHUP);
	if (!c->is_held)
		wait_for_time(c, delay_ms);
}

void
connection_answer(Connection *c, int status, const char *headers,
				  long delay_ms)
{
	if (snprintf(c->head, sizeof(c->head),
				 "HTTP/1.1 %d %s\r\n%scontent-length: %zu\r\n\r\n",
				 status, reason(status), headers,
				 c->body_length + c->total) >= (int) sizeof(c->head))
		abort();
	connection_send(c, c->head, delay_ms);
}

void
connection_answer_chunked(Connection *c, int status, const char *headers,
						  long delay_ms)
{
	answer_text(c, "0\r\n\r\n");
	if (snprintf(c->head, sizeof(c->head),
				 "HTTP/1.1 %d %s\r\n%stransfer-encoding: chunked\r\n\r\n",
				 status, reason(status), headers) >= (int) sizeof(c->head))
		abort();
	connection_send(c, c->head, delay_ms);
}

void
answer_continue(Connection *c)
{
	send_answer(c);
	if (c->state == STATE_READING)
		connection_process(c);
}

int
answer_timeout(void)
{
	int64_t		left;

	if (first_waiting == NULL)
		return -1;
	left = first_waiting->due_ms - now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int) left;
}

void
answer_what_is_due(void)
{
	int64_t		now = first_waiting != NULL ? now_ms() : 0;

	while (first_waiting != NULL && first_waiting->due_ms <= now)
	{
		Connection *c = first_waiting;

		wait_no_more(c);
		answer_continue(c);
	}
}
