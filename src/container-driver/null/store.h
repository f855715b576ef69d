/* Stores the null runtime's state in files. They are written without fsync(), because the state need not
 * survive a crash of the machine. */
#pragma once

#include "container-driver/null/null.h"

/* Loads all containers and images. */
int null_load(struct null *n, struct error *e);
/* Writes the file of a container. */
int null_save(const struct null_container *k, struct error *e);
/* Removes a container from the runtime, with its file, and frees it. */
void null_forget(struct null_container *k);
/* Frees a container; its file remains. */
void null_container_free(struct null_container *k);
/* Writes the file of the images. */
int null_save_images(const struct null *n, struct error *e);
