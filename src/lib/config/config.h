/* hostlet.conf and hostlet.conf.d: one table of keys (keys.c), read and checked whole by every process, so
 * that a mistake anywhere is found at the start and by "hostletctl" alike. */
#pragma once

#include "lib/paths/tree.h"

enum config_type {
    CONFIG_STRING,
    CONFIG_PATH, /* absolute */
    CONFIG_NUMBER,
    CONFIG_SIZE,           /* bytes; suffixes K M G T (and KiB…), powers of 1024 */
    CONFIG_DURATION,       /* microseconds inside; "500ms", "5 s", "2min", "1h"; a bare number is seconds */
    CONFIG_BOOL,           /* yes, no, true, false */
    CONFIG_CHOICE,         /* one word of 'choices' */
    CONFIG_CHOICE_OR_PATH, /* the same, or an absolute path */
    CONFIG_LIST,           /* words separated by white space; the key may be repeated */
    CONFIG_RANGE,          /* "20000-29999" */
    CONFIG_ADDRESS,        /* IPv4, "192.168.1.10"; or empty */
};

struct config_key {
    const char *section, *name;
    enum config_type type;
    const char *standard; /* the default, as text */
    int64_t min, max;     /* of numbers, sizes and durations (microseconds) */
    const char *choices;  /* "docker|null" */
    const char *comment;  /* for the man page and the sample file */
};

extern const struct config_key config_keys[]; /* ends with a section of NULL */

struct config;

/* Reads ETC/hostlet.conf (may be absent) and then ETC/hostlet.conf.d/ *.conf in the order of their names,
 * later ones winning; an unknown section or key, a key given twice in one file, a bad value, and a URL with
 * user or password in a file that others may read are refused, naming file and line. tree->apps is set to the
 * configured app_path. */
int config_load(struct tree *tree, struct config **ret, struct error *e);
void config_free(struct config *config);

/* Values; a key that is not in the table is our bug: aborts. Strings and lists are borrowed. "" for an unset
 * string. */
const char *config_string(const struct config *config, const char *section, const char *name);
int64_t config_number(const struct config *config, const char *section, const char *name); /* also sizes */
uint64_t config_duration(const struct config *config, const char *section,
                         const char *name); /* microseconds */
bool config_bool(const struct config *config, const char *section, const char *name);
void config_range(const struct config *config, const char *section, const char *name, int64_t *ret_min,
                  int64_t *ret_max);

bool config_has_section(const char *section);

/* The row of "SECTION.KEY" in the table, as service.conf names keys; NULL: there is none. */
const struct config_key *config_find_key(const char *dotted);

/* Text of all values of a section (and of [hostlet]), for the supervisor, which restarts a service whose text
 * changed. The caller frees. */
char *config_section_text(const struct config *config, const char *section);
