/* Watches a directory: the objects in it, and whether its path still leads to it.
 *
 * An event only means that something may have changed: the function that is called examines the directory
 * itself. It is called when an object in the directory was created, deleted or renamed or its rights changed;
 * when the directory or one that leads to it was deleted, renamed or replaced; and after every change of the
 * mount table, which inotify does not report. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"

struct path_watch;

typedef void (*path_watch_fn)(void *userdata);

/* Watches the absolute path 'path', which need not exist, nor be readable. 'changed' may call
 * path_watch_renew(). Returns 0 or a negative errno: a user's inotify instances and watches are limited
 * (fs.inotify.max_user_instances, fs.inotify.max_user_watches). */
int path_watch_new(sd_event *event, const char *path, path_watch_fn changed, void *userdata,
                   struct path_watch **ret, struct error *e);
void path_watch_free(struct path_watch *watch);

/* Follows the path again, to the directories to which it leads now. The caller does this before it examines
 * the directory, so that no change is missed between the two. Returns 0, or a negative errno when the path
 * does not lead to a directory; then the directories up to there are watched. */
int path_watch_renew(struct path_watch *watch, struct error *e);
