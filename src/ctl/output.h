/* Prints text for readers and JSON for programs. Colours and bars are printed to terminals only.
 * Much of the printed text comes from tenants, repositories and the zone's leader. Therefore the streams
 * stdout and stderr themselves write only printable characters, newlines and tabs (lib/basic/printable.h),
 * whatever is printed; hostletctl's own control sequences are written by output_control(). format_safe()
 * removes newlines from a text that is printed within a line. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "lib/basic/util.h"

enum colour { PLAIN, BOLD, DIM, GREEN, YELLOW, RED };

/* Replaces stdout and stderr by streams with the filter. Called before anything is printed. */
void output_open(void);

/* Reports whether standard output is a terminal that supports colours (NO_COLOR unset, TERM not "dumb"). */
bool output_is_live(void);
/* Flushes stdout and writes a control sequence of hostletctl; does nothing if standard output is not live. */
void output_control(const char *sequence);
/* Prints the text in the given colour. */
void print_coloured(enum colour colour, const char *text);

/* Return a text that the caller frees: "850 ms", "12.3 s", "5 min 3 s", "2 d 4 h"; local date and
 * time of unix milliseconds, "-" for 0; a copy in which '?' replaces characters that are not printable. */
char *format_duration(int64_t msec);
char *format_time(int64_t unix_msec);
/* Returns what happens next and in how long: "the preparation is tried again in 3.0 s". 'at' is in unix
 * milliseconds; 0: no time is planned. "" if 'next' is NULL. */
char *format_next(const char *next, int64_t at);
char *format_safe(const char *text);
/* Returns the first line, with " …" if others follow, for tables. The caller frees it. */
char *format_first_line(const char *text);
/* Returns the lines after the first, each with 'indent' before it; "" if there is none. The caller frees
 * it. */
char *format_other_lines(const char *text, const char *indent);

/* Returns the number of screen columns that the text needs: none for a combining character, two for a wide
 * one.
 */
size_t text_width(const char *text);
/* Returns the text, cut to at most 'columns' screen columns, of which the last is "…" if it was cut. The
 * caller frees it. */
char *text_cut(const char *text, size_t columns);
/* Stores the size of the terminal at standard output: of 80 columns and 24 rows if it states none. */
void output_size(size_t *ret_columns, size_t *ret_rows);

/* Prints a line of a page: a name, and the first line of a text. */
void print_page_line(const char *name, enum colour colour, const char *text);

/* Prints 'json' with an indent of two and a newline. Takes ownership of the reference. */
void print_json(json_t *json);
