/*-------------------------------------------------------------------------
 *
 * frame_test.c
 *		Heads come back as they went, lie in memory as written down, and
 *		nonsense does not decode.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/protocol/frame.h"
#include "check.h"

static FrameHead
example(void)
{
	FrameHead	head = {
		.type = FRAME_JOB,.flags = FRAME_FLAG_WROTE,.key_len = 0x0102,
		.tag = UINT64_C(0x1112131415161718),.attempt = 0x21222324,
		.status = 0x31323334,.json_len = 0x00010203,
		.picture_len = 0x00040506
	};
	int			i;

	for (i = 0; i < 16; i++)
		head.id[i] = (uint8_t) (0xa0 + i);
	return head;
}

static void
check_form(void)
{
	static const uint8_t expected[FRAME_HEAD_SIZE] = {
		0x3b, 0x08, 0x05, 0x00, 0x02, 0x01, 0x02, 0x01,
		0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
		0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
		0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
		0x24, 0x23, 0x22, 0x21, 0x34, 0x33, 0x32, 0x31,
		0x03, 0x02, 0x01, 0x00, 0x06, 0x05, 0x04, 0x00
	};
	FrameHead	head = example();
	FrameHead	back;
	uint8_t		bytes[FRAME_HEAD_SIZE];

	frame_encode(&head, bytes);
	CHECK(head.len == FRAME_HEAD_SIZE + 0x0102 + 0x00010203 + 0x00040506,
		  "encoding fills in the length");
	CHECK(memcmp(bytes, expected, sizeof(bytes)) == 0,
		  "a head is little-endian, in the order of the contract");
	memset(&back, 0, sizeof(back));
	CHECK(frame_decode(bytes, &back) && back.len == head.len &&
		  back.type == head.type && back.flags == head.flags &&
		  back.key_len == head.key_len && back.tag == head.tag &&
		  memcmp(back.id, head.id, sizeof(head.id)) == 0 &&
		  back.attempt == head.attempt && back.status == head.status &&
		  back.json_len == head.json_len &&
		  back.picture_len == head.picture_len,
		  "a head comes back as it went");
}

static void
check_limits(void)
{
	FrameHead	head = example();
	uint8_t		bytes[FRAME_HEAD_SIZE];
	int			wrong = 0;
	int			type;
	int			i;

	for (type = 0; type < 256; type++)
	{
		head.type = (uint8_t) type;
		frame_encode(&head, bytes);
		if (frame_decode(bytes, &head) !=
			(type >= FRAME_SETTINGS && type <= FRAME_ERRAND_DONE))
			wrong++;
		head = example();
	}
	CHECK(wrong == 0, "no type decodes but the known ones");

	head.key_len = FRAME_MAX_KEY;
	head.json_len = FRAME_MAX_JSON;
	head.picture_len = FRAME_MAX_PICTURE;
	frame_encode(&head, bytes);
	CHECK(frame_decode(bytes, &head), "the largest frame decodes");

	head = example();
	head.key_len = FRAME_MAX_KEY + 1;
	frame_encode(&head, bytes);
	CHECK(!frame_decode(bytes, &head), "a key over its limit does not");

	head = example();
	head.json_len = FRAME_MAX_JSON + 1;
	frame_encode(&head, bytes);
	CHECK(!frame_decode(bytes, &head), "nor JSON over its limit");

	head = example();
	head.picture_len = FRAME_MAX_PICTURE + 1;
	frame_encode(&head, bytes);
	CHECK(!frame_decode(bytes, &head), "nor a picture over its limit");

	head = example();
	head.picture_len = UINT32_MAX;
	head.json_len = 1 + UINT32_MAX - FRAME_HEAD_SIZE;
	frame_encode(&head, bytes);
	CHECK(!frame_decode(bytes, &head), "nor lengths whose sum wraps around");

	wrong = 0;
	for (i = 0; i < 32; i++)
	{
		head = example();
		frame_encode(&head, bytes);
		bytes[i / 8] ^= (uint8_t) (1 << i % 8);
		if (frame_decode(bytes, &head))
			wrong++;
	}
	CHECK(wrong == 0, "a length that is not the sum does not decode");
}

int
main(void)
{
	check_form();
	check_limits();
	return check_done();
}
