/*-------------------------------------------------------------------------
 *
 * directory.h
 *		The archive in a directory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_DIRECTORY_H
#define BAMBI_DIRECTORY_H

#include "store.h"

extern const ArchiveAdapter archive_directory;

#endif							/* BAMBI_DIRECTORY_H */
