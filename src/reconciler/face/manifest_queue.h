/* Turns the files of the directory of manifests into orders: reads the queued ones, makes their plans
 * together, and applies them; and lists those that cannot be followed. directory.c decides what is queued. */
#pragma once

#include "lib/loop/retry.h"
#include "reconciler/face/directory_files.h"
#include "reconciler/model/instance.h"

struct manifest_file;
struct planning;

struct manifest_queue {
    struct manager *manager;
    /* Is called when a file's problem changed. It points to report_file_changed(), which asks for the
     * problem. */
    void (*changed)(struct manager *m, const char *name);
    const char *path; /* of the directory */
    bool followed;    /* 'place' is the directory that was read last */
    bool replaced;    /* it took the place of another one, or was missing before, since the last reload */
    struct directory_place place; /* it is open only while its files are read: it can be unmounted */
    struct manifest_file *files;
    struct planning *planning; /* NULL: none is in progress */
    struct timer work;
};

void manifest_queue_done(struct manifest_queue *queue);

/* Queues the file of an instance. 'arrived': it was renamed into the directory just now. */
void manifest_queue_read(struct manifest_queue *queue, const char *name, bool arrived);
/* Queues all files in the list. */
void manifest_queue_read_listed(struct manifest_queue *queue);
/* Notes that a file disappeared from the directory just now. */
void manifest_queue_miss(struct manifest_queue *queue, const char *name);
/* Closes the directory. */
void manifest_queue_close(struct manifest_queue *queue);

/* Returns why the file cannot be followed; NULL: it can, or does not exist. */
const char *manifest_queue_problem(const struct manifest_queue *queue, const char *name);
/* Returns the name of the next file that cannot be followed, after 'name' (NULL: the first); NULL: there is
 * none. */
const char *manifest_queue_next(const struct manifest_queue *queue, const char *name);
