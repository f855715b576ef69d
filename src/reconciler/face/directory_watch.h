/* Reports changes of the directory of manifests while the process runs: files that were renamed into it or
 * disappeared from it, and that its path may lead elsewhere.
 *
 * A file that is created or written in place is not reported, since nothing shows when it is complete. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"

struct directory_watch;

struct directory_handlers {
    /* A file NAME.json was renamed into the directory; or was deleted or renamed away. */
    void (*arrived)(void *userdata, const char *name);
    void (*left)(void *userdata, const char *name);
    void (*lost)(void *userdata);  /* events were lost */
    void (*moved)(void *userdata); /* the path may lead to another directory, or to none */
};

/* Watches the path, and no directory yet. Returns 0 or a negative errno. */
int directory_watch_new(sd_event *event, const char *path, const struct directory_handlers *handlers,
                        void *userdata, struct directory_watch **ret, struct error *e);
void directory_watch_free(struct directory_watch *watch); /* NULL is accepted */

/* The functions below do nothing if 'watch' is NULL. */
/* Prepares for an examination of the path, so that no change is missed between the two. */
void directory_watch_renew(struct directory_watch *watch);
/* Reports whether the directory that is followed still exists; a new one can have its inode number. */
bool directory_watch_follows(const struct directory_watch *watch);
/* Reports the files of the open directory 'fd' from now on, and of no other; −1: of none. Returns 0 or a
 * negative errno. */
int directory_watch_follow(struct directory_watch *watch, int fd, struct error *e);
