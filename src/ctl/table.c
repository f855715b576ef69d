/* Implements table.h. */
#include "ctl/table.h"

#include <stdarg.h>
#include <stdlib.h>

#include "ctl/output.h"
#include "lib/basic/cleanup.h"

struct cell {
    char *text;
    enum colour colour;
};

struct table {
    size_t columns, n_cells; /* n_cells includes the header, which is first */
    struct cell *cells;
};

static void add(struct table *t, char *text, enum colour colour)
{
    t->cells = xrealloc(t->cells, t->n_cells + 1, sizeof *t->cells);
    t->cells[t->n_cells++] = (struct cell){text, colour};
}

struct table *table_new(const char *first, ...)
{
    struct table *t = xcalloc(1, sizeof *t);
    va_list ap;
    va_start(ap, first);
    for (const char *text = first; text; text = va_arg(ap, const char *))
        add(t, xstrdup(text), BOLD);
    va_end(ap);
    t->columns = t->n_cells;
    return t;
}

void table_cell(struct table *t, enum colour colour, const char *fmt, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    add(t, format_first_line(*text ? text : "-"), colour);
}

size_t table_rows(const struct table *t)
{
    return t->n_cells / t->columns - 1;
}

static void print_row(const struct table *t, size_t row, const size_t *widths)
{
    for (size_t i = 0; i < t->columns; i++) {
        const struct cell *c = &t->cells[row * t->columns + i];
        bool last = i + 1 == t->columns;
        int padding = last ? 0 : (int)(widths[i] - text_width(c->text)) + 2;
        print_coloured(c->colour, c->text);
        printf("%*s", padding, "");
    }
    putchar('\n');
}

void table_print(struct table *t, bool discard)
{
    _cleanup_free_ size_t *widths = xcalloc(t->columns, sizeof *widths);
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t width = text_width(t->cells[i].text);
        if (width > widths[i % t->columns])
            widths[i % t->columns] = width;
    }
    for (size_t row = 0; !discard && table_rows(t) > 0 && row <= table_rows(t); row++)
        print_row(t, row, widths);
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t);
}
