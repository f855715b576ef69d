/* What was removed and is not gone yet, as the provisioner tells it. */
#pragma once

#include "ctl/ctl.h"
#include "lib/api/provisioner.h"

struct deletion_list {
    struct provisioner_deletions_out **items;
    size_t n_items;
};

/* Asks the provisioner, which this starts, where there is anything to ask for: something hidden lies in the
 * app path, or 'running' says that it is at work. */
int deletion_list_read(const struct ctl *ctl, bool running, struct deletion_list *ret, struct error *e);
void deletion_list_done(struct deletion_list *list);

/* By path; NULL: it is not known. */
const struct provisioner_deletions_out *deletion_list_find(const struct deletion_list *list,
                                                           const char *path);

/* Why it is not gone, and when it is tried again, in one sentence. The caller frees. */
char *deletion_text(const struct provisioner_deletions_out *deletion);

json_t *deletion_list_pack(const struct deletion_list *list);
