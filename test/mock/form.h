/*-------------------------------------------------------------------------
 *
 * form.h
 *		Forms: multipart/form-data (RFC 7578) and urlencoded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_FORM_H
#define MOCK_FORM_H

#include "http.h"

#define MAX_PARTS		48

typedef struct Part
{
	char		name[64];
	bool		is_file;		/* it has a file name */
	char		media_type[64];
	const char *bytes;			/* lent, in the request */
	size_t		length;
} Part;

/* The number of parts, or -1 for a body that is no such form. */
extern int	form_parse(const Request *request, Part parts[MAX_PARTS]);

/* A value of an urlencoded form, decoded; "" where there is none. */
extern void form_value(const char *form, size_t length, const char *name,
					   char *value, size_t size);

/* text without its %-escapes, in place; false for a bad one */
extern bool percent_decode(char *text);

#endif							/* MOCK_FORM_H */
