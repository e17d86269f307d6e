/*-------------------------------------------------------------------------
 *
 * input.h
 *		Pictures that a call brings with it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_INPUT_H
#define MOCK_INPUT_H

#include <stdbool.h>

#include "ledger.h"

#define MAX_IMAGE_URL	20971520UL	/* characters */

/* Room for so many pictures out of data: URLs; to be freed. */
extern unsigned char *input_room(size_t count);

/*
 * What a picture's url or file_id gives; one of them is NULL.  The base64 of a
 * data: URL goes to *room, which moves behind it.  Any other address is not
 * fetched: its text stands for it.
 */
extern bool input_read(const char *url, const char *file_id, Input *input,
					   unsigned char **room);

/* Base64 without anything around it. */
extern bool input_read_base64(const char *base64, Input *input,
							  unsigned char **room);

extern bool input_is_reference(const Input *input);
extern bool input_is_png(const Input *input);
extern bool input_is_picture(const Input *input);	/* png, jpeg or webp */

#endif							/* MOCK_INPUT_H */
