/* Reads hostlet.conf and hostlet.conf.d by one table of keys (keys.c). Every process reads and checks all
 * of it, so that any mistake is found at the start of each process and by "hostletctl". */
#pragma once

#include "lib/paths/tree.h"

enum config_type {
    CONFIG_STRING,
    CONFIG_PATH, /* absolute */
    CONFIG_NUMBER,
    CONFIG_SIZE, /* bytes; suffixes K M G T (and Ki, KiB, …), powers of 1024 */
    /* Microseconds when parsed; "500ms", "5 s", "2min", "1h"; a number without a unit is in seconds. */
    CONFIG_DURATION,
    CONFIG_BOOL,           /* yes, no, true, false */
    CONFIG_CHOICE,         /* one word of 'choices' */
    CONFIG_CHOICE_OR_PATH, /* one word of 'choices', or an absolute path */
    CONFIG_LIST,           /* words separated by white space; the key may be repeated */
    CONFIG_RANGE,          /* "20000-29999" */
    CONFIG_ADDRESS,        /* IPv4, "192.168.1.10", or empty */
    CONFIG_ADDRESSES,      /* a list of IPv4 and IPv6 addresses, like CONFIG_LIST */
};

struct config_key {
    const char *section, *name;
    enum config_type type;
    const char *standard; /* the default, as text */
    int64_t min, max;     /* limits of numbers, sizes (bytes), durations (microseconds) and ranges */
    const char *choices;  /* "docker|null" */
    const char *comment;  /* for the man page and the sample file */
};

extern const struct config_key config_keys[]; /* the last row's section is NULL */

struct config;

/* Reads ETC/hostlet.conf (may be missing) and then ETC/hostlet.conf.d/ *.conf in the order of their names;
 * a later file overrides an earlier one. Refused, with a message that names file and line, are: an unknown
 * section or key, a key given twice in one file (except lists), an invalid value, and a URL with user or
 * password in a file that other users may read. Sets tree->apps to the configured app_path. */
int config_load(struct tree *tree, struct config **ret, struct error *e);
/* Does the same as if 'text' were the content of ETC/hostlet.conf.d/PART, which is not read. */
int config_load_with(struct tree *tree, const char *part, const char *text, struct config **ret,
                     struct error *e);
void config_free(struct config *config);

/* Return values. A key that is not in the table is a bug of hostlet, and the process aborts. Strings and
 * lists are borrowed; an unset string is "". */
const char *config_string(const struct config *config, const char *section, const char *name);
int64_t config_number(const struct config *config, const char *section, const char *name); /* also sizes */
/* Returns microseconds. */
uint64_t config_duration(const struct config *config, const char *section, const char *name);
bool config_bool(const struct config *config, const char *section, const char *name);
void config_range(const struct config *config, const char *section, const char *name, int64_t *ret_min,
                  int64_t *ret_max);

bool config_has_section(const char *section);

/* Returns the row of "SECTION.KEY", the notation of service.conf, or NULL. */
const struct config_key *config_find_key(const char *dotted);

/* Returns the text of all values of a section and of [hostlet]. The supervisor restarts a service when
 * this text changes. The caller frees it. */
char *config_section_text(const struct config *config, const char *section);
