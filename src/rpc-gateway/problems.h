/* A list of sentences that states what could not be accepted, and why. */
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
