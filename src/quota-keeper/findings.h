/* A growing list of findings for Report and Recheck, and the sentences about files that are charged to
 * another project. */
#pragma once

#include "lib/api/quota_keeper.h"
#include "quota-keeper/registry.h"
#include "quota-keeper/strays.h"

struct findings {
    struct quota_finding **items;
    size_t n;
};

/* Adds a finding. The caller fills its other members, which findings_clear() releases. */
struct quota_finding *findings_add(struct findings *findings, enum quota_finding_kind kind,
                                   const char *container, int64_t project, const char *fmt, ...)
    _printf_(5, 6);
void findings_clear(struct findings *findings);

/* Adds findings that state which projects are charged for the strays in the directory 'name' of the app
 * path, whose container is 'container' (NULL: an unfinished or hidden directory): one finding for each
 * replica that is charged, for the CHARGED_MAX with most files, and one for all other ids. 'put_back': the
 * files have their directory's project again. */
#define CHARGED_MAX 16
void findings_add_strays(struct findings *findings, struct registry *r, const char *name,
                         const char *container, const struct strays *strays, bool put_back);
