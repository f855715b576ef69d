/* A package file, entry by entry, with everything that is wrong with it refused: damage, truncation, trailing
 * data, entries that no package needs (hard links, devices, fifos), names that lead elsewhere, and more than
 * the limits allow.
 *
 * Nothing read before the end may be trusted: only when package_reader_next() has returned 0 is the checksum
 * known to be right. */
#pragma once

#include <time.h>

#include "lib/package/source.h"

enum package_entry_type { ENTRY_DIRECTORY, ENTRY_FILE, ENTRY_SYMLINK };

/* Valid until the next call of package_reader_next(). */
struct package_entry {
    enum package_entry_type type;
    const char *name;   /* relative, in one form (entry.h); "" is the root */
    const char *target; /* of a symbolic link, never empty; else NULL */
    mode_t mode;        /* permission bits alone, without setuid, setgid and sticky */
    uint64_t size;      /* of a file, in bytes */
    struct timespec modified;
};

struct package_reader;

/* Reads and checks the header of the package file 'fd' (borrowed, like 'options', until
 * package_reader_close). */
int package_reader_open(int fd, const struct source_options *options, struct package_reader **ret,
                        struct error *e);

const struct package *package_reader_package(const struct package_reader *r);

/* The next entry: 1, or 0 at the end of a package that is whole and right, or a negative errno. */
int package_reader_next(struct package_reader *r, struct package_entry *ret, struct error *e);

/* The next piece of the current file: 1 with a piece, which is valid until the next call and belongs at
 * *ret_offset, or 0 at the file's end, or a negative errno. */
int package_reader_data(struct package_reader *r, const void **ret, size_t *ret_size, uint64_t *ret_offset,
                        struct error *e);

/* Bytes of the data block read so far, and all of them. */
uint64_t package_reader_bytes_read(const struct package_reader *r);
uint64_t package_reader_bytes_total(const struct package_reader *r);

struct package_reader *package_reader_close(struct package_reader *r);
DEFINE_CLEANUP(struct package_reader *, package_reader_close);
