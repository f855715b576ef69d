/* A list of sentences of which only the first ones are stored, since a map of a thousand hosts can be wrong
 * in as many ways. */
#pragma once

#include "lib/basic/util.h"

#define STRINGS_MAX 32

struct strings {
    char *items[STRINGS_MAX];
    size_t n;
    size_t more; /* how many were not stored */
};

void strings_add(struct strings *s, const char *fmt, ...) _printf_(2, 3);
/* Appends copies of all of 'from'. */
void strings_append(struct strings *s, const struct strings *from);
bool strings_contain(const struct strings *s, const char *text);
void strings_clear(struct strings *s);
