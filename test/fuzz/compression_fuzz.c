/*-------------------------------------------------------------------------
 *
 * compression_fuzz.c
 *		Whatever lies in an archive: what is unpacked stays within its limit,
 *		and what was packed comes back.
 *
 * The first two bytes are the limit.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "../../src/courier/compression.h"
#include "fuzz.h"

static void
check_round_trip(const Picture *content)
{
	Picture		packed;
	Picture		again;

	insist(compression_pack(content, &packed));
	insist(compression_unpack(&packed, content->len, &again) == NULL);
	insist(again.len == content->len);
	insist(again.len == 0 ||
		   memcmp(again.bytes, content->bytes, again.len) == 0);
	if (content->len > 0)
	{
		free(again.bytes);
		insist(compression_unpack(&packed, content->len - 1, &again) != NULL);
	}
	free(again.bytes);
	free(packed.bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Picture		given;
	Picture		content;
	size_t		max;
	const char *problem;

	if (size < 2)
		return 0;
	max = (size_t) data[0] << 8 | data[1];
	given = (Picture)
	{
		(uint8_t *) data + 2, size - 2, false
	};
	problem = compression_unpack(&given, max, &content);
	insist((problem == NULL) == (content.bytes != NULL));
	insist(content.len <= max);
	if (problem == NULL)
		check_round_trip(&content);
	free(content.bytes);
	check_round_trip(&given);
	return 0;
}
