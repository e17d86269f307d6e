/*-------------------------------------------------------------------------
 *
 * scrub_fuzz.c
 *		Whatever the text and whatever the key, what is left of it fits, and
 *		no six characters of the key are in it.
 *
 * The first 32 bytes are the key, made into letters and digits.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "../../src/courier/scrub.h"
#include "fuzz.h"

#define KEY_SIZE	32
#define PIECE		6

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char letters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab";
	char		key[KEY_SIZE + 1] = "";
	char		out[501];
	char	   *text;
	Secret		secret = {(uint8_t *) key, KEY_SIZE};

	if (size < KEY_SIZE)
		return 0;
	for (size_t i = 0; i < KEY_SIZE; i++)
		key[i] = letters[data[i] % 64];
	text = malloc(size - KEY_SIZE + 1);
	memcpy(text, data + KEY_SIZE, size - KEY_SIZE);
	text[size - KEY_SIZE] = '\0';
	memset(out, 'x', sizeof(out));
	scrub_text(out, sizeof(out), text, &secret);
	insist(memchr(out, '\0', sizeof(out)) != NULL);
	for (size_t i = 0; i + PIECE <= KEY_SIZE; i++)
	{
		char		piece[PIECE + 1] = "";

		memcpy(piece, key + i, PIECE);
		insist(strstr(out, piece) == NULL);
	}
	free(text);
	return 0;
}
