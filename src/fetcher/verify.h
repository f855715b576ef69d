/* Checks whether the received bytes are the requested package. */
#pragma once

#include <openssl/evp.h>

#include "lib/api/fetcher.h"

/* The hashes of a package as its bytes go by: of the whole file, and of the data block alone. The thread's
 * own. */
struct digest {
    EVP_MD_CTX *whole, *block;
    uint64_t position;     /* bytes so far */
    uint64_t block_offset; /* known once 8 bytes went by */
    uint8_t prefix[8];
};

int digest_init(struct digest *d, struct error *e);
void digest_done(struct digest *d);
/* Adds bytes; fails as soon as they cannot be the beginning of a package. */
int digest_add(struct digest *d, const uint8_t *data, size_t size, const char *id, struct error *e);

/* Whether the bytes that went by, which are in the file, are the package that is wanted. */
int digest_verify(struct digest *d, int fd, const struct package_reference *package, struct error *e);
