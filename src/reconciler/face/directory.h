/* Follows the directory of manifests ([reconciler] manifests): each file NAME.json orders the instance NAME,
 * of origin directory. A file that is changed, added or removed is an order.
 *
 * All files are read at the start of the process, at a reload, when events were lost, and when the directory
 * is another one. In between, a file is read when it is renamed into the directory. A file that disappeared
 * is looked for again after a pause before the instance is stopped or destroyed, since editors rename the old
 * file away first. A file that cannot be followed changes nothing, and is shown with the reason. A directory
 * that is missing or cannot be read changes nothing either. */
#pragma once

#include "lib/service/service.h"
#include "reconciler/model/instance.h"

struct directory;

/* Begins to follow the directory of the settings, if there is one. */
void directory_start(struct manager *m, sd_event *event);
void directory_stop(struct manager *m);
/* Reads all files. */
void directory_read_all(struct manager *m);
/* Reads the file of one instance: its name is free, or its hold was released. */
void directory_look(struct manager *m, const char *name);

/* Judges the directory of a configuration for --check: one that exists must be usable. */
int directory_check(const struct service_context *context, struct error *e);

/* Returns the configured directory, and why it cannot be followed; NULL: there is none, or it can. */
const char *directory_path(const struct manager *m);
const char *directory_problem(const struct manager *m);
/* Returns why the instance's file cannot be followed; NULL: it can, or does not exist. */
const char *directory_file_problem(const struct manager *m, const char *name);
/* Returns the name of the next file that cannot be followed and has no instance, after 'name' (NULL: the
 * first); NULL: there is none. */
const char *directory_next_alone(const struct manager *m, const char *name);
