/*-------------------------------------------------------------------------
 *
 * frame.c
 *		Frames between worker and courier: the head's bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "frame.h"

static void
put16(uint8_t *out, uint16_t value)
{
	out[0] = (uint8_t) value;
	out[1] = (uint8_t) (value >> 8);
}

static void
put32(uint8_t *out, uint32_t value)
{
	put16(out, (uint16_t) value);
	put16(out + 2, (uint16_t) (value >> 16));
}

static void
put64(uint8_t *out, uint64_t value)
{
	put32(out, (uint32_t) value);
	put32(out + 4, (uint32_t) (value >> 32));
}

static uint16_t
get16(const uint8_t *in)
{
	return (uint16_t) (in[0] | in[1] << 8);
}

static uint32_t
get32(const uint8_t *in)
{
	return get16(in) | (uint32_t) get16(in + 2) << 16;
}

static uint64_t
get64(const uint8_t *in)
{
	return get32(in) | (uint64_t) get32(in + 4) << 32;
}

void
frame_encode(FrameHead *head, uint8_t out[FRAME_HEAD_SIZE])
{
	int			i;

	head->len = FRAME_HEAD_SIZE + head->key_len + head->json_len +
		head->picture_len;

	put32(out, head->len);
	out[4] = head->type;
	out[5] = head->flags;
	put16(out + 6, head->key_len);
	put64(out + 8, head->tag);
	for (i = 0; i < 16; i++)
		out[16 + i] = head->id[i];
	put32(out + 32, head->attempt);
	put32(out + 36, head->status);
	put32(out + 40, head->json_len);
	put32(out + 44, head->picture_len);
}

bool
frame_decode(const uint8_t in[FRAME_HEAD_SIZE], FrameHead *head)
{
	int			i;

	head->len = get32(in);
	head->type = in[4];
	head->flags = in[5];
	head->key_len = get16(in + 6);
	head->tag = get64(in + 8);
	for (i = 0; i < 16; i++)
		head->id[i] = in[16 + i];
	head->attempt = get32(in + 32);
	head->status = get32(in + 36);
	head->json_len = get32(in + 40);
	head->picture_len = get32(in + 44);

	if (head->type < FRAME_SETTINGS || head->type > FRAME_ERRAND_DONE)
		return false;

	/* each below its limit first, so that the sum cannot wrap around */
	if (head->key_len > FRAME_MAX_KEY || head->json_len > FRAME_MAX_JSON ||
		head->picture_len > FRAME_MAX_PICTURE)
		return false;
	return head->len == FRAME_HEAD_SIZE + head->key_len + head->json_len +
		head->picture_len;
}
