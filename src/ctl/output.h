/* Text for people and JSON for programs. Colours and bars go to terminals only.
 *
 * Much of what is printed was written by others: tenants, repositories, the zone's leader. So standard output
 * and standard error themselves let nothing through but printable characters, newlines and tabs
 * (lib/basic/printable.h), whatever is printed and by whom; control sequences of our own go by
 * output_control(). Within a line, format_safe() keeps a text of others from beginning another one. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "lib/basic/util.h"

enum colour { PLAIN, BOLD, DIM, GREEN, YELLOW, RED };

/* Puts the filter before stdout and stderr: before anything is printed. */
void output_open(void);

/* Whether standard output is a terminal that understands colours (NO_COLOR unset, TERM not "dumb"). */
bool output_is_live(void);
/* Sends a control sequence of ours behind what was printed; nothing where standard output is not live. */
void output_control(const char *sequence);
/* Prints the text in that colour. */
void print_coloured(enum colour colour, const char *text);

/* Each allocates. "1.5 MiB"; "850 ms", "12.3 s", "5 min 3 s", "2 d 4 h"; local date and time of unix
 * milliseconds, "-" for 0; a copy in which what is not printable became '?'. */
char *format_size(int64_t bytes);
char *format_duration(int64_t msec);
char *format_time(int64_t unix_msec);
char *format_safe(const char *text);
/* The first line alone, with " …" where others follow: for tables. */
char *format_first_line(const char *text);
/* The lines behind the first, each with 'indent' before it; "" where there is none. */
char *format_other_lines(const char *text, const char *indent);

/* Columns on a screen that the text takes, counting code points. */
size_t text_width(const char *text);

/* Prints 'json' with an indent of two and a newline, and drops the reference. */
void print_json(json_t *json);
