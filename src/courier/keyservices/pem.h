/*-------------------------------------------------------------------------
 *
 * pem.h
 *		Master keys in PEM files: the development key service.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PEM_H
#define BAMBI_PEM_H

/*
 * Makes an RSA key and writes it to path, mode 0600; an existing file is
 * left alone.  Returns NULL, or what went wrong.
 */
extern const char *pem_make_key(const char *path);

#endif							/* BAMBI_PEM_H */
