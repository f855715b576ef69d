/* Makes text from other programs safe to show. Not printable is what a terminal executes or shows
 * misleadingly: control characters (C0, DEL, and C1 as U+0080 to U+009F or as single bytes), line and
 * paragraph separators, characters that reorder or hide text, and bytes that are not UTF-8. */
#pragma once

#include "lib/basic/util.h"

/* Returns the length in bytes of the first character of 'data' ('size' > 0 bytes) and sets *ret_printable.
 * A byte that is not UTF-8 counts as one character. Returns 0 if the character is incomplete; never 0 if
 * 'end' is set. Newline and tab are not printable. */
size_t printable_character(const char *data, size_t size, bool end, bool *ret_printable);

/* Returns a copy in which each character that is not printable is replaced by one '?'. The caller frees
 * it. */
char *printable(const char *text);
/* Returns a copy like printable(), but keeps tabs. */
char *printable_line(const char *text);

/* State of a stream of bytes, whose characters may arrive in two parts. Initialise it with zeros. */
struct printable_stream {
    char held[8]; /* the bytes of an incomplete character */
    size_t n_held;
};

/* Converts the next bytes of a stream to text with lines. Newlines, tabs and a carriage return before a
 * newline stay; other characters that are not printable become \u001b or, if they are not UTF-8, \x9b (the
 * first form is also valid in JSON). With 'end', no bytes follow and held bytes are converted, too. The
 * caller frees *ret. Returns its size in bytes. */
size_t printable_feed(struct printable_stream *s, const char *data, size_t size, bool end, char **ret);
