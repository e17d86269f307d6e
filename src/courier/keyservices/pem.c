/*-------------------------------------------------------------------------
 *
 * pem.c
 *		Makes the master key of the development key service.
 *
 *-------------------------------------------------------------------------
 */
#include "pem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "../../protocol/jwe.h"

const char *
pem_make_key(const char *path)
{
	const char *error = NULL;
	EVP_PKEY   *key;
	FILE	   *file;
	int			fd;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? "the file exists already" : strerror(errno);

	file = fdopen(fd, "w");
	key = EVP_RSA_gen(JWE_MIN_RSA_BITS);
	if (file == NULL || key == NULL ||
		PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1)
		error = "no key could be made";
	else if (fflush(file) != 0 || fsync(fd) != 0)
		error = strerror(errno);

	EVP_PKEY_free(key);
	if (file != NULL)
		fclose(file);
	else
		close(fd);
	if (error != NULL)
		unlink(path);
	return error;
}
