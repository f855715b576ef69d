/* Checks whether the received bytes are the requested package.
 *
 * The unpacker does not rely on it: lib/package/source.h compares the checksum of the data block with the
 * header once more when the file is unpacked. */
#pragma once

#include <openssl/evp.h>

#include "lib/api/fetcher.h"

/* The hashes of a package, computed while its bytes are received: of the whole file, and of its data block.
 * Only the thread uses it. */
struct digest {
    EVP_MD_CTX *whole, *block;
    uint64_t position;     /* bytes so far */
    uint64_t block_offset; /* known after 8 bytes */
    uint8_t prefix[8];
};

int digest_init(struct digest *d, struct error *e);
void digest_done(struct digest *d);
/* Adds bytes to the hashes. Returns −EBADMSG as soon as they cannot be the beginning of a package. */
int digest_add(struct digest *d, const uint8_t *data, size_t size, const char *id, struct error *e);

/* Checks that the added bytes, which are in the file, are the package of the reference. Returns 0 or
 * −EBADMSG, or another negative errno. */
int digest_verify(struct digest *d, int fd, const struct package_reference *package, struct error *e);
