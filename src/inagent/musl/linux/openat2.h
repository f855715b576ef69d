/* Declares the argument of openat2(2). musl-gcc finds no kernel headers, and the shared file functions
 * (lib/basic/fs.c) need this one. */
#pragma once

#include <stdint.h>

struct open_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

#define RESOLVE_NO_XDEV       0x01
#define RESOLVE_NO_MAGICLINKS 0x02
#define RESOLVE_NO_SYMLINKS   0x04
#define RESOLVE_BENEATH       0x08
