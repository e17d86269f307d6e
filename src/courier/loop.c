/*-------------------------------------------------------------------------
 *
 * loop.c
 *		What happens on file descriptors, and when time is up: epoll and a
 *		heap of timers.
 *
 * The hard part is what is not done.  libcurl stops watching a socket at the
 * end of each call and watches it again when the kept connection serves the
 * next one; told to the kernel at once, that were two system calls a job.
 * So "watch nothing" is only noted, and the kernel is told when an event
 * comes that nobody wants.
 *
 *-------------------------------------------------------------------------
 */
#include "loop.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/epoll.h>

#define EVENTS_PER_TURN	256

typedef struct Watch
{
	LoopReady	ready;
	uint8_t		wanted;			/* LOOP_READ | LOOP_WRITE */
	uint8_t		told;			/* what the kernel watches */
	bool		is_known;		/* to the kernel */
} Watch;

static int	epoll_fd = -1;
static Watch *watches;			/* by file descriptor */
static size_t watches_size;
static LoopTimer **heap;		/* from 1; the earliest first */
static size_t heap_count;
static size_t heap_size;
static int64_t now_ms;

static int64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
loop_start(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		abort();
	now_ms = clock_ms();
}

int64_t
loop_now(void)
{
	return now_ms;
}

int64_t
loop_lag(void)
{
	return clock_ms() - now_ms;
}

static void
tell_kernel(int fd, Watch *watch, int operation)
{
	struct epoll_event event = {.data.fd = fd};

	if (watch->wanted & LOOP_READ)
		event.events |= EPOLLIN;
	if (watch->wanted & LOOP_WRITE)
		event.events |= EPOLLOUT;
	watch->is_known = epoll_ctl(epoll_fd, operation, fd, &event) == 0 &&
		operation != EPOLL_CTL_DEL;
	watch->told = watch->wanted;
}

void
loop_watch(int fd, int events, LoopReady ready)
{
	Watch	   *watch;

	if ((size_t) fd >= watches_size)
	{
		size_t		size = ((size_t) fd + 1) * 2;

		watches = realloc(watches, size * sizeof(Watch));
		if (watches == NULL)
			abort();
		memset(watches + watches_size, 0,
			   (size - watches_size) * sizeof(Watch));
		watches_size = size;
	}
	watch = &watches[fd];
	watch->ready = ready;
	watch->wanted = (uint8_t) events;
	if (events == 0 || (watch->is_known && watch->told == watch->wanted))
		return;
	tell_kernel(fd, watch,
				watch->is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD);
}

void
loop_forget(int fd)
{
	if ((size_t) fd >= watches_size)
		return;
	if (watches[fd].is_known)
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	memset(&watches[fd], 0, sizeof(Watch));
}

static void
put(size_t place, LoopTimer *timer)
{
	heap[place] = timer;
	timer->place = place;
}

/* Moves the timer from a free place to where it belongs. */
static void
settle(size_t place, LoopTimer *timer)
{
	while (place > 1 && heap[place / 2]->at > timer->at)
	{
		put(place, heap[place / 2]);
		place /= 2;
	}
	for (;;)
	{
		size_t		child = place * 2;

		if (child > heap_count)
			break;
		if (child < heap_count && heap[child + 1]->at < heap[child]->at)
			child++;
		if (heap[child]->at >= timer->at)
			break;
		put(place, heap[child]);
		place = child;
	}
	put(place, timer);
}

void
loop_set_timer(LoopTimer *timer, int64_t ms)
{
	timer->at = clock_ms() + (ms > 0 ? ms : 0);
	if (timer->place == 0)
	{
		if (++heap_count >= heap_size)
		{
			heap_size = heap_count * 2;
			heap = realloc(heap, heap_size * sizeof(*heap));
			if (heap == NULL)
				abort();
		}
		timer->place = heap_count;
		heap[heap_count] = timer;
	}
	settle(timer->place, timer);
}

void
loop_stop_timer(LoopTimer *timer)
{
	size_t		place = timer->place;

	if (place == 0)
		return;
	timer->place = 0;
	heap_count--;
	if (place <= heap_count)
		settle(place, heap[heap_count + 1]);
}

static void
run_timers(void)
{
	/* only what is due now: a timer set meanwhile waits for the next turn */
	int64_t		due = now_ms;

	while (heap_count > 0 && heap[1]->at <= due)
	{
		LoopTimer  *timer = heap[1];

		loop_stop_timer(timer);
		timer->expired(timer);
		if (heap_count > 0 && heap[1] == timer && timer->at <= due)
			break;
	}
}

void
loop_turn(void)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int			timeout = -1;
	int			count;
	int			i;

	if (heap_count > 0)
	{
		int64_t		left = heap[1]->at - clock_ms();

		timeout = left <= 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int) left;
	}
	count = epoll_wait(epoll_fd, events, EVENTS_PER_TURN, timeout);
	now_ms = clock_ms();

	for (i = 0; i < count; i++)
	{
		int			fd = events[i].data.fd;
		Watch	   *watch = &watches[fd];
		int			happened = 0;

		if (events[i].events & EPOLLIN)
			happened |= LOOP_READ;
		if (events[i].events & EPOLLOUT)
			happened |= LOOP_WRITE;
		if (events[i].events & (EPOLLERR | EPOLLHUP))
			happened |= LOOP_HANGUP;

		if (watch->wanted != 0)
			watch->ready(fd, happened);
		else if (watch->is_known)
			tell_kernel(fd, watch, EPOLL_CTL_DEL);
	}
	run_timers();
}
