/* Stores the last index of each HTTP repository on disk, so that a process which was started on demand need
 * not download it again. A file is one line of JSON (url, etag, last_modified), then the index as it was
 * received. It is used only if the server reports that the index has not changed, and removed when the
 * repository is no longer configured. */
#pragma once

#include "fetcher/repository.h"

/* Returns the name of the cache file of a repository. The caller frees it. */
char *index_cache_name(const struct repository *repository);

/* Returns the validators for a conditional request; both are NULL if there is no usable cache. The caller
 * frees them. */
void index_cache_validators(const struct repository *repository, char **ret_etag, char **ret_last_modified);

/* Read the cached index without its first line (the caller frees it), and write it. They block, so they are
 * called in threads. They return 0 or a negative errno. */
int index_cache_read(int state_fd, const char *name, char **ret, size_t *ret_size, struct error *e);
int index_cache_write(int state_fd, const char *name, const char *url, const char *etag,
                      const char *last_modified, const char *text, size_t size, struct error *e);

/* Removes the cache files of repositories that are not in the list. */
void index_cache_clean(int state_fd, const struct repository *list);
