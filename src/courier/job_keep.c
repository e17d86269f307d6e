/*-------------------------------------------------------------------------
 *
 * job_keep.c
 *		A job's pictures: what they are, and into their store.
 *
 * They are paid for, so from here on the job can only succeed.  A store that
 * is down is waited for; where that may not be, they go into the database with
 * the answer.
 *
 *-------------------------------------------------------------------------
 */
#include "work.h"

#include <stdlib.h>
#include <string.h>

#include "../protocol/picture.h"
#include "hash.h"
#include "link.h"
#include "point.h"
#include "spool.h"
#include "stores.h"

/* Between attempts to put a picture; it doubles from the first on. */
#define FIRST_PUT_DELAY_MS	500
#define LONGEST_PUT_DELAY_MS	(30 * 1000)

#define WARN_EVERY_MS	(60 * 1000)

/* What has bytes and goes with the answer, whatever store it was meant for. */
#define FALLBACK_STORE	"database"

/* Set when there is no time to wait for a store any more. */
static bool nothing_is_put_off;

static void store_next(Work *work);

/* ---- the pictures ---- */

/*
 * Keeps those that are pictures.  One bad among several is no reason to
 * throw away what was paid for.
 */
static void
take_pictures(Work *work)
{
	size_t		held = 0;
	int			i;

	for (i = 0; i < work->outcome.picture_count; i++)
	{
		OutcomePicture *from = &work->outcome.pictures[i];
		AnswerPicture *to = &work->pictures[work->picture_count];
		PictureFacts facts;

		if (from->picture.bytes != NULL && !from->picture.is_broken &&
			from->picture.len <= FRAME_MAX_PICTURE &&
			picture_sniff(from->picture.bytes, from->picture.len,
						  &facts) == PICTURE_OK &&
			hash_hex(from->picture.bytes, from->picture.len, to->sha256))
		{
			to->picture = from->picture;
			to->format = facts.format;
			to->width = facts.width;
			to->height = facts.height;
			to->revised_prompt = from->revised_prompt;
			to->store = work->order.store->name;
			to->is_sent = work->order.store->sends_bytes;
			work->picture_count++;
			held += to->picture.len;
		}
		else
			free(from->picture.bytes);
		from->picture.bytes = NULL;
	}
	budget_keep(&work->share, held);
}

void
work_keep_pictures(Work *work)
{
	take_pictures(work);
	if (work->picture_count == 0)
	{
		/* of the ways not to be had, this one is for the operator to mend */
		exchange_fail(&work->runner.x,
					  work->unfetched == FAULT_ADDRESS_REFUSED ?
					  FAULT_ADDRESS_REFUSED : FAULT_UNKNOWN,
					  work->outcome.note != NULL ? work->outcome.note :
					  "the provider's answer holds no usable picture");
		/* whoever has answered with pictures takes money for them */
		work->runner.x.fault.charged = work->wrote ? CHARGED_YES : CHARGED_NO;
		work_finish(work, &work->runner.x.fault);
		return;
	}
	store_next(work);
}

/* ---- the store ---- */

static StoredImage
image_of(const Work *work, const AnswerPicture *pictures, int i)
{
	StoredImage image = {
		.user = work->order.user,
		.generation = work->job->id_text,
		.position = i + 1,
		.format = pictures[i].format,
		.sha256 = pictures[i].sha256,
		.picture = &pictures[i].picture,
	};

	return image;
}

static Next
step_store(Runner *runner)
{
	Work	   *work = runner->owner;
	AnswerPicture *picture = &work->pictures[work->stored];
	StoredImage image = image_of(work, work->pictures, work->stored);
	char	   *location = NULL;
	Next		next = work->order.store->put(&runner->x, &image, &location);

	picture->location = location;
	return next;
}

/*
 * From the one that is due on, they go with the answer instead: the worker
 * puts them into the database, and nothing is lost.  A put that failed may have
 * arrived all the same, or a later one will, before we die: what is left in the
 * store then is to be erased.
 */
static void
send_instead(Work *work, AnswerPicture *pictures)
{
	const StoreAdapter *store = work->order.store;

	stores_prepare(store, &work->runner.x);
	for (int i = work->stored; i < work->picture_count; i++)
	{
		StoredImage image = image_of(work, pictures, i);

		if (store->place != NULL)
		{
			pictures[i].left_in = store->name;
			pictures[i].left_at = store->place(&work->runner.x, &image);
		}
		pictures[i].store = FALLBACK_STORE;
		pictures[i].location = NULL;
		pictures[i].url = NULL;
		pictures[i].is_sent = true;
	}
}

/*
 * A store is down, and we may die before it is up again: what was paid for
 * lies in the spool meanwhile.
 */
static void
insure(Work *work)
{
	Job		   *job = work->job;
	Fault		nothing = work_no_fault(work);
	AnswerFacts facts = work_facts(job, RESULT_SUCCEEDED, &nothing);
	AnswerPicture copies[MAX_PICTURES];
	Answer		copy;

	memcpy(copies, work->pictures, sizeof(copies));
	send_instead(work, copies);
	for (int i = 0; i < work->picture_count; i++)
	{
		Picture    *picture = &copies[i].picture;
		uint8_t    *bytes = malloc(picture->len);

		if (bytes == NULL)
			abort();
		memcpy(bytes, picture->bytes, picture->len);
		picture->bytes = bytes;
	}
	facts.pictures = copies;
	answer_build(&copy, &facts);
	job->is_insured = spool_write(job->id_text, job->attempt, copy.parts,
								  copy.part_count);
	answer_free(&copy);
	POINT("picture-insured");
}

static void
put_again(LoopTimer *timer)
{
	store_next(timer->owner);
}

/* Not once for each of hundreds of pictures. */
static void
warn(const StoreAdapter *store, const Fault *fault)
{
	static int64_t warned_at;

	if (warned_at != 0 && loop_now() - warned_at < WARN_EVERY_MS)
		return;
	warned_at = loop_now();
	link_log(LEVEL_WARNING, "store \"%s\": %s", store->name, fault->message);
}

/*
 * Waits for the store, for as long as it takes and somebody waits for us; but
 * not for one that is up and will never take such a picture.
 */
static void
put_off(Work *work)
{
	const Fault *fault = &work->runner.x.fault;
	int64_t		delay = LONGEST_PUT_DELAY_MS;

	warn(work->order.store, fault);
	if (nothing_is_put_off || fault->class == FAULT_BAD_REQUEST)
	{
		send_instead(work, work->pictures);
		work_succeed(work);
		return;
	}
	if (!work->job->is_insured)
		insure(work);
	work->put_failures++;
	if (work->put_failures < 8)
		delay = FIRST_PUT_DELAY_MS << (work->put_failures - 1);
	if (fault->retry_after_ms > delay)
		delay = fault->retry_after_ms;
	work->put_timer.owner = work;
	work->put_timer.expired = put_again;
	loop_set_timer(&work->put_timer, delay < LONGEST_PUT_DELAY_MS ? delay :
				   LONGEST_PUT_DELAY_MS);
}

/* Where anybody may fetch it for good, if the store says so without asking. */
static void
note_url(Work *work, AnswerPicture *picture)
{
	const StoreAdapter *store = work->order.store;
	Exchange   *x = &work->runner.x;
	char	   *url = NULL;

	x->step = 0;
	if (picture->location != NULL && store->link != NULL &&
		store->link(x, picture->location, 0, &url) == NEXT_DONE)
		picture->url = url;
}

static void
store_ended(Runner *runner, Next next)
{
	Work	   *work = runner->owner;

	exchange_clear_reply(&runner->x);
	if (next == NEXT_DONE)
	{
		work->put_failures = 0;
		note_url(work, &work->pictures[work->stored++]);
		store_next(work);
	}
	else
		put_off(work);
}

static void
store_next(Work *work)
{
	Runner	   *runner = &work->runner;
	const StoreAdapter *store = work->order.store;
	const char *problem;

	if (work->stored == work->picture_count)
	{
		work_succeed(work);
		return;
	}
	/* it may have gone since: the settings are read again */
	problem = stores_problem(store);
	if (problem != NULL)
	{
		exchange_fail(&runner->x, FAULT_STORE_DOWN, problem);
		put_off(work);
		return;
	}
	stores_prepare(store, &runner->x);
	runner->ranges = stores_ranges(&runner->range_count);
	runner->deadline = loop_now() + STORE_TIMEOUT_MS;
	runner->step = step_store;
	runner->ended = store_ended;
	runner_start(runner);
}

bool
work_keep_in_database(Work *work)
{
	loop_stop_timer(&work->put_timer);
	if (work->picture_count == 0)
	{
		/* cut short while some were still asked for, or fetched */
		take_pictures(work);
		work->outcome.note =
			"the courier had to end before all pictures came";
	}
	if (work->picture_count == 0)
		return false;
	send_instead(work, work->pictures);
	work_succeed(work);
	return true;
}

void
job_put_nothing_off(void)
{
	nothing_is_put_off = true;
}

void
job_stop_waiting(Job *job)
{
	if (job->work == NULL || job->work->put_timer.place == 0)
		return;
	loop_stop_timer(&job->work->put_timer);
	send_instead(job->work, job->work->pictures);
	work_succeed(job->work);
}
