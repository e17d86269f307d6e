/*-------------------------------------------------------------------------
 *
 * budget_test.c
 *		Who may hold how many bytes, who waits, and that somebody always goes
 *		on.
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/courier/budget.h"

#include "check.h"

#define LIMIT	100

typedef struct Holder
{
	Share		share;			/* first, so that one is the other */
	int			grants;
} Holder;

static void
count(Share *share)
{
	((Holder *) share)->grants++;
}

static Holder
holder(void)
{
	Holder		fresh = {.share.granted = count};

	return fresh;
}

static void
test_line(void)
{
	Holder		a = holder();
	Holder		b = holder();
	Holder		c = holder();

	CHECK(budget_ask(&a.share, 60), "what there is room for is granted");
	CHECK(!budget_ask(&b.share, 60), "what there is no room for waits");
	CHECK(!budget_ask(&c.share, 10), "and so does who comes later");
	budget_release(&a.share);
	CHECK(b.grants == 1 && c.grants == 1 && b.share.held == 60 &&
		  c.share.held == 10, "until there is room");
	budget_release(&b.share);
	budget_release(&c.share);
	CHECK(budget_ask(&a.share, 2 * LIMIT),
		  "who asks while nobody holds anything is granted any length");
	CHECK(!budget_ask(&b.share, 1), "and all others wait");
	budget_release(&b.share);
	budget_release(&a.share);
	CHECK(b.grants == 1, "who has left the line is granted nothing");
}

static void
test_growth(void)
{
	Holder		a = holder();
	Holder		b = holder();
	Holder		c = holder();
	Holder		d = holder();

	budget_ask(&a.share, 40);
	budget_ask(&b.share, 30);
	CHECK(budget_ask(&a.share, 20) && a.share.held == 60,
		  "a share grows while there is room");
	budget_ask(&c.share, 10);
	CHECK(budget_ask(&a.share, 50) && a.share.held == 110,
		  "one share may grow beyond all");
	CHECK(budget_ask(&a.share, 50), "as often as it must");
	CHECK(!budget_ask(&b.share, 60), "but no second one meanwhile");
	CHECK(!budget_ask(&d.share, 5), "nor anybody who has nothing yet");
	budget_grow(&c.share, 20);
	budget_release(&a.share);
	CHECK(b.grants == 1 && b.share.held == 90,
		  "after its end it is the next one's turn");
	CHECK(!budget_ask(&c.share, 10), "who then is the only one");
	budget_release(&b.share);
	CHECK(d.grants == 1 && c.grants == 1, "until all have had theirs");
	budget_release(&c.share);
	budget_release(&d.share);
}

/* Two that have all of it, a third in front of them in the line. */
static void
test_standstill(void)
{
	Holder		a = holder();
	Holder		b = holder();
	Holder		c = holder();
	Holder		d = holder();

	budget_ask(&a.share, 50);
	budget_ask(&b.share, 40);
	budget_ask(&c.share, 10);
	CHECK(!budget_ask(&d.share, 60), "a large one waits");
	CHECK(budget_ask(&a.share, 10), "the first that grows goes on");
	CHECK(!budget_ask(&b.share, 10) && !budget_ask(&c.share, 10),
		  "the others wait behind the large one");
	budget_release(&a.share);
	CHECK(b.grants == 1 && c.grants == 0 && d.grants == 0,
		  "one of them goes on, although the large one cannot");
	budget_release(&b.share);
	budget_release(&c.share);
	CHECK(d.grants == 1, "which has its turn, too");
	budget_release(&d.share);
}

/* A job that holds pictures, and asks for the next by its calls. */
static void
test_parts(void)
{
	Holder		a = holder();
	Holder		b = holder();
	Holder		part_of_a = {.share = {.granted = count,.whole = &a.share}};
	Holder		part_of_b = {.share = {.granted = count,.whole = &b.share}};
	Holder		c = holder();

	budget_grow(&a.share, 60);
	budget_grow(&b.share, 60);
	CHECK(budget_ask(&part_of_a.share, 10),
		  "whoever holds something goes on by its parts");
	CHECK(!budget_ask(&part_of_b.share, 10) && !budget_ask(&c.share, 10),
		  "and nobody else");
	budget_release(&part_of_a.share);
	CHECK(part_of_b.grants == 0, "even between two of them");
	CHECK(budget_ask(&part_of_a.share, 10), "that is, with the next");
	budget_release(&part_of_a.share);
	budget_keep(&a.share, 50);
	CHECK(part_of_b.grants == 1 && c.grants == 0,
		  "until it asks for no more: then it is the next one's turn");
	budget_release(&part_of_b.share);
	budget_release(&b.share);
	CHECK(c.grants == 1 && a.share.held == 50,
		  "and of those that hold nothing, once there is room");
	budget_release(&c.share);
	budget_release(&a.share);
	CHECK(budget_ask(&c.share, LIMIT), "all is given back");
	budget_release(&c.share);
}

int
main(void)
{
	budget_set(LIMIT);
	test_parts();
	test_line();
	test_growth();
	test_standstill();
	return check_done();
}
