/* Findings of Report and Recheck: a list that grows, and the sentences about files that are charged to
 * somebody else. */
#pragma once

#include "lib/api/quota_keeper.h"
#include "quota-keeper/registry.h"
#include "quota-keeper/strays.h"

struct findings {
    struct quota_finding **items;
    size_t n;
};

/* A new one; its other members are the caller's to fill, and are released with it. */
struct quota_finding *findings_add(struct findings *findings, enum quota_finding_kind kind,
                                   const char *container, int64_t project, const char *fmt, ...)
    _printf_(5, 6);
void findings_clear(struct findings *findings);

/* Who is charged for the strays in the directory 'name' of the app path, which is the container's (NULL: on
 * its way in or out): one finding for each replica, the CHARGED_MAX with most files, and one for all other
 * ids. 'put_back': they were. */
#define CHARGED_MAX 16
void findings_add_strays(struct findings *findings, struct registry *r, const char *name,
                         const char *container, const struct strays *strays, bool put_back);
