/*-------------------------------------------------------------------------
 *
 * call_reply.c
 *		What is received: head and body of an answer, and what became of it.
 *
 * Memory is bounded by a budget: a large answer begins only if its size has
 * a place in it; else its transfer is paused until there is one.
 *
 *-------------------------------------------------------------------------
 */
#include "call.h"

#include <string.h>
#include <strings.h>

#include "base64.h"
#include "budget.h"
#include "point.h"

#define MAX_HEAD_BYTES	(64 * 1024)

/* The stall guard, once a body has begun. */
#define STALL_S			30L

/* Smaller answers come and go without asking for a place in the budget. */
#define FREE_BYTES		(16 * 1024)

/* What is reserved for a larger answer that does not tell its length. */
#define UNTOLD_BYTES	(2 * 1024 * 1024)

static size_t
on_head(char *line, size_t size, size_t count, void *context)
{
	Call	   *call = context;
	Exchange   *x = call->x;
	size_t		len = size * count;
	char	   *colon = memchr(line, ':', len);
	char	   *value;
	char	   *end = line + len;
	Header	   *header;
	char	   *c;

	call->head_bytes += len;
	if (call->head_bytes > MAX_HEAD_BYTES)
	{
		call->is_too_large = true;
		return 0;
	}
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		x->reply.headers = NULL;	/* those of a 1xx are not the answer's */
	if (colon == NULL)
		return len;

	value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (unsigned char) end[-1] <= ' ')
		end--;
	header = arena_alloc(x->arena, sizeof(Header));
	header->name = c = arena_strndup(x->arena, line, (size_t) (colon - line));
	for (; *c != '\0'; c++)
	{
		if (*c >= 'A' && *c <= 'Z')
			*c = (char) (*c - 'A' + 'a');
	}
	header->value = arena_strndup(x->arena, value, (size_t) (end - value));
	header->next = x->reply.headers;
	x->reply.headers = header;
	return len;
}

static void
destroy_body(void *body)
{
	body_destroy(body);
}

static void
destroy_events(void *events)
{
	event_stream_destroy(events);
}

/* Nobody is asked of an event of which nobody wants to know. */
static bool
take_none(void *owner, const char *text, size_t len, Picture *picture)
{
	(void) owner;
	(void) text;
	(void) len;
	(void) picture;
	return false;
}

static bool
is_event_stream(const Call *call)
{
	static const char type[] = "text/event-stream";
	const char *value = exchange_reply_header(call->x, "content-type");

	return call->x->request.event_picture_path != NULL && value != NULL &&
		strncasecmp(value, type, sizeof(type) - 1) == 0;
}

static bool
begin_events(Call *call, size_t max)
{
	Exchange   *x = call->x;

	call->events = event_stream_create(x->request.event_picture_path, max,
									   BODY_MAX_TEXT, x->take_event != NULL ?
									   x->take_event : take_none,
									   x->event_owner);
	if (call->events == NULL)
		return false;
	arena_on_destroy(x->arena, destroy_events, call->events);
	return true;
}

/* False if the answer is larger than anybody may send. */
static bool
begin_body(Call *call)
{
	const char *path = call->x->request.picture_path;
	size_t		max = call->max_bytes;

	/* from now on, not while the provider thinks */
	curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_TIME, STALL_S);

	if (is_event_stream(call))
		return begin_events(call, max);
	if (call->told > (curl_off_t) max)
		return false;
	call->body = body_create(path, max, path != NULL ? BODY_MAX_TEXT : max);
	if (call->body == NULL)
		return false;
	arena_on_destroy(call->x->arena, destroy_body, call->body);
	if (call->told > 0)
		body_expect(call->body, (size_t) call->told);
	return true;
}

static bool
add_to_body(Call *call, const char *bytes, size_t len)
{
	if (call->events != NULL)
		return event_stream_add(call->events, bytes, len);
	return body_add(call->body, bytes, len);
}

static size_t
held_by_body(const Call *call)
{
	if (call->events != NULL)
		return event_stream_held(call->events);
	/* a body that is a picture itself is text to the scanner */
	return call->x->request.is_picture ? call->received :
		body_held(call->body);
}

/* Whether the body may go on now; if not, it is told when. */
static bool
may_receive(Call *call, size_t len)
{
	if (call->share.held > 0 && call->told > 0)
		return true;
	if (call->share.held > 0)
	{
		/* beyond what was guessed; that is allocated, but not filled yet */
		size_t		held = held_by_body(call);

		return held <= call->share.held ||
			budget_ask(&call->share, held - call->share.held);
	}
	if (call->told > (curl_off_t) call->max_bytes)
		return true;			/* to be refused, not to wait */
	if (call->told > FREE_BYTES)
		return budget_ask(&call->share,
						  BASE64_DECODED_MAX((size_t) call->told));
	if (call->received + len > FREE_BYTES)
		return budget_ask(&call->share, UNTOLD_BYTES);
	return true;
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *context)
{
	Call	   *call = context;
	size_t		len = size * count;

	if (call->received == 0)
		curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
						  &call->told);
	if (!may_receive(call, len))
		return CURL_WRITEFUNC_PAUSE;

	if ((call->body == NULL && call->events == NULL && !begin_body(call)) ||
		!add_to_body(call, bytes, len))
	{
		call->is_too_large = true;
		return 0;
	}
	call->received += len;

	/* what is needed beside what it told */
	if (call->share.held > 0 && call->told > 0)
		budget_grow(&call->share, held_by_body(call));
	return len;
}

static void
on_granted(Share *share)
{
	Call	   *call = share->owner;

	curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

void
call_set_listeners(Call *call)
{
	CURL	   *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
}

void
call_set_limits(Call *call, size_t max_bytes, Share *share)
{
	call->max_bytes = max_bytes;
	call->share.owner = call;
	call->share.whole = share;
	call->share.granted = on_granted;
}

void
call_clear_reply(Call *call)
{
	curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_LIMIT, 0L);
	curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_TIME, 0L);
	budget_release(&call->share);
}

static Transport
name_transport(const Call *call, CURLcode code)
{
	bool		wrote = call->x->reply.wrote;

	if (call->is_refused && !wrote)
		return TRANSPORT_ADDRESS;
	if (call->is_too_large)
		return TRANSPORT_TOO_LARGE;
	switch (code)
	{
		case CURLE_OK:
			return TRANSPORT_OK;
		case CURLE_COULDNT_RESOLVE_HOST:
			return TRANSPORT_DNS;
		case CURLE_COULDNT_CONNECT:
			return TRANSPORT_REFUSED;
		case CURLE_OPERATION_TIMEDOUT:
			return wrote ? TRANSPORT_TIMEOUT : TRANSPORT_CONNECT_TIMEOUT;
		case CURLE_URL_MALFORMAT:
		case CURLE_LOGIN_DENIED:	/* it names a user */
		case CURLE_UNSUPPORTED_PROTOCOL:
			/* of the address; or an answer that is no HTTP */
			return wrote ? TRANSPORT_OTHER : TRANSPORT_ADDRESS;
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_ISSUER_ERROR:
			return wrote ? TRANSPORT_RESET : TRANSPORT_TLS;
		default:
			if (call->body != NULL || call->events != NULL)
				return TRANSPORT_RESET_BODY;
			return wrote ? TRANSPORT_RESET : TRANSPORT_OTHER;
	}
}

void
call_fill_reply(Call *call, CURLcode code)
{
	Reply	   *reply = &call->x->reply;

	reply->transport = name_transport(call, code);
	reply->is_complete = code == CURLE_OK;
	if (reply->wrote)
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &reply->status);
	reply->body = "";
	if (call->events != NULL)
	{
		reply->body = event_stream_text(call->events, &reply->body_len);
		reply->picture_count = event_stream_take_pictures(call->events,
														  reply->pictures);
	}
	else if (call->body != NULL && call->x->request.is_picture &&
			 reply->status >= 200 && reply->status <= 299)
	{
		body_take_text(call->body, &reply->pictures[0]);
		reply->pictures[0].is_broken = !reply->is_complete;
		reply->picture_count = 1;
	}
	else if (call->body != NULL)
	{
		reply->body = body_text(call->body, &reply->body_len);
		reply->picture_count = body_take_pictures(call->body,
												  reply->pictures);
	}
	if (reply->wrote)
		POINT("answer-received");
}
