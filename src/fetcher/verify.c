/* Implements verify.h: checks size, hash of the file, contents of the header, and checksum of the data block.
 * The hashes are computed while the bytes are received, so that no byte is read twice. */
#include "fetcher/verify.h"

#include <endian.h>
#include <errno.h>

#include "lib/basic/cleanup.h"
#include "lib/package/header.h"

static int wrong(struct error *e, const char *id, const char *what)
{
    return error_fail(e, EBADMSG, "what was received is not package '%s': %s", id, what);
}

int digest_init(struct digest *d, struct error *e)
{
    digest_done(d);
    *d = (struct digest){.whole = EVP_MD_CTX_new(), .block = EVP_MD_CTX_new()};
    if (!d->whole || !d->block || EVP_DigestInit_ex(d->whole, EVP_sha256(), NULL) != 1 ||
        EVP_DigestInit_ex(d->block, EVP_sha256(), NULL) != 1)
        return error_os(e, ENOMEM, "cannot hash");
    return 0;
}

void digest_done(struct digest *d)
{
    EVP_MD_CTX_free(d->whole);
    EVP_MD_CTX_free(d->block);
    *d = (struct digest){0};
}

/* Computes where the data block begins from the magic and the header's length. A file that is not a package
 * is detected here and not after gigabytes. */
static int read_prefix(struct digest *d, const char *id, struct error *e)
{
    uint32_t header;
    memcpy(&header, d->prefix + 4, sizeof header);
    header = le32toh(header);
    if (memcmp(d->prefix, "IPK1", 4) != 0)
        return wrong(e, id, "it does not begin with IPK1");
    if (header < 2 || header > PACKAGE_HEADER_MAX) {
        char why[64];
        snprintf(why, sizeof why, "its header claims to have %u bytes", header);
        return wrong(e, id, why);
    }
    d->block_offset = sizeof d->prefix + (uint64_t)header;
    return 0;
}

int digest_add(struct digest *d, const uint8_t *data, size_t size, const char *id, struct error *e)
{
    if (size == 0)
        return 0;
    bool had_prefix = d->position >= sizeof d->prefix;
    for (size_t i = 0; !had_prefix && i < size && d->position + i < sizeof d->prefix; i++)
        d->prefix[d->position + i] = data[i];
    uint64_t begin = d->position, end = begin + size;
    d->position = end;
    if (!had_prefix && end >= sizeof d->prefix) {
        int r = read_prefix(d, id, e);
        if (r < 0)
            return r;
    }
    if (EVP_DigestUpdate(d->whole, data, size) != 1)
        return error_os(e, ENOMEM, "cannot hash package '%s'", id);
    if (d->block_offset == 0 || end <= d->block_offset)
        return 0;
    size_t skip = begin < d->block_offset ? (size_t)(d->block_offset - begin) : 0;
    if (EVP_DigestUpdate(d->block, data + skip, size - skip) != 1)
        return error_os(e, ENOMEM, "cannot hash package '%s'", id);
    return 0;
}

static int finish(EVP_MD_CTX *hash, char ret[SHA256_HEX_SIZE], struct error *e)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_DigestFinal_ex(hash, digest, &n) != 1)
        return error_os(e, ENOMEM, "cannot hash");
    bytes_to_hex(digest, n, ret);
    return 0;
}

static int check_header(const char *block, int fd, const struct package_reference *p, struct error *e)
{
    _cleanup_package_ struct package *header = NULL;
    uint64_t offset, size;
    struct error why = ERROR_INIT;
    int r = package_header_read(fd, p->id, &header, &offset, &size, &why);
    if (r < 0 && why.class == ERROR_REFUSED)
        return wrong(e, p->id, why.message);
    if (r < 0) {
        *e = why;
        return r;
    }
    _cleanup_free_ char *reason = NULL;
    if (!streq(header->id, p->id) || !streq(header->name, p->name))
        reason = xasprintf("its header contains the id '%s'", header->id);
    else if (!streq(header->sha256, block))
        reason = xasprintf("its data block has the checksum sha256:%s, its header contains sha256:%s", block,
                           header->sha256);
    else if (p->checksum && !streq(p->checksum + strlen("sha256:"), block))
        reason = xasprintf("its data block has the checksum sha256:%s, the repository expects %s", block,
                           p->checksum);
    return reason ? wrong(e, p->id, reason) : 0;
}

int digest_verify(struct digest *d, int fd, const struct package_reference *p, struct error *e)
{
    char whole[SHA256_HEX_SIZE], block[SHA256_HEX_SIZE];
    _cleanup_free_ char *reason = NULL;
    int r = finish(d->whole, whole, e);
    if (r >= 0)
        r = finish(d->block, block, e);
    if (r < 0)
        return r;
    if (p->size > 0 && d->position != (uint64_t)p->size)
        reason =
            xasprintf("it has %llu bytes, not %lld", (unsigned long long)d->position, (long long)p->size);
    else if (p->sha256 && !streq(p->sha256, whole))
        reason = xasprintf("its sha256 is %s, not %s", whole, p->sha256);
    return reason ? wrong(e, p->id, reason) : check_header(block, fd, p, e);
}
