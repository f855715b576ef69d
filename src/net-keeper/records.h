/* Keeps the file with the names of the zone's applications, for a name server: TOML that lists each name with
 * its addresses, as the contract (InnerStack v2, section 9) defines it. There is a file only while the
 * configuration names the zone's name servers. */
#pragma once

#include "lib/api/net_keeper.h"
#include "lib/config/config.h"

/* Makes the file's directory, as root, and lets the process with this user and group write in it. The
 * directory is sticky: the process can neither delete nor replace the files of others in it. An existing
 * directory that the configuration names is left as it is. Nothing is made if no file is wanted. */
int records_make_place(const struct tree *tree, const struct config *config, uid_t uid, gid_t gid,
                       struct error *e);
/* Returns 0 if this process can write the file, or none is wanted; else a negative errno (refused). */
int records_check(const struct tree *tree, const struct config *config, struct error *e);

struct records {
    char *path;
    bool wanted;
    char *problem; /* why the file is not as it should be, or which name it lacks; NULL: all is well */
    bool failed;   /* it could be neither written nor deleted: a later attempt can succeed */
};
void records_begin(struct records *r, const struct tree *tree, const struct config *config);
void records_done(struct records *r);
/* Makes the file agree with the network: writes it if its content differs, and deletes it for NULL or if none
 * is wanted, unless another program has written it. Returns whether it was changed. */
bool records_set(struct records *r, const struct net_network *network);
