/*-------------------------------------------------------------------------
 *
 * budget.h
 *		How many bytes of pictures may be in memory, arriving or waiting for
 *		the worker to take them.
 *
 * One per process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_BUDGET_H
#define BAMBI_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

/* What one holder has of the budget; zeroed is one that has nothing. */
typedef struct Share
{
	size_t		held;
	size_t		wanted;			/* while it waits */
	struct Share *whole;		/* what it is a part of, or NULL */
	void		(*granted) (struct Share *share);
	void	   *owner;
	struct Share *next;			/* in the line of those that wait */
} Share;

extern void budget_set(size_t limit);

/*
 * Asks for len bytes, or for as many more.  False if they are not there:
 * share->granted is called once they are, in the order of asking.
 *
 * One can always go on: whoever asks while nobody holds anything is granted
 * any length; and of those that hold something and ask for more, themselves or
 * by their parts, one at a time is granted that, whatever the limit, until it
 * is released or asks for no more.
 */
extern bool budget_ask(Share *share, size_t len);

/* Notes that the share has grown to len bytes, whatever the budget says. */
extern void budget_grow(Share *share, size_t len);

/* Holds len bytes from now on, and asks for no more. */
extern void budget_keep(Share *share, size_t len);

/* Gives all of it back, or leaves the line. */
extern void budget_release(Share *share);

#endif							/* BAMBI_BUDGET_H */
