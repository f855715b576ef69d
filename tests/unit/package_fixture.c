/* Implements package_fixture.h. */
#include "package_fixture.h"
#include "lib/basic/remove_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/package/compress_encoder.h"

#define TAR_TIME 1795468213

void bytes_add(struct bytes *b, const void *data, size_t size)
{
    if (b->size + size > b->room) {
        b->room = 2 * (b->size + size);
        b->data = xrealloc(b->data, b->room, 1);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

void bytes_clear(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

char *scratch_make(void)
{
    char *path = xasprintf("%s/test-package.XXXXXX", getenv("TMPDIR") ?: "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

void scratch_remove(char *path)
{
    assert_int_equal(remove_tree_at(AT_FDCWD, path, NULL), 0);
    free(path);
}

void tar_raw(struct bytes *tar, const char *name, char type, const char *target, unsigned mode, uint64_t size)
{
    char h[513] = {0};
    assert_true(strlen(name) <= 100 && strlen(target) <= 100);
    memcpy(h, name, strlen(name));
    sprintf(h + 100, "%07o", mode);
    sprintf(h + 108, "%07o", 0);
    sprintf(h + 116, "%07o", 0);
    sprintf(h + 124, "%011llo", (unsigned long long)size);
    sprintf(h + 136, "%011llo", (unsigned long long)TAR_TIME);
    memset(h + 148, ' ', 8);
    h[156] = type;
    memcpy(h + 157, target, strlen(target));
    memcpy(h + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)h[i];
    sprintf(h + 148, "%06o", sum);
    bytes_add(tar, h, 512);
}

static void add_padded(struct bytes *tar, const void *data, size_t size)
{
    static const char zeros[512];
    bytes_add(tar, data, size);
    bytes_add(tar, zeros, (512 - size % 512) % 512);
}

void tar_entry(struct bytes *tar, const char *name, char type, const char *target, unsigned mode,
               const char *data)
{
    tar_raw(tar, name, type, target, mode, strlen(data));
    add_padded(tar, data, strlen(data));
}

void tar_pax(struct bytes *tar, const char *keyword, const char *value, size_t value_size)
{
    /* the record's length includes its own digits */
    size_t rest = strlen(keyword) + value_size + 3, size = rest + 1;
    char digits[24];
    while ((size_t)snprintf(digits, sizeof digits, "%zu", size) + rest != size)
        size++;
    struct bytes record = {0};
    bytes_add(&record, digits, strlen(digits));
    bytes_add(&record, " ", 1);
    bytes_add(&record, keyword, strlen(keyword));
    bytes_add(&record, "=", 1);
    bytes_add(&record, value, value_size);
    bytes_add(&record, "\n", 1);
    tar_raw(tar, "pax", 'x', "", 0644, record.size);
    add_padded(tar, record.data, record.size);
    bytes_clear(&record);
}

void tar_end(struct bytes *tar)
{
    static const char zeros[1024];
    bytes_add(tar, zeros, sizeof zeros);
}

void compress_bytes(enum compression c, const struct bytes *in, struct bytes *out)
{
    _cleanup_(cleanup_encoder_free) struct encoder *x = NULL;
    assert_int_equal(encoder_new(c, c == COMPRESSION_XZ ? 0 : -1, &x, NULL), 0);
    uint8_t chunk[4096];
    struct codec_buffers b = {in->data, in->size, NULL, 0};
    int r = 0;
    while (r == 0) {
        b.out = chunk;
        b.out_size = sizeof chunk;
        r = encoder_run(x, &b, true, NULL);
        bytes_add(out, chunk, sizeof chunk - b.out_size);
    }
    assert_int_equal(r, 1);
}

int make_package(enum compression said, const struct bytes *block)
{
    char name[] = "tiny", version[] = "1.0.0", os[] = "linux", arch[] = "amd64",
         id[] = "tiny_1.0.0_linux_amd64";
    struct package p = {
        .name = name, .version = version, .os = os, .arch = arch, .id = id, .compression = said};
    uint8_t digest[32];
    SHA256(block->data, block->size, digest);
    bytes_to_hex(digest, sizeof digest, p.sha256);
    p.size = block->size;
    int fd = memfd_create("ipk", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(package_header_write(fd, &p, NULL), 0);
    assert_int_equal(write_all(fd, block->data, block->size), 0);
    return fd;
}

int count_names(const char *path)
{
    _cleanup_closedir_ DIR *dir = opendir(path);
    if (!dir)
        return -1;
    int n = 0;
    struct dirent *d;
    while ((d = readdir(dir)))
        n += !streq(d->d_name, ".") && !streq(d->d_name, "..");
    return n;
}
