/* Watches whether a path still leads to a file that only this process can make again: the socket of a worker
 * without a supervisor that binds it, a lock.
 *
 * By dnotify and not by path_watch.h: a process that is killed with an inotify instance exits up to 20 ms
 * later, since the kernel waits for all readers of its list of watches, and so its next start is later, too.
 */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"
#include "lib/varlink/unix.h"

struct file_watch;

/* Reports whether the path leads to the file, which the process has open, so that its inode is not used
 * again. */
bool file_is_at(const struct unix_file *file, const char *path);

typedef void (*file_watch_fn)(void *userdata);

/* Calls 'gone' when 'path' does not lead to 'file' any more: it was deleted or replaced, or its directory
 * was, or a file system was mounted over it. A directory further above that is renamed is not noticed. The
 * kernel reports changes by 'signal', which nothing else of the process handles; each watch has its own.
 * Returns 0 with *ret, which the caller frees by file_watch_free(), or a negative errno. */
int file_watch_new(sd_event *event, const char *path, const struct unix_file *file, int signal,
                   file_watch_fn gone, void *userdata, struct file_watch **ret, struct error *e);
void file_watch_free(struct file_watch *w);
