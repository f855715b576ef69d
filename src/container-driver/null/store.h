/* The null runtime's files. Written without fsync: nothing here is worth a disk's time. */
#pragma once

#include "container-driver/null/null.h"

int null_load(struct null *n, struct error *e);
int null_save(const struct null_container *k, struct error *e);
void null_forget(struct null_container *k); /* frees it, and removes its file */
void null_container_free(struct null_container *k);
int null_save_images(const struct null *n, struct error *e);
