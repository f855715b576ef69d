/* Implements problems.h. */
#include "rpc-gateway/problems.h"

#include <stdlib.h>

void problems_add(struct problems *p, const char *text)
{
    if (p->n == PROBLEMS_MAX)
        return;
    p->items = xrealloc(p->items, p->n + 1, sizeof *p->items);
    p->items[p->n++] = xstrdup(text);
}

bool problems_have(const struct problems *p, const char *text)
{
    for (size_t i = 0; i < p->n; i++)
        if (streq(p->items[i], text))
            return true;
    return false;
}

void problems_done(struct problems *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->items[i]);
    free(p->items);
    *p = (struct problems){.n = 0};
}
