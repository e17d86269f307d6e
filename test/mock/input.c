/*-------------------------------------------------------------------------
 *
 * input.c
 *		Reads pictures out of requests, and tells a picture from the rest.
 *
 *-------------------------------------------------------------------------
 */
#include "input.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

unsigned char *
input_room(size_t count)
{
	unsigned char *room = malloc((count + 1) * (MAX_IMAGE_URL / 4 * 3));

	if (room == NULL)
		abort();
	return room;
}

bool
input_read_base64(const char *base64, Input *input, unsigned char **room)
{
	size_t		length = strlen(base64);
	int			decoded;

	if (length < 4 || length > MAX_IMAGE_URL)
		return false;
	decoded = EVP_DecodeBlock(*room, (const unsigned char *) base64, length);
	if (decoded < 0)
		return false;
	input->bytes = *room;
	input->length = decoded - (base64[length - 1] == '=') -
		(base64[length - 2] == '=');
	*room += decoded;
	return true;
}

bool
input_read(const char *url, const char *file_id, Input *input,
		   unsigned char **room)
{
	const char *data;

	if ((url == NULL) == (file_id == NULL))
		return false;
	if (url != NULL && strncmp(url, "data:", 5) == 0)
	{
		data = strstr(url, ";base64,");
		return data != NULL && input_read_base64(data + 8, input, room);
	}
	if (url != NULL && strncmp(url, "https://", 8) != 0 &&
		strncmp(url, "http://127.0.0.1", 16) != 0)
		return false;
	input->bytes = url != NULL ? url : file_id;
	input->length = strlen(input->bytes);
	return true;
}

bool
input_is_reference(const Input *input)
{
	return (input->length > 4 && memcmp(input->bytes, "http", 4) == 0) ||
		(input->length > 5 && memcmp(input->bytes, "file-", 5) == 0);
}

bool
input_is_png(const Input *input)
{
	return input->length > 33 &&
		memcmp(input->bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

bool
input_is_picture(const Input *input)
{
	const char *bytes = input->bytes;

	return input_is_png(input) ||
		(input->length > 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) ||
		(input->length > 12 && memcmp(bytes, "RIFF", 4) == 0 &&
		 memcmp(bytes + 8, "WEBP", 4) == 0);
}
