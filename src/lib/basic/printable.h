/* Text from others, made fit to be shown. What a terminal would obey, or show as something else than it is,
 * is not printable: control characters (C0, DEL, and C1 as U+0080 to U+009F or as single bytes), line and
 * paragraph separators, characters that reorder or hide text, and whatever is no UTF-8. */
#pragma once

#include "lib/basic/util.h"

/* Bytes of the first character of 'data' (of which 'size' > 0 are there), with *ret_printable. What is no
 * UTF-8 counts as one byte. 0: the character is not whole yet; never so where 'end' is set. Newline and tab
 * are not printable. */
size_t printable_character(const char *data, size_t size, bool end, bool *ret_printable);

/* A copy in which every character that is not printable became one '?'. The caller frees. */
char *printable(const char *text);
/* The same, but tabs stay. */
char *printable_line(const char *text);

/* A stream of bytes, of which characters may come in two pieces; zeroed at the start. */
struct printable_stream {
    char held[8]; /* what was no whole character yet */
    size_t n_held;
};

/* The next bytes of a stream as text with lines: newlines, tabs and carriage returns before a newline stay,
 * the other characters that are not printable become \u001b or, where they are no UTF-8, \x9b (the former is
 * right inside of JSON, too). 'end': nothing follows, what is held back is shown. The caller frees *ret; its
 * size is returned. */
size_t printable_feed(struct printable_stream *s, const char *data, size_t size, bool end, char **ret);
