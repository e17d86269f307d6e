/*-------------------------------------------------------------------------
 *
 * image_file.h
 *		Pictures of the store "filesystem", which backends read themselves.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_IMAGE_FILE_H
#define BAMBI_IMAGE_FILE_H

/*
 * The file at path below bambi.store_directory, in the caller's memory
 * (SPI_palloc); NULL if it is not there.
 */
extern bytea *bambi_image_file_read(const char *path);

#endif							/* BAMBI_IMAGE_FILE_H */
