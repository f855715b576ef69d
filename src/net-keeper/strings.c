/* Implements strings.h. */
#include "net-keeper/strings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void strings_add(struct strings *s, const char *fmt, ...)
{
    va_list args;
    char text[512];
    if (s->n == STRINGS_MAX) {
        s->more++;
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    s->items[s->n++] = xstrdup(text);
}

void strings_append(struct strings *s, const struct strings *from)
{
    for (size_t i = 0; i < from->n; i++)
        strings_add(s, "%s", from->items[i]);
    s->more += from->more;
}

bool strings_contain(const struct strings *s, const char *text)
{
    for (size_t i = 0; i < s->n; i++)
        if (streq(s->items[i], text))
            return true;
    return false;
}

void strings_clear(struct strings *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->items[i]);
    *s = (struct strings){.n = 0};
}
