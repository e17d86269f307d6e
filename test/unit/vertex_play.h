/*-------------------------------------------------------------------------
 *
 * vertex_play.h
 *		Plays Google to the Vertex adapter, with an API key or a service
 *		account's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_VERTEX_PLAY_H
#define BAMBI_VERTEX_PLAY_H

#include "../../src/courier/tokens.h"
#include "play.h"

#define BASE	"https://aiplatform.googleapis.com"
#define MODEL	"gemini-3-pro-image"
#define TOKEN	"ya29.c.test0123456789"

#define TOKEN_ANSWER \
	"{\"access_token\":\"" TOKEN "\",\"expires_in\":3599," \
	"\"token_type\":\"Bearer\"}"
#define GOOD \
	"{\"candidates\":[{\"content\":{\"parts\":[{\"inlineData\":{\"mimeType\":" \
	"\"image/png\",\"data\":\"" PLAY_PIXEL "\"}}]},\"finishReason\":\"STOP\"}]}"
#define EXPIRED \
	"{\"error\":{\"code\":401,\"message\":\"Request had invalid " \
	"authentication credentials.\",\"details\":[{\"@type\":" \
	"\"x/google.rpc.ErrorInfo\",\"reason\":\"ACCESS_TOKEN_EXPIRED\"}]}}"

/* A service account's key; other members replace its own.  malloc'ed. */
static inline char *
make_account(json_t *others)
{
	json_t	   *account = json_pack("{s:s, s:s, s:s, s:s, s:s}",
									"type", "service_account",
									"project_id", "p1",
									"private_key_id", "k1",
									"private_key", play_private_key(),
									"client_email",
									"a@p1.iam.gserviceaccount.com");
	char	   *text;

	json_object_update(account, others);
	text = json_dumps(account, 0);
	json_decref(account);
	json_decref(others);
	return text;
}

static inline void
begin(Play *play, const char *key, const char *model, json_t *parameters,
	  json_t *settings)
{
	play_begin(play, provider_find("vertex"), BASE, key, model, parameters,
			   settings, NULL);
}

static inline bool
asks_at(const Play *play, const char *url)
{
	return strcmp(play->x.request.url, url) == 0;
}

static inline bool
asks_for_token(const Play *play)
{
	return asks_at(play, "https://oauth2.googleapis.com/token") &&
		!play->x.request.is_paid;
}

static inline bool
says(const Play *play, const char *piece)
{
	return strstr(play->x.fault.message, piece) != NULL;
}

#endif							/* BAMBI_VERTEX_PLAY_H */
