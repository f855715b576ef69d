/* Reads a package file entry by entry and refuses an invalid one: damaged or truncated, with trailing
 * data, with entries that no package needs (hard links, devices, fifos), with names that lead out of the
 * package, or beyond the limits.
 *
 * The caller must not trust what it has read before the end: the checksum is verified only when
 * package_reader_next() returns 0. */
#pragma once

#include <time.h>

#include "lib/package/source.h"

enum package_entry_type { ENTRY_DIRECTORY, ENTRY_FILE, ENTRY_SYMLINK };

/* Valid until the next call of package_reader_next(). */
struct package_entry {
    enum package_entry_type type;
    const char *name;   /* relative and normalised (entry.h); "" is the root */
    const char *target; /* of a symbolic link, never empty; else NULL */
    mode_t mode;        /* permission bits, without setuid, setgid and sticky */
    uint64_t size;      /* of a file, in bytes */
    struct timespec modified;
};

struct package_reader;

/* Reads and checks the header of the package file 'fd'. 'fd' and the strings, limits and cancel flag of
 * 'options' are borrowed until package_reader_close(). */
int package_reader_open(int fd, const struct source_options *options, struct package_reader **ret,
                        struct error *e);

const struct package *package_reader_package(const struct package_reader *r);

/* Reads the next entry. Returns 1, 0 at the end of a complete and valid package, or a negative errno. */
int package_reader_next(struct package_reader *r, struct package_entry *ret, struct error *e);

/* Reads the next piece of the current file. Returns 1 with a piece that is valid until the next call and
 * belongs at *ret_offset, 0 at the file's end, or a negative errno. */
int package_reader_data(struct package_reader *r, const void **ret, size_t *ret_size, uint64_t *ret_offset,
                        struct error *e);

/* Return the bytes of the data block that were read so far, and its size. */
uint64_t package_reader_bytes_read(const struct package_reader *r);
uint64_t package_reader_bytes_total(const struct package_reader *r);

struct package_reader *package_reader_close(struct package_reader *r);
DEFINE_CLEANUP(struct package_reader *, package_reader_close);
