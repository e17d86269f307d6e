/*-------------------------------------------------------------------------
 *
 * jwe_fuzz.c
 *		Whatever stands in the place of a sealed key is taken apart or
 *		refused; what was not sealed with the data key does not open.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/protocol/jwe.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t cek[JWE_CEK_SIZE] = {1, 2, 3};
	static Jwe	jwe;
	static uint8_t out[JWE_MAX_PLAINTEXT + 1];
	size_t		len = 0;

	if (jwe_parse((const char *) data, size, &jwe) != JWE_OK)
		return 0;
	if (strlen(jwe.kid) > JWE_MAX_NAME || strlen(jwe.sub) > JWE_MAX_NAME ||
		strlen(jwe.prv) > JWE_MAX_NAME ||
		jwe.wrapped_len > sizeof(jwe.wrapped) ||
		jwe.ciphertext_len > sizeof(jwe.ciphertext) ||
		jwe.aad_len > sizeof(jwe.aad))
		abort();
	if (jwe_open(&jwe, cek, out, &len) == JWE_OK)
		abort();
	return 0;
}
