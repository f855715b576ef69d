/* Describes why a container ended, from what the runtime shows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct exit_facts {
    int64_t code;
    /* The kernel killed the container's main process or another one for lack of memory shortly before. */
    bool oom;
    int64_t memory_limit; /* bytes; 0: none */
    const char *error;    /* the runtime's own reason; NULL or "": none */
};

/* Returns a text such as "exited with code 3", "exited with code 139 (SIGSEGV)" or "killed: out of memory,
 * limit 64 MiB". The caller frees it. */
char *exit_reason(const struct exit_facts *facts);
