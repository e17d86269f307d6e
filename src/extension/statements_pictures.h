/*-------------------------------------------------------------------------
 *
 * statements_pictures.h
 *		The statements about pictures, before and after generations; arguments
 *		and results stand at each in statements_pictures.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_PICTURES_H
#define BAMBI_STATEMENTS_PICTURES_H

#include "statements.h"

extern BambiStatement bambi_picture_image;
extern BambiStatement bambi_picture_preview;
extern BambiStatement bambi_picture_to_link;
extern BambiStatement bambi_picture_linked;
extern BambiStatement bambi_picture_sources;
extern BambiStatement bambi_picture_add_input;
extern BambiStatement bambi_picture_add_source;
extern BambiStatement bambi_picture_delete;
extern BambiStatement bambi_picture_erase_later;

#endif							/* BAMBI_STATEMENTS_PICTURES_H */
