/* Reads from the provisioner which removed directories are not deleted yet. */
#pragma once

#include "ctl/ctl.h"
#include "lib/api/provisioner.h"

struct deletion_list {
    struct provisioner_deletions_out **items;
    size_t n_items;
};

/* Reads the pending deletions into the zeroed '*ret'. Calls the provisioner, which starts it, only if the app
 * path contains a hidden directory or if 'running' states that the provisioner runs already. */
int deletion_list_read(const struct ctl *ctl, bool running, struct deletion_list *ret, struct error *e);
void deletion_list_done(struct deletion_list *list);

/* Returns the deletion of a path (borrowed), or NULL if there is none. */
const struct provisioner_deletions_out *deletion_list_find(const struct deletion_list *list,
                                                           const char *path);

/* Returns one sentence with the reason why the directory is not deleted yet and the time of the next attempt.
 * The caller frees it. */
char *deletion_text(const struct provisioner_deletions_out *deletion);

/* Returns a new reference to the list as JSON. */
json_t *deletion_list_pack(const struct deletion_list *list);
