/* Implements table.h. */
#include "ctl/table.h"

#include <stdarg.h>
#include <stdlib.h>

#include "ctl/output.h"
#include "lib/basic/cleanup.h"

/* Columns of a text that may stand in several rows. */
#define REPEATED_MAX 32

struct cell {
    char *text;
    char *note; /* a sentence to print below the table, or NULL */
    enum colour colour;
};

struct table {
    size_t columns, n_cells; /* n_cells includes the header, which is first */
    struct cell *cells;
};

static void add(struct table *t, char *text, enum colour colour)
{
    t->cells = xrealloc(t->cells, t->n_cells + 1, sizeof *t->cells);
    t->cells[t->n_cells++] = (struct cell){.text = text, .colour = colour};
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

void table_cell_reason(struct table *t, enum colour colour, const char *word, const char *reason)
{
    _cleanup_free_ char *line = format_first_line(reason);
    bool is_short = text_width(word) + text_width(line) + strlen(" ()") <= REPEATED_MAX;
    if (*line && is_short) {
        table_cell(t, colour, "%s (%s)", word, line);
        return;
    }
    table_cell(t, colour, "%s", word);
    if (*line)
        t->cells[t->n_cells - 1].note = TAKE_PTR(line);
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

static bool is_long(const char *text)
{
    return text_width(text) > REPEATED_MAX;
}

/* Makes notes of the long texts that several rows have in the last column. */
static void note_repeated(struct table *t)
{
    for (size_t i = 2 * t->columns - 1; i < t->n_cells; i += t->columns) {
        _cleanup_free_ char *text = xstrdup(t->cells[i].text);
        size_t rows = 0;
        for (size_t k = i; is_long(text) && k < t->n_cells; k += t->columns)
            rows += streq(t->cells[k].text, text);
        for (size_t k = i; rows > 1 && k < t->n_cells; k += t->columns)
            if (streq(t->cells[k].text, text)) {
                t->cells[k].note = t->cells[k].text;
                t->cells[k].text = xstrdup("");
            }
    }
}

/* Returns the first cell with the same word and note as the cell 'i', which can be that cell. */
static size_t first_with_note(const struct table *t, size_t i)
{
    const struct cell *c = t->cells;
    size_t k = 0;
    while (!c[k].note || !streq(c[k].note, c[i].note) || !streq(c[k].text, c[i].text))
        k++;
    return k;
}

/* Reports whether the word of a cell with a note names the note: no cell has the word and another note. */
static bool names_note(const struct table *t, size_t i)
{
    for (size_t k = 0; k < t->n_cells; k++)
        if (t->cells[k].note && streq(t->cells[k].text, t->cells[i].text) &&
            !streq(t->cells[k].note, t->cells[i].note))
            return false;
    return *t->cells[i].text;
}

/* Returns the notes as lines, "WORD: note" or "(N) note", and appends " (N)" to the cells of the latter. The
 * caller frees it. */
static char *make_notes(struct table *t)
{
    char *lines = xstrdup("");
    _cleanup_free_ size_t *numbers = xcalloc(t->n_cells, sizeof *numbers); /* 0: its word names it */
    for (size_t i = 0, n = 0; i < t->n_cells; i++) {
        if (!t->cells[i].note)
            continue;
        _cleanup_free_ char *before = lines;
        size_t first = first_with_note(t, i);
        bool named = names_note(t, i);
        numbers[i] = first < i ? numbers[first] : named ? 0 : ++n;
        lines = first < i ? xstrdup(before)
                : named   ? xasprintf("%s%s: %s\n", before, t->cells[i].text, t->cells[i].note)
                          : xasprintf("%s(%zu) %s\n", before, n, t->cells[i].note);
    }
    for (size_t i = 0; i < t->n_cells; i++)
        if (numbers[i]) {
            _cleanup_free_ char *before = t->cells[i].text;
            t->cells[i].text = xasprintf("%s%s(%zu)", before, *before ? " " : "", numbers[i]);
        }
    return lines;
}

void table_print(struct table *t, bool discard)
{
    _cleanup_free_ size_t *widths = xcalloc(t->columns, sizeof *widths);
    note_repeated(t);
    _cleanup_free_ char *notes = make_notes(t);
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t width = text_width(t->cells[i].text);
        if (width > widths[i % t->columns])
            widths[i % t->columns] = width;
    }
    for (size_t row = 0; !discard && table_rows(t) > 0 && row <= table_rows(t); row++)
        print_row(t, row, widths);
    if (!discard && *notes)
        printf("\n%s", notes);
    for (size_t i = 0; i < t->n_cells; i++) {
        free(t->cells[i].text);
        free(t->cells[i].note);
    }
    free(t->cells);
    free(t);
}
