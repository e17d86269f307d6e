/*-------------------------------------------------------------------------
 *
 * budget.c
 *		How many bytes of pictures may be in memory.
 *
 *-------------------------------------------------------------------------
 */
#include "budget.h"

static size_t limit;
static size_t held;				/* by all shares */
static Share *first;			/* of those that wait */
static Share *last;

static bool
grant(Share *share, size_t len)
{
	if (held > 0 && (held > limit || len > limit - held))
		return false;
	held += len;
	share->held += len;
	return true;
}

static void
grant_waiting(void)
{
	while (first != NULL && grant(first, first->wanted))
	{
		Share	   *share = first;

		first = share->next;
		if (first == NULL)
			last = NULL;
		share->next = NULL;
		share->wanted = 0;
		share->granted(share);
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
	if (first == NULL && grant(share, len))
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
budget_release(Share *share)
{
	if (share->wanted > 0)
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
		share->wanted = 0;
	}
	if (share->held > 0)
	{
		held -= share->held;
		share->held = 0;
		grant_waiting();
	}
}
