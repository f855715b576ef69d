/* Prints aligned tables. */
#pragma once

#include "ctl/output.h"

/* A table: its header, then cells row by row. */
struct table;
struct table *table_new(const char *first, ...) __attribute__((sentinel)); /* headers, ending with NULL */
void table_cell(struct table *t, enum colour colour, const char *fmt, ...) _printf_(3, 4);
/* Prints aligned columns, nothing at all when there is no row or 'discard' is set, and frees. */
void table_print(struct table *t, bool discard);
size_t table_rows(const struct table *t);
