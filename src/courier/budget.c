/*-------------------------------------------------------------------------
 *
 * budget.c
 *		How many bytes of pictures may be in memory.
 *
 * Whoever holds some and waits for more gives nothing back meanwhile; if all
 * did, nobody would ever go on.  So one of them is the favoured one, until it
 * ends.
 *
 *-------------------------------------------------------------------------
 */
#include "budget.h"

static size_t limit;
static size_t held;				/* by all shares */
static Share *first;			/* of those that wait */
static Share *last;
static Share *favoured;			/* may pass the limit; it and its parts never
								 * wait */

static void
give(Share *share, size_t len)
{
	held += len;
	share->held += len;
}

static bool
grant(Share *share, size_t len)
{
	if (held > 0 && (held > limit || len > limit - held))
		return false;
	give(share, len);
	return true;
}

static Share *
whole_of(Share *share)
{
	return share->whole != NULL ? share->whole : share;
}

static bool
favour(Share *share, size_t len)
{
	Share	   *whole = whole_of(share);

	if ((share->held == 0 && whole->held == 0) ||
		(favoured != NULL && favoured != whole))
		return false;
	favoured = whole;
	give(share, len);
	return true;
}

static void
leave_line(Share *share)
{
	Share	  **link = &first;
	Share	   *before = NULL;

	while (*link != share)
	{
		before = *link;
		link = &before->next;
	}
	*link = share->next;
	if (last == share)
		last = before;
	share->next = NULL;
	share->wanted = 0;
}

/* Whoever is granted something may ask for more at once. */
static void
grant_waiting(void)
{
	Share	   *share;

	while (first != NULL && grant(first, first->wanted))
	{
		share = first;
		leave_line(share);
		share->granted(share);
	}
	for (share = first; share != NULL; share = share->next)
	{
		if (favour(share, share->wanted))
		{
			leave_line(share);
			share->granted(share);
			return;
		}
	}
}

void
budget_set(size_t new_limit)
{
	limit = new_limit;
	grant_waiting();
}

bool
budget_ask(Share *share, size_t len)
{
	if ((first == NULL && grant(share, len)) || favour(share, len))
		return true;
	share->wanted = len;
	share->next = NULL;
	if (last != NULL)
		last->next = share;
	else
		first = share;
	last = share;
	return false;
}

void
budget_grow(Share *share, size_t len)
{
	if (len > share->held)
	{
		held += len - share->held;
		share->held = len;
	}
}

void
budget_keep(Share *share, size_t len)
{
	bool		frees = favoured == share || len < share->held;

	if (favoured == share)
		favoured = NULL;
	held = held - share->held + len;
	share->held = len;
	if (frees)
		grant_waiting();
}

void
budget_release(Share *share)
{
	if (share->wanted > 0)
		leave_line(share);
	budget_keep(share, 0);
}
