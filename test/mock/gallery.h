/*-------------------------------------------------------------------------
 *
 * gallery.h
 *		Pictures by address: GET /_mock/pictures/NAME.
 *
 * Whoever asks with a credential has leaked it, and gets nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_GALLERY_H
#define MOCK_GALLERY_H

#include "faults.h"
#include "http.h"

#define MAX_URL			256

/* Hangs the picture up; its address, on the host that was asked, is in url. */
extern void gallery_hang(const Request *request, const Plan *plan,
						 const PictureWish *wish, char url[MAX_URL]);

extern void gallery_answer(Connection *c, const Request *request,
						   const char *name);

#endif							/* MOCK_GALLERY_H */
