/*-------------------------------------------------------------------------
 *
 * gallery.c
 *		Gives what an address in an answer has promised, or what the call's
 *		directive wants to be found there instead.
 *
 *-------------------------------------------------------------------------
 */
#include "gallery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bad.h"
#include "call.h"

#define MAX_HUNG		4096	/* the oldest goes first */

typedef struct Frame
{
	uint64_t	number;
	Plan		plan;
	PictureWish wish;
} Frame;

static Frame frames[MAX_HUNG];
static uint64_t hung;

void
gallery_hang(const Request *request, const Plan *plan,
			 const PictureWish *wish, char url[MAX_URL])
{
	Frame	   *frame = &frames[++hung % MAX_HUNG];

	frame->number = hung;
	frame->plan = *plan;
	frame->wish = *wish;
	snprintf(url, MAX_URL, "http://%s/_mock/pictures/%" PRIu64 ".%s",
			 request->host, hung, format_name(wish->format));
}

static void
refuse(Connection *c, int status, const char *message)
{
	answer_text(c, "%s\n", message);
	connection_answer(c, status, "content-type: text/plain\r\n", 0);
}

static void
redirect(Connection *c, const Request *request, const Frame *frame, long left)
{
	char		headers[512];

	if (frame->plan.redirect_to[0] != '\0')
		snprintf(headers, sizeof(headers), "location: %s\r\n",
				 frame->plan.redirect_to);
	else
		snprintf(headers, sizeof(headers), "location: http://%s%.128s?left=%ld\r\n",
				 request->host, request->path, left);
	connection_answer(c, 302, headers, 0);
}

void
gallery_answer(Connection *c, const Request *request, const char *name)
{
	uint64_t	number = strtoull(name, NULL, 10);
	const Frame *frame = &frames[number % MAX_HUNG];
	long		left;
	char		headers[64];
	Blob	   *base64;
	Blob	   *picture;

	stats.downloads++;
	if (request->has_authorization || request->api_key[0] != '\0')
	{
		stats.credentials_leaked++;
		refuse(c, 403, "this address wants no credentials");
		return;
	}
	if (number == 0 || frame->number != number ||
		frame->plan.address == ADDRESS_MISSING)
	{
		refuse(c, 404, "no such picture");
		return;
	}
	left = frame->plan.redirects;
	if (sscanf(request->query, "left=%ld", &left) != 1)
		left = frame->plan.redirects;
	if (left > 0 || frame->plan.redirect_to[0] != '\0')
	{
		redirect(c, request, frame, left - 1);
		return;
	}

	base64 = call_picture(&frame->plan, &frame->wish);
	picture = blob_decoded(base64);
	blob_release(base64);
	snprintf(headers, sizeof(headers), "content-type: image/%s\r\n",
			 format_name(frame->wish.format));
	if (frame->plan.address > ADDRESS_SLOW)
	{
		bad_download(c, frame->plan.address, headers, picture);
		return;
	}
	if (frame->plan.address == ADDRESS_SLOW)
		answer_drip(c, 1, 1000);
	answer_blob(c, picture);
	connection_answer(c, 200, headers, 0);
}
