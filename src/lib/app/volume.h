/* Defines where a container's file system can have volumes, and the names of their directories.
 *
 * A volume is a directory of the replica that is mounted into its containers: APPS/CONTAINER/volumes/KEY.
 * Every VOLUME of the image is one, and every path of the manifest's key volumes. The reconciler, the
 * provisioner and container-driver share these functions, so that all of them refuse the same paths and use
 * the same names. */
#pragma once

#include "lib/basic/error.h"

#define APP_VOLUMES_DIRECTORY "volumes" /* in the replica's directory */
#define APP_VOLUMES_COPYING                                                                                  \
    ".copying-" /* begins the name of a volume's directory until its copy is complete */

/* How a container's own mounts limit its volumes. */
struct app_volume_rules {
    bool inagent;   /* /home and /opt are the replica's directories, and inagent's files are in the first */
    bool read_only; /* /tmp and /run are in memory */
};

/* Checks that 'path' is absolute, in its shortest form, and that a volume can be mounted there. Returns 0, or
 * −EINVAL (refused) with a sentence that begins with the path. */
int app_volume_check(const char *path, const struct app_volume_rules *rules, struct error *e);

/* Returns the name of the volume's directory, which is a part of the volume's name in the runtime, too. Paths
 * that differ have names that differ. 'path' has the form that app_volume_check() requires. The caller frees.
 */
char *app_volume_key(const char *path);

/* Sorts the paths and removes duplicates; frees the removed ones. */
void app_volumes_sort(char **paths, size_t *n);
void app_volumes_free(char **paths, size_t n);

/* Sets *ret to the volumes that an image's VOLUMEs make, sorted; the caller releases them with
 * app_volumes_free(). A
 * VOLUME at which hostlet mounts something anyway (/home and /opt, or /tmp and /run) makes none. Returns 0,
 * or −EINVAL (refused) if one of them cannot be a volume; '*ret' is then not set. */
int app_volumes_of_image(char *const *declared, size_t n, const struct app_volume_rules *rules, char ***ret,
                         size_t *ret_n, struct error *e);
