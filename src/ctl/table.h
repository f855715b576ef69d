/* Prints aligned tables. */
#pragma once

#include "ctl/output.h"

/* A table: a header, followed by cells row by row. */
struct table;
/* Returns a new table with the given headers, which end with NULL. */
struct table *table_new(const char *first, ...) __attribute__((sentinel));
/* Adds the next cell; rows follow from the number of headers. An empty text is shown as "-". */
void table_cell(struct table *t, enum colour colour, const char *fmt, ...) _printf_(3, 4);
/* Adds a cell with a word and its reason (or NULL). A short reason follows the word in brackets. A longer one
 * is printed once below the table, and not in each of its rows. */
void table_cell_reason(struct table *t, enum colour colour, const char *word, const char *reason);
/* Prints aligned columns, unless there is no row or 'discard' is set, and frees the table. A long text that
 * several rows have in the last column is printed once below the table, too. */
void table_print(struct table *t, bool discard);
/* Returns the number of rows without the header. */
size_t table_rows(const struct table *t);
