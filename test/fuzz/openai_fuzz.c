/*-------------------------------------------------------------------------
 *
 * openai_fuzz.c
 *		Whatever a server of the OpenAI protocol answers ends in pictures or
 *		in a fault with a message, never with a key in it; and nothing that
 *		may have cost is asked for again.
 *
 * The first byte chooses the status, the second whether the answer is a
 * stream and whether it came to its end; the rest is the body.
 *
 *-------------------------------------------------------------------------
 */
#include "../unit/play.h"

extern const ProviderAdapter provider_openai;
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key[] = "sk-test0123456789abcdefghijklmnop";

static const long statuses[] = {
	200, 200, 200, 201, 302, 400, 401, 403, 404, 429, 500, 503,
};

static void
insist(bool holds)
{
	if (!holds)
		abort();
}

static void
check_pictures(const Outcome *outcome)
{
	insist(outcome->picture_count >= 1);
	insist(outcome->picture_count <= MAX_PICTURES);
	insist(outcome->missing_billed >= 0);
	insist(outcome->note == NULL || strstr(outcome->note, key) == NULL);
	for (int i = 0; i < outcome->picture_count; i++)
	{
		const OutcomePicture *picture = &outcome->pictures[i];

		insist((picture->picture.len > 0) != (picture->url != NULL));
		insist(picture->revised_prompt == NULL ||
			   strstr(picture->revised_prompt, key) == NULL);
	}
}

static void
check_fault(const Fault *fault, long status)
{
	insist(fault->class != FAULT_NONE && fault->message[0] != '\0');
	insist(strstr(fault->message, key) == NULL);
	insist(!fault->may_repeat || !fault->may_have_cost);
	insist(!fault->may_repeat || status == 429 || status == 503);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Play		play;
	long		status;
	Next		next;

	if (size < 2)
		return 0;
	play_begin(&play, &provider_openai, "https://api.openai.com/v1", key,
			   "gpt-image-2", json_pack("{s:b, s:i}", "stream", 1, "n", 2),
			   json_object(), NULL);
	insist(play_step(&play) == NEXT_SEND);

	status = statuses[data[0] % (sizeof(statuses) / sizeof(statuses[0]))];
	if ((data[1] & 1) != 0)
		play_reply_header(&play, "content-type", "text/event-stream");
	if ((data[1] & 2) != 0)
		play.x.reply.transport = TRANSPORT_RESET_BODY;
	next = play_answer(&play, status,
					   arena_strndup(play.x.arena, (const char *) data + 2,
									 size - 2), 1 + (data[1] >> 2));
	insist(next == NEXT_DONE || next == NEXT_FAIL);
	if (next == NEXT_DONE)
		check_pictures(&play.outcome);
	else
		check_fault(&play.x.fault, status);
	play_end(&play);
	return 0;
}
