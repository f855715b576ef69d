/* The last index of each http repository, kept on disk so that a process that was just started on demand need
 * not have it sent again: one line of JSON (url, etag, last_modified), then the index as it came. It is only
 * used when the server says that it is still the same, and removed when the repository is no longer
 * configured. */
#pragma once

#include "fetcher/repository.h"

/* Name of the cache file of a repository. The caller frees. */
char *index_cache_name(const struct repository *repository);

/* What to ask the server with: NULLs when there is no usable cache. The caller frees both. */
void index_cache_validators(const struct repository *repository, char **ret_etag, char **ret_last_modified);

/* For threads. The text without its first line; 0 or a negative errno. */
int index_cache_read(int state_fd, const char *name, char **ret, size_t *ret_size, struct error *e);
int index_cache_write(int state_fd, const char *name, const char *url, const char *etag,
                      const char *last_modified, const char *text, size_t size, struct error *e);

/* Removes the caches of repositories that are not in the list. */
void index_cache_clean(int state_fd, const struct repository *list);
