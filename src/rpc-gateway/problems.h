/* A list of sentences for those who look: what could not be taken, and why. Pure. */
#pragma once

#include "lib/basic/util.h"

#define PROBLEMS_MAX 32 /* further ones are left out */

struct problems {
    char **items;
    size_t n;
};

void problems_add(struct problems *p, const char *text);
bool problems_have(const struct problems *p, const char *text);
void problems_done(struct problems *p);
