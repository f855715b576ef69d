/* Defines scope-bound ownership: variables that release their object when they go out of scope.
 *
 * A pointer or descriptor that outlives its scope is moved out with TAKE_PTR or TAKE_FD, so that a
 * function's text shows who owns what. Destructors accept NULL and −1. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/basic/util.h"

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Returns the value of a pointer, passing on its ownership, and sets the pointer to NULL. */
#define TAKE_PTR(p)                                                                                          \
    ({                                                                                                       \
        typeof(p) *_take = &(p);                                                                             \
        typeof(p) _value = *_take;                                                                           \
        *_take = NULL;                                                                                       \
        _value;                                                                                              \
    })

/* Returns a file descriptor, passing on its ownership, and sets the variable to −1. */
#define TAKE_FD(fd)                                                                                          \
    ({                                                                                                       \
        int *_take = &(fd);                                                                                  \
        int _value = *_take;                                                                                 \
        *_take = -1;                                                                                         \
        _value;                                                                                              \
    })

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
    close_fd(*fd);
}

static inline void cleanup_fclose(FILE **f)
{
    if (*f)
        fclose(*f);
}

static inline void cleanup_closedir(DIR **d)
{
    if (*d)
        closedir(*d);
}

#define _cleanup_free_     _cleanup_(cleanup_free)
#define _cleanup_close_    _cleanup_(cleanup_close)
#define _cleanup_fclose_   _cleanup_(cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)

/* Defines a cleanup function for a pointer type from its destructor. */
#define DEFINE_CLEANUP(type, destroy)                                                                        \
    static inline void cleanup_##destroy(type *p)                                                            \
    {                                                                                                        \
        if (*p)                                                                                              \
            destroy(*p);                                                                                     \
    }                                                                                                        \
    struct cleanup_##destroy##_wants_a_semicolon
