/*-------------------------------------------------------------------------
 *
 * loop.h
 *		What happens on file descriptors, and when time is up.
 *
 * One per process.  Time is CLOCK_MONOTONIC in milliseconds.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_LOOP_H
#define BAMBI_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOP_READ	1
#define LOOP_WRITE	2
/* Only reported: the other side is gone, or there is an error. */
#define LOOP_HANGUP	4

typedef void (*LoopReady) (int fd, int events);

/* Embedded in what waits; zeroed is a timer that does not run. */
typedef struct LoopTimer
{
	int64_t		at;
	size_t		place;			/* in the heap, from 1; 0 while it is not set */
	void		(*expired) (struct LoopTimer *timer);
	void	   *owner;
} LoopTimer;

extern void loop_start(void);

/*
 * Calls ready when one of events happens on fd, until it is called again for
 * the same fd; events 0 watches nothing.
 */
extern void loop_watch(int fd, int events, LoopReady ready);

/* To be called before fd is closed. */
extern void loop_forget(int fd);

/* Calls timer->expired once, ms from now; sets a running timer anew. */
extern void loop_set_timer(LoopTimer *timer, int64_t ms);
extern void loop_stop_timer(LoopTimer *timer);

/* Waits for something to happen, and lets all of it happen once. */
extern void loop_turn(void);

/* The time at which this turn began to work. */
extern int64_t loop_now(void);

/* Milliseconds that have passed since then. */
extern int64_t loop_lag(void);

#endif							/* BAMBI_LOOP_H */
