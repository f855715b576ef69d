/* Reads the parts of a YAML text that are not block collections: keys, scalars, flow collections, text
 * blocks. */
#pragma once

#include "inagent/config/document.h"

/* Reports whether the line ends at the position, which can be the end of the text. */
bool yaml_line_ends(const struct document *d, size_t at);

/* Skips spaces and a comment after white space to the end of the line, and the newline. */
int yaml_end_line(struct document *d);

/* Skips empty lines and comments; 'at' is at the beginning of a line. Sets *ret_indent to the number of
 * spaces of the next line, or to −1 at the end of the text. */
int yaml_next_line(struct document *d, ssize_t *ret_indent);

/* Reads a key with its colon, if there is one at 'at': sets the key's positions in *ret, and its key, which
 * the caller frees; otherwise it moves nothing. Returns 1 if there is one, else 0. */
int yaml_scan_key(struct document *d, struct node *ret);

/* Reads a scalar or a flow collection, which can continue in lines with more than 'parent' spaces. */
int yaml_scan_inline(struct document *d, struct node *node, ssize_t parent, unsigned depth);

/* Reads a text block ("|" or ">") of a collection with 'parent' spaces, with its lines. */
int yaml_scan_block(struct document *d, struct node *node, ssize_t parent);
